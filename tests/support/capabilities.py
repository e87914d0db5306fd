"""What this machine has for tests."""

import os
import shutil


def chromium() -> str | None:
    """Where Chromium is; None: there is none."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


def systemd() -> bool:
    """Whether a unit file can be checked here."""
    return shutil.which("systemd-analyze") is not None


def is_root() -> bool:
    """Whether we may mount and become another user."""
    return os.geteuid() == 0


def sshd() -> str | None:
    """Where sshd is, which ordinary users do not have in their PATH; None: there is none."""
    return shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
