import calendar
from datetime import date
from typing import Any

from flask import Blueprint, render_template, request

from opsapp.console import forms, frame, run_words
from opsapp.console.access import requires
from opsapp.insights import counting_calendar
from opsapp.insights.counting_calendar import SHOWN, Cell
from opsapp.kernel.clock import seoul_date
from opsapp.staff.rules import Permission

routes = Blueprint("calendar", __name__, url_prefix="/subscriptions/calendar")


@routes.get("/")
@requires(Permission.VIEW)
def show() -> str:
    """A month of days: what is planned and what has come of the days before."""
    today = seoul_date(frame.now())
    month = forms.month("month") or today.replace(day=1)
    weeks = calendar.Calendar().monthdatescalendar(month.year, month.month)
    days = counting_calendar.count_month(month, weeks[-1][-1])
    return render_template(
        "console/calendar/month.html",
        month=month,
        before=forms.month_beside(month, -1),
        after=forms.month_beside(month, 1),
        today=today,
        weeks=weeks,
        days=days,
        totals=_totals(month, days),
        measure=forms.choice("in", tuple(run_words.MEASURE), "count"),
        told=run_words,
        shown=SHOWN,
    )


@routes.get("/day")
@requires(Permission.VIEW)
def show_day() -> str:
    """What one cell counts."""
    day = forms.day("on") or seoul_date(frame.now())
    shown = forms.choice("show", SHOWN, SHOWN[0])
    page = counting_calendar.list_day(day, shown, cursor=request.args.get("cursor"))
    return render_template(
        "console/calendar/day.html", day=day, tab=shown, page=page, told=run_words, shown=SHOWN
    )


def _totals(month: date, days: dict[date, dict[str, Cell]]) -> dict[str, Any]:
    cells = [cells for day, cells in days.items() if day.month == month.month]
    return {
        shown: Cell(
            sum(each[shown].count for each in cells if shown in each),
            sum(each[shown].sum_minor for each in cells if shown in each),
        )
        for shown in SHOWN
    }
