"""`report`: the last seven days of every backup, as the weekly report tells them."""

import argparse

from bucketvault.config import Config
from bucketvault.engine.health import checks
from bucketvault.engine.mail import outbox, report
from bucketvault.engine.views import week
from bucketvault.store.models import utcnow
from bucketvault.store.opening import open_store


def print_report(given: argparse.Namespace, config: Config) -> int:
    """Print subject and text of a report that ends now; returns the exit code."""
    open_store(config)
    home = outbox.home()
    # what only the server can know, such as its scheduler, is no problem of the week
    known = tuple(issue for issue in checks.installation_issues(config) if issue.is_known)
    told = report.weekly(week.week(utcnow(), home.zone, known), home)
    print(f"{told.subject}\n\n{told.body}", end="")
    return 0
