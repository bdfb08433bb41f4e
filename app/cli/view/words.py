"""The words of the product: health, null states, flags, numbers and dates as a person would say them.

Plain strings only: nothing here knows of terminals, files or clocks, and nothing here is slow to import.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from zoneinfo import ZoneInfo

HEALTH = {
    "on_track": ("●", "On track"),
    "at_risk": ("▲", "At risk"),
    "off_track": ("■", "Off track"),
    "achieved": ("✓", "Achieved"),
    "missed": ("✕", "Missed"),
    "not_started": ("○", "Not started"),
    "paused": ("❙❙", "Paused"),
    "canceled": ("⊘", "Canceled"),
    "unknown": ("?", "Unknown"),
}
"""health -> (shape, word); the order is the one in which they are counted"""

WORST_FIRST = ("off_track", "missed", "at_risk", "unknown", "on_track", "achieved", "not_started", "paused", "canceled")
"""health by how much it needs attention"""

HEALTH_STYLES = {
    "on_track": "color(37)",
    "achieved": "color(37)",
    "at_risk": "color(172)",
    "off_track": "color(162)",
    "missed": "color(162)",
}
"""health -> colour: blue-green, amber, magenta-red stay apart for red-green blindness; the rest has none"""

STATES = {
    "no_data": "No data yet",
    "no_scope": "Nothing in scope",
    "no_baseline": "No start value",
    "no_dates": "No dates",
    "insufficient_history": "Too little history",
    "no_finish_date": "No end in sight",
    "invalid": "Not valid",
}

_ADVICE = {
    "no_scope": "Name work under `work`, or add a mapping rule that links some.",
    "no_baseline": "Give its metric a `start` in the workspace file, or check in a value from before it began.",
    "no_dates": "Give it a start and an end in the workspace file.",
    "insufficient_history": "A forecast needs 10 finished items and 30 days of history.",
    "no_finish_date": "Nothing was finished in the window the forecast looks at.",
    "invalid": "Run keyrail check to see what the metric contradicts.",
}

FLAGS = {
    "access_lost": "some items are no longer visible",
    "archived_open": "open items in the archive",
    "bad_estimate": "negative estimates ignored",
    "blocked": "blocked",
    "canceled_parent_open_children": "open work under a canceled parent",
    "cycle": "parents form a circle, cut",
    "degenerate": "target equals start",
    "divergence": "outcome and delivery diverge",
    "done_parent_open_children": "open work under a finished parent",
    "fallback_count": "too few estimates, counted items instead",
    "import_artefact": "days of bulk changes in the history",
    "inaccessible": "some items are no longer visible",
    "late_baseline": "baseline later than the start",
    "manual": "set by hand",
    "manual_expired": "the value set by hand has expired",
    "no_dates": "no dates to measure against",
    "no_history": "today's value, the tracker keeps no history of it",
    "over_allocated": "shares sum above 1",
    "over_capacity": "planned above capacity",
    "partial_coverage": "partial coverage",
    "restated": "restated",
    "rollup_off": "its roll-up is switched off",
    "stale": "stale",
    "too_early": "too early for a pace",
    "unmapped_status": "unknown statuses, counted as to do",
}
"""flags and overlays -> what they say"""

REASONS = {
    "archived": "in the archive",
    "below_leaf": "counted through what is above them",
    "canceled": "canceled",
    "deleted": "deleted",
    "done_before_start": "done before the start",
    "entered_after_end": "came after the end",
    "has_children": "counted through their children",
    "inaccessible": "no longer visible",
    "mirror": "copies of another item",
    "moved_away": "linked elsewhere",
    "moved_out": "moved out of scope",
    "no_value": "without a value",
    "paused": "paused",
    "scope_moved_out": "moved out of scope",
    "subtask": "sub-tasks, counted through their parent",
    "unestimated": "not estimated",
    "weight_zero": "weight 0",
}
"""reasons of an exclusion -> what they say"""

CAUSES = {
    "added": "added",
    "canceled": "canceled",
    "check_in": "check-in",
    "deleted": "deleted",
    "done": "done",
    "linked": "linked",
    "moved_in": "moved in",
    "moved_out": "moved out",
    "re_estimated": "re-estimated",
    "removed": "removed",
    "reopened": "reopened",
    "restated": "restated",
    "scope_moved_in": "moved in",
    "scope_moved_out": "moved out",
    "share_changed": "share changed",
    "status": "status changed",
    "un_canceled": "no longer canceled",
}
"""causes of a change -> what they say"""

_UNSEEN = re.compile("[\u200b\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]")


def clean(text: object) -> str:
    """Return a text of somebody else's fit for one line of a terminal: no control or direction characters."""
    shown = _UNSEEN.sub("", str(text))
    if not shown.isprintable():
        shown = "".join(" " if unicodedata.category(c) in ("Cc", "Cs") else c for c in shown)
    return " ".join(shown.split())


