from dataclasses import replace

import pytest
from sqlalchemy import text

from opsapp import create_app
from opsapp.insights.listing import LISTS
from opsapp.kernel.db import db


@pytest.fixture
def broken_list(monkeypatch):
    """A fault in the middle of a page: the transaction is aborted as well."""

    def fail(*_args, **_options):
        db.session.execute(text("SELECT 1/0"))

    monkeypatch.setitem(LISTS, "payments", replace(LISTS["payments"], list_rows=fail))


def test_a_fault_is_a_whole_page_with_the_id_to_pass_on(cs, broken_list):
    answer = cs.get("/console/payments/")
    assert answer.status_code == 500
    assert answer.headers["X-Request-Id"] in answer.text
    assert "내부 오류" in answer.text
    assert "division" not in answer.text
    assert 'class="rail"' in answer.text, "the way out is there"
    assert cs.get("/console/customers/").status_code == 200


def test_with_the_database_away_the_page_still_says_so(settings):
    gone = settings.model_copy(update={"database_url": "postgresql://127.0.0.1:1/nowhere"})
    client = create_app(gone).test_client()
    for path in ("/console/sign-in", "/console/payments/"):
        client.set_cookie("opsapp_sign_in", "x", path="/console")
        answer = client.get(path)
        assert answer.status_code == 500
        assert answer.headers["X-Request-Id"] in answer.text
    assert client.get("/healthz").status_code == 200
    assert client.get("/readyz").json["database"] is False
