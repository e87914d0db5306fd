"""What every backup rests on: the scheduler, rclone, mail, the disk. Asked by each page, so cheap.

Nothing here is guessed: what this process cannot know is None, and "All good" is not said then.
"""

from dataclasses import dataclass

from bucketvault.config import Config
from bucketvault.engine import settings
from bucketvault.engine.health.readings import disk_problem
from bucketvault.engine.rclone.binary import find_binary
from bucketvault.engine.views.situation import InstallationIssue, Part
from bucketvault.errors import RcloneMissingError
from bucketvault.store.database import connection
from bucketvault.store.models import Mail


@dataclass(frozen=True, slots=True)
class Installation:
    """The state of the program itself. None: this process cannot know."""

    scheduler_beats: bool | None
    rclone_problem: str | None  # in words; empty: rclone can be used
    disk_problem: str | None  # in words; empty: there is room
    mail_is_set_up: bool | None
    dead_mails: int | None  # given up, and nobody has looked at them


def look(config: Config, scheduler_beats: bool | None = None) -> Installation:
    """The state as any process on this data folder sees it; blocks for the first look at rclone.

    Whether the scheduler beats, only the process that has it can say.
    """
    with connection():
        dead_mails = Mail.select().where(Mail.needs_somebody()).count()
    return Installation(
        scheduler_beats=scheduler_beats,
        rclone_problem=_rclone_problem(config.rclone),
        disk_problem=disk_problem(config.data_dir),
        mail_is_set_up=settings.load().mail_is_set_up,
        dead_mails=dead_mails,
    )


def _rclone_problem(override: str) -> str:
    try:
        find_binary(override)
    except RcloneMissingError as error:
        return str(error)
    return ""


def wants(installation: Installation) -> tuple[InstallationIssue, ...]:
    """What needs a person, the worst first. Empty only when everything is known and in order."""
    return (
        *_rclone(installation.rclone_problem),
        *_scheduler(installation.scheduler_beats),
        *_disk(installation.disk_problem),
        *_mail(installation.mail_is_set_up, installation.dead_mails),
    )


def _rclone(problem: str | None) -> tuple[InstallationIssue, ...]:
    if problem is None:
        return (_unknown(Part.RCLONE, "rclone can be used"),)
    return (
        (InstallationIssue(Part.RCLONE, "rclone cannot be used", problem, is_bad=True),)
        if problem
        else ()
    )


def _scheduler(beats: bool | None) -> tuple[InstallationIssue, ...]:
    if beats is None:
        return (_unknown(Part.SCHEDULER, "planned runs start"),)
    why = "The scheduler does not beat. Restart bucketvault; Run now still works."
    return (
        ()
        if beats
        else (InstallationIssue(Part.SCHEDULER, "Planned runs do not start", why, is_bad=True),)
    )


def _disk(problem: str | None) -> tuple[InstallationIssue, ...]:
    if problem is None:
        return (_unknown(Part.DISK, "the disk has room"),)
    return (
        (InstallationIssue(Part.DISK, "The disk is nearly full", problem, is_bad=True),)
        if problem
        else ()
    )


def _mail(is_set_up: bool | None, dead: int | None) -> tuple[InstallationIssue, ...]:
    if is_set_up is None or dead is None:
        return (_unknown(Part.MAIL, "mail arrives"),)
    if not is_set_up:
        why = "Nobody is told when a backup fails."
        return (InstallationIssue(Part.MAIL, "Mail is not set up", why, is_bad=False),)
    if not dead:
        return ()
    count = "One mail was" if dead == 1 else f"{dead} mails were"
    why = f"{count} given up: what they would have said, nobody was told."
    return (InstallationIssue(Part.LOST_MAIL, "Mail does not arrive", why, is_bad=False),)


def _unknown(part: Part, what: str) -> InstallationIssue:
    title = f"Not known whether {what}"
    return InstallationIssue(part, title, "This process cannot tell.", is_bad=False, is_known=False)
