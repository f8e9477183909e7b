import pytest

from opsapp.console import access
from opsapp.staff.rules import PERMISSIONS, Permission, Role

# Values for the addresses of routes; what a permission decides comes before the row is looked for.
VALUES = {
    "payment_id": 1, "refund_id": 1, "subscription_id": 1, "customer_id": 1, "ticket_id": 1,
    "account_id": 1, "method_id": 1, "code_id": 1, "unmapped_id": 1, "gateway_name": "toss",
    "route_id": 1, "event_id": 1, "checkout_id": 1, "receipt_id": 1,
    "unmatched_id": 1, "subject_id": 1, "kind": "attempt", "job_id": 1,
    "notice_id": 1, "notice_kind": "payment_failed", "medium": "email",
    "terms_kind": "privacy", "terms_id": 1, "consent_id": 1, "plan_id": 1, "change_id": 1,
    "order_id": 1, "leg_id": 1, "seller_id": 1, "key_id": 1,
    "adjustment_id": 1, "recovery_id": 1, "policy_id": 1, "run_id": 1,
    "endpoint_id": 1, "delivery_id": 1, "approval_id": 1, "subject_type": "customer",
    "export_id": 1, "macro_id": 1, "row_id": 1, "view_id": 1, "name": "payments", "part": "columns",
}  # fmt: skip
ACTIONS = {
    "console.ticket_macros.set_active": "retire",
    "console.tickets.act": "take",
    "console.approvals.decide": "approve",
    "console.bulk.act_on_job": "stop",
    "console.money_policies.save": "review",
    "console.shop_webhooks.act": "test",
    "console.subscriptions.preview": "pause",
    "console.subscriptions.act": "pause",
    "console.staff.act": "disable",
    "console.gateways.act": "pause",
    "console.gateways.change_route": "move_up",
    "console.customers.act": "block",
    "console.orders.act": "cancel",
    "console.order_page.refund": "review",
    "console.plans.add": "review",
    "console.points.decide": "approve",
    "console.recovery.act": "retry",
    "console.recovery.review": "retry",
    "console.runs.preview": "pause",
    "console.runs.act": "pause",
    "console.recovery_policies.act": "activate",
}


def routes(app):
    """(endpoint, method, path, declared) of every route of this door."""
    adapter = app.url_map.bind("localhost")
    for rule in app.url_map.iter_rules():
        if not rule.endpoint.startswith("console."):
            continue
        declared = app.view_functions[rule.endpoint].permission
        values = {name: VALUES[name] for name in rule.arguments if name in VALUES}
        if "action" in rule.arguments:
            values["action"] = ACTIONS[rule.endpoint]
        for method in sorted(rule.methods - {"HEAD", "OPTIONS"}):
            path = adapter.build(rule.endpoint, values, method=method)
            yield rule.endpoint, method, path, declared


def test_every_route_declares_who_may_use_it(house):
    declared = [declared for *_, declared in routes(house)]
    assert len(declared) >= 30
    assert all(isinstance(d, Permission) or d in (None, "signed_in") for d in declared)


def test_a_route_without_a_declaration_is_refused_at_start(house):
    house._got_first_request = False
    house.add_url_rule("/console/forgotten", "console.forgotten", lambda: "")
    with pytest.raises(access.UndeclaredRoute, match=r"console\.forgotten"):
        access.refuse_undeclared(house)


@pytest.mark.parametrize("role", list(Role))
def test_each_role_reaches_exactly_what_its_rights_allow(house, as_role, role):
    visitor = as_role(role.value)
    token = visitor.token()
    wrong = []
    for endpoint, method, path, declared in routes(house):
        if not isinstance(declared, Permission):
            continue
        answer = visitor.client.open(path, method=method, data={"csrf_token": token})
        if (answer.status_code == 403) is (declared in PERMISSIONS[role]):
            wrong.append((endpoint, method, answer.status_code))
    assert wrong == []


