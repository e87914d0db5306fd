"""The settings: mail, a sign of life, limits, who is signed in, and what this program is."""

import datetime as dt
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo

from fastapi.responses import PlainTextResponse
from nicegui import app

from bucketvault.engine.about import SettingsPage
from bucketvault.engine.mail.mail_views import MailState, Trial
from bucketvault.engine.settings import PASSWORD, Settings
from bucketvault.engine.views.situation import Tone
from bucketvault.errors import BucketvaultError, InvalidInputError
from bucketvault.humanize import many
from bucketvault.pages.parts.actions import ask, attempt, in_thread, press, tell_user
from bucketvault.pages.parts.fields import Field
from bucketvault.pages.parts.frame import fetch_page, frame, heading, page_at
from bucketvault.pages.parts.refresh import show_on
from bucketvault.pages.parts.save_bar import SaveBar
from bucketvault.pages.parts.widgets import Part, button, card, confirm, element, glyph, key_values
from bucketvault.pages.settings import words
from bucketvault.pages.settings.alerts import (
    AlertActions,
    AlertsCard,
    alert_actions,
    draw_dead,
)
from bucketvault.pages.settings.form import Kept, SettingsForm
from bucketvault.sanitize import clean
from bucketvault.vocabulary import Topic

if TYPE_CHECKING:
    from bucketvault.engine.engine import Engine


class SettingsActions(NamedTuple):
    """Actions of the page's buttons. All raise BucketvaultError."""

    kept: Kept
    send_test: Callable[[Mapping[str, object]], Awaitable[Trial]]
    try_again: Callable[[int], Awaitable[object]]
    dismiss: Callable[[int], Awaitable[object]]
    sign_out_everywhere: Callable[[], Awaitable[None]]
    show_hint_again: Callable[[], Awaitable[None]]
    alerts: AlertActions


def register(engine: "Engine") -> None:
    """Serve the page from `engine`, and the setup as a file."""

    @page_at("/settings", "Settings")
    async def settings_page() -> None:
        """Fetch, draw, and show in place what changes while the tab is open."""
        found = await fetch_page(engine, engine.settings_page)
        if found is None:
            return
        answer, page = found

        async def change(given: Mapping[str, object], seen: Settings) -> Settings:
            stored = await in_thread(engine.change_settings, given, seen)
            tell_user("Saved.")
            return stored or seen

        async def load() -> Settings:
            found = await in_thread(engine.settings_page)
            if found is None:
                raise BucketvaultError("The program is stopping.")
            return found.settings

        async def send_test(given: Mapping[str, object]) -> Trial:
            return await ask(engine.providers, engine.mail.send_test, given)

        async def sign_out_everywhere() -> None:
            await attempt(in_thread(engine.sign_out_everywhere))  # within a second, we go too

        async def show_hint_again() -> None:
            await attempt(in_thread(engine.watch_elsewhere, False))

        with frame("Settings", engine.zone, answer) as around:
            heading("Settings", zone=engine.zone)
            actions = SettingsActions(
                Kept(change, load),
                send_test,
                partial(press, engine.mail.try_again),
                partial(press, engine.mail.dismiss),
                sign_out_everywhere,
                show_hint_again,
                alert_actions(engine),
            )
            screen = SettingsScreen(page, engine.zone, actions)

        def show(page: SettingsPage) -> None:
            screen.show(page, dt.datetime.now(dt.UTC))

        show_on(engine.live, Topic.SETTINGS, engine.settings_page, show, pause_s=0.5)
        show_on(engine.live, Topic.MAIL, engine.settings_page, show, pause_s=1.0)
        around.follow(engine)

    @app.get("/api/setup.toml", include_in_schema=False)
    def setup() -> PlainTextResponse:
        """Answer with the setup as a file, without secrets."""
        headers = {
            "Content-Disposition": 'attachment; filename="setup.toml"',
            "X-Content-Type-Options": "nosniff",
        }
        return PlainTextResponse(engine.setup_text(), headers=headers)


