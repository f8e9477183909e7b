from opsapp.customers import issuing
from opsapp.kernel.actors import Actor
from workers.runtime import job


@job
def issue_billing_keys(method_ids: list[int]) -> None:
    issuing.issue_billing_keys(method_ids, by=Actor("worker", "customers.issue_billing_keys"))
