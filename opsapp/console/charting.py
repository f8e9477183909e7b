"""Charts as plain figures of a drawing: the page holds an SVG, no script and no inline style."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from babel.numbers import format_compact_currency, format_compact_decimal

from opsapp.kernel import locale
from opsapp.kernel.locale import won
from opsapp.kernel.money import Money

WIDTH, HEIGHT = 640, 200
LEFT, BOTTOM, TOP = 64, 22, 8
TICKS = 4
LABELS_MAX = 8
SERIES_MAX = 3  # colours that both themes can tell apart


@dataclass(frozen=True, slots=True)
class Tick:
    y: float
    text: str


@dataclass(frozen=True, slots=True)
class Mark:
    x: float
    text: str


@dataclass(frozen=True, slots=True)
class Bar:
    """`series` counts from 1, as the style sheet names them."""

    x: float
    y: float
    width: float
    height: float
    series: int
    text: str


@dataclass(frozen=True, slots=True)
class Line:
    points: str
    series: int


@dataclass(frozen=True, slots=True)
class Drawing:
    series: list[str]
    labels: list[str]
    rows: list[tuple[str, list[str]]]
    ticks: list[Tick] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    bars: list[Bar] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT


def draw(
    labels: Sequence[str],
    series: Mapping[str, Sequence[int]],
    *,
    is_money: bool = False,
    as_lines: bool = False,
) -> Drawing:
    """`series` by name, a value per label: won, or counts. Values below zero stand on the line."""
    told = _told_money if is_money else _told_count
    names = list(series)[:SERIES_MAX]
    rows = [(label, [told(series[n][at]) for n in names]) for at, label in enumerate(labels)]
    if not labels:
        return Drawing(names, [], [])
    top = _round_up(max((max(series[n], default=0) for n in names), default=0))
    step = (WIDTH - LEFT) / len(labels)
    every = -(-len(labels) // LABELS_MAX)
    return Drawing(
        names,
        list(labels),
        rows,
        ticks=_ticks(top, is_money=is_money),
        marks=[
            Mark(round(LEFT + step * (at + 0.5), 1), label)
            for at, label in enumerate(labels)
            if at % every == 0
        ],
        bars=[] if as_lines else _bars(labels, [series[n] for n in names], step, top, told),
        lines=_lines([series[n] for n in names], step, top) if as_lines else [],
    )


def _ticks(top: int, *, is_money: bool) -> list[Tick]:
    values = [top * number // TICKS for number in range(TICKS + 1)]
    return [Tick(_y(value, top), _short(value, is_money=is_money)) for value in values]


def _bars(
    labels: Sequence[str],
    series: Sequence[Sequence[int]],
    step: float,
    top: int,
    told: Callable[[int], str],
) -> list[Bar]:
    width = step * 0.7 / len(series)
    return [
        Bar(
            round(LEFT + step * (at + 0.15) + width * number, 1),
            _y(values[at], top),
            round(max(width - 1, 1), 1),
            round(_y(0, top) - _y(values[at], top), 1),
            number + 1,
            f"{label}: {told(values[at])}",
        )
        for number, values in enumerate(series)
        for at, label in enumerate(labels)
    ]


def _lines(series: Sequence[Sequence[int]], step: float, top: int) -> list[Line]:
    return [
        Line(
            " ".join(f"{LEFT + step * (n + 0.5):.1f},{_y(v, top)}" for n, v in enumerate(values)),
            number + 1,
        )
        for number, values in enumerate(series)
    ]


def _y(value: float, top: int) -> float:
    room = HEIGHT - BOTTOM - TOP
    return round(HEIGHT - BOTTOM - room * max(value, 0) / top, 1)


def _round_up(most: int) -> int:
    """The next of 4, 8, 20, 40, 80, 200 ...: four whole steps."""
    size = 1
    while True:
        for step in (4, 8, 20):
            if step * size >= most:
                return step * size
        size *= 10


def _told_money(value: int) -> str:
    return won(Money(value, "KRW"))


def _told_count(value: int) -> str:
    return f"{value:,}"


def _short(value: int, *, is_money: bool) -> str:
    where = locale.current_locale.get()
    if is_money:
        return str(format_compact_currency(value, "KRW", locale=where, fraction_digits=1))
    return str(format_compact_decimal(value, locale=where, fraction_digits=1))
