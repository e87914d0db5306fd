"""The program's own log: nobody outside fills it, or writes lines that look like ours."""

import io
import logging
from collections.abc import Iterator

import pytest

from bucketvault.engine import settings
from bucketvault.engine.catalogue import providers
from bucketvault.logging_setup import (
    LONGEST_MESSAGE,
    LONGEST_TRACE,
    MINUTE_S,
    MOST_OF_OTHERS,
    MOST_OF_OURS,
    MOST_SECRETS,
    _Handler,
    _Line,
    _Mask,
    mask,
)
from bucketvault.store.database import connection
from bucketvault.store.models import Provider
from bucketvault.store.secrets import Vault
from tests.store_fixtures import provider_input


@pytest.fixture
def written() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def handler(written: io.StringIO) -> _Handler:
    made = _Handler(written)
    made.setFormatter(_Line("%(levelname)s %(message)s"))
    return made


@pytest.fixture
def say(handler: _Handler) -> Iterator[object]:
    names = "bucketvault.test", "engineio.test", "socketio.test"
    loggers = {name: logging.getLogger(name) for name in names}
    for each in loggers.values():
        each.addHandler(handler)
        each.propagate = False
    yield loggers
    for each in loggers.values():
        each.removeHandler(handler)
        each.propagate = True


def test_another_packages_lines_are_bounded_whatever_they_say(
    say: dict[str, logging.Logger], written: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [1000.0]
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    for number in range(500):
        say["engineio.test"].error("message %d from %s", number, "another program")
    say["bucketvault.test"].warning("mail not sent", extra={"mail": 1})

    clock[0] += MINUTE_S + 1
    say["engineio.test"].error("one more")

    lines = written.getvalue().splitlines()
    assert len(lines) == MOST_OF_OTHERS + 3
    assert lines[-3] == "WARNING mail not sent mail=1"
    left_out = 500 - MOST_OF_OTHERS
    assert lines[-2] == f"WARNING more such lines were suppressed lines={left_out} of=engineio.test"
    assert lines[-1] == "ERROR one more"


def test_the_story_of_a_night_is_whole_and_one_warning_does_not_hide_another(
    say: dict[str, logging.Logger], written: io.StringIO
) -> None:
    logger = say["bucketvault.test"]
    logger.setLevel(logging.INFO)
    for number in range(3 * MOST_OF_OURS):
        logger.info("run started", extra={"run": number})
        logger.warning("sign-in refused")
    logger.warning("mail not sent")

    told = written.getvalue()
    assert told.count("run started") == 3 * MOST_OF_OURS
    assert told.count("sign-in refused") == MOST_OF_OURS and "mail not sent" in told


def test_words_from_elsewhere_make_no_line_and_no_signs_of_a_terminal(
    say: dict[str, logging.Logger], written: io.StringIO
) -> None:
    forged = "x\nWARNING run interrupted run=1\n\x1b[2J\u202e"
    say["engineio.test"].error(forged)
    try:
        raise ValueError(forged)
    except ValueError:
        say["socketio.test"].exception("a fault")
        say["socketio.test"].exception("a fault again")  # one traceback is enough

    begin = [line for line in written.getvalue().splitlines() if not line.startswith("  ")]
    assert len(begin) == 3 and begin[1] == "ERROR a fault"
    assert begin[2].startswith("ERROR a fault again: ValueError('x\\nWARNING")
    assert begin[0].startswith("ERROR x\\x0aWARNING run")
    assert "\x1b" not in written.getvalue() and "\u202e" not in written.getvalue()


def test_a_line_and_its_traceback_are_bounded(
    say: dict[str, logging.Logger], written: io.StringIO
) -> None:
    say["engineio.test"].error("x" * 1_000_000)
    try:
        raise ValueError("begin" + "\n".join("y" * 1000 for _ in range(1000)) + "the end")
    except ValueError:
        say["socketio.test"].exception("a fault")

    told = written.getvalue()
    assert len(told) < LONGEST_MESSAGE + LONGEST_TRACE + 1000
    assert "Traceback" in told and "the end" in told


def test_a_secret_is_masked_also_where_a_line_or_a_traceback_is_cut(
    say: dict[str, logging.Logger], written: io.StringIO
) -> None:
    secret = "SuperSecretKey0123456789abcdefghij"
    mask.learn(secret)

    say["engineio.test"].error("x" * (LONGEST_MESSAGE - 20) + secret)
    say["bucketvault.test"].error("a value", extra={"why": "x" * 1980 + secret})
    for words in ("x" * 1980 + secret, "\n".join([secret * 50] * 20)):
        try:
            raise ValueError(words)
        except ValueError:
            say["bucketvault.test"].exception("a fault")

    assert "Super" not in written.getvalue() and "hij" not in written.getvalue()


def test_the_secrets_that_a_log_masks_are_bounded_and_the_last_used_stay() -> None:
    masks = _Mask()
    masks.learn("the first secret")
    for number in range(MOST_SECRETS):
        masks.learn(f"secret {number:05}", "the first secret")

    assert masks.text("the first secret, secret 00000") == "[secret], secret 00000"
    assert masks.text("secret 00001, secret 00499") == "[secret], [secret]"


@pytest.mark.usefixtures("open_store")
def test_providers_keys_and_the_mails_password_are_masked_once_they_were_opened(
    say: dict[str, logging.Logger], written: io.StringIO, vault: Vault
) -> None:
    password = "the password of the mails"
    provider = providers.create(provider_input(), vault)
    fields = {"smtp_host": "mail.example.com", "smtp_user": "me", "smtp_password": password}
    settings.change(fields | {"mail_from": "a@example.com", "mail_to": "b@example.com"}, vault)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bucketvault.logging_setup.mask._secrets", {})
        patch.setattr("bucketvault.logging_setup.mask._redactor", None)
        with connection():
            key_id, key = providers.decrypted_keys(Provider.get_by_id(provider), vault)
        assert settings.mail_server(vault) is not None
        say["bucketvault.test"].warning(f"a library said {key_id} {key} {password}")

    assert written.getvalue() == "WARNING a library said [secret] [secret] [secret]\n"
