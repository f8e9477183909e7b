import pytest
from sqlalchemy import select, update

from opsapp.customers import claiming, issuing, queries, rules
from opsapp.customers.errors import MethodNotUsable
from opsapp.customers.models import PaymentMethod
from opsapp.customers.payment_methods import NewMethod, add_methods, mark_expired, set_default
from opsapp.gateways.values import Answer, BillingKey, Outcome
from opsapp.kernel import clock
from opsapp.kernel.actors import Actor
from opsapp.kernel.crypto import blind_index
from opsapp.kernel.db import db, transaction
from opsapp.kernel.errors import Invalid
from opsapp.kernel.ids import new_ref
from opsapp.kernel.states import IllegalMove
from opsapp.tickets.models import Ticket
from tests.factories.payments import BY, make_customer, make_method

WORKER = Actor("worker", "test")


def add(customer_id: int, *, auth_key: str = "", **values) -> int:
    wish = NewMethod(customer_id, auth_key=auth_key or f"card.{new_ref('a')}", **values)
    with transaction():
        return add_methods([wish], by=BY)[0]


def issue(*ids: int) -> None:
    issuing.issue_billing_keys(ids, by=WORKER)


def method(method_id: int) -> PaymentMethod:
    with transaction():
        found = db.session.get_one(PaymentMethod, method_id, populate_existing=True)
        db.session.expunge(found)
        return found


def make_due() -> None:
    with transaction():
        db.session.execute(update(PaymentMethod).values(leased_until=None, due_at=clock.now()))


@pytest.mark.parametrize("kind", ["card", "transfer", "easy_pay"])
def test_a_method_gets_a_billing_key_and_its_one_time_key_is_wiped(app, kind):
    method_id = add(make_customer(), kind=kind, auth_key=f"{kind}.{new_ref('a')}")
    issue(method_id)
    found = method(method_id)
    assert (found.status, found.auth_key_sealed, found.turns) == ("active", None, 1)
    assert found.leased_until is None
    assert found.label
    with transaction():
        keys = queries.get_charge_keys([method_id])[method_id]
    assert keys.kind == kind
    assert keys.customer_key.startswith("ck_")
    assert found.billing_key_index == blind_index(keys.billing_key)


def test_an_account_is_ready_without_a_key(app):
    method_id = make_method(make_customer(), kind="virtual_account")
    with transaction():
        keys = queries.get_charge_keys([method_id])[method_id]
    assert (keys.status, keys.billing_key) == ("active", None)


def test_a_lost_answer_is_asked_for_again_under_the_same_key_and_issues_one(app, gateway):
    method_id = add(make_customer(), kind="card")
    gateway.faults(lost_after=1.0)
    issue(method_id)
    assert (method(method_id).status, method(method_id).turns) == ("requested", 1)
    gateway.clear()
    make_due()
    issue(method_id)
    found = method(method_id)
    assert (found.status, found.turns) == ("active", 2)


def test_what_the_gateway_never_answers_ends_with_a_person(app, gateway):
    method_id = add(make_customer(), kind="card")
    gateway.faults(errors_500=1.0)
    for _ in range(rules.TURNS_MAX):
        issue(method_id)
        make_due()
    assert method(method_id).status == "needs_human"
    with transaction():
        reasons = db.session.scalars(select(Ticket.reason)).all()
    assert reasons == ["registration_stuck"]
    gateway.clear()
    with transaction():
        issuing.ask_again(method_id, by=BY)
    issue(method_id)
    assert method(method_id).status == "active"


def test_a_used_one_time_key_is_refused_and_wiped(app):
    customer_id = make_customer()
    key = f"card.{new_ref('a')}"
    first, second = (add(customer_id, kind="card", auth_key=key) for _ in range(2))
    issue(first)
    issue(second)
    found = method(second)
    assert (found.status, found.auth_key_sealed) == ("refused", None)
    assert found.refused_code


def test_two_workers_on_the_same_ids_share_them(app):
    method_id = add(make_customer(), kind="card")
    with transaction():
        [claim] = claiming.claim([method_id], by=WORKER)
    with transaction():
        assert claiming.claim([method_id], by=WORKER) == []
    assert claim.turns == 1


def test_a_late_answer_of_a_worker_that_froze_is_discarded(app):
    method_id = add(make_customer(), kind="card")
    with transaction():
        [frozen] = claiming.claim([method_id], by=WORKER)
    make_due()
    with transaction():
        [second] = claiming.claim([method_id], by=WORKER)
    assert second.fence == frozen.fence + 1
    late = Answer(Outcome.APPROVED, billing_key=BillingKey("another", "card", None, None))
    with transaction():
        issuing._record([(frozen, late)], by=WORKER)
    found = method(method_id)
    assert (found.status, found.billing_key_index) == ("issuing", None)


@pytest.mark.parametrize("outcome", [Outcome.UNKNOWN, Outcome.CONFLICT, Outcome.MISCONFIGURED])
def test_what_is_not_certain_is_asked_again_later(outcome):
    verdict = rules.judge(Answer(outcome), turns=1, honours_keys=True)
    assert verdict.status == "requested"
    assert verdict.wait.total_seconds() > 0


def test_a_turn_that_sent_nothing_is_given_back():
    verdict = rules.judge(Answer(Outcome.NOT_SENT), turns=rules.TURNS_MAX, honours_keys=True)
    assert (verdict.status, verdict.was_sent) == ("requested", False)


def test_a_repeat_that_is_declined_without_keys_proves_nothing():
    verdict = rules.judge(Answer(Outcome.DECLINED), turns=2, honours_keys=False)
    assert verdict.status == "requested"


def test_a_new_default_takes_the_place_of_the_one_before(app):
    customer_id = make_customer()
    first = add(customer_id, kind="card", is_default=True)
    second = add(customer_id, kind="card", is_default=True)
    issue(first, second)
    assert [method(first).is_default, method(second).is_default] == [False, True]
    with transaction():
        set_default(first, by=BY)
    assert [method(first).is_default, method(second).is_default] == [True, False]


def test_only_an_active_method_can_become_the_default(app):
    method_id = add(make_customer(), kind="card")
    with pytest.raises(MethodNotUsable, match="requested"), transaction():
        set_default(method_id, by=BY)


def test_expired_is_said_once_and_never_of_an_account(app):
    customer_id = make_customer()
    ids = [make_method(customer_id), make_method(customer_id, kind="virtual_account")]
    with transaction():
        assert mark_expired(ids, because="told so", by=BY) == 1
    with transaction():
        assert mark_expired(ids, because="told so", by=BY) == 0


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"kind": "cash"}, "method"),
        ({"kind": "card", "auth_key": None}, "auth_key"),
        ({"kind": "card", "auth_key": "x" * 301}, "auth_key"),
    ],
)
def test_a_method_that_cannot_be_is_refused_by_its_field(values, field):
    with pytest.raises(Invalid) as refused:
        NewMethod(1, **values)
    assert refused.value.field == field


def test_only_a_stuck_registration_can_be_asked_for_again(app):
    method_id = make_method(make_customer())
    with pytest.raises(IllegalMove), transaction():
        issuing.ask_again(method_id, by=BY)
