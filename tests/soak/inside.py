"""The real program, telling what it holds: `python -m tests.soak.inside FILE serve ...`.

From outside only the whole of its memory can be seen. What is in use of glibc's heaps, what is free
in them, and how many pages NiceGUI keeps tells a leak from memory that was used once.
"""

import ctypes
import json
import sys
import threading
import time
from pathlib import Path

from bucketvault import cli

EVERY_S = 10.0


class _Mallinfo2(ctypes.Structure):
    """The answer of mallinfo2(3): sums over all arenas (glibc 2.33 and newer)."""

    _fields_ = [
        (name, ctypes.c_size_t)
        for name in (
            *("arena", "ordblks", "smblks", "hblks", "hblkhd"),
            *("usmblks", "fsmblks", "uordblks", "fordblks", "keepcost"),
        )
    ]


def look() -> dict[str, int]:
    """Return bytes of glibc's heaps in use and free, Python's blocks, and NiceGUI's pages."""
    mallinfo = ctypes.CDLL(None).mallinfo2
    mallinfo.restype = _Mallinfo2
    found = mallinfo()
    client = sys.modules.get("nicegui.client")
    return {
        "used_bytes": found.uordblks + found.hblkhd,
        "free_bytes": found.fordblks,
        # never gc.get_objects(): from another thread it breaks a tuple that is being made
        "blocks": sys.getallocatedblocks(),
        "pages": len(client.Client.instances) if client is not None else 0,
    }


def _tell(file: Path) -> None:
    while True:
        time.sleep(EVERY_S)
        with file.open("a") as lines:
            lines.write(json.dumps({"at": time.time(), **look()}) + "\n")


def main() -> int:
    """Run the command line, and write a line every ten seconds into the file named first."""
    threading.Thread(target=_tell, args=(Path(sys.argv[1]),), name="tell", daemon=True).start()
    return cli.main(sys.argv[2:])


if __name__ == "__main__":
    sys.exit(main())
