"""`python -m tests.audit`: asks PyPI's advisories about every package that is shipped.

Red only for what can be mended: an advisory with a version that fixes it. An advisory service that
cannot be reached says nothing about us, so it is told in plain words and stays green; pip-audit
alone would say "No known vulnerabilities found" where it could not ask about a single package.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

LOCK = Path(__file__).parent.parent / "requirements.lock"
TIMEOUT_S = 120


def main() -> int:
    """0 when nothing is known that a newer version mends."""
    command = [sys.executable, "-m", "pip_audit", "-r", str(LOCK), "--require-hashes"]
    command += ["--disable-pip", "--progress-spinner", "off", "-f", "json", "--timeout", "20"]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )
        told = json.loads(done.stdout)["dependencies"]
    except (subprocess.TimeoutExpired, ValueError, KeyError) as error:
        print(f"Not audited: the advisories could not be asked ({type(error).__name__}).")
        return 0
    code, lines = verdict(told)
    print("\n".join(lines))
    return code


def verdict(told: list[dict[str, Any]]) -> tuple[int, list[str]]:
    """The exit code, and what to say, of pip-audit's list of packages."""
    asked = [package for package in told if "vulns" in package]
    known = [(package, advisory) for package in asked for advisory in package["vulns"]]
    mendable = [advisory for _, advisory in known if advisory["fix_versions"]]
    lines = [
        f"{package['name']} {package['version']}: {advisory['id']}, mended in "
        f"{', '.join(advisory['fix_versions']) or 'no version yet'}"
        for package, advisory in known
    ]
    lines.append(f"{len(asked)} of {len(told)} packages were asked about: {len(known)} advisories.")
    if len(asked) < len(told):
        lines.append(
            f"Not audited: {len(told) - len(asked)} packages, since the advisories did not answer."
        )
    return (1 if mendable else 0), lines


if __name__ == "__main__":
    sys.exit(main())
