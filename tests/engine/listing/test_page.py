"""One answer of a listing is a whole page, or an error: never an empty folder by mistake."""

import re
import urllib.parse

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bucketvault.engine.listing.page import Entry, NoListingError, Page, read_page

DATE = "2026-11-22T03:41:00.000Z"
SPACE = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
HTML = "<!DOCTYPE html><html><body>502 Bad Gateway</body></html>"


def row(key: str, *, size: object = 3, etag: str = "&quot;abc&quot;", more: str = "") -> str:
    return (
        f"<Contents><Key>{key}</Key><LastModified>{DATE}</LastModified>"
        f"<ETag>{etag}</ETag><Size>{size}</Size>{more}</Contents>"
    )


def answer(
    *rows: str,
    prefix: str = "",
    end: str = "<IsTruncated>false</IsTruncated>",
    encoded: bool = True,
    count: int | None = None,
) -> bytes:
    text = f'<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult {SPACE}>'
    text += f"<Name>photos</Name><Prefix>{prefix}</Prefix><MaxKeys>1000</MaxKeys>{end}"
    text += "<EncodingType>url</EncodingType>" if encoded else ""
    text += f"<KeyCount>{len(rows) if count is None else count}</KeyCount>"
    return (text + "".join(rows) + "</ListBucketResult>").encode("utf-8", "surrogatepass")


def keys(body: bytes, prefix: str = "") -> list[bytes]:
    return [entry.key for entry in read_page(body, prefix).entries]


def test_a_page_holds_its_objects_and_says_that_it_is_the_last() -> None:
    page = read_page(
        answer(row("a"), row("b", size=0, more="<StorageClass>GLACIER</StorageClass>")), ""
    )

    assert page.token is None
    assert page.entries == [Entry(b"a", 3, "abc", DATE), Entry(b"b", 0, "abc", DATE, "GLACIER")]


def test_a_page_that_goes_on_has_a_token() -> None:
    end = "<IsTruncated>true</IsTruncated><NextContinuationToken>1/x&amp;y</NextContinuationToken>"

    assert read_page(answer(row("a"), end=end), "").token == "1/x&y"


def test_folders_come_where_they_were_asked_for_and_nowhere_else() -> None:
    folder = "<CommonPrefixes><Prefix>photos/a%2Bb/</Prefix></CommonPrefixes>"
    outside = "<CommonPrefixes><Prefix>other/</Prefix></CommonPrefixes>"
    asked = answer(row("photos/c"), folder, prefix="photos/")  # S3 counts both

    page = read_page(asked, "photos/", grouped=True)

    assert ([entry.key for entry in page.entries], page.folders) == ([b"c"], (b"a+b/",))
    uncounted = answer(row("photos/c"), folder, prefix="photos/", count=1)
    assert read_page(uncounted, "photos/", grouped=True).folders == (b"a+b/",)
    for body, grouped in (
        (asked, False),
        (answer(outside, prefix="photos/"), True),
        (answer(row("photos/c"), folder, prefix="photos/", count=3), True),
    ):
        with pytest.raises(NoListingError):
            read_page(body, "photos/", grouped=grouped)


def test_keys_are_those_below_the_folder_that_was_asked_for() -> None:
    assert keys(answer(row("photos/a%2Bb.txt"), prefix="photos/"), "photos/") == [b"a+b.txt"]


