import re
from collections.abc import Callable, Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event

from opsapp import create_app
from opsapp.kernel.db import db
from opsapp.settings import Settings
from opsapp.staff.rules import Role
from tests.factories.money import set_money_policy
from tests.factories.scenes import Scene, furnish
from tests.factories.staff import PASSWORD, make_account
from tests.gateway_controls import GatewayControls

TOKEN = re.compile(r'name="csrf_token" value="([^"]+)"')


class Visitor:
    """A browser without a screen: keeps cookies and puts the page's CSRF token into its posts."""

    def __init__(self, client: FlaskClient) -> None:
        self.client = client

    def get(self, path, **options):
        return self.client.get(path, **options)

    def post(self, path, data=None, *, token=True, **options):
        form = dict(data or {})
        if token:
            form["csrf_token"] = self.token()
        return self.client.post(path, data=form, **options)

    def token(self) -> str:
        found = TOKEN.search(self.client.get("/console/", follow_redirects=True).text)
        assert found, "the page carries no CSRF token"
        return found[1]

    def sign_in(self, email: str, password: str = PASSWORD):
        page = self.client.get("/console/sign-in").text
        return self.client.post(
            "/console/sign-in",
            data={"email": email, "password": password, "csrf_token": TOKEN.search(page)[1]},
        )


@pytest.fixture
def gateway(sandbox_url: str) -> Iterator[GatewayControls]:
    controls = GatewayControls(sandbox_url)
    controls.clear()
    yield controls
    controls.clear()


@pytest.fixture
def house(settings: Settings) -> Iterator[Flask]:
    """The application with one account per role, its context closed: each request has its own."""
    application = create_app(settings)
    with application.app_context():
        for role in Role:
            make_account(role)
        set_money_policy()
    yield application
    with application.app_context():
        db.session.remove()
        db.engine.dispose()


@pytest.fixture
def scene(house: Flask, gateway: GatewayControls) -> Scene:
    with house.app_context():
        return furnish(gateway)


@pytest.fixture
def anybody(house: Flask) -> Visitor:
    return Visitor(house.test_client())


@pytest.fixture
def as_role(house: Flask) -> Callable[[str], Visitor]:
    def sign_in(role: str) -> Visitor:
        visitor = Visitor(house.test_client())
        assert visitor.sign_in(f"{role}@example.com").status_code == 302
        return visitor

    return sign_in


@pytest.fixture
def cs(as_role) -> Visitor:
    return as_role("cs")


@pytest.fixture
def statements(house: Flask) -> Iterator[list[str]]:
    """Every SQL statement that is sent, in order."""
    sent: list[str] = []

    def note(_connection, _cursor, statement, *_rest) -> None:
        sent.append(statement)

    with house.app_context():
        engine = db.engine
    event.listen(engine, "before_cursor_execute", note)
    yield sent
    event.remove(engine, "before_cursor_execute", note)


@pytest.fixture
def nobodys_tail(scene, owner):
    """Four digits no card of the scene ends in: tails are drawn, and some are kept as 123*."""
    asked = "SELECT left(last4, 3) FROM payment_methods WHERE last4 IS NOT NULL"
    kept = {row[0] for row in owner.execute(asked).fetchall()}
    return next(f"{n}000" for n in range(10) if f"{n}00" not in kept)
