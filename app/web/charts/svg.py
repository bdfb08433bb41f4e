"""SVG written by hand: elements, and lines and areas that stretch with the page while text keeps its size.

Nothing here knows what is drawn.
"""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup, escape

Point = tuple[float, float]

WIDE = 1000
"""width of a plane that stretches, in units of its own"""


def element(name: str, *inside: str, **attributes: object) -> Markup:
    """Return an element; texts are escaped, `None` leaves an attribute out, `_` in a name stands for `-`."""
    stated = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    held = Markup("").join(escape(one) for one in inside)
    return Markup(f"<{name}{stated}>{held}</{name}>")  # noqa: S704  # all that comes from outside is escaped above


def number(value: float) -> str:
    """Return a coordinate, with no more digits than can be seen."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


def part(value: float) -> str:
    """Return a part of the width as SVG states it: ``42.5%``."""
    return f"{number(100 * min(max(value, 0.0), 1.0))}%"


def picture(label: str, *inside: str, height: int, kind: str) -> Markup:
    """Return a whole chart that is as wide as its place; `label` is what is read out in its stead."""
    return element(
        "svg",
        *inside,
        class_=f"chart {kind}",
        role="img",
        aria_label=label,
        width="100%",
        height=height,
        focusable="false",
    )


def plane(*inside: str, height: float) -> Markup:
    """Return a part of a chart whose width is `WIDE`, stretched to the chart's own."""
    return element(
        "svg",
        *inside,
        width="100%",
        height=number(height),
        viewBox=f"0 0 {WIDE} {number(height)}",
        preserveAspectRatio="none",
    )


def line(points: Sequence[Point], kind: str) -> Markup:
    """Return a line through points of a plane; x is a part of the width."""
    return element("polyline", points=_points(points), class_=kind, fill="none", vector_effect="non-scaling-stroke")


def area(points: Sequence[Point], kind: str) -> Markup:
    """Return what points of a plane enclose; x is a part of the width."""
    return element("polygon", points=_points(points), class_=kind)


def _points(points: Sequence[Point]) -> str:
    return " ".join(f"{number(WIDE * x)},{number(y)}" for x, y in points)
