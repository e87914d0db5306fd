"""Small files that are for their owner alone, and whole at every moment."""

import contextlib
import errno
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path


def write_private(path: Path, text: str) -> None:
    """Put `text` into `path`, mode 0600: a reader meanwhile finds the old or the new, whole.

    Also after a crash of the machine, once this has returned.
    """
    unfinished = path.with_name(f"{path.name}.unfinished")
    unfinished.unlink(missing_ok=True)
    handle = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(handle)
    unfinished.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


@contextlib.contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Two programs that start together must not both make what is to be there once."""
    handle = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def read_text(path: Path, most: int, *, only_files: bool = False) -> str:
    """Return the UTF-8 text of a file, without a byte order mark.

    Raises OSError, also for more than `most` bytes, and with `only_files` for a device, which may
    never end, or a pipe, which may never begin; UnicodeDecodeError.
    """
    if only_files and path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "it is not a regular file")
    with path.open("rb") as file:
        found = file.read(most + 1)
    if len(found) > most:
        raise OSError(errno.EFBIG, f"it is larger than {most:,} bytes")
    return found.decode("utf-8-sig")
