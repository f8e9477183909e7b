"""What people at the desk have done by themselves: for screens that would be empty without it."""

from contextlib import suppress

from flask import Flask

from opsapp.customers import noting
from opsapp.exports import ordering as exports
from opsapp.exports.ordering import ExportWish
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import transaction
from opsapp.kernel.errors import Invalid
from opsapp.kernel.ids import new_ref
from opsapp.kernel.money import Money
from opsapp.payments.refunding import RefundWish, request_refund
from opsapp.staff.saving_views import NewView, save_view
from opsapp.tickets import editing_macros, writing
from opsapp.tickets.editing_macros import MacroWish
from tests.factories.scenes import Scene, pay_with_new_card as make_payment


def work(house: Flask, scene: Scene, accounts: dict[str, int]) -> dict[str, int]:
    """`accounts` by role. Gives back the ids that addresses need."""
    cs, admin = (Actor("staff", str(accounts[role])) for role in ("cs", "admin"))
    with house.app_context(), transaction():
        text = "안녕하세요, {shop}입니다. {amount} 결제가 되지 않아 안내드립니다."
        english = "Hello, this is {shop}. Your payment of {amount} did not go through."
        macro = editing_macros.add(MacroWish("VIP 손님 안내", text, english), by=admin)
        writing.write_note(scene.ticket, "카드사에 확인 중", request_id=new_ref("form"), by=cs)
        writing.write_to_customer(
            scene.ticket,
            "카드 한도를 확인해 주세요.",
            request_id=new_ref("form"),
            then_wait=False,
            by=cs,
        )
        _note(scene, "오후에 다시 전화하기로 함", by=cs)
        wish = ExportWish(
            new_ref("form"), "payments", {"tab": "failed"}, ("id", "amount"), "csv", "Asia/Seoul",
            "ko", "월말 보고", is_revealed=False,
        )  # fmt: skip
        export = exports.order(wish, by=admin)
        save_view(NewView("payments", "오늘 실패", "tab=failed"), accounts["admin"])
        save_view(NewView("payments", "확인할 것", "tab=all", shared_with="cs"), accounts["cs"])
        held = _refund(scene.paid, 9_000, seen=129_000, by=cs)
    return {"macro": macro, "export": export, "held": held}


def order_dear_thing(scene: Scene, by: Actor) -> None:
    """Bought for more than one person may give back alone, and given back nevertheless."""
    dear = make_payment(scene.customers[0], "안마 의자", 1_290_000)
    with transaction():
        _refund(dear, 1_290_000, seen=1_290_000, by=by)


def write_notes(house: Flask, scene: Scene, texts: tuple[str, ...]) -> None:
    """About a customer, a payment and a ticket, word for word."""
    by = Actor("staff", "1")
    with house.app_context(), transaction():
        for text in texts:
            _note(scene, text, by=by)
            with suppress(Invalid):  # what nobody can print is refused there
                writing.write_note(scene.ticket, text, request_id=new_ref("form"), by=by)


def _note(scene: Scene, text: str, *, by: Actor) -> None:
    customer_id = scene.customers[0]
    for subject, subject_id in (("customer", customer_id), ("payment", scene.paid)):
        note = noting.NewNote(new_ref("form"), customer_id, subject, subject_id, text)
        noting.write_note(note, by=by)


def _refund(payment_id: int, won: int, *, seen: int, by: Actor) -> int:
    wish = RefundWish(new_ref("form"), Money(won, "KRW"), seen, "고객 변심", is_by_hand=True)
    return request_refund(payment_id, wish, by=by)
