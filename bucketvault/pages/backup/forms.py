"""Serves the forms of backups: new ones and changes."""

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from nicegui import run, ui

from bucketvault.engine import events
from bucketvault.engine.domain.fields import BackupInput
from bucketvault.engine.providers import Listing
from bucketvault.engine.rclone.buckets import PathLook, PathSize
from bucketvault.engine.views.backups import BackupRow
from bucketvault.engine.views.catalogue import StorageRow
from bucketvault.engine.views.situation import Situation
from bucketvault.errors import BucketvaultError, NotFoundError, Problem
from bucketvault.pages.backup.form import Asks, BackupForm, Start, draw
from bucketvault.pages.backup.form_words import new_backup
from bucketvault.pages.backup.page import draw_absent
from bucketvault.pages.backup.times import BROWSER_ZONE
from bucketvault.pages.parts.actions import in_thread
from bucketvault.pages.parts.asking import ask
from bucketvault.pages.parts.frame import frame, page_at
from bucketvault.pages.parts.refresh import show_on
from bucketvault.pages.run.log import LARGEST_NUMBER

if TYPE_CHECKING:
    from bucketvault.engine.engine import Engine

FIRST_LOOK_S = 0.1  # after the browser is there, it is asked for its time zone
ZONE_S = 3.0


class _Known(NamedTuple):
    """What a form needs to know before it is drawn."""

    answer: Situation
    storages: Mapping[int, StorageRow]
    providers: Mapping[int, str]
    stored: BackupInput | None
    measured: PathSize | None  # the source, as the last run saw it


def register(engine: "Engine") -> None:
    """Serve the forms for a new backup and for a change."""

    @page_at("/backups/new", "New backup")
    async def new_page() -> None:
        """An empty form, with the browser's time zone."""
        known = await run.io_bound(_known, engine, None)
        if known is None:  # shutting down
            return
        form = _show(engine, known, None)

        async def adopt_zone() -> None:
            with suppress(TimeoutError):  # without an answer the server's zone stays
                # safe: a constant; what the browser answers is looked up among the zones we know
                form.adopt_zone(await ui.run_javascript(BROWSER_ZONE, timeout=ZONE_S))

        ui.timer(FIRST_LOOK_S, adopt_zone, once=True)

    @page_at("/backups/{backup_id:number}/edit", "Edit backup")
    async def edit_page(backup_id: int) -> None:
        """A form with all that is stored."""
        try:
            if not 0 < backup_id <= LARGEST_NUMBER:
                raise NotFoundError("There is no such backup.")
            known = await run.io_bound(_known, engine, backup_id)
        except NotFoundError as error:
            answer = await run.io_bound(engine.answer)
            if answer is not None:
                draw_absent(error, engine.zone, answer)
            return
        if known is not None:
            _show(engine, known, backup_id)


def _known(engine: "Engine", backup_id: int | None) -> _Known:
    stored, measured = None, None
    if backup_id is not None:
        stored = engine.backups.inputs(backup_id)
        measured = _last_size(engine.overview_backup(backup_id).row)
    return _Known(
        engine.answer(),
        {row.id: row for row in engine.providers.storages()},
        {row.id: row.name for row in engine.providers.rows()},
        stored,
        measured,
    )


def _show(engine: "Engine", known: _Known, backup_id: int | None) -> BackupForm:
    start = Start(
        known.stored or new_backup(engine.zone.key),
        known.storages,
        known.providers,
        engine.zone,
    )
    if known.stored is not None:
        cancel = f"/backups/{backup_id:d}"
        start = replace(start, loaded=known.stored, measured=known.measured, cancel=cancel)
    with frame("Backups", engine.zone, known.answer) as around:
        form = draw(start, _asks(engine, backup_id))
    around.follow(engine)
    show_on(
        engine.live, events.CATALOGUE, engine.providers.storages, form.show_storages, pause_s=1.0
    )
    return form


def _last_size(row: BackupRow) -> PathSize | None:
    last = row.last_run
    if last is None or last.source_objects is None or last.source_bytes is None:
        return None
    return PathSize(last.source_objects, last.source_bytes)


def _asks(engine: "Engine", backup_id: int | None) -> Asks:
    providers, backups = engine.providers, engine.backups

    async def problems(given: BackupInput) -> Sequence[Problem]:
        return await in_thread(backups.problems, given, backup_id) or ()

    async def save(given: BackupInput, loaded: BackupInput | None) -> None:
        if backup_id is None:
            made = await in_thread(backups.create, given)
            if made is not None:  # None: shutting down
                ui.navigate.to(f"/backups/{made:d}")
            return
        await in_thread(backups.change, backup_id, given, loaded)
        ui.navigate.to(f"/backups/{backup_id:d}")

    async def stored() -> BackupInput:
        found = None if backup_id is None else await in_thread(backups.inputs, backup_id)
        if found is None:
            raise BucketvaultError("The program is stopping.")
        return found

    async def look(storage_id: int, path: str) -> PathLook:
        return await ask(providers, providers.look, storage_id, path)

    async def measure(
        storage_id: int, path: str, given_up: threading.Event, on_seen: Callable[[int], None]
    ) -> PathSize:
        return await ask(providers, providers.measure, storage_id, path, given_up, on_seen)

    async def list_buckets(provider_id: int) -> Listing:
        return await ask(providers, providers.buckets, provider_id)

    async def import_bucket(provider_id: int, name: str, usage: str | None, check: bool) -> int:
        bring = providers.import_bucket
        return await ask(providers, bring, provider_id, name, usage, check=check)

    async def storages() -> Mapping[int, StorageRow]:
        return {row.id: row for row in await in_thread(providers.storages) or []}

    return Asks(problems, save, stored, look, measure, list_buckets, import_bucket, storages)
