from opsapp.customers import issuing, signing_in
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import transaction
from workers.runtime import job


@job
def issue_billing_keys(method_ids: list[int]) -> None:
    issuing.issue_billing_keys(method_ids, by=Actor("worker", "customers.issue_billing_keys"))


@job
def answer_sign_ins(ask_ids: list[int]) -> None:
    with transaction():
        signing_in.answer(ask_ids)
