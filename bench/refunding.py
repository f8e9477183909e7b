"""Refunds as staff order them, one after another, while something else goes on.

`python -m bench.refunding --count 40 --every-s 0.25` takes the installation from the environment
and prints, for each refund, how long it took until a worker had it in hand with its connection
still to be used (`claimed_ms`) and until its answer was written down (`answered_ms`).
"""

import argparse
import json
import time

from sqlalchemy import func, select

from opsapp import create_app
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import db, transaction
from opsapp.kernel.ids import new_ref
from opsapp.kernel.log import AuditEntry
from opsapp.payments import refunding
from opsapp.payments.models import Payment
from opsapp.payments.refunding import RefundWish

BY = Actor("staff", "1")
ANSWERED_WITHIN_S = 60


def refund(payment_id: int) -> tuple[int, float]:
    """Returns its id and the database's clock when the order began."""
    with transaction():
        payment = db.session.get_one(Payment, payment_id)
        began: float = db.session.scalars(
            select(func.extract("epoch", func.clock_timestamp()))
        ).one()
        wish = RefundWish(new_ref("req"), payment.amount, payment.captured_minor, "bench")
        return refunding.request_refund(payment_id, wish, by=BY), float(began)


def read_moments(refund_ids: list[int], action: str) -> dict[int, float]:
    with transaction():
        rows = db.session.execute(
            select(AuditEntry.subject_id, func.extract("epoch", AuditEntry.recorded_at)).where(
                AuditEntry.subject_type == "refund",
                AuditEntry.subject_id.in_(refund_ids),
                AuditEntry.action == action,
            )
        )
        return {row[0]: float(row[1]) for row in rows}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.refunding", description=__doc__)
    parser.add_argument("--count", type=int, default=40)
    parser.add_argument("--every-s", type=float, default=0.25)
    wishes = parser.parse_args()
    with create_app().app_context():
        with transaction():
            paid = select(Payment.id).where(Payment.status == "paid").order_by(Payment.id)
            payment_ids = list(db.session.scalars(paid.limit(wishes.count)))
        began = {}
        for payment_id in payment_ids:
            refund_id, moment = refund(payment_id)
            began[refund_id] = moment
            time.sleep(wishes.every_s)
        give_up_at = time.monotonic() + ANSWERED_WITHIN_S
        answered: dict[int, float] = {}
        while len(answered) < len(began) and time.monotonic() < give_up_at:
            time.sleep(0.2)
            answered = read_moments(list(began), "refund.succeeded")
        claimed = read_moments(list(began), "refund.inflight")
    spans = {
        "claimed_ms": [round((at - began[id_]) * 1000, 1) for id_, at in claimed.items()],
        "answered_ms": [round((at - began[id_]) * 1000, 1) for id_, at in answered.items()],
    }
    print(json.dumps(spans))


if __name__ == "__main__":
    main()