def health(code: str | None) -> str:
    """Return a health as shape and word; an unknown code is `? Unknown`."""
    shape, word = HEALTH.get(code or "unknown", HEALTH["unknown"])
    return f"{shape} {word}"


def health_word(code: str | None) -> str:
    """Return a health as a word in the middle of a sentence."""
    return HEALTH.get(code or "unknown", HEALTH["unknown"])[1].lower()


def state(code: str | None) -> str:
    """Return why there is no value, as the words that stand in its place."""
    return STATES.get(code or "no_data", "No value")


def advice(code: str | None, kind: str, id: str, *, outcome: bool = False) -> str:
    """Return what to do about a missing value of a subject.

    `kind` is ``objective``, ``key_result`` or ``initiative``; `outcome` says that a metric is what is missing.
    """
    if code in (None, "no_data"):
        if kind == "objective":
            return "None of its key results has a value yet."
        if outcome:
            return f"Record its first value: keyrail check-in {id} VALUE"
        return "Pull the work first: keyrail sync"
    return _ADVICE.get(code or "", "")


def flag(code: str) -> str:
    """Return a flag or overlay as words; an unknown one with its underscores opened."""
    return FLAGS.get(code, _opened(code))


def reason(code: str) -> str:
    """Return the reason of an exclusion as words."""
    return REASONS.get(code, _opened(code))


def cause(code: str) -> str:
    """Return the cause of a change as words."""
    return CAUSES.get(code, _opened(code))


def _opened(code: str) -> str:
    return clean(code).replace("_", " ")


def rule(code: str | None, inherited_from: str | None = None) -> str:
    """Return the rule of a link as words: ``work``, ``rule:NAME`` or ``mirror:KEY``."""
    if not code:
        said = "not linked by a rule"
    elif code == "work":
        said = "named in the file"
    elif code.startswith("mirror:"):
        said = f"mirror of {clean(code.removeprefix('mirror:'))}"
    else:
        said = clean(code.removeprefix("rule:"))
    return f"{said}, via {clean(inherited_from)}" if inherited_from else said


def percent(value: float | None, digits: int = 0) -> str:
    """Return a ratio as percent, half to even on the decimal string.

    What is not complete is never 100, what has begun is never 0 (semantics, section 1 "Display").
    """
    if value is None:
        return state(None)
    exact = Decimal(repr(round(value, 9)))
    step = Decimal(1).scaleb(-digits)
    shown = (exact * 100).quantize(step, ROUND_HALF_EVEN)
    if value > 0 and shown == 0:
        shown = step
    if exact < 1 and shown >= 100:
        shown = 100 - step
    return f"{_signed(shown)} %"


