from opsapp.kernel.actors import Actor
from opsapp.payments import applying, charging, comparing, refunding
from workers.runtime import job


@job
def execute_attempts(attempt_ids: list[int]) -> None:
    charging.execute_attempts(attempt_ids, by=Actor("worker", "payments.execute_attempts"))


@job
def execute_refunds(refund_ids: list[int]) -> None:
    refunding.execute_refunds(refund_ids, by=Actor("worker", "payments.execute_refunds"))


@job
def read_events(event_ids: list[int]) -> None:
    applying.read_events(event_ids, by=Actor("worker", "payments.read_events"))


@job
def look_into_latest(gateway_name: str) -> None:
    comparing.look_into_latest(gateway_name)
