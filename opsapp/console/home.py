from flask import Blueprint, render_template

from opsapp.console import access, frame
from opsapp.console.access import requires
from opsapp.insights import counting_days, listing_people, reading_log, watching
from opsapp.kernel import jobs, leadership
from opsapp.routing import queries as routing
from opsapp.staff.rules import Permission

routes = Blueprint("home", __name__)


@routes.get("/")
@requires(Permission.VIEW)
def show() -> str:
    """What waits for me, then how the day goes."""
    now = frame.now()
    today, before, yesterday = counting_days.compare_days(now)
    return render_template(
        "console/home/page.html",
        tickets=listing_people.list_urgent_tickets(),
        uncertain=watching.list_uncertain(),
        refunds=watching.list_open_refunds(),
        today=today,
        before=before,
        yesterday=yesterday,
        failures=counting_days.list_failures(now),
        tomorrow=counting_days.forecast_tomorrow(now),
        redis_answers=jobs.redis_answers(),
        leader_seen_at=leadership.leader_seen_at(),
        gateways=routing.list_pictures(),
        seal=reading_log.find_last_seal(),
        is_mine=access.visitor().account_id,
    )
