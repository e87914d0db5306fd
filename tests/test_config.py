"""Settings of the process: each wrong one is named, all at once."""

import os
from pathlib import Path

import pytest

from bucketvault.config import load_config
from bucketvault.errors import ConfigError


def test_a_flag_wins_over_the_environment(tmp_path: Path) -> None:
    config = load_config({"BUCKETVAULT_DATA_DIR": "/elsewhere"}, data_dir=str(tmp_path))

    assert config.data_dir == tmp_path


def test_the_key_lies_outside_the_data_folder_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")
    for name in ("XDG_DATA_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)

    config = load_config({})

    assert config.data_dir == Path("/home/somebody/.local/share/bucketvault")
    assert config.key_file == Path("/home/somebody/.config/bucketvault/secret.key")


def test_every_wrong_setting_is_named_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(ConfigError) as caught:
        load_config(
            {
                "BUCKETVAULT_DATA_DIR": str(tmp_path / "file"),
                "BUCKETVAULT_LOG_LEVEL": "loud",
                "BUCKETVAULT_DATADIR": "x",
            }
        )

    told = caught.value.summary
    assert "BUCKETVAULT_DATA_DIR names" in told and "not a folder" in told
    assert "BUCKETVAULT_LOG_LEVEL is 'loud'" in told and "warning" in told
    assert "BUCKETVAULT_DATADIR is not a setting" in told


def test_a_folder_that_holds_other_things_is_refused_and_stays_as_it_is(tmp_path: Path) -> None:
    folder = tmp_path / "project"
    (folder / "runs" / "exp1").mkdir(parents=True)
    folder.chmod(0o755)

    with pytest.raises(ConfigError, match="contains other files"):
        load_config({}, data_dir=str(folder)).make_folders()

    assert folder.stat().st_mode & 0o777 == 0o755


@pytest.mark.root
def test_another_users_folder_is_refused_also_for_root(tmp_path: Path) -> None:
    """Whoever owns it could put another database there, and read what is written."""
    folder = tmp_path / "data"
    folder.mkdir(mode=0o777)
    os.chown(folder, 65534, 65534)

    with pytest.raises(ConfigError, match="belongs to the user nobody"):
        load_config({}, data_dir=str(folder)).make_folders()

    assert not list(folder.iterdir())


def test_no_home_is_needed_where_both_places_are_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def no_home(*_: object, **__: object) -> str:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr("platformdirs.user_config_dir", no_home)
    monkeypatch.setattr("platformdirs.user_data_dir", no_home)

    named = {"BUCKETVAULT_DATA_DIR": str(tmp_path), "BUCKETVAULT_KEY_FILE": str(tmp_path / "k")}

    assert load_config(named).data_dir == tmp_path
    with pytest.raises(ConfigError, match="no home"):
        load_config({})


def test_folders_are_for_the_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir(mode=0o755)

    for _ in range(2):  # a first start that was cut short is no reason to refuse the second
        load_config({}, data_dir=str(folder)).make_folders()

    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / "runs").stat().st_mode & 0o777 == 0o700
