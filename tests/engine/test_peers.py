"""Names that lead to link-local addresses: nothing is said to what answers there."""

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from bucketvault.engine import peers
from tests.support.servers import rclone_path

# In namespaces of its own: a name that leads to 169.254.169.254, where somebody listens.
INSIDE = """
import fcntl, json, socket, struct, subprocess, sys, threading
from pathlib import Path

hosts = Path(sys.argv[1]) / "hosts"
hosts.write_text("127.0.0.1 localhost\\n169.254.169.254 metadata.example\\n")
subprocess.run(["mount", "--bind", str(hosts), "/etc/hosts"], check=True)
with socket.socket() as any_socket:  # netdevice(7): SIOCSIFFLAGS, SIOCSIFADDR of an alias
    fcntl.ioctl(any_socket, 0x8914, struct.pack("16sh", b"lo", 0x41))
    address = struct.pack("HH4s8x", socket.AF_INET, 0, socket.inet_aton("169.254.169.254"))
    fcntl.ioctl(any_socket, 0x8916, struct.pack("16s16s", b"lo:1", address))
listener = socket.create_server(("169.254.169.254", 0))
heard = []

def listen():
    while True:
        visitor, _ = listener.accept()
        with visitor:
            visitor.settimeout(2)
            try:
                while said := visitor.recv(1000):
                    heard.append(len(said))
            except OSError:
                pass

threading.Thread(target=listen, daemon=True).start()
port = listener.getsockname()[1]
endpoint = f"https://metadata.example:{port}"

from bucketvault.engine import heartbeat
from bucketvault.engine.listing.asking import Asker, bucket_at
from bucketvault.engine.mail import smtp
from bucketvault.engine.rclone.binary import find_binary
from bucketvault.engine.rclone.call import call
from bucketvault.engine.rclone.remotes import Remote
from bucketvault.engine.settings import MailServer
from bucketvault.vocabulary import MailSecurity, ProviderType

remote = Remote("Far", ProviderType.AMAZON_S3, endpoint, "", "AKIAEXAMPLE000000001", "secret-0001")

def mailed(protection):
    server = MailServer("metadata.example", port, protection, "", "", "a@b.example", "c@d.example")
    return smtp.deliver(server, b"x", smtp.Patience(2, 3))

tries = {
    "mail by starttls": lambda: mailed(MailSecurity.STARTTLS),
    "mail by tls": lambda: mailed(MailSecurity.TLS),
    "ping": lambda: heartbeat.call(f"{endpoint}/x", 3.0),
    "listing": lambda: Asker(bucket_at(remote, "photos")).ask("GET"),
    "rclone": lambda: call(find_binary(sys.argv[2]), ["lsf", "a:photos"], {"a": remote}, stall_s=3),
}
said = {}
for name, attempt in tries.items():
    try:
        said[name] = str(attempt())
    except Exception as error:
        said[name] = str(error)
print(json.dumps({"said": said, "heard": heard}))
"""


@pytest.mark.mounts
@pytest.mark.slow
def test_what_a_name_leads_to_is_told_nothing_where_it_is_link_local(
    tmp_path: Path,
) -> None:
    """A cloud's metadata service, by a name that passes every rule of what may be typed."""
    command = ["unshare", "--mount", "--net", sys.executable, "-c", INSIDE, str(tmp_path)]

    done = subprocess.run([*command, rclone_path()], capture_output=True, text=True, timeout=60)

    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["heard"] == []
    for name, said in told["said"].items():
        assert "resolves to the link-local address 169.254.169.254" in said, name


def test_other_names_are_connected_to() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

        with peers.connect(("localhost", port), 5.0) as made:
            assert made.getpeername()[1] == port
        peers.refuse_name("Here", f"http://localhost:{port}")
        peers.refuse_name("Nowhere", "https://nobody.invalid")  # whoever connects says so
