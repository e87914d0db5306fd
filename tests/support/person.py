"""A user with RESTORE.txt, an rclone, a key to the bucket, and nothing else of bucketvault."""

import subprocess
from pathlib import Path

from tests.support.program import Bucket
from tests.support.servers import clean_environment, rclone_path


def restore_key(bucket: Bucket) -> str:
    """The key of the only RESTORE.txt in a bucket."""
    (key,) = [k for k in bucket.keys(".bucketvault-archive/") if k.endswith("/RESTORE.txt")]
    return key


class Person:
    """A user with RESTORE.txt, an rclone, a key to the bucket, and nothing else."""

    def __init__(self, bucket: Bucket, home: Path) -> None:
        self.home = home
        key = restore_key(bucket)
        self.text = bucket.objects(key)[key].decode()
        server = bucket.server
        lines = self.text.splitlines()
        begin = lines.index("  [copy]")
        end = next(n for n, line in enumerate(lines) if "secret_access_key" in line)
        config = "\n".join(lines[begin : end + 1])
        config = config.replace("YOUR KEY ID", server.access_key_id)
        config = config.replace("YOUR SECRET KEY", server.secret_access_key)
        (home / "rclone.conf").write_text(config)

    def command(self, heading: str, number: int = 0) -> str:
        """Return the command below a heading of the text."""
        _, found, rest = self.text.partition(f"\n{heading}\n")
        assert found, heading
        return [line for line in rest.splitlines() if line.startswith("  rclone ")][number]

    def do(self, command: str, **filled: str) -> str:
        """Type a command into a shell, with names filled in as a person does inside the quotes."""
        for name, value in filled.items():
            command = command.replace(name, value.replace("'", "'\\''"))
        done = subprocess.run(
            ["/bin/sh", "-c", command],
            cwd=self.home,
            env=clean_environment()
            | {"PATH": f"{Path(rclone_path()).parent}:/usr/bin:/bin", "HOME": str(self.home)},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, (command, done)
        return done.stdout

    def restored(self) -> dict[str, bytes]:
        root = self.home / "restored"
        return {
            str(file.relative_to(root)): file.read_bytes()
            for file in root.rglob("*")
            if file.is_file()
        }