class SettingsScreen:
    """One open page of the settings."""

    def __init__(self, page: SettingsPage, zone: ZoneInfo, actions: SettingsActions) -> None:
        self._zone = zone
        self._actions = actions
        stored = page.settings
        bar_place = element("div", "part")
        with bar_place:
            self._bar = SaveBar()
        with element("div", "split"):
            with element("div", "part"):
                with card("Email alerts", "one email per failed run", body=True):
                    self._mail = self._mail_form(stored)
                self._alerts = AlertsCard(zone, actions.alerts)
                with card("Weekly report", "one email a week, also when all is well"):
                    self._report = self._report_form(stored)
                with card("Heartbeat", "for a service that notices when this server is down"):
                    self._ping = self._ping_form(stored)
                with card("Limits"):
                    self._limits = self._limits_form(stored)
            with element("div", "part"):
                with card("Email delivery"):
                    self._mail_state = Part("stack spaced")
                with card("Sign-in"), element("div", "stack spaced"):
                    self._browsers = element("div")
                    ask, mark = self._ask_to_sign_out, "sign-out-everywhere"
                    button("Sign out everywhere", "close", mark=mark, on_click=ask)
                with card("Setup file"), element("div", "stack spaced"):
                    _draw_setup_file()
                with card("About"):
                    self._about = element("div")
                    with element("details", "fold"):
                        element("summary", text="Open-source licences")
                        key_values(
                            (clean(name), clean(licence)) for name, licence in page.about.licences
                        )
        self._questions = element("div")
        bar_place.move(target_index=-1)  # the last stop of the Tab key, and in sight from anywhere
        self.show(page, dt.datetime.now(dt.UTC))

    # forms

    def _mail_form(self, stored: Settings) -> SettingsForm:
        form = SettingsForm("Email alerts", stored, self._actions.kept, self._bar)
        with element("div", "fields"):
            with element("div", "two"):
                form.field(
                    "mail_to",
                    "To",
                    placeholder="you@example.com",
                    hint="Who gets the alerts. One address.",
                )
                form.field(
                    "mail_from",
                    "From",
                    placeholder="bucketvault@example.com",
                    hint="An address your mail server lets you send from.",
                )
            with element("div", "two"):
                form.field(
                    "smtp_host",
                    "Mail server",
                    placeholder="smtp.example.com",
                    hint=(
                        "The server's name only; your mail provider calls it SMTP or outgoing "
                        "server."
                    ),
                )
                form.field(
                    "smtp_port",
                    "Port (optional)",
                    placeholder="default",
                    hint="Leave empty for the default port.",
                    numeric=True,
                )
            form.pick(
                "smtp_security",
                "Protection",
                words.PROTECTION,
                "The server's certificate is verified. bucketvault never falls back to an "
                "unencrypted connection.",
            )
            with element("div", "two"):
                form.field("smtp_user", "User (optional)", hint="Often the full email address.")
                form.field(
                    PASSWORD,
                    "Password",
                    "Stored encrypted, never shown again. Some providers want an app password.",
                )
        with form.actions():
            form.button("Send test email", "", "send-test", self._send_test)
        return form

    def _report_form(self, stored: Settings) -> SettingsForm:
        form = SettingsForm("Weekly report", stored, self._actions.kept, self._bar)
        with element("div", "fields"), element("div", "two"):
            form.pick(
                "weekly_report",
                "Day",
                words.REPORT_DAYS,
                "For each backup: newest proof, runs, growth, cost and what needs attention.",
            )
            form.field(
                "weekly_report_at",
                "Time",
                placeholder="08:00",
                hint=f"HH:MM in {self._zone.key}. Alert targets get a short version.",
            )
        return form

    def _ping_form(self, stored: Settings) -> SettingsForm:
        form = SettingsForm("Heartbeat", stored, self._actions.kept, self._bar)
        with element("div", "fields"):
            form.field(
                "ping_url",
                "Heartbeat URL (optional)",
                placeholder="https://hc-ping.com/…",
                hint=(
                    "Called at most once a minute while all is well. A service such as "
                    "Healthchecks then alerts you when the calls stop."
                ),
            )
            self._ping_state = element("div")
        return form

    def _limits_form(self, stored: Settings) -> SettingsForm:
        form = SettingsForm("Limits", stored, self._actions.kept, self._bar)
        with element("div", "fields"):
            form.field(
                "max_parallel_runs",
                "Runs at the same time",
                hint="Other runs wait. Each run can use a core and some memory.",
                numeric=True,
            )
            self._draw_bandwidth(form)
            form.field(
                "stall_minutes",
                "Stall timeout (minutes)",
                hint="A run with no progress for this long is stopped and marked failed.",
                numeric=True,
            )
            logs = form.field("log_retention_days", "Days that logs are kept", numeric=True)

            def tell() -> None:
                logs.hint(words.retention_words(logs.value))

            logs.input.on_value_change(tell)
            tell()
        return form

    def _draw_bandwidth(self, form: SettingsForm) -> None:
        limit = form.field(
            "bandwidth_mb_s", "Bandwidth (MB/s, optional)", placeholder="no limit", numeric=True
        )
        limit.input.props["inputmode"] = "decimal"  # a phone's keyboard then has the point
        with element("div", "two"):
            always = "always"
            zone = f"On the server's clock ({self._zone.key})."
            form.field("bandwidth_from", "Limited from (optional)", zone, placeholder=always)
            last = "May be past midnight."
            form.field("bandwidth_to", "Limited until (optional)", last, placeholder=always)
        names = ("max_parallel_runs", "bandwidth_mb_s", "bandwidth_from", "bandwidth_to")

        def tell() -> None:
            typed = {name: form.fields[name].value for name in names}
            limit.hint(words.bandwidth_words(typed, self._zone))

        for name in names:
            field = form.fields[name]
            assert isinstance(field, Field)  # noqa: S101  lines to type in, as drawn above
            field.input.on_value_change(tell)
        tell()

    async def _send_test(self) -> None:
        form = self._mail

        async def send() -> None:
            form.say(Tone.RUN, "Sending a test email …", "It may take up to a minute.")
            try:
                trial = await self._actions.send_test(form.given())
            except InvalidInputError:
                raise
            except BucketvaultError as error:
                form.say(Tone.BAD, error.summary, error.hint)
                return
            if trial.sent:
                saved = " Nothing was saved." if form.is_touched() else ""
                said = f"Its answer: {trial.answer}{saved}"
                form.say(Tone.OK, "The mail server accepted the test email.", said)
            else:
                form.say(Tone.BAD, trial.answer or "The email was not sent.", trial.hint)

        await form.attempt(send)

    # what changes

    def show(self, page: SettingsPage, now: dt.datetime) -> None:
        """Show what is stored and how things are at `now`."""
        for form in (self._mail, self._report, self._ping, self._limits):
            form.take(page.settings)
        self._alerts.show(page.targets, [each for each in page.mail.dead if each.to], now)
        elsewhere, others = page.settings.alerts_elsewhere, bool(page.targets)
        if self._mail_state.is_new(page.mail, page.ping, elsewhere, others):
            with self._mail_state:
                self._draw_mail(page.mail, now, elsewhere=elsewhere, others=others)
            self._ping_state.clear()
            with self._ping_state:
                _draw_line(words.ping_line(page.ping, self._zone, now))
        self._browsers.clear()
        with self._browsers:
            signed_in = f"{many(page.browsers, 'browser')} signed in."
            way = "the link and the password open" if page.has_password else "the link opens"
            element("p", text=signed_in)
            more = f"Only {way} these pages."
            if not page.has_password:
                more += " On the server, the command bucketvault password also sets a password."
            element("p", "t13 ink2", more)
        self._about.clear()
        with self._about:
            key_values((key, clean(value)) for key, value in words.about_pairs(page.about))

    def _draw_mail(
        self, mail: MailState, now: dt.datetime, *, elsewhere: bool, others: bool
    ) -> None:
        if elsewhere and not mail.set_up and not others:
            _draw_line((Tone.NONE, "Alerts are off: you watch in another way.", ""))
            act, mark = self._actions.show_hint_again, "show-hint-again"
            button("Remind me of alerts again", "", "small", mark=mark, on_click=act)
        else:
            for line in words.mail_lines(mail, self._zone, now, others=others):
                _draw_line(line)
        for letter in mail.dead:
            if not letter.to:
                actions = self._actions.try_again, self._actions.dismiss
                draw_dead(letter, self._zone, now, *actions)

    def _ask_to_sign_out(self) -> None:
        confirm(
            self._questions,
            "Sign out every browser?",
            "This one too. The pages move to a new address, and all earlier links stop working. "
            "On the server, bucketvault url prints a new link. A password stays valid.",
            words="Sign out everywhere",
            act=self._actions.sign_out_everywhere,
            icon="close",
        )


def _draw_setup_file() -> None:
    element("p", text="Providers, storages, backups and settings as one text, without secrets.")
    with element("p", "t13 ink2"):
        element("span", text="Keep it in version control, or set up another server with it: ")
        element("span", "mono", "bucketvault apply setup.toml")
        element("span", text=". With secrets, encrypted: ")
        element("span", "mono", "bucketvault export --with-secrets FILE")
        element("span", text=".")
    link = button("Export setup", "down", href="/api/setup.toml", mark="export-setup")
    link.props["download"] = "setup.toml"


def _draw_line(line: tuple[Tone, str, str]) -> None:
    tone, sentence, said = line
    with element("div", "line top"):
        glyph(tone)
        with element("div", "stack"):
            element("span", text=clean(sentence))
            if said:
                element("span", "t13 ink2 wrap", clean(said))
