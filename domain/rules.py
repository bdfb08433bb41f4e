"""Matchers, mapping rules and policies as values; compiling and applying them is done elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import date


@dataclass(frozen=True, slots=True, kw_only=True)
class Test:
    """One field of an item against one condition.

    `op`: ``in`` (value: tuple of words, compared without case) | ``matches`` (RE2) | ``glob`` | ``gt`` |
    ``gte`` | ``lt`` | ``lte`` | ``exists`` (bool) | ``jmespath`` (on the raw payload, true if the result is
    neither null, false nor empty).
    """

    __test__ = False  # not a pytest class, whatever its name

    field: str
    op: str
    value: object


@dataclass(frozen=True, slots=True, kw_only=True)
class Not:
    """True where its matcher is not."""

    inner: Matcher


@dataclass(frozen=True, slots=True, kw_only=True)
class All:
    """True where each of its matchers is; true when empty."""

    inner: tuple[Matcher, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Any:
    """True where one of its matchers is."""

    inner: tuple[Matcher, ...]


Matcher = Test | Not | All | Any


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateInitiative:
    """A rule's wish to make an initiative of each item it matches; `{name}` stands for a regex group."""

    contributes: tuple[tuple[str, float, float | None], ...] = ()
    """(key result template, share, benefit)"""


@dataclass(frozen=True, slots=True, kw_only=True)
class MappingRule:
    """`when` it matches, the item is linked to `initiative` (a template) and gets the dimensions of `set`.

    `line` and `file` say where the rule stands in the workspace file.
    """

    name: str
    when: Matcher
    initiative: str | CreateInitiative | None = None
    set: Mapping[str, object] = field(default_factory=dict)
    also: bool = False
    file: str = ""
    line: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Credit:
    """Credit of an item by where it stands, each 0…1; `started` is in progress without stage review."""

    todo: float = 0.0
    started: float = 0.0
    review: float = 0.0
    done: float = 1.0


CREDITS: Mapping[str, Credit] = {
    "binary": Credit(),
    "linear": Credit(started=0.25, review=0.25),
    "half": Credit(started=0.5, review=0.5),
    "staged": Credit(started=0.25, review=0.75),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendar:
    """``calendar_days`` or ``working_days`` (Monday to Friday less `holidays`)."""

    kind: str = "calendar_days"
    holidays: tuple[date, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthPolicy:
    """Bands of section 5 of the semantics; `bands` is ``gap`` or ``ratio``."""

    bands: str = "gap"
    on_track: float = 0.165
    at_risk: float = 0.33
    curve: str = "linear"
    freeze_after_end: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ForecastPolicy:
    """Inputs of section 6 of the semantics; `window` in days."""

    window: int = 90
    growth: str = "none"
    runs: int = 1000
    max_days: int = 730
    bulk_days: str = "flag"
    calendar_factor: Mapping[int, float] = field(default_factory=dict)
    range: tuple[float, ...] = ()
    features: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Policies:
    """How numbers are computed; the defaults are those of the semantics.

    `size` is count | points | time | equal_per_child | field, the last with `size_field`.
    `inaccessible_grace` is in days.
    """

    credit: Credit = Credit()
    size: str = "count"
    size_field: str | None = None
    unestimated: str = "impute_median"
    leaf_level: str = "standard"
    canceled: str = "exclude"
    before_start: str = "exclude"
    parent_done_wins: bool = False
    top_down: bool = False
    scope_basis: str = "current"
    inaccessible_grace: int = 14
    decrease: str = "warn_and_explain"
    divergence: float = 0.3
    calendar: Calendar = Calendar()
    health: HealthPolicy = HealthPolicy()
    forecast: ForecastPolicy = ForecastPolicy()

    def under(self, override: Mapping[str, object]) -> Policies:
        """Return these policies with the fields that a nearer place states laid over them.

        `override` maps field names of `Policies` to their final values; for ``health``, ``calendar``
        and ``forecast`` it holds a mapping of the fields stated there.
        """
        if not override:
            return self
        known = {f.name for f in fields(self)}
        changes: dict[str, object] = {}
        for name, value in override.items():
            if name not in known:
                continue
            if name in ("health", "calendar", "forecast") and isinstance(value, Mapping):
                changes[name] = replace(getattr(self, name), **value)
            else:
                changes[name] = value
        return replace(self, **changes)  # type: ignore[arg-type]  # names checked above, values by config


DEFAULT_POLICIES = Policies()
"""what holds where the file says nothing"""
