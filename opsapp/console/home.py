from datetime import timedelta
from typing import Any

from flask import Blueprint, render_template

from opsapp.approvals import queries as approvals
from opsapp.console import access, frame
from opsapp.console.access import requires
from opsapp.insights import counting_days, counting_work, listing_tickets, reading_log
from opsapp.kernel import jobs, leadership
from opsapp.kernel.clock import seoul_date
from opsapp.routing import queries as routing
from opsapp.staff.rules import Permission

routes = Blueprint("home", __name__)


@routes.get("/")
@requires(Permission.VIEW)
def show() -> str:
    """What waits for me, then how the day goes."""
    return render_template("console/home/page.html", **_work(), **_day(), **_health())


@routes.get("/home/work")
@requires(Permission.VIEW, polled=True)
def show_work() -> str:
    return render_template("console/home/_work.html", **_work())


@routes.get("/home/day")
@requires(Permission.VIEW, polled=True)
def show_day() -> str:
    return render_template("console/home/_day.html", **_day())


@routes.get("/home/health")
@requires(Permission.VIEW, polled=True)
def show_health() -> str:
    return render_template("console/home/_health.html", **_health())


def _work() -> dict[str, Any]:
    """By role: tickets for who works on them, approvals for who decides them."""
    account_id, now = access.visitor().account_id, frame.now()
    works = access.may(Permission.WORK_TICKETS)
    decides = access.may(Permission.APPROVE_REFUNDS)
    return {
        "waiting": counting_work.count_waiting(now, account_id),
        "tickets": listing_tickets.list_next(now, account_id) if works else None,
        "approvals": approvals.count_waiting_for(access.current_actor()) if decides else None,
        "counted_max": listing_tickets.COUNTED_MAX,
        "me": account_id,
    }


def _day() -> dict[str, Any]:
    today, before = counting_days.compare_days(frame.now())
    today_on = seoul_date(frame.now())
    return {
        "today_on": today_on.isoformat(),
        "tomorrow_on": (today_on + timedelta(days=1)).isoformat(),
        "today": today,
        "before": before,
        "outcomes": counting_days.count_outcomes(frame.now()),
        "tomorrow": counting_days.forecast_tomorrow(frame.now()),
    }


def _health() -> dict[str, Any]:
    return {
        "redis_answers": jobs.redis_answers(),
        "leader_seen_at": leadership.leader_seen_at(),
        "gateways": routing.list_pictures(),
        "seal": reading_log.find_last_seal(),
    }
