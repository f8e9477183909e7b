import os

import pytest

from opsapp.cli import environment

OURS = {"DATABASE_URL": "postgresql://ours/db", "OPSAPP_SECRET_KEY": "from the folder"}


@pytest.fixture
def data_dir(tmp_path, monkeypatch):
    for name in OURS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "environ", os.environ.copy())
    environment.save(tmp_path, OURS)
    return tmp_path


def test_a_command_in_another_terminal_finds_the_running_instance(data_dir):
    environment.load(data_dir)
    assert {name: os.environ[name] for name in OURS} == OURS


def test_the_url_of_the_same_database_from_outside_still_finds_its_keys(data_dir, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", OURS["DATABASE_URL"])
    environment.load(data_dir)
    assert os.environ["OPSAPP_SECRET_KEY"] == "from the folder"


def test_the_url_of_another_database_is_not_mixed_with_our_keys(data_dir, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgresql://theirs/db")
    environment.load(data_dir)
    assert "OPSAPP_SECRET_KEY" not in os.environ


def test_keys_are_made_once_and_readable_by_their_owner_only(tmp_path):
    first = environment.secrets_of(tmp_path)
    assert environment.secrets_of(tmp_path) == first
    assert (tmp_path / environment.SECRETS_FILE).stat().st_mode & 0o077 == 0
