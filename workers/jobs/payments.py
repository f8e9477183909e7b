from opsapp.kernel.actors import Actor
from opsapp.payments import charging, refunding
from workers.runtime import job


@job
def execute_attempts(attempt_ids: list[int]) -> None:
    charging.execute_attempts(attempt_ids, by=Actor("worker", "payments.execute_attempts"))


@job
def execute_refunds(refund_ids: list[int]) -> None:
    refunding.execute_refunds(refund_ids, by=Actor("worker", "payments.execute_refunds"))
