"""A run under way: how far it is, and what is on its way now. Everything changes in place."""

import datetime as dt

from nicegui import ui
from nicegui.elements.mixins.text_element import TextElement

from bucketvault.engine.rclone.log_lines import Progress, Transfer
from bucketvault.engine.rclone.pace import SLOT_S, SLOTS
from bucketvault.engine.views.backups import RunView
from bucketvault.engine.views.live_words import limit_words, live_words, progress_of
from bucketvault.engine.views.situation import Tone
from bucketvault.humanize import size_of, speed
from bucketvault.pages.parts.widgets import CLASSES, Bar, element, glyph, pill, text
from bucketvault.pages.run.words import figures, steps
from bucketvault.sanitize import clean
from bucketvault.vocabulary import Phase, RunKind, RunStatus

TRANSFERS_SHOWN = 8
LENGTH_S = SLOT_S * SLOTS  # of the curve


class LiveCard:
    """The card of a running run; its words and its bar change in place, as long as its phase
    is the same."""

    def __init__(self, view: RunView) -> None:
        with element("section", f"verdict {CLASSES[Tone.RUN]}", role="status", aria_live="off"):
            with element("div", "top"):
                glyph(Tone.RUN, large=True)
                with element("div", "stack spaced"):
                    with element("div", "line wrap baseline"):
                        self._say = text("p", "say num")
                        element("span", "space")
                        _draw_steps(view)
                    self._bar = Bar("The whole run", None, kind="tall live")
                    self._numbers = []
                    with element("div", "figures"):
                        for name, _ in figures(view, view.queued_at):
                            with element("span"):
                                element("span", "t13 ink3", name)
                                self._numbers.append(text("b", "strong"))
                    with element("div", "pace") as self._pace:
                        element("span", "t12 ink3", f"Speed of the last {LENGTH_S // 60} minutes")
                        self._curve = element("small-curve", step=str(SLOT_S), unit="/s", gaps="")
                        self._most = text("span", "t12 ink3 num")
                    self._limit = text("p", "t13 ink2")
            if view.on_its_own:
                with element("div", "needs"), element("div", "need plain"):
                    glyph(Tone.WARN)
                    words = "It continues on its own; no bucketvault is watching it now."
                    element("span", "why", words)

    def show(self, view: RunView, now: dt.datetime) -> None:
        """Show how far it is at `now`; only what changed is sent."""
        self._say.text = live_words(view)
        progress = progress_of(view)
        share = progress.percent if progress is not None else None
        self._bar.show(100.0 if view.phase == Phase.TIDYING else share)
        for number, (_, value) in zip(self._numbers, figures(view, now), strict=True):
            number.text = value
        self._show_pace(view, now)
        self._limit.text = limit_words(view, now)
        self._limit.set_visibility(bool(self._limit.text))

    def _show_pace(self, view: RunView, now: dt.datetime) -> None:
        """Show the speed of late while objects are transferred, and how large it was at most."""
        speeds: tuple[int | None, ...] = ()
        progress = view.progress
        if view.phase == Phase.COPYING and view.kind == RunKind.COPY and progress is not None:
            speeds = pace_until(now, progress)
        self._pace.set_visibility(any(speed is not None for speed in speeds))
        if not self._pace.visible:
            return
        most = speed(max(each or 0 for each in speeds))
        values = ",".join("-" if each is None else str(each) for each in speeds)
        self._most.text = f"up to {most}"
        if self._curve.props.get("values") != values:
            self._curve.props["values"] = values
            label = f"Speed of the last {LENGTH_S // 60} minutes: up to {most}"
            self._curve.props["aria-label"] = label


def pace_until(now: dt.datetime, progress: Progress) -> tuple[int | None, ...]:
    """Return the speeds of the last slots until `now`; None: not known.

    What rclone has not told yet is not known, but for the slot that is not over and one on its way.
    """
    silent = int(now.timestamp() - progress.speeds_until) // SLOT_S - 1
    told = (*progress.speeds, *[None] * max(0, min(silent, SLOTS)))
    return (*[None] * SLOTS, *told)[-SLOTS:]


def _draw_steps(view: RunView) -> None:
    with element("ol", "steps", aria_label="Phases"):
        for number, (tone, words) in enumerate(steps(view)):
            if number:
                element("li", "to", aria_hidden="true")
            with element("li"):
                pill(tone, words)


class TransfersCard:
    """The objects on their way now: a few rows that are made once and filled again and again."""

    def __init__(self) -> None:
        self._rows: list[tuple[ui.element, TextElement, TextElement, Bar]] = []
        with element("section", "card", aria_label="Transferring now") as self._card:
            with element("header"):
                element("h2", text="Transferring now")
                self._note = text("span", "t13 ink3")
            self._body = element("div")
        self._card.set_visibility(False)

    def show(self, view: RunView) -> None:
        """Fill the rows with what is on its way."""
        moving: tuple[Transfer, ...] = ()
        # while it checks, rclone only acts as if it copied
        copying = view.status == RunStatus.RUNNING and view.phase == Phase.COPYING
        if copying and view.progress is not None:
            moving = view.progress.transferring
        self._card.set_visibility(bool(moving))
        if not moving:
            return
        more = len(moving) - TRANSFERS_SHOWN
        self._note.text = f"{len(moving)} parallel" + (f", {more} more" if more > 0 else "")
        moving = moving[:TRANSFERS_SHOWN]
        while len(self._rows) < len(moving):
            with self._body, element("div", "transfer") as row:
                name = text("span", "mono clip")
                amount = text("span", "t13 ink3 num nowrap right")
                self._rows.append((row, name, amount, Bar("", 0)))
        for place, (row, name, amount, bar) in enumerate(self._rows):
            row.set_visibility(place < len(moving))
            if place < len(moving):
                _fill(name, amount, bar, moving[place])


def _fill(name: TextElement, amount: TextElement, bar: Bar, transfer: Transfer) -> None:
    words = clean(transfer.name)
    if name.text != words:
        name.text = words
        name.props["title"] = words
        bar.label(words)
    amount.text = size_of(transfer.bytes_done, transfer.size)
    bar.show(100 * transfer.bytes_done / transfer.size if transfer.size else None)
