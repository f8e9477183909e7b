"""The first look around: over real rows, one step after the other, once for each account."""

import re

import pytest

from opsapp import create_app
from opsapp.kernel.db import db
from opsapp.staff.rules import Role
from tests.console.conftest import Visitor
from tests.factories.scenes import furnish
from tests.factories.staff import make_account


@pytest.fixture
def demo(settings, gateway):
    application = create_app(settings.model_copy(update={"mode": "demo"}))
    with application.app_context():
        make_account(Role.CS)
        scene = furnish(gateway)
    visitor = Visitor(application.test_client())
    assert visitor.sign_in("cs@example.com").status_code == 302
    yield visitor, scene
    with application.app_context():
        db.session.remove()
        db.engine.dispose()


def step_of(page):
    found = re.search(r'name="step" value="(\w+)"', page)
    return found and found[1]


def test_the_tour_leads_over_real_rows_is_resumed_where_it_was_and_ends_for_good(demo):
    visitor, _scene = demo
    assert step_of(visitor.get("/console/").text) == "home"
    answer = visitor.post("/console/tour/next", {"step": "home"})
    assert answer.location == "/console/payments/"
    assert step_of(visitor.get("/console/").text) is None, "elsewhere it only says where to go"
    assert 'href="/console/payments/"' in visitor.get("/console/jobs/").text
    seen = []
    while step := step_of(visitor.get(answer.location).text):
        seen.append(step)
        answer = visitor.post("/console/tour/next", {"step": step})
    assert seen[0] == "payments"
    assert {"refunded_payment", "ticket", "jobs"} <= set(seen)
    assert "audit" not in seen, "the role may not read the log"
    assert 'class="tour"' not in visitor.get("/console/").text
    visitor.post("/console/tour/begin")
    assert step_of(visitor.get("/console/").text) == "home"
    visitor.post("/console/tour/end", {"next": "/console/"})
    assert 'class="tour"' not in visitor.get("/console/").text


def test_outside_of_a_demo_there_is_no_tour(cs):
    assert 'class="tour"' not in cs.get("/console/").text
    assert cs.post("/console/tour/begin").status_code == 404
