from flask import Blueprint, Response, jsonify

from opsapp.console import access
from opsapp.console.access import requires
from opsapp.insights import counting_queues
from opsapp.staff.rules import Permission

routes = Blueprint("counts", __name__, url_prefix="/counts")


@routes.get("/")
@requires(Permission.VIEW, polled=True)
def show() -> Response:
    """What waits, for the menu: by the names that its entries count."""
    return jsonify(counting_queues.count_queues(access.visitor().account_id))
