"""The stand-ins under the services' own names, by TLS at port 443: only there is rclone's own way
to Amazon taken, with host style, checksums at the end of bodies and no endpoint.

`python -m tests.support.services.true_names FOLDER SOURCE:COPY` is `make real-services` with them.
It needs root, and Linux: names, certificates and ports are those of namespaces of its own, which
nobody else sees.
"""

import fcntl
import os
import socket
import ssl
import struct
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

from tests import real_services
from tests.support.proxies import certificate
from tests.support.servers import MotoServer
from tests.support.services.amazon import Amazon
from tests.support.services.b2 import B2
from tests.support.services.layer import Answer, Asked, Quirk, StandIn
from tests.support.services.r2 import R2

ADDRESS = "127.0.0.{}"
NAMES = {  # as bucketvault works them out from account or region
    R2: f"{R2.key[0]}.r2.cloudflarestorage.com",
    B2: f"s3.{B2.region}.backblazeb2.com",
    Amazon: f"s3.{Amazon.region}.amazonaws.com",
}
SIOCSIFFLAGS, UP = 0x8914, 0x1 | 0x40  # netdevice(7): IFF_UP, IFF_RUNNING
ROOTS = Path("/etc/ssl/certs/ca-certificates.crt")
HOSTS = Path("/etc/hosts")


class NamesBuckets(Quirk):
    """Makes the host of each bucket known: BUCKET.s3.REGION.amazonaws.com."""

    def changes(self, asked: Asked, answer: Answer) -> None:
        if asked.operation == "CreateBucket" and answer.status == 200:
            with HOSTS.open("a") as file:
                file.write(f"{ADDRESS.format(71)} {asked.bucket}.{NAMES[Amazon]}\n")


def outside(folder: Path, *arguments: str) -> int:
    """Start it with names and certificates of its own."""
    command = [sys.executable, "-m", "tests.support.services.true_names", "inside", str(folder)]
    return subprocess.run(
        ["unshare", "--mount", "--net", *command, *arguments], check=False
    ).returncode


def inside(folder: Path, *pairs: str) -> int:
    """Make the names known, start the stand-ins there, and walk."""
    with socket.socket() as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh", b"lo", UP))
    pem = folder / "stand-ins.pem"
    pem.write_bytes(certificate(*NAMES.values(), f"*.{NAMES[Amazon]}"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    hosts = ["127.0.0.1 localhost"]
    hosts += [f"{ADDRESS.format(71 + n)} {name}" for n, name in enumerate(reversed(NAMES.values()))]
    for place, text in ((HOSTS, "\n".join(hosts) + "\n"), (ROOTS, pem.read_text())):
        ours = folder / place.name
        ours.write_text(text)
        subprocess.run(["mount", "--bind", str(ours), str(place)], check=True)
    os.environ["AWS_CA_BUNDLE"] = str(pem)  # boto3 brings roots of its own
    with ExitStack() as stack:
        moto = stack.enter_context(MotoServer())
        services: list[StandIn] = [Amazon(moto, NamesBuckets()), B2(moto), R2(moto)]
        for number, service in enumerate(services):
            service.move_to(ADDRESS.format(71 + number), 443, context)
            stack.enter_context(service)
        keys = folder / "keys.toml"
        keys.touch(0o600)
        keys.write_text("\n".join(map(_table, services)))
        only = [word for pair in pairs for word in ("--only", pair)]
        code = real_services.main([str(keys), "--yes", *only], lambda line: print(line, flush=True))
        left = moto.client().list_buckets()["Buckets"]
    return code or len(left)


def _table(service: StandIn) -> str:
    where = f'account_id = "{service.key[0]}"' if isinstance(service, R2) else ""
    return f"""
[[service]]
name = "{type(service).__name__}"
provider_type = "{service.provider_type}"
region = "{service.region}"
access_key_id = "{service.access_key_id}"
secret_access_key = "{service.secret_access_key}"
{where}
"""


if __name__ == "__main__":
    begin, words = (inside, sys.argv[2:]) if sys.argv[1] == "inside" else (outside, sys.argv[1:])
    sys.exit(begin(Path(words[0]), *words[1:]))
