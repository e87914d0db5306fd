"""The audit of packages: red for what can be mended, and never green by not having asked."""

from tests.audit import verdict

FINE = {"name": "peewee", "version": "4.5.3", "vulns": []}
SKIPPED = {"name": "nicegui", "skip_reason": "not found"}


def bad(*fixed: str) -> dict[str, object]:
    return {"name": "x", "version": "1", "vulns": [{"id": "CVE-1", "fix_versions": list(fixed)}]}


def test_an_advisory_that_a_newer_version_mends_is_red_and_named() -> None:
    code, lines = verdict([FINE, bad("2")])

    assert code == 1 and "x 1: CVE-1, mended in 2" in lines


def test_an_advisory_nobody_has_mended_is_told_and_not_red() -> None:
    code, lines = verdict([FINE, bad()])

    assert code == 0 and "no version yet" in lines[0] and "1 advisories" in lines[1]


def test_packages_nobody_was_asked_about_are_said_not_to_be_audited() -> None:
    code, lines = verdict([FINE, SKIPPED])

    assert code == 0 and lines[-1].startswith("Not audited: 1 packages")
