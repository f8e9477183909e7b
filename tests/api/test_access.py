"""Who may pass, and who may not: every route, every scope."""

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from opsapp.api import access
from opsapp.api.access import UndeclaredRoute
from opsapp.kernel.db import db, transaction
from opsapp.kernel.log import AuditEntry
from opsapp.programs import installing, issuing, queries, rules
from opsapp.programs.errors import InstallationDiffers
from opsapp.programs.models import ApiKey, Installation
from opsapp.programs.rules import Scope
from tests.api.conftest import BY, Program

ABSENT = "absent-1"


def routes_of(app):
    """Method, an address with references of nothing, and what is declared."""
    found = []
    for rule in app.url_map.iter_rules():
        if not rule.rule.startswith("/api/v1/"):
            continue
        view = app.view_functions[rule.endpoint]
        address = rule.rule
        for name in rule.arguments:
            address = address.replace(f"<{name}>", ABSENT)
        methods = sorted(rule.methods - {"HEAD", "OPTIONS"})
        found += [(method, address, view.operation, rule.arguments) for method in methods]
    return found


def ask(program: Program, method: str, address: str, secret: str | None):
    headers = {"Idempotency-Key": "a-key", "Content-Type": "application/json"}
    if secret is not None:
        headers["Authorization"] = f"Bearer {secret}"
    return program.client.open(address, method=method, headers=headers, data="{}")


def test_every_route_asks_for_a_key_and_for_its_own_scope(app, program, program_with):
    routes = routes_of(app)
    assert len(routes) > 30
    assert len({operation.name for _, _, operation, _ in routes}) == len(routes)
    others = {
        scope: program_with(*[other for other in Scope if other is not scope]).secret
        for scope in {operation.scope for _, _, operation, _ in routes}
    }
    for method, address, operation, _ in routes:
        for secret in (None, "", "ops_" + "x" * 43, program.secret + "x", program.secret[:-1]):
            refused = ask(program, method, address, secret)
            assert refused.status_code == 401, (method, address)
            assert refused.headers["WWW-Authenticate"] == "Bearer"
            assert refused.json["code"] == "not_authenticated"
        lacking = ask(program, method, address, others[operation.scope])
        assert (lacking.status_code, lacking.json["code"]) == (403, "scope_missing"), address
        assert lacking.mimetype == "application/problem+json"


def test_what_is_not_there_is_not_found_and_nothing_is_told(app, program):
    for method, address, operation, arguments in routes_of(app):
        if arguments and method == "GET":
            missed = ask(program, method, address, program.secret)
            assert missed.status_code == 404, operation.name
            assert ABSENT not in missed.text


def test_a_revoked_or_expired_key_opens_nothing_from_that_moment_on(program):
    assert program.get("/customers").status_code == 200
    key = queries.find_key(rules.prefix_of(program.secret))
    with transaction():
        made = issuing.rotate(key.id, overlap=timedelta(hours=1), by=BY)
    successor = Program(program.client, made.secret)
    assert program.get("/customers").status_code == 200, "both are good for the overlap"
    assert successor.get("/customers").status_code == 200
    with transaction():
        past = db.session.scalars(select(ApiKey.created_at)).first() - timedelta(days=1)
        db.session.execute(update(ApiKey).where(ApiKey.id == key.id).values(expires_at=past))
    assert program.get("/customers").status_code == 401
    with transaction():
        issuing.revoke(made.id, because="lost", by=BY)
    assert successor.get("/customers").status_code == 401


def test_no_secret_is_kept_and_what_a_program_does_is_in_the_log_under_its_name(program):
    program.post("/customers", customer())
    with transaction():
        key = db.session.scalars(select(ApiKey)).one()
        assert key.secret_hash == rules.hash_of(program.secret)
        assert program.secret not in repr(vars(key))
        assert key.last_used_at is not None
        actions = {
            row.action: row.actor
            for row in db.session.execute(select(AuditEntry.action, AuditEntry.actor))
        }
    assert actions["customer.registered"] == f"program:{key.ref}"
    assert "api_key.made" in actions


def test_a_key_that_asks_too_often_is_braked_and_no_other(app, program, program_with, monkeypatch):
    other = program_with()
    monkeypatch.setattr(access.jobs, "count_within", counted := Counted())
    assert program.get("/plans").status_code == 200
    counted.count = 401
    braked = program.get("/plans")
    assert (braked.status_code, braked.headers["Retry-After"]) == (429, "1")
    monkeypatch.undo()
    assert other.get("/plans").status_code == 200
    counted.count = None  # Redis is away: everybody passes


def test_personal_data_is_whole_only_for_who_may_read_it(program_with):
    writer = program_with(Scope.CUSTOMERS_WRITE)
    made = writer.post("/customers", customer()).json
    assert (made["name"], made["phone"]) == ("홍*동", "010-****-5678")
    assert made["email"] == "gi*****@example.com"
    reader = program_with(Scope.CUSTOMERS_READ)
    assert reader.get("/customers/C-1").json["name"] == "홍길동"


def test_a_route_without_a_scope_stops_the_start(app):
    app.view_functions["api.catalog.list_plans"] = lambda: None
    with pytest.raises(UndeclaredRoute, match="list_plans"):
        access.refuse_undeclared(app)


def test_a_database_of_trials_is_never_served_as_a_real_one(app, settings, program):
    with transaction():
        installing.claim()
        installing.claim()
    assert program.get("/plans").status_code == 200
    assert program.post("/customers", customer()).json["livemode"] is False
    with transaction():
        db.session.execute(update(Installation).values(livemode=True))
    refused = program.get("/plans")
    assert (refused.status_code, refused.json["code"]) == (503, "installation_differs")
    with pytest.raises(InstallationDiffers), transaction():
        installing.claim()


def customer(**changes):
    return {
        "id": "C-1", "name": "홍길동", "email": "gildong@example.com", "phone": "010-1234-5678",
    } | changes  # fmt: skip


class Counted:
    count: int | None = 1

    def __call__(self, name, *, seconds):
        return self.count
