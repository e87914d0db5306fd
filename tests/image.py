"""`make image`: an OCI image from the Debian package, in dist/bucketvault-image.tar.

Built by buildah. Its base is Debian's image where a registry can be reached, else a fresh system by
debootstrap. `--try` runs the demo once in a container of it. As root.
"""

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from tests.debian import DIST, MIRROR, ROOT, built, codename, run

IMAGE = "localhost/bucketvault"
OWN_BASE = "localhost/bucketvault-base"


def main() -> int:
    """0 once the image is in dist/, and was tried if that was wanted."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--try", dest="is_tried", action="store_true", help="run the demo in it")
    given = parser.parse_args()
    missing = [each for each in ("buildah", "dpkg-deb") if shutil.which(each) is None]
    if missing:
        print(f"No image: not installed here: {', '.join(missing)}.")
        return 1
    DIST.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bucketvault-image-") as folder:
        here = Path(folder)
        shutil.copy(built(here), here / "bucketvault.deb")
        # in a container there may be no overlay file system, and no right to make namespaces
        buildah = ("buildah", "--storage-driver", "vfs", "--root", str(here / "storage"))
        base = base_image(buildah, here)
        file = str(ROOT / "packaging/Containerfile")
        how = ("--isolation", "chroot", "--build-arg", f"BASE={base}", "--file", file)
        run(*buildah, "build", *how, "--tag", IMAGE, str(here))
        archive = DIST / "bucketvault-image.tar"
        archive.unlink(missing_ok=True)
        run(*buildah, "push", "--quiet", IMAGE, f"oci-archive:{archive}:bucketvault:latest")
        print(f"{archive}: {archive.stat().st_size / 1e6:.0f} MB, from {base}")
        if given.is_tried:
            print(tried(buildah))
    return 0


def base_image(buildah: tuple[str, ...], folder: Path) -> str:
    """Return the image to build on: Debian's own, or one made here where none can be had."""
    theirs = f"docker.io/library/debian:{codename()}-slim"
    try:
        run(*buildah, "pull", "--quiet", theirs)
    except SystemExit as error:
        print(f"Debian's image is out of reach, so its base is made here: {str(error)[-80:]}")
    else:
        return theirs
    system = folder / "system"
    certificates = "--include=ca-certificates"
    run("debootstrap", "--variant=minbase", certificates, codename(), str(system), MIRROR)
    container = run(*buildah, "from", "scratch").strip()
    run(*buildah, "add", container, str(system), "/")
    run(*buildah, "commit", "--quiet", container, OWN_BASE)
    shutil.rmtree(system)
    return OWN_BASE


def tried(buildah: tuple[str, ...]) -> str:
    """Run the demo once in a container of the image; its line about the second run."""
    container = run(*buildah, "from", IMAGE).strip()
    demo = ("bucketvault", "--data-dir", "/tmp/data", "demo", "--once")
    said = run(*buildah, "run", "--isolation", "chroot", "--env", "HOME=/tmp", container, *demo)
    return next(line for line in said.splitlines() if line.startswith("Second run"))


if __name__ == "__main__":
    sys.exit(main())
