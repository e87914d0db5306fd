"""Words for what a connection test found out about a service, from codes and numbers.

First what is lost or charged there, then what the service does, then names.
"""

from collections.abc import Iterator
from typing import NamedTuple

from bucketvault import humanize
from bucketvault.engine.probe.names import ODD
from bucketvault.engine.probe.results import (
    COLD,
    KMS,
    About,
    Finding,
    Found,
    NameFinding,
    NameResult,
)
from bucketvault.engine.providers import ConnectionTest
from bucketvault.engine.views.situation import Tone


class Notice(NamedTuple):
    """Something that is lost or charged at a service: what, and what to do."""

    tone: Tone
    text: str
    hint: str = ""
    names: tuple[str, ...] = ()


class Fact(NamedTuple):
    """One line about what a service does."""

    tone: Tone
    label: str
    value: str
    note: str = ""


class Name(NamedTuple):
    """One kind of odd names: how it looks, and what became of it."""

    tone: Tone
    sample: str
    title: str


# How it looks, and what is said of such names.
_NAMES = {
    "plus": ("a+b", "with a plus sign"),
    "percent": ("100%", "with a percent sign"),
    "ampersand": ("a&b", "with an ampersand"),
    "blanks": ("a  b", "with spaces at an end, or two in a row"),
    "double_slash": ("a//b", "with //"),
    "dots": ("a/../b", "with a dot at the end, or . or .. between slashes"),
    "backslash": ("a\\b", "with a backslash"),
    "trailing_slash": ("a/", "that end with a slash"),
    "unicode": ("é é", "that differ only in how Unicode writes a letter"),
    "case": ("A a", "that differ only in upper and lower case"),
    "folder_and_object": ("a, a/b", "of an object beside a folder of that name"),
    "long": ("aaa…", "of more than 255 bytes between slashes"),
    "control": ("a^Ab", "with control characters"),
}
_UNTOLD = {
    Found.REFUSED: "No permission",
    Found.NOT_THERE: "Not supported",
    Found.UNKNOWN: "Not known",
}


# ---- what is lost or charged


def notices(test: ConnectionTest) -> list[Notice]:
    """Return what is lost or charged, the worst first."""
    found = [notice for each in test.findings if (notice := _notice(each, test)) is not None]
    lost = [each for each in test.names if each.result is not NameResult.KEPT]
    if lost:
        found.append(_names_notice(lost))
    return sorted(found, key=lambda notice: notice.tone is not Tone.BAD)


