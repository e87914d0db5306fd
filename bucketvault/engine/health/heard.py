"""The checks of who is told: do alerts arrive, and are heartbeats heard?"""

import datetime as dt
from collections.abc import Iterable

from bucketvault.engine import settings
from bucketvault.engine.alerts import pinging, targets
from bucketvault.engine.alerts.targets import Target
from bucketvault.engine.health.readings import Context, Reading, Subject
from bucketvault.engine.views.situation import InstallationIssue, Part, Tone
from bucketvault.humanize import age, count, many, sentences
from bucketvault.sanitize import clean
from bucketvault.store.database import connection
from bucketvault.store.models import Backup


def alerts(found: Iterable[Target], now: dt.datetime) -> Reading:
    """Check that alerts arrive at each of their targets besides email."""
    known = tuple(found)
    if not known:
        return Reading(Subject.ALERTS, Tone.NONE, "email only", "There is no other target.")
    bad = [
        each for each in known if each.dead or each.waiting or (each.tried_at and not each.heard)
    ]
    if bad:
        first = bad[0]
        name = clean(first.name, limit=80)
        more = f" and {many(len(bad) - 1, 'more target')}" if len(bad) > 1 else ""
        dead, waiting = sum(each.dead for each in bad), sum(each.waiting for each in bad)
        lost = f"{many(dead, 'alert')} could not be delivered." if dead else ""
        late = f"{many(waiting, 'alert')} could not be sent yet." if waiting else ""
        why = sentences(f"{name}{more} did not take the last alert: {first.answer}", lost, late)
        issue = InstallationIssue(Part.LOST_MAIL, "Alerts do not arrive", why, is_bad=False)
        tone, value = Tone.BAD if dead else Tone.WARN, f"{count(len(bad))} not heard"
        todo = "Settings shows each target, with Send test."
        return Reading(Subject.ALERTS, tone, value, why, todo, issue)
    value = many(len(known), "target")
    heard = [each.tried_at for each in known if each.tried_at is not None]
    if len(heard) < len(known):
        words = "Not every target was sent something yet. Settings sends a test alert."
        return Reading(Subject.ALERTS, Tone.NONE, value, words)
    return Reading(
        Subject.ALERTS, Tone.OK, value, f"The last alert was accepted {age(max(heard), now)}."
    )


def look_at_alerts(context: Context) -> Reading:
    """See whether alerts arrive at their targets."""
    if not context.config.database.exists():
        return alerts((), context.now)
    return alerts(targets.stored(), context.now)


def heartbeats(told: Iterable[tuple[str, bool | None, str]]) -> Reading:
    """Judge if those hear us who wait for a sign: whose heartbeat, if it was heard, the answer.

    None: none was sent yet.
    """
    known = tuple(told)
    if not known:
        return Reading(Subject.HEARTBEAT, Tone.NONE, "not set up", "No heartbeat URL is set.")
    unheard = [(whose, answer) for whose, heard, answer in known if heard is False]
    if unheard:
        whose, answer = unheard[0]
        more = f", nor {count(len(unheard) - 1)} more" if len(unheard) > 1 else ""
        why = f"The heartbeat of {whose} was not heard{more}: {answer.rstrip('.')}."
        todo = "Check its URL, and the service that should hear it."
        title = "Heartbeat is not heard"
        issue = InstallationIssue(Part.HEARTBEAT, title, sentences(why, todo), is_bad=False)
        value = f"{count(len(unheard))} not heard"
        return Reading(Subject.HEARTBEAT, Tone.WARN, value, why, todo, issue)
    value = many(len(known), "heartbeat")
    if any(heard is None for _, heard, _ in known):
        return Reading(Subject.HEARTBEAT, Tone.NONE, value, "Not all were sent yet.")
    return Reading(Subject.HEARTBEAT, Tone.OK, value, "The last of each was heard.")


def look_at_heartbeats(context: Context) -> Reading:
    """See whether the heartbeats of the program and of each backup are heard."""
    if not context.config.database.exists():
        return heartbeats(())
    told: list[tuple[str, bool | None, str]] = []
    if settings.load().ping_url:
        program = pinging.program()
        heard = program.heard if program is not None else None
        told.append(("bucketvault", heard, program.answer if program is not None else ""))
    with connection():
        for row in Backup.select().where(Backup.ping_url != "").order_by(Backup.name):
            heard = row.ping_heard if row.pinged_at is not None else None
            told.append((clean(row.name, limit=80), heard, row.ping_answer))
    return heartbeats(told)
