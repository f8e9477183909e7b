"""A client that a public generator makes from the document drives a purchase to its refund."""

import importlib
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select
from werkzeug.serving import make_server

from opsapp.customers import issuing
from opsapp.customers.models import PaymentMethod
from opsapp.kernel.db import db, transaction
from opsapp.payments import charging, refunding
from opsapp.payments.models import Attempt, Refund
from tests.api.test_access import customer as a_customer
from tests.factories.payments import BY

NAME = "generated_opsapp_client"


@contextmanager
def listening(app: Flask) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def generated(app, tmp_path, monkeypatch) -> str:
    """The name of the package, made without a warning."""
    told, config = tmp_path / "openapi.json", tmp_path / "config.yml"
    told.write_text(json.dumps(app.test_client().get("/api/openapi.json").json))
    config.write_text("post_hooks: []\n")
    program = Path(sys.executable).with_name("openapi-python-client")
    command = [
        str(program), "generate", "--path", str(told), "--meta", "none", "--fail-on-warning",
        "--output-path", str(tmp_path / NAME), "--config", str(config),
    ]  # fmt: skip
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stdout + made.stderr
    monkeypatch.syspath_prepend(str(tmp_path))
    return NAME


def ids_of(model) -> list[int]:
    with transaction():
        return list(db.session.scalars(select(model.id)))


def test_a_generated_client_buys_pays_and_gives_back(app, program, generated):
    def the(path: str):
        module, _, name = path.rpartition(".")
        return getattr(importlib.import_module(f"{generated}.{module}"), name)

    def call(operation: str, **values):
        answer = the(f"api.{operation}.sync_detailed")(client=client, **values)
        assert answer.status_code < 300, answer.content
        return answer.parsed

    models = importlib.import_module(f"{generated}.models")
    with listening(app) as url:
        client = the("client.AuthenticatedClient")(
            base_url=url, token=program.secret, raise_on_unexpected_status=True
        )
        with client:
            customer = call(
                "customers.create_customer",
                body=models.NewCustomer.from_dict(a_customer(id="C-7")),
                idempotency_key="customer-1",
            )
            method = call(
                "methods.create_payment_method",
                body=models.NewPaymentMethod(
                    customer=customer.id,
                    kind=models.NewPaymentMethodKind.CARD,
                    auth_key="card.generated",
                ),
                idempotency_key="method-1",
            )
            issuing.issue_billing_keys(ids_of(PaymentMethod), by=BY)
            line = models.OneOffLine(kind="one_off", title="사과", unit_price=12_000)
            order = call(
                "orders.create_order",
                body=models.NewOrder(
                    id="O-7",
                    customer=customer.id,
                    title="사과",
                    lines=[line],
                    payment_method=method.id,
                ),
                idempotency_key="order-1",
            )
            assert order.legs[0].state == "checking"
            charging.execute_attempts(ids_of(Attempt), by=BY)
            payment = call("payments.get_payment", payment_id=order.legs[0].payment)
            assert (payment.status, payment.refundable) == ("paid", 12_000)
            refund = call(
                "refunds.create_refund",
                body=models.NewRefund(payment=payment.id, amount=12_000, reason="고객 요청"),
                idempotency_key="refund-1",
            )
            refunding.execute_refunds(ids_of(Refund), by=BY)
            ended = call("refunds.get_refund", refund_id=refund.id)
            assert (ended.status, ended.amount) == ("succeeded", 12_000)
