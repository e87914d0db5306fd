"""`providers`: which there are, and what the access key of one may do."""

import argparse
import json
from dataclasses import asdict

from bucketvault import humanize
from bucketvault.cli.colour import painted
from bucketvault.config import Config
from bucketvault.engine.domain.rules import did_you_mean, same_name
from bucketvault.engine.events import Live
from bucketvault.engine.probe.results import RightResult, TrialResult
from bucketvault.engine.probe.right_words import RIGHT_WORDS, right_note
from bucketvault.engine.probe.service import End
from bucketvault.engine.providers import Providers
from bucketvault.engine.views.catalogue import ProviderRow
from bucketvault.engine.views.situation import Tone
from bucketvault.errors import NotFoundError
from bucketvault.store.opening import open_store

_SHAPES = {
    TrialResult.WORKS: (Tone.OK, "✓"),
    TrialResult.REFUSED: (Tone.BAD, "✗"),
    TrialResult.FAILED: (Tone.BAD, "✗"),
    TrialResult.NOT_TRIED: (Tone.NONE, "·"),
}
_WRONG = (TrialResult.REFUSED, TrialResult.FAILED)


def print_providers(given: argparse.Namespace, config: Config) -> int:
    """List the providers; returns the exit code."""
    rows = _providers(config).rows()
    if given.json:
        print(json.dumps([_plain(row) for row in rows], indent=2, ensure_ascii=False))
        return 0
    for row in rows:
        backups = humanize.many(len(row.backups), "backup")
        told = f"{row.address}, {humanize.many(row.storages, 'bucket')}, {backups}"
        print(f"{row.name}: {told}")
        if not row.keys_readable:
            print("  Its keys cannot be read: the key file is missing or was replaced.")
    if not rows:
        print("There are no providers yet. Add one on the pages, or with bucketvault apply.")
    return 0


def test(given: argparse.Namespace, config: Config) -> int:
    """Try what the key of a provider may do, and say it; returns the exit code."""
    providers = _providers(config)
    row = _called(given.name, providers.rows())
    found = providers.test(row.id, given.bucket, given.write)
    is_good = found.end == End.DONE and not any(each.outcome in _WRONG for each in found.rights)
    if given.json:
        rights = [asdict(each) for each in found.rights]
        told = {"provider": row.name, "bucket": found.bucket, "good": is_good, "rights": rights}
        print(json.dumps(told, indent=2, ensure_ascii=False))
        return 0 if is_good else 1
    for each in found.rights:
        print(_line(each))
        if each.hint and each.outcome in _WRONG:
            print(f"    {each.hint}")
    if found.end != End.DONE:
        print("The test did not finish.")
    return 0 if is_good else 1


def _line(right: RightResult) -> str:
    tone, shape = _SHAPES[right.outcome]
    return (
        f"{painted(shape, tone)} {RIGHT_WORDS[right.right].ljust(24)} {right_note(right)}".rstrip()
    )


def _providers(config: Config) -> Providers:
    vault = open_store(config)
    return Providers(config, Live(), lambda: vault)


def _called(name: str, rows: list[ProviderRow]) -> ProviderRow:
    """Return the provider of that name, in whatever case. Raises NotFoundError."""
    for row in rows:
        if same_name(row.name) == same_name(name.strip()):
            return row
    hint = did_you_mean(name, [row.name for row in rows]).strip()
    raise NotFoundError(
        f'There is no provider "{name}".', hint or "List them: bucketvault providers"
    )


def _plain(row: ProviderRow) -> dict[str, object]:
    names = ("name", "provider_type", "address", "region", "storages", "backups", "keys_readable")
    return {name: getattr(row, name) for name in names}
