"""The demo's own folder: how it is known, and begun anew."""

import shutil
from pathlib import Path

import platformdirs

from bucketvault.config import Config
from bucketvault.engine.folder_lock import holder
from bucketvault.errors import AlreadyRunningError, BucketvaultError

MARKER = "this-folder-belongs-to-bucketvault-demo"


def demo_folder() -> Path:
    """Return the folder of demos, below the user's cache."""
    return Path(platformdirs.user_cache_dir("bucketvault", appauthor=False)) / "demo"


def is_demo(config: Config) -> bool:
    """True if these settings are about a demo's data folder."""
    return (config.data_dir.parent / MARKER).exists()


def start_afresh(folder: Path, config: Config) -> None:
    """Remove what an earlier demo left, and begin again.

    Raises BucketvaultError where the folder is not a demo's, AlreadyRunningError where one runs.
    """
    if folder.exists() and not (folder / MARKER).exists():
        raise BucketvaultError(
            f"{folder} was not made by the demo, so the demo leaves it alone.",
            "Move it elsewhere, or set XDG_CACHE_HOME to another folder.",
        )
    if config.lock.exists() and (who := holder(config)):
        raise AlreadyRunningError(f"A demo is running already: {who}.", "Stop it first.")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / MARKER).touch()
