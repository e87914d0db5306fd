"""Where the pages are served: a file in the data folder that a server writes and commands read."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from bucketvault.store.private_files import write_private

NAME = "serve.json"


@dataclass(frozen=True, slots=True)
class ServeNote:
    """The last start of a server on this data folder."""

    port: int  # with a socket, of the tunnel's end on the other computer
    socket: str  # the path of a Unix socket; empty: the port
    secret: str  # by which whoever answers there shows that it is this server
    kept_out: str = ""  # why the pages cannot be opened now, in words; empty: they can
    kept_out_since: str = ""  # UTC, in ISO form: the same while one such time lasts
    kept_out_by_stranger: bool = False  # at some time of it: open tabs told it what they have


def read(data_dir: Path) -> ServeNote | None:
    """Return the note in this data folder; None: there is none that can be read."""
    try:
        found = json.loads((data_dir / NAME).read_text("utf-8"))
        return ServeNote(**{**found, "port": int(found["port"])})
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write(data_dir: Path, note: ServeNote) -> None:
    """Put `note` in the place of the one before."""
    write_private(data_dir / NAME, json.dumps(asdict(note)))