@pytest.mark.parametrize(
    ("body", "why"),
    {
        "nothing at all": (b"", "not valid S3"),
        "a web page": (HTML.encode(), "not valid S3"),
        "an error": (b"<Error><Code>SlowDown</Code></Error>", "not a listing"),
        "half a page": (answer(row("a"))[:-40], "not valid S3"),
        "half a page, whole rows": (answer(row("a")).partition(b"</List")[0], "not valid S3"),
        "another listing": (b"<ListAllMyBucketsResult></ListAllMyBucketsResult>", "not a listing"),
        "another folder": (answer(row("b/a"), prefix="b/"), "a different folder"),
        "a key elsewhere": (answer(row("elsewhere/a"), prefix=""), ""),
        "one too few": (answer(row("a"), count=2), "fewer or more"),
        "one too many": (answer(row("a"), row("b"), count=1), "fewer or more"),
        "no end": (answer(row("a"), end=""), "does not say whether"),
        "truncated without a token": (
            answer(row("a"), end="<IsTruncated>true</IsTruncated>"),
            "does not say whether",
        ),
        "an empty token": (
            answer(
                row("a"),
                end=(
                    "<IsTruncated>true</IsTruncated><NextContinuationToken></NextContinuationToken>"
                ),
            ),
            "does not say whether",
        ),
        "no size": (answer(row("a").replace("<Size>3</Size>", "")), "without key, size"),
        "a key of no characters": (
            answer(row("a").replace("<Key>a", "<Key>\udcff&amp;")),
            "not valid S3",
        ),
        "a size of letters": (answer(row("a", size="many")), "without key, size"),
        "a negative size": (answer(row("a", size=-1)), "impossible size"),
        "no date": (answer(row("a").replace(DATE, "yesterday")), "impossible size or date"),
        "an ETag of two lines": (
            answer(row("a", etag="a&#10;b")),
            "impossible ETag, date or class",
        ),
        "folders, unasked": (
            answer(row("a")).replace(
                b"</ListB", b"<CommonPrefixes><Prefix>b/</Prefix></CommonPrefixes></ListB"
            ),
            "groups objects into folders",
        ),
        "not encoded, though it says so": (answer(row("100%.txt")), "URL-encoded"),
        "an entity": (answer(row("a&copy;b"), encoded=False), "entity"),
        "declared entities": (
            b'<!DOCTYPE x [<!ENTITY a "b">]>' + answer(row("&a;")),
            "not valid S3",
        ),
    }.values(),
    ids=str,
)
def test_what_is_no_whole_listing_is_an_error(body: bytes, why: str) -> None:
    prefix = "asked/" if not why or why == "a different folder" else ""
    if not why:  # the folder is right, a key is not
        body = body.replace(b"<Prefix></Prefix>", b"<Prefix>asked/</Prefix>")
        why = "outside the requested folder"

    with pytest.raises(NoListingError, match=why):
        read_page(body, prefix)


def test_an_empty_folder_is_one_that_says_so() -> None:
    assert read_page(answer(), "") == Page([], None)


def test_servers_that_ignore_the_encoding_are_read_as_they_wrote() -> None:
    assert keys(answer(row("a+b %41.txt"), encoded=False)) == [b"a+b %41.txt"]
    owner = "<Owner><ID>1</ID></Owner>"
    assert keys(answer(row("a&amp;lt;b", more=owner), encoded=False)) == [b"a&lt;b"]
    assert keys(answer(row("a&amp;b&#1;&#x202e;"), encoded=False)) == ["a&b\x01\u202e".encode()]


def test_rows_of_any_build_are_read_alike() -> None:
    plain = read_page(answer(row("a"), row("b%20c")), "")
    owner = "<Owner><ID>1</ID><DisplayName>me</DisplayName></Owner>"
    pretty = re.sub(rb"(</\w+>)<", rb"\1\n  <", answer(row("a"), row("b+c")))
    spaced = answer(row("a"), row("b%20c")).replace(b"<Size>", b'<Size unit="bytes">')

    assert read_page(answer(row("a", more=owner), row("b+c", more=owner)), "") == plain
    assert read_page(answer(row("a"), row("b+c", more=owner)), "") == plain
    assert read_page(pretty, "") == plain
    assert read_page(spaced, "") == plain
    assert read_page(answer(row("a"), row("b%20c")).replace(SPACE.encode(), b""), "") == plain


@given(st.lists(st.text(min_size=1, max_size=40).filter(lambda key: key.isprintable()), max_size=9))
def test_every_key_comes_back_whether_encoded_or_not(names: list[str]) -> None:
    by_url = [urllib.parse.quote_plus(name) for name in names]
    by_xml = [name.replace("&", "&amp;").replace("<", "&lt;") for name in names]
    expected = [name.encode() for name in names]

    assert keys(answer(*map(row, by_url))) == expected
    assert keys(answer(*map(row, by_xml), encoded=False)) == expected
    owner = "<Owner><ID>1</ID></Owner>"
    assert keys(answer(*(row(name, more=owner) for name in by_url))) == expected
    assert keys(answer(*(row(name, more=owner) for name in by_xml), encoded=False)) == expected
