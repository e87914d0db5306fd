"""A demo's pages: the banner, and the mailbox with what was emailed."""

import pytest
from nicegui.testing import User

from bucketvault.engine.mail.mail_views import Received
from bucketvault.vocabulary import Topic
from tests.pages.fake_engine import FakeEngine
from tests.pages.scenes import now


def received(number: int, subject: str, body: str = "What to do: nothing.\n") -> Received:
    return Received(number, now(), "bucketvault@demo.example", "you@demo.example", subject, body)


@pytest.fixture
def mails(monkeypatch: pytest.MonkeyPatch) -> list[Received]:
    """Emails that the demo's server has taken; pages that are registered next are a demo's."""
    found = [received(1, "Photos failed: \u202ethe key", "One line\nand <b>another</b>\x1b[31m\n")]
    monkeypatch.setattr(FakeEngine, "mailbox", lambda _: tuple(found))
    return found


async def test_the_mailbox_shows_each_email_and_what_comes_meanwhile(
    mails: list[Received], user: User, engine: FakeEngine
) -> None:
    await user.open("/mailbox")

    await user.should_see("1 email")
    await user.should_see("Photos failed: \\u202ethe key")
    await user.should_see("One line\nand <b>another</b>\\x1b[31m\n")

    mails.insert(0, received(2, "Photos works again"))
    engine.live.publish(Topic.MAIL)

    await user.should_see("2 emails")
    await user.should_see("Photos works again")


async def test_every_page_of_a_demo_says_that_it_is_one(
    mails: list[Received], user: User, engine: FakeEngine
) -> None:
    await user.open("/")

    await user.should_see("Nothing here leaves your computer.")
    await user.should_see("Mailbox (demo)")


async def test_an_installation_has_no_mailbox_and_no_banner(user: User, engine: FakeEngine) -> None:
    assert (await user.http_client.get("/mailbox")).status_code == 404
    await user.open("/")

    await user.should_see("Settings")
    await user.should_not_see("Mailbox (demo)")
    await user.should_not_see("This is a demo: ")
