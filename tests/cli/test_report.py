"""`report`, called in this process."""

from pathlib import Path

import pytest

from bucketvault.cli import main
from bucketvault.store.database import close_database
from bucketvault.store.models import Storage
from tests.store_fixtures import a_backup


def test_it_prints_subject_and_text_of_this_week(
    ends: tuple[Storage, Storage],
    data_folder: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    a_backup("Photos", *ends, enabled=False)
    close_database()

    code = main(["--data-dir", str(data_folder), "report"])

    out = capsys.readouterr().out
    assert code == 0 and out.startswith("Weekly report of ")
    assert "\nPhotos: Paused\nNewest proof: never\n" in out
    assert "Not known" not in out  # as of a scheduler that is in another process
