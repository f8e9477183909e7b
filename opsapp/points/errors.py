from opsapp.kernel.errors import OpsError


class NotEnoughPoints(OpsError):
    code = "not_enough_points"
    http_status = 422
    message = "There are {available} points, and {wanted} were wanted."
    remedy = "Use fewer points."


class TooManyPoints(OpsError):
    code = "too_many_points"
    http_status = 422
    message = "No customer may have more than {most} points."
    remedy = "Check the amount."


class TooManyPointsToday(OpsError):
    code = "too_many_points_today"
    http_status = 422
    message = "At most {most} points may be moved on one day."
    remedy = "Check the amount; what is right can be moved on another day."


class PointsReservedOtherwise(OpsError):
    code = "points_reserved_otherwise"
    message = "{reserved} points are set aside for this already."
    remedy = "Load the page again."


class NothingToRestore(OpsError):
    code = "nothing_to_restore"
    message = "Of these points {left} can be given back, and {wished} were wanted."
    remedy = "Load the page again and choose a smaller amount."


class AdjustmentDecided(OpsError):
    code = "adjustment_decided"
    message = "This adjustment was decided already."
    remedy = "Load the page again to see its state."


class OwnAdjustment(OpsError):
    code = "own_adjustment"
    http_status = 403
    message = "Whoever asked for an adjustment cannot decide it."
    remedy = "Let a second person look at it."


class NotYourAdjustment(OpsError):
    code = "not_your_adjustment"
    http_status = 403
    message = "Only whoever asked for an adjustment can withdraw it."
    remedy = "Refuse it instead."