def _notice(finding: Finding, test: ConnectionTest) -> Notice | None:
    yes = finding.found is Found.YES
    match finding.about:
        case About.CLOCK if finding.found is Found.NO:
            apart = humanize.duration(abs(finding.number))
            side = "behind" if finding.number > 0 else "ahead of"
            return Notice(
                Tone.BAD,
                f"This machine's clock is {apart} {side} the service's clock.",
                "S3 refuses requests when clocks differ by 15 minutes. Check with timedatectl.",
            )
        case About.PREFIX_ONLY if yes:
            return Notice(
                Tone.BAD,
                f"This key is limited to {finding.text}",
                "Old versions are stored in .bucketvault-archive/ at the top of the bucket. For a "
                "destination, use a key for the whole bucket.",
            )
        case About.EXPIRES if yes:
            where = f"in {finding.text}" if finding.text else "in this bucket"
            after = f"{_days(finding.number)} after upload" if finding.number else "on a set date"
            return Notice(
                Tone.BAD,
                f"A lifecycle rule deletes objects {where} {after}.",
                "It would delete the copy. Remove the rule, or store the copy elsewhere.",
            )
        case About.MOVES if yes:
            return _moves(finding)
        case About.OLD_VERSIONS if finding.found is Found.NO:
            return Notice(
                Tone.WARN,
                "Replaced and deleted objects stay as hidden versions, and you pay for them.",
                "No lifecycle rule deletes them. Add one that deletes old versions after a day "
                '(Backblaze: "Keep only the last version").',
            )
        case About.LIFECYCLE if _hides(test) and finding.found in _UNTOLD:
            return Notice(
                Tone.WARN,
                "Replaced and deleted objects stay as hidden versions until a lifecycle rule "
                "deletes them.",
                "This key cannot read the rules. Check them in the service's console.",
            )
        case About.LOCK if yes and finding.number:
            return Notice(
                Tone.WARN,
                f"Every object is locked for {_days(finding.number)}.",
                "Versions cannot be deleted earlier, and you pay for them. Names were not tested, "
                "because the test objects would stay.",
            )
        case About.DECODES if yes:
            return Notice(
                Tone.WARN,
                "Objects stored with Content-Encoding are decoded when read.",
                "They cannot be copied as stored.",
            )
        case About.COPIES if finding.found is Found.NO:
            return Notice(
                Tone.BAD,
                "This service cannot copy inside a bucket.",
                "Old versions cannot be kept: use it as a source only.",
            )
        case About.PARTS if finding.found is Found.NO:
            return Notice(
                Tone.WARN,
                "Objects cannot be uploaded in parts.",
                "Objects above 200 MiB cannot be copied to this service.",
            )
        case About.STORAGE_CLASS if finding.text in COLD:
            return Notice(
                Tone.BAD,
                f"New objects are stored as {finding.text}.",
                "They cannot be read immediately, so runs would fail.",
            )
        case About.LEFT if yes:
            count = len(finding.text.split("\n"))
            return Notice(
                Tone.WARN,
                f"The test left {humanize.many(count, 'object')} "
                f"({humanize.size(finding.number)}) that it could not delete:",
                names=tuple(finding.text.split("\n")),
            )
        case About.LEFT if finding.found is Found.UNKNOWN:
            return Notice(
                Tone.WARN,
                "The test could not confirm that everything it wrote was deleted.",
                f"Check under {finding.text}",
            )
    return None


def _moves(finding: Finding) -> Notice:
    moved = f"A lifecycle rule moves objects to {finding.text} after {_days(finding.number)}."
    if finding.text in COLD:
        hint = "They cannot be read or replaced immediately, so runs would fail."
        return Notice(Tone.BAD, moved, hint)
    hint = "Reading them or deleting them early may cost extra."
    return Notice(Tone.WARN, moved, hint)


def _hides(test: ConnectionTest) -> bool:
    return any(each.about is About.VERSIONING and each.found is Found.YES for each in test.findings)


def _names_notice(lost: list[NameFinding]) -> Notice:
    kinds = humanize.many(len(lost), "kind")
    return Notice(
        Tone.WARN,
        f"Objects with {kinds} of names cannot be copied to this service. Runs list them.",
        names=tuple(_name_words(each) for each in lost),
    )


def _name_words(finding: NameFinding) -> str:
    names = f"Names {_NAMES[finding.name][1]}"
    refused = f" ({finding.code})" if finding.code else ""
    match finding.result:
        case NameResult.RENAMED:
            return f"{names} are changed, for example to {finding.became}"
        case NameResult.MERGED:
            return f"{names} are treated as the same name."
        case NameResult.ALTERED:
            return f"{names} lose their content."
        case NameResult.REFUSED:
            return f"{names} are rejected{refused}."
        case NameResult.UNREADABLE:
            return f"{names} cannot be read back{refused}."
        case NameResult.NOT_BY_RCLONE:
            return f"{names} are lost by rclone."
        case _:
            return f"{names} are accepted but not stored."


# ---- what the service does


def facts(test: ConnectionTest) -> list[Fact]:
    """Return what was found, a line each."""
    return [line for each in test.findings for line in _fact(each)]


def _fact(finding: Finding) -> Iterator[Fact]:
    label = _LABELS.get(finding.about)
    if label is None:
        return
    if finding.found in _UNTOLD:
        yield Fact(Tone.NONE, label, _UNTOLD[finding.found], finding.code)
        return
    is_so = finding.found is Found.YES
    yield Fact(_tone(finding.about, is_so), label, _value(finding, is_so), _note(finding, is_so))


