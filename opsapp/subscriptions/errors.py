from opsapp.kernel.errors import OpsError


class NotChargeable(OpsError):
    code = "subscription_not_chargeable"
    message = "The subscription is {status}."
    remedy = "Only an active or past due subscription can be charged."


class ChargeUnderWay(OpsError):
    code = "charge_under_way"
    message = "A payment of this subscription is still under way."
    remedy = "Wait until the gateway has answered, or the customer has paid in."


class ChargedAhead(OpsError):
    code = "charged_ahead"
    message = "The period of {day} has been charged ahead of its day already."
    remedy = "Wait until that day, or place an order for anything else."


class MoveRefused(OpsError):
    code = "subscription_move_refused"
    message = "A subscription that is {status} cannot be {wanted}."
    remedy = "Look at the subscription again: it may have changed meanwhile."


class ContractDiffers(OpsError):
    code = "contract_differs"
    message = "This contract is here already with {held}, not with {wanted}."
    remedy = "Change it in the console; an import adds contracts only."
