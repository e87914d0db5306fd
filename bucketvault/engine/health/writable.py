"""Find out why no file can be made in a folder, whatever room its disk has."""

import os
from pathlib import Path
from typing import NamedTuple

FEW_FILES = 500  # a run makes about fifty


class Unwritable(NamedTuple):
    """Why none can be made: a few words, a sentence, what to do."""

    title: str
    words: str
    todo: str


def unwritable(folder: Path) -> Unwritable | None:
    """Return why files cannot be made in a folder, or soon cannot; None: they can. Raises OSError.

    Disks without a fixed number of files, such as Btrfs, report none (statvfs(3)).
    """
    if not os.access(folder, os.W_OK):  # on a read-only disk that holds for root, too: access(2)
        return Unwritable(
            "The data folder is read-only",
            "Nothing can be written there: no run can start, and nothing is recorded.",
            f"Check its owner and mode, and the disk: after errors a system mounts it read-only. "
            f"See: findmnt -T {folder}; dmesg",
        )
    disk = os.statvfs(folder)
    if disk.f_files and disk.f_favail < FEW_FILES:
        return Unwritable(
            "The disk cannot store more files",
            f"Only {disk.f_favail:,} more files fit, however much space is free (inodes).",
            f"Delete small files on the disk of {folder}: df -i shows how many there are.",
        )
    return None
