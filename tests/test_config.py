"""Settings of the process: each wrong one is named, all at once."""

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


def test_folders_are_for_the_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir(mode=0o755)

    load_config({}, data_dir=str(folder)).make_folders()

    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / "runs").stat().st_mode & 0o777 == 0o700
