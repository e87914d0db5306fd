"""`make release`: build wheel and sdist twice, compare them, try the wheel, and put them in dist/.

The tree must be clean, and CHANGELOG.md must begin with the version that `bucketvault/__init__.py`
names. Both builds are made from copies in other folders, at other times and with another umask: a
file that differs by a byte ends it. The wheel is tried in an environment of its own, with an empty
home: `bucketvault --version`, and the demo once. Nothing is uploaded and no tag is set.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

from bucketvault import __version__

ROOT = Path(__file__).parent.parent
DIST = ROOT / "dist"
DEMO_S = 300


class NotReadyError(Exception):
    """Why there is no release."""


def main() -> int:
    """0 once the files are in dist/."""
    try:
        refuse_what_is_not_ready(git(ROOT, "status", "--porcelain"), changelog())
        epoch = git(ROOT, "log", "-1", "--format=%ct").strip()
        with tempfile.TemporaryDirectory(prefix="bucketvault-release-") as folder:
            built = built_twice(ROOT, Path(folder), epoch)
            print(f"Built twice, byte for byte the same: {', '.join(p.name for p in built)}.")
            (wheel,) = (path for path in built if path.suffix == ".whl")
            for line in tried(wheel, ROOT / "requirements.lock", Path(folder)):
                print(line)
            shutil.rmtree(DIST, ignore_errors=True)
            DIST.mkdir()
            for path in built:
                shutil.copy(path, DIST)
    except NotReadyError as error:
        print(f"No release: {error}", file=sys.stderr)
        return 1
    sums = "".join(f"{sha256(path)}  {path.name}\n" for path in sorted(DIST.iterdir()))
    (DIST / "SHA256SUMS").write_text(sums)
    print(f"bucketvault {__version__} is in {DIST}:\n{sums}", end="")
    return 0


def refuse_what_is_not_ready(changes: str, chapters: list[str]) -> None:
    """Raise NotReadyError for a tree with changes, or a changelog without this version."""
    if changes.strip():
        files = "\n".join(changes.splitlines()[:10])
        raise NotReadyError(f"commit or remove what is changed here first:\n{files}")
    if not chapters or chapters[0].split(" ")[0] != __version__:
        raise NotReadyError(
            f"CHANGELOG.md begins with {chapters[0] if chapters else 'nothing'!r}, "
            f"bucketvault/__init__.py says {__version__}. Write what is new, then release."
        )


def changelog() -> list[str]:
    """The chapters of CHANGELOG.md, newest first: a version, and perhaps its day."""
    return re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)


def built_twice(tree: Path, folder: Path, epoch: str) -> list[Path]:
    """Build the files that git knows of `tree` in two places below `folder`; the first build.

    `epoch`: seconds since 1970, the date of everything in the packages. Raises NotReadyError where
    the two differ.
    """
    first, second = (
        built(tree, folder / name, epoch, umask) for name, umask in (("one", 0o022), ("b", 0o077))
    )
    for one, other in zip(first, second, strict=True):
        if one.name != other.name or one.read_bytes() != other.read_bytes():
            raise NotReadyError(f"{one.name} differs from build to build")
    return first


def built(tree: Path, folder: Path, epoch: str, umask: int) -> list[Path]:
    """Copy a tree and build its wheel and sdist; both, by name."""
    copy, out = folder / "tree", folder / "out"
    for name in git(tree, "ls-files", "-z").split("\0"):
        if name and (tree / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(tree / name, copy / name)
            mode = 0o777 if os.access(tree / name, os.X_OK) else 0o666
            (copy / name).chmod(mode & ~umask)
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-d", str(out)],
        cwd=copy,
        env=os.environ | {"SOURCE_DATE_EPOCH": epoch},
        umask=umask,
        check=True,
        capture_output=True,
    )
    return sorted(out.iterdir())


def tried(wheel: Path, lock: Path, folder: Path) -> list[str]:
    """Install the wheel with the locked packages, and let it show its demo once; what it said.

    Raises NotReadyError with the last lines where it fails.
    """
    home, began = folder / "home", time.monotonic()
    home.mkdir()
    venv.create(folder / "venv", with_pip=True)
    programs = folder / "venv/bin"
    pip = (str(programs / "pip"), "--quiet", "--disable-pip-version-check", "install")
    said: list[str] = []
    for arguments in (
        (*pip, "--require-hashes", "-r", str(lock)),
        (*pip, "--no-deps", str(wheel)),
        (str(programs / "bucketvault"), "--version"),
        (str(programs / "bucketvault"), "demo", "--once"),
    ):
        # pip finds its index by the machine's own settings; the program has an empty home
        alone = {"HOME": str(home), "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}
        done = subprocess.run(
            arguments,
            cwd=folder,
            env=os.environ if arguments[0] == pip[0] else alone,
            capture_output=True,
            text=True,
            timeout=DEMO_S,
        )
        if done.returncode:
            last = "\n".join((done.stdout + done.stderr).splitlines()[-10:])
            raise NotReadyError(f"{' '.join(arguments[:2])} ended with {done.returncode}:\n{last}")
        if arguments[-1] == "--version":
            said += done.stdout.splitlines()
    took = time.monotonic() - began
    return [*said, f"Installed from the wheel, and the demo ran to its end: {took:.0f} s."]


def git(tree: Path, *arguments: str) -> str:
    """Return what git says of a tree."""
    done = subprocess.run(
        ["git", "-C", str(tree), *arguments], check=True, capture_output=True, text=True
    )
    return done.stdout


def sha256(path: Path) -> str:
    """Return a file's SHA-256 in hexadecimal digits."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


if __name__ == "__main__":
    raise SystemExit(main())
