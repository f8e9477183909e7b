"""`opsapp clock`: see and move the business time of a demo or test installation."""

import re
from datetime import UTC, date, datetime, timedelta

import click

from opsapp.cli.application import running
from opsapp.kernel.actors import Actor
from opsapp.kernel.clock import SEOUL, advance, now, seoul_midnight, set_to
from opsapp.kernel.db import transaction
from opsapp.kernel.log import Entry, record

STEP = re.compile(r"(\d{1,5})([wdhm])", re.ASCII)
UNITS = {"w": "weeks", "d": "days", "h": "hours", "m": "minutes"}
EARLIEST, LATEST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)


class Moment(click.ParamType[datetime]):
    """ISO 8601. A date alone is its midnight in Seoul; a time without offset is Seoul's."""

    name = "iso-8601"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        try:
            if isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", value, re.ASCII):
                moment = seoul_midnight(date.fromisoformat(value))
            else:
                moment = datetime.fromisoformat(str(value))
        except ValueError as error:
            self.fail(
                f"{value!r} is not an ISO 8601 time ({error}). Write 2026-03-01 or "
                "2026-03-01T09:30:00+09:00.",
                param,
                ctx,
            )
        return moment if moment.tzinfo else moment.replace(tzinfo=SEOUL)


class Step(click.ParamType[timedelta]):
    name = "step"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> timedelta:
        found = STEP.fullmatch(str(value))
        if found is None or not int(found[1]):
            self.fail(
                f"{value!r} is not a step forward. Write a number and a unit: 30m, 12h, 1d or 2w.",
                param,
                ctx,
            )
        return timedelta(**{UNITS[found[2]]: int(found[1])})


@click.group()
def clock() -> None:
    """The business time that all processes share."""


@clock.command()
def show() -> None:
    """Print the business time, in Seoul."""
    with running(), transaction():
        _tell()


@clock.command("set")
@click.argument("moment", type=Moment())
def set_(moment: datetime) -> None:
    """Set the business time; it runs on from there."""
    _refuse_absurd(moment)
    with running(), transaction():
        set_to(moment)
        _note()
        _tell()


@clock.command("advance")
@click.argument("step", type=Step())
def advance_(step: timedelta) -> None:
    """Move the business time forward: 30m, 12h, 1d, 2w."""
    with running(), transaction():
        _refuse_absurd(now() + step)
        advance(step)
        _note()
        _tell()


def _refuse_absurd(moment: datetime) -> None:
    if not EARLIEST <= moment <= LATEST:
        raise click.UsageError(
            f"{moment.isoformat()} is outside {EARLIEST.year} to {LATEST.year}: "
            "choose a time in between."
        )


def _note() -> None:
    moved = Entry("clock.moved", "clock", 1, detail={"to": now().isoformat()})
    record(moved, by=Actor("cli", "clock"))


def _tell() -> None:
    moment = now()
    ahead = moment - datetime.now(UTC)
    is_real = abs(ahead) < timedelta(seconds=1)
    note = (
        "real time" if is_real else f"{_days(ahead)} {'ahead' if ahead > timedelta() else 'behind'}"
    )
    click.echo(f"{moment.astimezone(SEOUL).isoformat(timespec='seconds')}  ({note})")


def _days(span: timedelta) -> str:
    hours = round(abs(span).total_seconds() / 3600)
    return f"{hours // 24} d {hours % 24} h"
