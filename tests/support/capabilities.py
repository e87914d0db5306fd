"""This machine's means for tests."""

import os
import shutil
import subprocess
import tempfile


def chromium() -> str | None:
    """Return where Chromium is, without a user interface where that is had; None: there is none.

    The shell is the same browser, and a page costs it a third of the CPU (Debian's 156).
    """
    names = ("chromium-headless-shell", "chromium", "chromium-browser")
    return next(filter(None, map(shutil.which, names)), None)


def systemd() -> bool:
    """True if a unit file can be checked here."""
    return shutil.which("systemd-analyze") is not None


def is_root() -> bool:
    """True if tests may become another user."""
    return os.geteuid() == 0


def mounts() -> bool:
    """True if tests may mount a small disk; root in a container often may not."""
    if not is_root() or shutil.which("mount") is None:
        return False
    with tempfile.TemporaryDirectory() as folder:
        command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder]
        if subprocess.run(command, capture_output=True, check=False).returncode:
            return False
        subprocess.run(["umount", folder], check=True)
    return True


def sshd() -> str | None:
    """Where sshd is, which ordinary users do not have in their PATH; None: there is none."""
    return shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
