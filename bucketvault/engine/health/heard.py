"""The checks of who is told: do alerts arrive at their targets?"""

import datetime as dt
from collections.abc import Iterable

from bucketvault.engine.alerts import targets
from bucketvault.engine.alerts.targets import Target
from bucketvault.engine.health.readings import Context, Reading, Subject
from bucketvault.engine.views.situation import InstallationIssue, Part, Tone
from bucketvault.humanize import age, count, many, sentences
from bucketvault.sanitize import clean


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
        Subject.ALERTS, Tone.OK, value, f"The last alert was taken {age(max(heard), now)}."
    )


def look_at_alerts(context: Context) -> Reading:
    """See whether alerts arrive at their targets."""
    if not context.config.database.exists():
        return alerts((), context.now)
    return alerts(targets.stored(), context.now)
