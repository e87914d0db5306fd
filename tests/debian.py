"""`make deb`: a Debian package with its own virtual environment in /opt/bucketvault, in dist/.

Built with the system's Python from the locked packages, so it runs on the release of Debian, and on
the architecture, that it was built on. `--try` installs it in a fresh system made by debootstrap,
runs the demo there once, and removes it again: as root, with a mirror of Debian in reach.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bucketvault import __version__

ROOT = Path(__file__).parent.parent
DIST = ROOT / "dist"
PYTHON = Path("/usr/bin/python3")
HOME = Path("/opt/bucketvault")
MIRROR = "http://deb.debian.org/debian"

CONTROL = """\
Package: bucketvault
Version: {version}
Architecture: {architecture}
Maintainer: bucketvault <bucketvault@localhost>
Installed-Size: {kib}
Depends: python3 (>= {python}), python3 (<< {next_python}), passwd, ca-certificates
Recommends: systemd, openssh-server
Section: admin
Priority: optional
Description: bucket-to-bucket backups
 Copies buckets of S3 object storage to another provider on a schedule with rclone, proves that
 each copy is complete, and alerts you when something is wrong. Pages on localhost only.
"""
AFTER_INSTALL = """\
#!/bin/sh
set -e
if [ "$1" = configure ]; then /opt/bucketvault/venv/bin/bucketvault install-service; fi
"""
BEFORE_REMOVAL = """\
#!/bin/sh
set -e
if [ "$1" = remove ]; then /opt/bucketvault/venv/bin/bucketvault uninstall-service || true; fi
"""


def main() -> int:
    """0 once the package is in dist/, and was tried if that was wanted."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--try", dest="is_tried", action="store_true", help="in a fresh Debian")
    given = parser.parse_args()
    missing = [each for each in needed(given.is_tried) if shutil.which(each) is None]
    if missing or not PYTHON.exists():
        print(f"No package: not installed here: {', '.join(missing or [str(PYTHON)])}.")
        return 1
    DIST.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bucketvault-deb-") as folder:
        package = built(Path(folder))
        print(f"{package}: {package.stat().st_size / 1e6:.0f} MB")
        if given.is_tried:
            tried(package, Path(folder) / "debian")
    return 0


def needed(is_tried: bool) -> list[str]:
    """Return the programs that it takes."""
    return ["dpkg-deb", "dpkg", *(["debootstrap", "chroot"] if is_tried else [])]


def built(folder: Path) -> Path:
    """Build the package in `folder`; its file in dist/."""
    tree, wheels = folder / "tree", folder / "wheels"
    environment = tree / HOME.relative_to("/") / "venv"
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(wheels))
    (wheel,) = wheels.glob("*.whl")
    run(str(PYTHON), "-m", "venv", str(environment))
    pip = (str(environment / "bin/pip"), "--quiet", "--disable-pip-version-check", "install")
    run(*pip, "--no-compile", "--require-hashes", "-r", str(ROOT / "requirements.lock"))
    run(*pip, "--no-compile", "--no-deps", str(wheel))
    for script in (environment / "bin").iterdir():  # they name the folder they were made in
        if not script.is_symlink() and str(tree).encode() in (found := script.read_bytes()):
            script.write_bytes(found.replace(str(tree).encode(), b""))
    config = environment / "pyvenv.cfg"
    config.write_text(config.read_text().replace(str(tree), ""))
    # the service's user cannot write here: without this, every start would compile again
    compiled = ("-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash")
    run(str(PYTHON), *compiled, "-s", str(tree), "-p", "/", str(environment / "lib"))
    write_control(tree, environment)
    package = DIST / f"bucketvault_{__version__}_{architecture()}.deb"
    run("dpkg-deb", "--root-owner-group", "-Zzstd", "--build", str(tree), str(package))
    return package


def write_control(tree: Path, environment: Path) -> None:
    """Write what dpkg reads."""
    (versioned,) = (environment / "lib").glob("python3.*")
    minor = int(versioned.name.rpartition(".")[2])
    control = tree / "DEBIAN"
    control.mkdir()
    kib = sum(path.lstat().st_size for path in tree.rglob("*")) // 1024
    (control / "control").write_text(
        CONTROL.format(
            version=__version__,
            architecture=architecture(),
            kib=kib,
            python=f"3.{minor}",
            next_python=f"3.{minor + 1}",
        )
    )
    for name, script in (("postinst", AFTER_INSTALL), ("prerm", BEFORE_REMOVAL)):
        (control / name).write_text(script)
    for path in (tree, *tree.rglob("*")):
        if not path.is_symlink():
            is_open = path.is_dir() or path.stat().st_mode & 0o100 or path.parent == control
            path.chmod(0o755 if is_open and path.name != "control" else 0o644)


def tried(package: Path, system: Path) -> None:
    """Install the package in a fresh Debian, run the demo there, remove it; fails aloud."""
    began = time.monotonic()
    run("debootstrap", "--variant=minbase", "--include=ca-certificates", codename(), str(system),
        MIRROR)  # fmt: skip
    shutil.copy(package, system / "tmp/bucketvault.deb")
    made = time.monotonic()
    inside = ("chroot", str(system), "env", "DEBIAN_FRONTEND=noninteractive", "LANG=C.UTF-8")
    run(*inside, "apt-get", "-qq", "update")
    install = ("install", "--yes", "-qq", "--no-install-recommends", "/tmp/bucketvault.deb")
    run(*inside, "apt-get", *install)
    installed = time.monotonic()
    program = f"{HOME}/venv/bin/bucketvault"
    print(run(*inside, program, "--version").strip())
    run("mount", "-t", "proc", "proc", str(system / "proc"))  # as on every running system
    try:
        said = run(*inside, "HOME=/root", program, "demo", "--once")
    finally:
        run("umount", str(system / "proc"))
    print(next(line for line in said.splitlines() if line.startswith("Second run")))
    shown = time.monotonic()
    for there in ("etc/systemd/system/bucketvault.socket", "usr/local/sbin/bucketvault"):
        assert (system / there).exists(), there
    run(*inside, "apt-get", "remove", "--yes", "-qq", "bucketvault")
    left = [*system.glob("opt/bucketvault/*"), *system.glob("etc/systemd/system/bucketvault*")]
    assert not left, left
    print(
        f"In a fresh {codename()}: made in {made - began:.0f} s, installed in "
        f"{installed - made:.0f} s, the demo ran in {shown - installed:.0f} s, removed."
    )


def architecture() -> str:
    """Return this machine's, as Debian calls it."""
    return run("dpkg", "--print-architecture").strip()


def codename() -> str:
    """Return the release of Debian that this machine has."""
    lines = Path("/etc/os-release").read_text().splitlines()
    return next(x.partition("=")[2] for x in lines if x.startswith("VERSION_CODENAME="))


def run(*command: str) -> str:
    """Run a command, and return what it printed; ends all with its words where it fails."""
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ, capture_output=True, text=True, check=False
    )
    if done.returncode:
        last = "\n".join((done.stdout + done.stderr).splitlines()[-15:])
        sys.exit(f"{' '.join(command[:4])} ended with {done.returncode}:\n{last}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
