"""Bars: progress with what is expected, outcome above delivery, parts of a whole against a target, effects, spans.

Values are ratios 0…1; a value that is not there is not drawn, and said to be missing.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from markupsafe import Markup

from app.cli.view import words
from app.web.charts.svg import element, number, part, picture


def progress(value: float | None, expected: float | None, health: str, *, label: str = "") -> Markup:
    """Return one bar with a tick where it should be by today."""
    said = label or f"{words.percent(value)} reached"
    if expected is not None:
        said += f", {words.percent(expected)} expected by today"
    drawn = [] if value is None else [_bar(value, 5, 6, health)]
    return picture(f"{said}.", _track(5, 6), *drawn, *_tick(expected, 2, 12), height=16, kind="bar")


def twin(outcome: float | None, delivery: float | None, expected: float | None, health: str) -> Markup:
    """Return outcome above delivery on one track, with a tick where it should be by today and the target at the end."""
    said = [
        f"Outcome {words.percent(outcome) if outcome is not None else 'not known yet'}",
        f"delivery {words.percent(delivery) if delivery is not None else 'not known yet'}",
    ]
    if expected is not None:
        said.append(f"{words.percent(expected)} expected by today")
    drawn = [_bar(outcome, 2, 6, health)] if outcome is not None else []
    drawn += [_bar(delivery, 9, 4, "delivery")] if delivery is not None else []
    return picture(
        f"{', '.join(said)}, target 100 %.",
        _track(2, 6),
        _track(9, 4),
        *drawn,
        *_tick(expected, 0, 16),
        height=16,
        kind="bar",
    )


def effect(value: float, largest: float) -> Markup:
    """Return the size of an effect beside the largest of its list; the number stands beside it."""
    wide = abs(value) / largest if largest else 0.0
    kind = "less" if value < 0 else "more"
    drawn = element("rect", x=0, y=3, width=part(max(wide, 0.01)), height=6, class_=f"fill {kind}", rx=1)
    return element("svg", drawn, class_="chart effect", aria_hidden="true", width="100%", height=12, focusable="false")


def allocation(share: float, target: float | None, *, name: str) -> Markup:
    """Return the part of all effort that a value has, with a tick at its target."""
    said = f"{name}: {words.percent(share)} of the effort"
    if target is not None:
        said += f", {words.percent(target)} wanted"
    return picture(f"{said}.", _track(4, 8), _bar(share, 4, 8, "accent"), *_tick(target, 0, 16), height=16, kind="bar")


def stacked(parts: Sequence[tuple[str, float, str]], *, label: str) -> Markup:
    """Return parts of a whole side by side: name, part 0…1 and kind of each."""
    drawn, at = [], 0.0
    for _, value, kind in parts:
        drawn.append(element("rect", x=part(at), y=2, width=part(value), height=12, class_=f"fill {kind}"))
        at += value
    return picture(label, _track(2, 12), *drawn, height=16, kind="bar")


def timeline(
    first: date,
    last: date,
    today: date,
    *,
    start: date | None,
    due: date | None,
    p50: date | None,
    p85: date | None,
    health: str,
    value: float | None,
) -> Markup:
    """Return a planned span with what is done of it, the likely ends behind it, and a line for today."""
    whole = max((last - first).days, 1)

    def at(day: date) -> float:
        return min(max((day - first).days / whole, 0.0), 1.0)

    drawn = [element("line", x1=part(at(today)), x2=part(at(today)), y1=0, y2=28, class_="today")]
    said = []
    begins = at(start) if start else 0.0
    if due is not None:
        wide = max(at(due) - begins, 0.004)
        drawn.append(element("rect", x=part(begins), y=7, width=part(wide), height=8, rx=2, class_="fill planned"))
        if value:
            drawn.append(
                element(
                    "rect",
                    x=part(begins),
                    y=7,
                    width=part(wide * min(value, 1.0)),
                    height=8,
                    rx=2,
                    class_=f"fill {health}",
                )
            )
        drawn.append(element("line", x1=part(at(due)), x2=part(at(due)), y1=4, y2=18, class_="due"))
        said.append(f"planned {words.day(start, today) if start else 'without a start'} to {words.day(due, today)}")
    if p50 is not None:
        ends = at(p85) if p85 is not None else at(p50)
        drawn.append(element("line", x1=part(at(p50)), x2=part(ends), y1=21, y2=21, class_="likely"))
        drawn.append(element("circle", cx=part(at(p50)), cy=21, r=3, class_="p50"))
        said.append(f"even odds by {words.day(p50, today)}")
    if p85 is not None:
        drawn.append(element("rect", x=part(at(p85)), y=18, width=2, height=6, class_="p85"))
        said.append(f"85 % likely by {words.day(p85, today)}")
    return picture(f"{words.listed(said) or 'No dates'}.", *drawn, height=28, kind="timeline")


def _track(y: float, height: float) -> Markup:
    return element("rect", x=0, y=number(y), width="100%", height=number(height), rx=1.5, class_="track")


def _bar(value: float, y: float, height: float, kind: str) -> Markup:
    return element("rect", x=0, y=number(y), width=part(value), height=number(height), rx=1.5, class_=f"fill {kind}")


def _tick(value: float | None, top: float, bottom: float) -> list[Markup]:
    if value is None:
        return []
    return [element("line", x1=part(value), x2=part(value), y1=number(top), y2=number(bottom + 2), class_="expected")]
