"""Targets of alerts in `setup.toml`: applied, applied again, written out, and deleted by prune."""

from pathlib import Path

import pytest

from bucketvault.engine.alerts import targets
from bucketvault.engine.setup import applying, pruning, writing
from bucketvault.errors import InvalidInputError
from bucketvault.store.database import writing as writing_database
from bucketvault.store.secrets import Vault
from bucketvault.vocabulary import AlertEvent

pytestmark = pytest.mark.usefixtures("open_store")

URL = "http://127.0.0.1:8090/token-0a1b2c3d"
PHONE = '[[alert]]\nname = "Phone"\nurl = {env = "PHONE_URL"}\n'


def apply(folder: Path, vault: Vault, text: str, **options: bool) -> list[str]:
    file = folder / "setup.toml"
    file.write_text(text)
    return applying.apply(file, vault, {"PHONE_URL": URL}, **options)


def problems(folder: Path, vault: Vault, text: str) -> dict[str, str]:
    with pytest.raises(InvalidInputError) as caught:
        apply(folder, vault, text)
    return {each.field: each.message for each in caught.value.problems}


def test_a_target_is_made_kept_and_changed_by_its_name(tmp_path: Path, vault: Vault) -> None:
    made = apply(tmp_path, vault, PHONE)
    again = apply(tmp_path, vault, PHONE)
    changed = apply(tmp_path, vault, '[[alert]]\nname = "phone"\nevents = ["overdue", "failed"]\n')
    kept = apply(tmp_path, vault, PHONE.replace("Phone", "phone"))

    (target,) = targets.stored()
    assert made == ['created alert "Phone"'] and again == ["unchanged"]
    assert changed == ['changed alert "phone": name, events'] and kept == ["unchanged"]
    assert target.events == (AlertEvent.FAILED, AlertEvent.OVERDUE)
    assert targets.url_of(target.id, vault).url == URL


def test_what_is_wrong_is_told_by_name_and_key_without_the_url(
    tmp_path: Path, vault: Vault
) -> None:
    bad = '[[alert]]\nname = "Pager"\nurl = "ntfy://ntfy.example.com/secret-0a1b"\nevents = "all"\n'

    told = problems(tmp_path, vault, bad + "[[alert]]\nurl = 'https://example.com/hook'\n")

    assert "Write ntfys://" in told['alert "Pager": url']
    assert "as a list" in told['alert "Pager": events']
    assert told["alert number 2: name"] == "Enter a name."
    assert not targets.stored() and "secret-0a1b" not in str(told)
    assert "Enter the URL" in problems(tmp_path, vault, '[[alert]]\nname = "x"\n')['alert "x": url']


def test_targets_are_written_out_and_pruned(tmp_path: Path, vault: Vault) -> None:
    apply(tmp_path, vault, PHONE)

    text = writing.setup_text()
    sealed = writing.setup_text(vault).text

    assert 'url = {env = "PHONE_URL"}' in text.text and text.variables == ("PHONE_URL",)
    assert URL in sealed and apply(tmp_path, vault, sealed) == ["unchanged"]
    with writing_database():
        assert [each.words for each in pruning.ends_beside([])] == ['alert "Phone" and its URL']
    assert not targets.stored()
