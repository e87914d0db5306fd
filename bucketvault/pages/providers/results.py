"""The results of a connection test: what is lost or charged, rights, what the service does, names.

Each part is drawn again only where it changed: results come one by one.
"""

import datetime as dt

from bucketvault.engine.probe.results import RightResult
from bucketvault.engine.probe.right_words import RIGHT_WORDS, right_note
from bucketvault.engine.providers import ConnectionTest, ProviderPage
from bucketvault.pages.parts.widgets import (
    CLASSES,
    Part,
    card,
    element,
    glyph,
    key_values,
    text,
    use_region,
)
from bucketvault.pages.providers import service_words, words
from bucketvault.sanitize import clean


class ServiceResults:
    """The cards below the answer of a provider's page."""

    def __init__(self) -> None:
        self._notices = Part()
        with element("div", "split test"):
            with element("div", "stack wide"):
                self._rights = Part()
                self._names = Part()
                self._address = Part()
            with element("div", "stack wide"):
                self._facts = Part()

    def show(self, page: ProviderPage, now: dt.datetime) -> None:
        """Show what is known now."""
        test = page.test
        address = words.facts(page, now)
        if self._address.is_new(address):
            with self._address, card("Key and address"):
                key_values((key, clean(value)) for key, value in address)
        if test is None:
            for part in (self._notices, self._rights, self._facts, self._names):
                part.is_new(None)
            return
        self._show_notices(test)
        if self._rights.is_new(test.rights, words.test_note(test, now)):
            with self._rights:
                self._draw_rights(page.row.id, test, now)
        self._show_facts(test)
        self._show_names(test)

    def _show_notices(self, test: ConnectionTest) -> None:
        found = service_words.notices(test)
        if not self._notices.is_new(found) or not found:
            return
        with self._notices, card("Limits and charges", body=False), element("div", "losses"):
            for notice in found:
                with element("div", f"loss {CLASSES[notice.tone]}"):
                    glyph(notice.tone)
                    with element("div", "stack"):
                        element("p", "strong", notice.text)
                        for line in (notice.hint, *notice.names):
                            if line:
                                element("p", "t13 ink2", line)

    def _draw_rights(self, provider_id: int, test: ConnectionTest, now: dt.datetime) -> None:
        with card("Key permissions", body=False) as header, element("div", "rights"):
            with header:
                text("span", "t13 ink3", words.test_note(test, now))
            for right in test.rights:
                tone, outcome = words.OUTCOMES[right.outcome]
                with element("div", f"right-line {CLASSES[tone]}"):
                    glyph(tone)
                    element("span", text=RIGHT_WORDS[right.right])
                    element("span", "outcome", outcome)
                    with element("span", "note", None if right.region else right_note(right)):
                        if right.region:
                            self._draw_region(provider_id, right)

    def _draw_region(self, provider_id: int, right: RightResult) -> None:
        with element("span", "line wrap"):
            element("span", text=right_note(right))
            use_region(provider_id, right.region, "small")

    def _show_facts(self, test: ConnectionTest) -> None:
        found, runs = service_words.facts(test), service_words.settings_of(test)
        if not self._facts.is_new(found, runs) or not found:
            return
        with self._facts, card("Service features", body=False), element("div", "rights"):
            for fact in found:
                with element("div", f"right-line plain {CLASSES[fact.tone]}"):
                    element("span", text=fact.label)
                    element("span", "outcome", fact.value)
                    element("span", "note", fact.note)
            if runs:
                element("p", "note-line t13", runs)

    def _show_names(self, test: ConnectionTest) -> None:
        found = service_words.names(test)
        if not self._names.is_new(found) or not found:
            return
        with self._names, card("Unusual names"):
            element("p", "t13 ink2", service_words.names_summary(found))
            with element("ul", "names"):
                for name in found:
                    with element("li", f"pill {CLASSES[name.tone]}", title=name.title):
                        glyph(name.tone)
                        element("span", "mono", name.sample)
                        element("span", "unseen", name.title)