def points(difference: float | None, since: str = "") -> str:
    """Return a difference of two ratios in points, with its sign and its period."""
    if difference is None:
        return "no earlier value"
    scaled = Decimal(repr(round(difference, 9))) * 100
    if scaled == 0:
        said = "no change"
    else:
        rounded = scaled.quantize(Decimal(1), ROUND_HALF_EVEN) if abs(scaled) >= 1 else _significant(scaled, 1)
        unit = "point" if abs(rounded) == 1 else "points"
        said = f"{_signed(rounded, plus=True)} {unit}"
    return f"{said} {since}" if since else said


def relative_change(value: float) -> str:
    """Return a relative change such as that of scope: ``+15 %``."""
    text = percent(value)
    return text if text.startswith(("−", "0")) else f"+{text}"


def number(value: float) -> str:
    """Return a number with at most three significant digits: 0.429, 42.9, 429, 4.29k, 42.9M."""
    rounded = _significant(Decimal(repr(value)), 3)
    for limit, suffix in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if abs(rounded) >= limit:
            return _signed(_plain(rounded / limit)) + suffix
    return _signed(_plain(rounded))


def exact(value: float) -> str:
    """Return a number as it is, without a needless `.0`; thousands are parted by a comma."""
    return _signed(_plain(Decimal(repr(round(value, 9)))), group=True)


def _significant(value: Decimal, digits: int) -> Decimal:
    if value == 0:
        return Decimal(0)
    return value.quantize(Decimal(1).scaleb(value.adjusted() - digits + 1), ROUND_HALF_EVEN)


def _plain(value: Decimal) -> Decimal:
    whole = value.to_integral_value()
    return whole if whole == value else value.normalize()


def _signed(value: Decimal, *, plus: bool = False, group: bool = False) -> str:
    sign = "−" if value < 0 else "+" if plus else ""
    return f"{sign}{abs(value):,f}" if group else f"{sign}{abs(value):f}"


def effect(value: float) -> str:
    """Return an effect on a ratio in points with one decimal, never `0.0` for what has one: ``3.6``, ``<0.1``."""
    scaled = Decimal(repr(round(value, 9))) * 100
    rounded = scaled.quantize(Decimal("0.1"), ROUND_HALF_EVEN)
    if rounded == 0 and scaled != 0:
        return "<0.1" if scaled > 0 else ">−0.1"
    return _signed(abs(rounded) if rounded == 0 else rounded)


def plural(count: float, one: str, many: str | None = None) -> str:
    """Return a count with its noun: ``no items``, ``1 item``, ``12 items``, ``2 dependencies``."""
    if many is None:
        many = f"{one[:-1]}ies" if re.search("[^aeiou]y$", one) else f"{one}s"
    return f"{'no' if count == 0 else exact(count)} {one if count == 1 else many}"


def listed(parts: list[str], limit: int = 0) -> str:
    """Return parts as an enumeration: ``a, b and c``; beyond `limit` (0: none) as ``a, b and 3 more``."""
    if limit and len(parts) > limit:
        return f"{', '.join(parts[:limit])} and {len(parts) - limit} more"
    if len(parts) < 2:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} and {parts[-1]}"


def in_order(key: str) -> tuple[tuple[str, int], ...]:
    """Return what to sort keys by so that PAY-2 comes before PAY-10."""
    return tuple((text, int(digits or 0)) for text, digits in re.findall(r"([^0-9]*)([0-9]{0,18})", key))


def sentence(text: str) -> str:
    """Return a text as a sentence: capital first letter unless it is of a name, full stop unless it has a mark."""
    text = clean(text)
    if text.split(" ")[0].isalpha():
        text = text[0].upper() + text[1:]
    return stopped(text)


def stopped(text: str) -> str:
    """Return a text that ends in a mark, its first word as it is: it may be a name."""
    text = clean(text)
    return text if not text or text[-1] in ".!?:…" else f"{text}."


