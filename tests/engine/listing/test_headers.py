"""Headers and metadata of an object, and those that its copy lost."""

from email.message import Message

import pytest

from bucketvault.engine.listing.headers import lost, stored


def answer(**told: str) -> Message:
    message = Message()
    for name, value in told.items():
        message[name.replace("_", "-")] = value
    return message


def test_headers_and_metadata_count_and_what_services_add_by_themselves_does_not() -> None:
    told = answer(
        Expires="Thu, 01 Jan 2026 00:00:00 GMT",
        X_Amz_Meta_Colour=" blue ",
        X_Amz_Meta_MTime="1",
        Content_Type="text/plain",
        ETag='"x"',
        Date="now",
    )

    assert stored(told) == {
        "expires": "Thu, 01 Jan 2026 00:00:00 GMT",
        "x-amz-meta-colour": "blue",
    }


@pytest.mark.parametrize(
    ("source", "copy", "names"),
    [
        ({"expires": "a"}, {"expires": "a"}, ()),
        ({"expires": "a"}, {}, ("expires",)),
        ({"expires": "a"}, {"expires": "b"}, ("expires",)),
        ({}, {"cache-control": "no"}, ("cache-control",)),
    ],
)
def test_what_differs_is_named(
    source: dict[str, str], copy: dict[str, str], names: tuple[str, ...]
) -> None:
    assert lost(source, copy) == names


@pytest.mark.parametrize(
    "sent",
    [
        "Küste".encode().decode("latin-1"),  # http.client reads bytes so
        "=?UTF-8?B?S8O8c3Rl?=",
        "=?utf-8?q?K=C3=BCste?=",
        "Küste",
    ],
)
def test_letters_beyond_ascii_are_the_same_however_a_service_sends_them(sent: str) -> None:
    assert stored(answer(x_amz_meta_place=sent)) == {"x-amz-meta-place": "Küste"}


def test_a_value_that_is_no_text_in_any_encoding_stays_as_it_is() -> None:
    assert stored(answer(x_amz_meta_a="=?nonsense?B?!?="))["x-amz-meta-a"] == "=?nonsense?B?!?="


@pytest.mark.parametrize("sent", ["=?utf-8?b?a?=", "=?nowhere?q?a?=", "=?utf-8?q?=FF?="])
def test_a_value_that_only_looks_like_a_mails_is_taken_as_it_is(sent: str) -> None:
    assert stored(answer(x_amz_meta_title=sent)) == {"x-amz-meta-title": sent}
