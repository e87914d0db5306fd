"""`python -I -S tether.py PARENT PROGRAM ARGUMENT...`: become PROGRAM, and die with PARENT.

Short helper calls of rclone end when bucketvault does, also by kill -9. Doing this between fork
and exec in a program with threads may deadlock, hence this step of its own. Linux keeps the
setting across exec; it fires when the thread that started us ends, and that thread waits for us.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # prctl(2)


def main() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != int(sys.argv[1]):  # the parent was gone before we asked
        os._exit(1)
    for number in (signal.SIGINT, signal.SIGTERM):  # the parent may ignore them
        signal.signal(number, signal.SIG_DFL)
    os.execv(sys.argv[2], sys.argv[2:])  # noqa: S606 - a program and arguments of our choice


if __name__ == "__main__":
    main()
