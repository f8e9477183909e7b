from opsapp.cash_receipts import issuing
from opsapp.kernel.actors import Actor
from workers.runtime import job


@job
def execute_receipts(receipt_ids: list[int]) -> None:
    issuing.execute_receipts(receipt_ids, by=Actor("worker", "cash_receipts.execute_receipts"))