_LABELS = {
    About.CLOCK: "Clock",
    About.ENCODED: "Listings",
    About.ORDERED: "Order of listings",
    About.VERSIONING: "Versions",
    About.LOCK: "Object lock",
    About.ENCRYPTION: "Encryption",
    About.LIFECYCLE: "Lifecycle rules",
    About.OLD_VERSIONS: "Old versions",
    About.UNFINISHED: "Unfinished uploads",
    About.STORAGE_CLASS: "Storage class",
    About.MD5: "ETag",
    About.DECODES: "Compressed objects",
    About.COPIES: "Copy inside the bucket",
    About.PARTS: "Upload in parts",
}
_VALUES = {  # where it is so, and where it is not
    About.CLOCK: ("Agrees", "Differs"),
    About.ENCODED: ("URL-encoded", "Not encoded"),
    About.ORDERED: ("By name", "Other"),
    About.VERSIONING: ("On", "Off"),
    About.LOCK: ("On", "Off"),
    About.ENCRYPTION: ("On", "Off"),
    About.LIFECYCLE: ("Set", "None"),
    About.OLD_VERSIONS: ("Deleted", "Kept"),
    About.UNFINISHED: ("Deleted", "Kept"),
    About.MD5: ("MD5", "Not MD5"),
    About.DECODES: ("Decoded", "As stored"),
    About.COPIES: ("Yes", "No"),
    About.PARTS: ("Yes", "No"),
}
# What is neither good nor bad is not here.
_GOOD_IF_SO = {About.CLOCK, About.COPIES, About.PARTS, About.OLD_VERSIONS}
_GOOD_IF_NOT = {About.DECODES}


def _tone(about: About, is_so: bool) -> Tone:
    if about in _GOOD_IF_SO:
        return Tone.OK if is_so else Tone.WARN
    if about in _GOOD_IF_NOT:
        return Tone.WARN if is_so else Tone.OK
    return Tone.NONE


def _value(finding: Finding, is_so: bool) -> str:
    if finding.about is About.STORAGE_CLASS:
        return finding.text
    if finding.about is About.LIFECYCLE and is_so:
        return humanize.many(finding.number, "rule")
    if finding.about is About.VERSIONING and finding.text == "Suspended":
        return "Suspended"
    return _VALUES[finding.about][0 if is_so else 1]


def _note(finding: Finding, is_so: bool) -> str:
    match finding.about:
        case About.ENCODED if not is_so:
            return "rclone is set to match; otherwise it would lose names with + or %"
        case About.ORDERED if not is_so:
            return "bucketvault sorts them itself"
        case About.OLD_VERSIONS | About.UNFINISHED if is_so:
            return f"after {_days(finding.number)}"
        case About.OLD_VERSIONS | About.UNFINISHED:
            return "no rule deletes them"
        case About.LOCK if finding.number:
            return f"{_days(finding.number)}, {finding.text.lower()}"
        case About.ENCRYPTION:
            return finding.text
        case About.MD5 if not is_so:
            return "changes are detected by size and ETag"
    return ""


def settings_of(test: ConnectionTest) -> str:
    """Return what runs do otherwise because of this test; empty: nothing."""
    told = {each.about: each for each in test.findings}
    parts = []
    if About.ENCODED in told and told[About.ENCODED].found is Found.NO:
        parts.append("list without URL-encoding")
    if About.ENCRYPTION in told and told[About.ENCRYPTION].text.startswith(KMS):
        parts.append("compare without MD5")
    return f"Runs with this bucket {' and '.join(parts)}." if parts else ""


# ---- names


def names(test: ConnectionTest) -> list[Name]:
    """Return each kind of odd names that was tried, in their order."""
    by_name = {each.name: each for each in test.names}
    return [_name(by_name[name]) for name in ODD if name in by_name]


def _name(finding: NameFinding) -> Name:
    sample, words = _NAMES[finding.name]
    if finding.result is NameResult.KEPT:
        return Name(Tone.OK, sample, f"Names {words}: kept")
    return Name(Tone.WARN, sample, _name_words(finding))


def _days(number: int) -> str:
    return humanize.many(number, "day")


def names_summary(found: list[Name]) -> str:
    """Say how many kinds of names are kept."""
    kept = sum(each.tone is Tone.OK for each in found)
    if kept == len(found):
        return f"All {kept} kinds of names tested are kept."
    return f"{kept} of {len(found)} kinds of names tested are kept."
