"""The check of the key file: it may be emptied, replaced or deleted while a server runs.

Decisions: docs/decisions/access.md.
"""

from bucketvault.engine.health.readings import Context, Reading, Subject
from bucketvault.engine.key_rotation import Ciphertext, ciphertexts, closed
from bucketvault.engine.views.situation import InstallationIssue, Part, Tone
from bucketvault.errors import MovedSecretError, VaultError
from bucketvault.humanize import many, sentences
from bucketvault.sanitize import clean
from bucketvault.store.models import Provider
from bucketvault.store.secrets import Vault

STILL_READ = "A running server keeps using the key it has read."


def key(stored: int, problem: str = "", todo: str = "", *, stops_runs: bool = True) -> Reading:
    """Judge the key file by what it has to open; `problem` in words, empty: it opens all of it."""
    if problem:
        why = sentences(problem, todo)
        issue = InstallationIssue(Part.KEY, "The key file cannot be used", why, is_bad=stops_runs)
        return Reading(Subject.KEY, Tone.BAD, "cannot be used", problem, todo, issue)
    if not stored:
        return Reading(Subject.KEY, Tone.NONE, "not needed yet", "No secret is stored.")
    return Reading(Subject.KEY, Tone.OK, "found", f"It decrypts {many(stored, 'stored secret')}.")


def look_at_key(context: Context) -> Reading:
    """See that the key file has the keys of all stored secrets; it may be gone while we run."""
    if not context.config.database.exists():
        return key(0)
    stored = list(ciphertexts())
    if not stored:
        return key(0)
    vault = Vault(context.config.key_file)
    try:
        known = vault.key_ids()
    except VaultError as error:  # a server's own Vault then falls back on what it has read
        return key(len(stored), error.summary, sentences(error.hint, STILL_READ))
    lost = [each for each in stored if each.key_id not in known]
    if lost:
        problem = f"{many(len(lost), 'stored secret')} cannot be decrypted with this key file."
        todo = f"Put the right one back as {context.config.key_file}."
        return key(len(stored), problem, todo, stops_runs=_stop_runs(lost))
    if moved := closed(vault, MovedSecretError):
        return _moved(moved)
    return key(len(stored))


def _moved(found: list[Ciphertext]) -> Reading:
    """Judge secrets that the right key does not open: not where they were made for."""
    owners = dict.fromkeys(clean(each.owner, limit=80) for each in found)
    problem = (
        f"Stored secrets cannot be read ({', '.join(owners)}): they, or the address they were "
        "entered for, were changed outside bucketvault."
    )
    todo = "Check that address, then enter them again."
    why = sentences(problem, todo)
    title = "Stored secrets cannot be read"
    issue = InstallationIssue(Part.KEY, title, why, is_bad=_stop_runs(found))
    return Reading(Subject.KEY, Tone.BAD, "wrong key", problem, todo, issue)


def _stop_runs(closed_ones: list[Ciphertext]) -> bool:
    """True if a provider's key is among them: without the mail password, runs still copy."""
    return any(isinstance(each.row, Provider) for each in closed_ones)
