"""What only a browser can show; the checks themselves are programs of their own beside this."""

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.parametrize(
    "check", ["accessibility_check", "browser_check", "home_check", "logview_check"]
)
def test_the_pages_hold_in_a_real_browser(check: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", f"tests.pages.{check}"],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=380,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
