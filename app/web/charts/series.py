"""Values through time: the burn-up with its forecast, the outcome against its straight line, and the spark.

Days are local days of the workspace. The table behind a chart is the page's; the words are here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from markupsafe import Markup

from app.cli.view import words
from app.web.charts.svg import Point, area, element, line, number, part, picture, plane

HEIGHT = 240
TOP, BOTTOM = 22, 212
"""where in the picture the largest value and nothing are"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Close:
    """How much was done of how much at the close of a day; `why` says what changed the scope."""

    day: date
    done: float
    scope: float
    why: str = ""


def burn_up(
    closes: Sequence[Close],
    *,
    today: date,
    start: date | None,
    due: date | None,
    p50: date | None,
    p85: date | None,
    unit: str,
    label: str,
) -> Markup:
    """Return done and scope by day with the forecast to the right: the likely ends at the height of the scope."""
    first = min([one.day for one in closes] + ([start] if start else []))
    ends = [day for day in (today, due, p50, p85) if day is not None]
    x = Axis(first, max(ends) + timedelta(days=3))
    most = max(max(one.scope for one in closes), 1.0)
    top = _round_up(most)

    def y(value: float) -> float:
        return BOTTOM - (BOTTOM - TOP) * value / top

    last = closes[-1]
    done = [(x(one.day), y(one.done)) for one in closes]
    scope = [(x(one.day), y(one.scope)) for one in closes]
    drawn = [
        area([*_stairs(scope), (x(last.day), BOTTOM), (x(closes[0].day), BOTTOM)], "scope-area"),
        area([*done, (x(last.day), BOTTOM), (x(closes[0].day), BOTTOM)], "done-area"),
        line(_stairs(scope), "scope-line"),
        line(done, "done-line"),
    ]
    goal, here = y(last.scope), (x(last.day), y(last.done))
    if p50 is not None:
        if p85 is not None:
            drawn.append(area([here, (x(p50), goal), (x(p85), goal)], "cone"))
        drawn.append(line([here, (x(p50), goal)], "forecast-line"))
        drawn.append(line([(x(last.day), goal), (x(p85 or p50), goal)], "goal-line"))
    marks = [
        element(
            "g",
            element("title", f"{words.day(one.day, today)}: {one.why}"),
            element("circle", cx=part(x(one.day)), cy=number(y(one.scope)), r=3.5, class_="scope-mark"),
        )
        for one in closes
        if one.why
    ]
    return picture(
        label,
        *_grid(top, y, unit),
        plane(*drawn, height=HEIGHT),
        *_uprights(x, today=today, due=due),
        *marks,
        *_ends(x, goal, p50, p85, today),
        *_months(x, first, max(ends), today),
        height=HEIGHT,
        kind="burn-up",
    )


def outcome(
    values: Sequence[tuple[date, float]],
    delivery: Sequence[tuple[date, float]],
    *,
    today: date,
    start: date,
    end: date,
    label: str,
) -> Markup:
    """Return an outcome 0…1 through time against the straight line from start to target, with delivery beside it."""
    x = Axis(min([start, *(day for day, _ in values)]), max(end, today) + timedelta(days=3))

    def y(value: float) -> float:
        return BOTTOM - (BOTTOM - TOP) * min(max(value, 0.0), 1.0)

    drawn = [line([(x(start), y(0)), (x(end), y(1))], "expected-line")]
    if delivery:
        drawn.append(line([(x(day), y(value)) for day, value in delivery], "delivery-line"))
    dots: list[Markup] = []
    if values:
        steps = [*values, (min(today, end), values[-1][1])] if values[-1][0] < min(today, end) else list(values)
        drawn.append(line(_stairs([(x(day), y(value)) for day, value in steps]), "done-line"))
        dots = [
            element("circle", cx=part(x(day)), cy=number(y(value)), r=3.5, class_="value-mark") for day, value in values
        ]
    return picture(
        label,
        *_grid(1.0, y, "%"),
        plane(*drawn, height=HEIGHT),
        *_uprights(x, today=today, due=end),
        *dots,
        *_months(x, start, end, today),
        height=HEIGHT,
        kind="burn-up",
    )


def spark(values: Sequence[float | None], health: str, *, label: str) -> Markup:
    """Return the last weeks of a progress as a small line; the last value stands beside it as text."""
    known = [(i, value) for i, value in enumerate(values) if value is not None]
    if len(known) < 2:
        return picture(label, height=24, kind="spark")
    span = max(len(values) - 1, 1)
    points: list[Point] = [(i / span, 21 - 18 * min(max(value, 0.0), 1.0)) for i, value in known]
    under = [*points, (points[-1][0], 23.0), (points[0][0], 23.0)]
    return picture(
        label, plane(area(under, f"under {health}"), line(points, f"line {health}"), height=24), height=24, kind="spark"
    )


@dataclass(frozen=True, slots=True)
class Axis:
    """The days of a chart from left to right: a day to its part of the width."""

    first: date
    last: date

    def __call__(self, day: date) -> float:
        """Return where a day is, 0…1."""
        return min(max((day - self.first).days / max((self.last - self.first).days, 1), 0.0), 1.0)


def _stairs(points: Sequence[Point]) -> list[Point]:
    found: list[Point] = []
    for point in points:
        if found:
            found.append((point[0], found[-1][1]))
        found.append(point)
    return found


def _round_up(value: float) -> float:
    size = 10.0 ** (len(str(int(value))) - 1)
    return next(size * step for step in (1, 1.25, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10) if size * step >= value)


def _grid(top: float, y: Callable[[float], float], unit: str) -> Iterator[Markup]:
    for step in (0.0, 0.5, 1.0):
        at = y(top * step)
        yield element("line", x1=0, x2="100%", y1=number(at), y2=number(at), class_="grid")
        said = (
            words.percent(step) if unit == "%" else f"{words.number(top * step)} {unit if step == 1.0 else ''}".strip()
        )
        yield element("text", said, x=0, y=number(at - 4), class_="axis")


def _uprights(x: Axis, *, today: date, due: date | None) -> Iterator[Markup]:
    for day, kind, said in ((today, "today", "today"), (due, "due", "due")):
        if day is None:
            continue
        at = x(day)
        yield element("line", x1=part(at), x2=part(at), y1=10, y2=BOTTOM, class_=kind)
        yield element("text", said, x=part(at), y=9, class_=f"axis {kind}", text_anchor="end" if at > 0.9 else "middle")


def _ends(x: Axis, goal: float, p50: date | None, p85: date | None, today: date) -> Iterator[Markup]:
    for day, said in ((p50, "even odds"), (p85, "85 % likely")):
        if day is not None:
            yield element(
                "g",
                element("title", f"{said}: {words.day(day, today)}"),
                element(
                    "circle", cx=part(x(day)), cy=number(goal), r=4, class_="p50" if said == "even odds" else "p85"
                ),
            )


def _months(x: Axis, first: date, last: date, today: date) -> Iterator[Markup]:
    day = first.replace(day=1)
    while day <= last:
        if day >= first:
            at = part(x(day))
            yield element("line", x1=at, x2=at, y1=BOTTOM, y2=BOTTOM + 4, class_="grid")
            anchor = "end" if x(day) > 0.85 else None
            yield element("text", words.day(day, today), x=at, y=BOTTOM + 18, class_="axis", text_anchor=anchor)
        step = 32 if (last - first).days < 300 else 96
        day = (day + timedelta(days=step)).replace(day=1)