def duration(seconds: float) -> str:
    """Return a span as its two largest units: ``0.4 s``, ``12 s``, ``3 min 20 s``, ``2 h 5 min``, ``3 days 4 h``."""
    if seconds < 10:
        return f"{_plain(Decimal(repr(round(max(seconds, 0.0), 1)))):f} s"
    left = round(seconds)
    for size, large, per, small in ((86400, "day", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if left >= size:
            whole, rest = left // size, left % size // per
            name = large if large != "day" or whole == 1 else "days"
            return f"{whole} {name} {rest} {small}" if rest else f"{whole} {name}"
    return f"{left} s"


def instant(value: str) -> datetime:
    """Return an ISO 8601 instant as an aware datetime in UTC; a bare date is its midnight."""
    read = datetime.fromisoformat(value)
    return read.replace(tzinfo=UTC) if read.tzinfo is None else read.astimezone(UTC)


def local(value: datetime, zone: str) -> datetime:
    """Return an instant in a zone."""
    return value.astimezone(ZoneInfo(zone))


def moment(value: datetime, zone: str, now: datetime) -> str:
    """Return an instant as a person near `now` would say it: ``10:42``, ``Tuesday 10:42``, ``12 Nov 10:42``."""
    then, today = local(value, zone), local(now, zone).date()
    clock = f"{then:%H:%M}"
    days = (today - then.date()).days
    if days == 0:
        return clock
    if days == 1:
        return f"yesterday {clock}"
    if 1 < days < 7:
        return f"{then:%A} {clock}"
    return f"{day(then.date(), today)} {clock}"


def day(value: date, today: date) -> str:
    """Return a date: ``12 Dec``, with the year where it is not the one of today."""
    short = f"{value.day} {value:%b}"
    return short if value.year == today.year else f"{short} {value.year}"


def long_day(value: date) -> str:
    """Return a date in full: ``Sun 22 Nov 2026``."""
    return f"{value:%a} {value.day} {value:%b} {value.year}"


def away(value: date, today: date) -> str:
    """Return how far a date is: ``today``, ``in 12 days``, ``3 weeks ago``."""
    days = (value - today).days
    near = {0: "today", 1: "tomorrow", -1: "yesterday"}
    if days in near:
        return near[days]
    size = abs(days)
    if size < 21:
        span = plural(size, "day")
    elif size < 70:
        span = plural(round(size / 7), "week")
    else:
        span = plural(round(size / 30.44), "month")
    return f"in {span}" if days > 0 else f"{span} ago"


def relative_day(value: date, today: date) -> str:
    """Return a date with its distance in front: ``in 12 days · 12 Dec``."""
    return f"{away(value, today)} · {day(value, today)}"


def since(value: date, today: date) -> str:
    """Return the period that began on a date: ``since yesterday``, ``since Tuesday``, ``since 12 Nov``."""
    days = (today - value).days
    if days == 0:
        return "since this morning"
    if days == 1:
        return "since yesterday"
    if 1 < days < 7:
        return f"since {value:%A}"
    if days == 7:
        return f"since last {value:%A}"
    return f"since {day(value, today)}"


def against(value: date, due: date) -> str:
    """Return a date against a due date: ``6 days early``, ``on the day``, ``2 days late``."""
    days = (due - value).days
    if days == 0:
        return "on the day"
    return f"{plural(abs(days), 'day')} {'early' if days > 0 else 'late'}"


def stale(complete_to: datetime | None, zone: str, now: datetime) -> str:
    """Return the words for sources that were not read in time: ``Stale since Tuesday``."""
    if complete_to is None:
        return "Never read in full"
    then, today = local(complete_to, zone), local(now, zone).date()
    days = (today - then.date()).days
    if days == 0:
        return f"Stale since {then:%H:%M}"
    return f"Stale {since(then.date(), today)}"


def next_step(command: str, why: str = "") -> str:
    """Return the last line of a command: what to run next."""
    return f"Next: keyrail {command}" + (f" · {why}" if why else "")


TRACKERS = {"jira": "Jira", "github": "GitHub", "linear": "Linear"}


def tracker_name(type: str) -> str:
    """Return a tracker's name as its makers write it."""
    return TRACKERS.get(type, type)