def test_a_stranger_is_led_to_the_sign_in_from_everywhere(house, anybody):
    token = anybody.sign_in("nobody@example.com") and anybody.get("/console/sign-in").text
    token = token.split('name="csrf_token" value="')[1].split('"')[0]
    for endpoint, method, path, declared in routes(house):
        if declared is None:
            continue
        answer = anybody.client.open(path, method=method, data={"csrf_token": token})
        assert (answer.status_code, "/sign-in" in answer.location) == (302, True), endpoint


def test_every_change_needs_the_token_of_its_page(house, as_role):
    admin = as_role("admin")
    for endpoint, method, path, _declared in routes(house):
        if method != "GET":
            answer = admin.client.open(path, method=method, data={})
            assert answer.status_code == 400, endpoint


def test_refused_access_is_an_entry_of_the_log(house, as_role, owner):
    as_role("cs").get("/console/audit/")
    [row] = owner.execute(
        "SELECT succeeded, detail->>'endpoint' FROM audit_entries "
        "WHERE action = 'staff_account.access_denied'"
    ).fetchall()
    assert row == (False, "console.audit.show_list")


def test_reading_the_log_is_an_entry_with_what_was_looked_for(as_role, owner):
    as_role("auditor").get("/console/audit/?actor=staff:1")
    [(detail,)] = owner.execute(
        "SELECT detail FROM audit_entries WHERE action = 'audit_log.viewed'"
    ).fetchall()
    assert detail == {"actor": "staff:1"}


def test_polling_keeps_no_sign_in_alive_but_a_person_does(cs, owner):
    idle = "UPDATE staff_sessions SET last_seen_at = now() - interval '10 minutes'"
    seen = "SELECT now() - last_seen_at < interval '1 minute' FROM staff_sessions"
    owner.execute(idle)
    assert cs.get("/console/jobs/figures").status_code == 200
    assert owner.execute(seen).fetchone() == (False,)
    cs.get("/console/jobs/")
    assert owner.execute(seen).fetchone() == (True,)


def test_looking_changes_nothing_but_the_log_of_looking(as_role, scene, owner):
    admin = as_role("admin")
    tables = [
        name
        for (name,) in owner.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        if name not in ("staff_sessions", "audit_entries")
    ]

    def contents():
        return {
            name: owner.execute(
                f"SELECT count(*), md5(string_agg(t::text, '|' ORDER BY t::text)) FROM {name} t"  # noqa: S608 - a table's name
            ).fetchone()
            for name in tables
        }

    before = contents()
    for endpoint, method, path, declared in routes(admin.client.application):
        if method == "GET" and declared is not None:
            assert admin.get(path).status_code in (200, 404), endpoint
    assert contents() == before


def test_signing_in_goes_back_to_the_page_wanted_but_never_elsewhere(anybody):
    page = anybody.get("/console/payments/?tab=failed")
    assert "next=/console/payments/?tab%3Dfailed" in page.location
    for wanted, reached in (
        ("/console/payments/?tab=failed", "/console/payments/?tab=failed"),
        ("https://evil.example/console/", "/console/"),
        ("//evil.example/console/", "/console/"),
        ("/console/\\@evil.example", "/console/"),
    ):
        token = anybody.client.get("/console/sign-in").text
        if 'name="email"' not in token:
            anybody.client.delete_cookie("opsapp_sign_in", path="/console")
            token = anybody.client.get("/console/sign-in").text
        answer = anybody.client.post(
            "/console/sign-in",
            query_string={"next": wanted},
            data={
                "email": "cs@example.com",
                "password": "correct horse battery",
                "csrf_token": token.split('name="csrf_token" value="')[1].split('"')[0],
            },
        )
        assert answer.location == reached


def test_headers_stand_on_every_answer(cs, anybody):
    for answer in (cs.get("/console/"), anybody.get("/console/sign-in"), cs.get("/console/none")):
        policy = answer.headers["Content-Security-Policy"]
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert len(answer.headers["X-Request-Id"]) == 16


def test_the_cookie_of_a_sign_in_is_kept_from_scripts_and_other_sites(anybody):
    answer = anybody.sign_in("cs@example.com")
    cookie = next(c for c in answer.headers.getlist("Set-Cookie") if c.startswith(access.COOKIE))
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
