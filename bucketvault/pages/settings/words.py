"""The settings in words: what came of mail and ping, and the program itself. Pure."""

import datetime as dt
from collections.abc import Mapping
from zoneinfo import ZoneInfo

from bucketvault.engine.about import About
from bucketvault.engine.alerts.targets import Target
from bucketvault.engine.domain.alert_urls import EVENT_WORDS, read
from bucketvault.engine.domain.bandwidth import share
from bucketvault.engine.domain.rules import InvalidValue, whole_number
from bucketvault.engine.domain.setting_rules import bandwidth_rule, hour_rule
from bucketvault.engine.mail.mail_views import Letter, MailState, PingState
from bucketvault.engine.views.situation import Tone
from bucketvault.humanize import age, day_and_time, many, size
from bucketvault.vocabulary import AlertEvent, MailSecurity, Weekday

PROTECTION = {
    MailSecurity.STARTTLS.value: "STARTTLS (usual port 587)",
    MailSecurity.TLS.value: "TLS from the first byte (usual port 465)",
    MailSecurity.NONE.value: "none, on this machine only (usual port 25)",
}


REPORT_DAYS = {"": "Off"} | {day.value: f"Every {day.value.capitalize()}" for day in Weekday}


def mail_lines(
    mail: MailState, zone: ZoneInfo, now: dt.datetime, *, others: bool = False
) -> tuple[tuple[Tone, str, str], ...]:
    """Describe a mail: state, sentence, and the mail server's answer; `others`: other targets."""
    if not mail.set_up and others:
        told = "Email alerts are off. Alerts go to the other targets."
        return ((Tone.OFF, told, ""), *_failures(mail, zone, now))
    if not mail.set_up:
        told = "Email alerts are off. You won't be told when a backup fails."
        return ((Tone.WARN, told, ""), *_failures(mail, zone, now))
    lines: list[tuple[Tone, str, str]] = []
    if mail.last_sent is not None and mail.last_sent.sent_at is not None:
        when = day_and_time(mail.last_sent.sent_at, zone, now)
        ago = age(mail.last_sent.sent_at, now)
        lines.append(
            (Tone.OK, f"The last email was sent {ago}, on {when}.", mail.last_sent.subject)
        )
    else:
        lines.append((Tone.NONE, f"No email has been sent to {mail.recipient} yet.", ""))
    return (*lines, *_failures(mail, zone, now))


def _failures(
    mail: MailState, zone: ZoneInfo, now: dt.datetime
) -> tuple[tuple[Tone, str, str], ...]:
    lines: list[tuple[Tone, str, str]] = []
    if mail.waiting:
        waits = "waits" if mail.waiting == 1 else "wait"
        lines.append((Tone.WAIT, f"{many(mail.waiting, 'email')} {waits} for the mail server.", ""))
    failed = mail.last_failed
    if failed is not None and failed.dead_at is None:
        next_try = ""
        if failed.next_attempt_at is not None:
            next_try = f" It is tried again on {day_and_time(failed.next_attempt_at, zone, now)}."
        tries = many(failed.attempts, "time")
        told = f"The last attempt failed; it was tried {tries}.{next_try}"
        lines.append((Tone.BAD, told, failed.last_error))
    return tuple(lines)


def dead_words(letter: Letter, zone: ZoneInfo, now: dt.datetime) -> str:
    """Say since when nobody tries a mail any more, and why."""
    given_up = day_and_time(letter.dead_at, zone, now) if letter.dead_at is not None else ""
    tries = many(letter.attempts, "time")
    return f"Tried {tries}, not delivered by {given_up}. {letter.last_error}".strip()


def ping_line(ping: PingState, zone: ZoneInfo, now: dt.datetime) -> tuple[Tone, str, str]:
    """Say how the last ping went, or why none is sent."""
    if not ping.set_up:
        return Tone.OFF, "No heartbeat is sent.", ""
    if ping.held_back:
        return (
            Tone.WARN,
            "No heartbeat is sent now, because a problem needs attention.",
            ping.held_back,
        )
    if ping.at is None:
        return Tone.WAIT, "The first heartbeat is sent within a minute.", ""
    when = f"The last one was sent {age(ping.at, now)}"
    return (
        (Tone.OK, f"{when} and accepted.", ping.answer)
        if ping.good
        else (Tone.BAD, f"{when} and not accepted.", ping.answer)
    )


def events_words(target: Target) -> str:
    """Say which events a target gets."""
    if len(target.events) == len(AlertEvent):
        return "All events"
    words = ", ".join(EVENT_WORDS[event] for event in target.events)
    return f"{words[0].upper()}{words[1:]}"


def result_line(target: Target, zone: ZoneInfo, now: dt.datetime) -> tuple[Tone, str]:
    """Say how the last alert or test to a target went."""
    if target.tried_at is None:
        return Tone.NONE, "Nothing was sent to it yet."
    when = f"{age(target.tried_at, now)}, on {day_and_time(target.tried_at, zone, now)}"
    waiting = f" {many(target.waiting, 'alert')} will be tried again." if target.waiting else ""
    if target.heard:
        return Tone.OK, f"The last alert was accepted {when}: {target.answer}.{waiting}"
    return Tone.BAD, f"The last alert was not accepted {when}: {target.answer}{waiting}"


def recognised(url: str) -> str:
    """Say which service a URL means while it is typed; empty: it cannot be told yet."""
    try:
        return f"Recognised: {read(url).shown}."
    except InvalidValue:
        return ""


def about_pairs(about: About) -> tuple[tuple[str, str], ...]:
    """Return versions and places."""
    return (
        ("bucketvault", about.version),
        ("rclone", about.rclone),
        ("Python", about.python),
        ("NiceGUI", about.nicegui),
        ("SQLite", about.sqlite),
        ("Data folder", about.data_dir),
        ("Key file", about.key_file),
        ("Database", size(about.database_bytes)),
    )


def bandwidth_words(typed: Mapping[str, str], zone: ZoneInfo) -> str:
    """Say what the limit on bandwidth means for a run; `typed`: the fields of Limits."""
    try:
        mb_s = bandwidth_rule(typed["bandwidth_mb_s"])
        start, end = (hour_rule(typed[name]) for name in ("bandwidth_from", "bandwidth_to"))
        runs = whole_number(1, 16, "runs")(typed["max_parallel_runs"])
    except InvalidValue:
        return "For all runs together. 0 or empty: no limit."
    if mb_s is None:
        return "No limit. 1 MB/s is 8 Mbit/s."
    if bool(start) != bool(end) or (start and start == end):
        start = end = ""
    limit = share(mb_s, start, end, runs, zone.key).describe()
    told = f"At most {limit}, in each direction."
    if runs > 1:
        told = f"Each of the {runs} runs gets {limit}, in each direction, also when it runs alone."
    return f"{told} A run in progress keeps its limit."


def retention_words(typed: str) -> str:
    """Say what the number of days for logs means."""
    days = typed.strip()
    if days == "0":
        return "Logs are kept forever."
    if not days.isascii() or not days.isdecimal():
        return "In days; 0: forever."
    told = many(int(days[:9]), "day")
    return (
        f"Logs are deleted after {told}. The newest log of each backup is kept, and so is every "
        f"result."
    )
