import json
import subprocess
import sys

import pytest

from opsapp.staff import sessions, signing_in
from opsapp.staff.signing_in import SignIn


@pytest.fixture
def opsapp(environment, tmp_path):
    def run(*words, mode="test"):
        return subprocess.run(
            [sys.executable, "-m", "opsapp.cli", *words],
            env=environment() | {"OPSAPP_DATA_DIR": str(tmp_path), "OPSAPP_MODE": mode},
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def test_seeding_twice_gives_the_same_sign_ins_and_they_work(opsapp, app, tmp_path):
    first, second = (opsapp("staff", "seed", "--json") for _ in range(2))
    accounts = json.loads(first.stdout)
    assert accounts == json.loads(second.stdout)
    assert [account["role"] for account in accounts] == ["cs", "finance", "admin", "auditor"]
    assert all(account["totp_secret"] is None for account in accounts)
    assert (tmp_path / "accounts.json").stat().st_mode & 0o777 == 0o600
    for account in accounts:
        wish = SignIn(account["email"], account["password"], "127.0.0.1", "test")
        assert sessions.find(signing_in.sign_in(wish)).role == account["role"]


def test_a_lost_file_makes_new_passwords_valid(opsapp, app, tmp_path):
    opsapp("staff", "seed", "--json")
    (tmp_path / "accounts.json").unlink()
    [account, *_] = json.loads(opsapp("staff", "seed", "--json").stdout)
    assert signing_in.sign_in(SignIn(account["email"], account["password"], "127.0.0.1", "test"))


def test_production_has_no_known_passwords(opsapp):
    done = opsapp("staff", "seed", "--json", mode="production")
    assert done.returncode == 1
    assert "demo and test mode" in done.stderr


def test_a_person_is_added_and_a_weak_password_is_refused(opsapp, app):
    words = ("staff", "add", "new@example.com", "--name", "새 직원", "--role", "cs", "--password")
    weak = opsapp(*words, "short")
    assert weak.returncode == 1
    assert "password: needs at least 12 characters" in weak.stderr
    assert opsapp(*words, "long enough to keep").returncode == 0
    assert signing_in.sign_in(SignIn("new@example.com", "long enough to keep", "", ""))
