"""A real sshd of our own on a high port, and tunnels through it."""

import getpass
import os
import signal
import socket
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support.capabilities import sshd
from tests.support.program import until
from tests.support.servers import free_port


class Sshd:
    """Lets the user who runs the tests in, with a key made for this; forwards and nothing else."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self._processes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        path = sshd()
        assert path is not None
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)  # where it wants to lock its helper up
        for name in ("host", "user"):
            command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.folder / name]
            subprocess.run(command, check=True)
        config = self.folder / "sshd_config"
        config.write_text(f"""
ListenAddress 127.0.0.1
Port {self.port}
HostKey {self.folder}/host
AuthorizedKeysFile {self.folder}/user.pub
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
""")
        self._output = tempfile.TemporaryFile()
        self._processes.append(
            subprocess.Popen(
                [path, "-D", "-e", "-f", config], stdout=self._output, stderr=self._output
            )
        )
        until("sshd listens", lambda: _listens(self.port))
        return self

    def tunnel(self, far: str) -> int:
        """`ssh -N -L PORT:far`; gives the port once something answers there."""
        port = free_port()
        options = (
            "UserKnownHostsFile=/dev/null",
            "StrictHostKeyChecking=no",
            "ExitOnForwardFailure=yes",
            "IdentitiesOnly=yes",
        )
        command = ["ssh", "-N", "-F", "/dev/null", "-L", f"127.0.0.1:{port}:{far}"]
        command += ["-i", str(self.folder / "user"), "-p", str(self.port)]
        command += [word for option in options for word in ("-o", option)]
        ssh = subprocess.Popen(
            [*command, f"{getpass.getuser()}@127.0.0.1"],
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=self._output,
        )
        self._processes.append(ssh)
        until(f"the tunnel is open: {self.said()}", lambda: _listens(port))
        return port

    def said(self) -> str:
        """The output of sshd and ssh."""
        size = os.fstat(self._output.fileno()).st_size
        return os.pread(self._output.fileno(), size, 0).decode(errors="replace")

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for process in reversed(self._processes):
            process.send_signal(signal.SIGTERM)
            process.wait(15)
        self._output.close()


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
