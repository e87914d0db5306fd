"""The ledger gives back what was written, or says that it cannot."""

import gzip
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bucketvault.engine.listing.ledger import (
    CANNOT,
    DAMAGED,
    UNREADABLE,
    Ledger,
    LedgerError,
    Record,
    writing,
)

AT = "2026-11-22T03:41:00Z"


def record(key: bytes, **given: object) -> Record:
    plain = Record(key, 3, "e1", AT, "e1", AT)
    return plain._replace(**given)  # type: ignore[arg-type]


def write(path: Path, *records: Record) -> Path:
    with writing(path, AT) as ledger:
        for one in records:
            ledger.add(one)
    return path


@given(
    keys=st.sets(st.binary(min_size=1, max_size=12)),
    etags=st.tuples(st.sampled_from(["e1", "e2-4"]), st.sampled_from(["e1", ""])),
)
def test_what_was_written_comes_back(
    tmp_path_factory: pytest.TempPathFactory, keys: set[bytes], etags: tuple[str, str]
) -> None:
    records = [
        record(key, source_etag=etags[0], copy_etag=etags[1], read_on="2026-11-01", mark=CANNOT)
        for key in sorted(keys | {b"100%", b"%09", b"a\tb", b"a\nb", b"%250A"})
    ]

    ledger = Ledger(write(tmp_path_factory.mktemp("ledger") / "1.ledger", *records))

    assert (ledger.at, ledger.count) == (AT, len(records))
    assert list(ledger) == records


def test_it_is_for_its_owner_alone_and_small(tmp_path: Path) -> None:
    records = [record(f"photos/2026/IMG_{number:06}.jpg".encode()) for number in range(10_000)]

    path = write(tmp_path / "1.ledger", *records)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.stat().st_size < 60 * len(records)


@pytest.mark.parametrize(
    "harm",
    [
        lambda whole: whole[:-20],
        lambda whole: whole[: len(whole) // 2],
        lambda whole: b"",
        lambda whole: b"no ledger at all",
        lambda whole: whole[:40] + b"\0\0\0\0" + whole[44:],
        lambda whole: gzip.compress(gzip.decompress(whole).replace(b'"keys": 3', b'"keys": 2')),
        lambda whole: gzip.compress(gzip.decompress(whole).replace(b'"format": 1', b'"format": 9')),
        lambda whole: gzip.compress(b"[]\n"),
    ],
    ids=["cut", "halved", "emptied", "other", "flipped", "miscounted", "newer", "headless"],
)
def test_a_damaged_one_is_said_before_anything_is_read_of_it(tmp_path: Path, harm) -> None:
    path = write(tmp_path / "1.ledger", *map(record, (b"a", b"b", b"c")))
    path.write_bytes(harm(path.read_bytes()))

    with pytest.raises(LedgerError):
        Ledger(path)


def test_one_that_breaks_off_leaves_the_former_in_its_place(tmp_path: Path) -> None:
    path = write(tmp_path / "1.ledger", record(b"former"))

    with pytest.raises(KeyboardInterrupt), writing(path, AT) as ledger:
        ledger.add(record(b"half"))
        raise KeyboardInterrupt

    assert [one.key for one in Ledger(path)] == [b"former"]
    assert [file.name for file in tmp_path.iterdir()] == ["1.ledger"]


def test_it_tells_what_is_known_of_bytes_that_were_read(tmp_path: Path) -> None:
    path = write(
        tmp_path / "1.ledger",
        record(b"a"),
        record(b"b", read_on="2026-11-01", size=5),
        record(b"c", read_on="2026-11-01", mark=DAMAGED),
        record(b"d", read_on="2026-11-02", mark=UNREADABLE),
        record(b"e", mark=CANNOT),
    )

    reading = Ledger(path).reading

    assert reading.days == {"": [1, 3], "2026-11-01": [2, 8]}
    assert reading.refused == [1, 3]
    assert reading.marks == {DAMAGED: 1, UNREADABLE: 1, CANNOT: 1}
    assert reading.names[DAMAGED] == ["c"]
