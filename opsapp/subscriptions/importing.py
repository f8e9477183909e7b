"""Importing contracts billed elsewhere until now: customer, plan, method, subscription at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from opsapp.catalog import planning
from opsapp.catalog.planning import NewPlan
from opsapp.catalog.queries import list_plans_by_code
from opsapp.customers import payment_methods, registering
from opsapp.customers.payment_methods import NewMethod
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import within_transaction
from opsapp.kernel.errors import OpsError
from opsapp.subscriptions import finding_contracts
from opsapp.subscriptions.errors import ContractDiffers
from opsapp.subscriptions.finding_contracts import HeldContract
from opsapp.subscriptions.reading import Contract
from opsapp.subscriptions.subscribing import NewSubscription, subscribe


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of a batch. `refused` names a position in it; `method_ids` want a billing key."""

    new: int
    unchanged: int
    refused: tuple[tuple[int, OpsError], ...]
    method_ids: tuple[int, ...]


@within_transaction
def import_contracts(contracts: Sequence[Contract], *, by: Actor) -> Imported:
    """Write what is new; a contract that is here already stays as it is.

    Known by customer_ref and plan code. Refused, and nothing written for it: a plan code with
    another price or rhythm than before, a known contract that started on another day. A contract
    that had ended comes in as cancelled, with a method that is never registered at the gateway:
    nobody agreed to be charged there again.
    """
    held = finding_contracts.list_held_contracts([contract.import_ref for contract in contracts])
    codes = sorted({contract.plan.code for contract in contracts})
    plans = {code: planning.terms_of(plan) for code, plan in list_plans_by_code(codes).items()}
    fresh: list[Contract] = []
    refused: list[tuple[int, OpsError]] = []
    for position, contract in enumerate(contracts):
        try:
            if not _is_held(contract, held, plans):
                fresh.append(contract)
        except OpsError as refusal:
            refused.append((position, refusal))
    _write(fresh, by=by)
    return Imported(
        new=len(fresh),
        unchanged=len(contracts) - len(fresh) - len(refused),
        refused=tuple(refused),
        method_ids=tuple(
            finding_contracts.list_unissued_methods([each.import_ref for each in contracts])
        ),
    )


def _is_held(
    contract: Contract, held: Mapping[str, HeldContract], plans: dict[str, NewPlan]
) -> bool:
    """Raises PlanIsFixed, ContractDiffers; notes a plan that is new in this batch."""
    planning.refuse_other_terms(plans.setdefault(contract.plan.code, contract.plan), contract.plan)
    known = held.get(contract.import_ref)
    if known is None:
        return False
    wanted = HeldContract(contract.started_on, contract.anchor_day)
    if known != wanted:
        raise ContractDiffers(field="started_on", held=known, wanted=wanted)
    return True


def _write(contracts: Sequence[Contract], *, by: Actor) -> None:
    if not contracts:
        return
    customers = registering.register_customers([each.customer for each in contracts], by=by)
    plans = planning.add_plans([each.plan for each in contracts], by=by)
    without_default = finding_contracts.list_without_default_method(sorted(set(customers.values())))
    methods = payment_methods.add_methods(
        [_method(each, customers, without_default) for each in contracts], by=by
    )
    subscribe(
        [
            NewSubscription(
                customer_id=customers[each.customer.customer_ref],
                plan_id=plans[each.plan.code],
                payment_method_id=method_id,
                starts_on=each.started_on,
                anchor_day=each.anchor_day,
                contract=each.contract,
                terms_version=each.terms_version,
                consented_on=each.consented_on,
                import_ref=each.import_ref,
                cancelled_on=each.cancelled_on,
            )
            for each, method_id in zip(contracts, methods, strict=True)
        ],
        by=by,
    )


def _method(
    contract: Contract, customers: Mapping[str, int], without_default: frozenset[int]
) -> NewMethod:
    customer_id = customers[contract.customer.customer_ref]
    is_over = contract.cancelled_on is not None
    needs_key = contract.method != payment_methods.VIRTUAL_ACCOUNT and not is_over
    return NewMethod(
        customer_id=customer_id,
        kind=contract.method,
        auth_key=contract.auth_key if needs_key else None,
        is_default=not is_over and customer_id in without_default,
        expires_on=contract.method_expires_on,
        is_over=is_over,
    )
