"""What changed between two moments where no items are summed: values of a metric, children of an objective.

Effects are those of one step after the other, so that they sum to the change; null counts as 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from math import fsum
from zoneinfo import ZoneInfo

from domain.okr import CheckIn, KeyResult, Metric
from rollup.burnup import Json
from rollup.days import day_start
from rollup.history import Change
from rollup.report import instant
from rollup.score import Child, mean
from rollup.summary import amount
from rollup.views import LIVE, Views, children_of, key_results_of, score_at

EXACT = 1e-12
"""what rounding alone leaves over"""


def change_json(change: Change) -> Json:
    """Return a change of an item as `explain --json` has it."""
    return {
        "at": instant(change.at),
        "cause": change.cause,
        "connection": change.ref[0],
        "id": change.ref[1],
        "key": change.key,
        "title": change.title,
        "url": change.url,
        "effect": change.effect,
        "size_done": change.done,
        "size_total": change.scope,
    }


def outcome_changes(
    kr: KeyResult,
    metric: Metric,
    check_ins: Sequence[CheckIn],
    *,
    start: date | None,
    since: datetime,
    until: datetime,
    zone: ZoneInfo,
) -> list[Json]:
    """Return what check-ins and milestones after `since`, up to `until`, did to the score, oldest first."""
    events: list[tuple[datetime, str, str]] = [
        (c.as_of, f"{amount(c.value)}{f' {metric.unit}' if metric.unit else ''}", "check_in")
        for c in sorted(check_ins, key=lambda c: (c.as_of, c.recorded_at))
    ]
    events += [(day_start(m.done, zone), m.title, "milestone") for m in metric.milestones if m.done is not None]
    value = score_at(metric, check_ins, start, since, zone)[0].value or 0.0
    found: list[Json] = []
    for at, title, cause in sorted(events, key=lambda event: event[0]):
        if since < at <= until:
            after = score_at(metric, check_ins, start, at, zone)[0].value or 0.0
            row: Json = {"at": instant(at), "cause": cause, "id": kr.id, "key": "", "title": title}
            found.append({**row, "effect": after - value})
            value = after
    return found


def objective_changes(before: Views, after: Views, objective: str) -> list[Json]:
    """Return what each child did to the mean of an objective, one after the other in the order of the file."""
    old, new = _children(before, objective), _children(after, objective)
    titles = {v.key_result.id: v.key_result.title for v in key_results_of(after, objective)}
    titles |= {o.id: o.title for o in children_of(after.sources.workspace, objective)}
    standing = dict(old)
    value = mean(list(standing.values())).value or 0.0
    found: list[Json] = []
    for id_, child in new.items():
        standing[id_] = child
        now = mean(list(standing.values())).value or 0.0
        if child.value != (old[id_].value if id_ in old else None):
            found.append({"cause": "progress", "id": id_, "key": id_, "title": titles[id_], "effect": now - value})
        value = now
    return found


def _children(views: Views, objective: str) -> dict[str, Child]:
    found = {
        v.key_result.id: Child(weight=v.key_result.weight, value=v.value, live=v.key_result.status in LIVE)
        for v in key_results_of(views, objective)
    }
    for child in children_of(views.sources.workspace, objective):
        value = views.objectives[child.id].value
        found[child.id] = Child(weight=child.weight, value=value, live=child.status in LIVE)
    return found


def with_restated(
    changes: Sequence[Json], *, published: float | None, recomputed: float | None, now: float | None, why: str
) -> list[Json]:
    """Return the changes with what no event explains as one last effect, ``restated``.

    They then sum to `now` less what was `published` (None: what is `recomputed` today of that moment stands in).
    `why` says what late history or an edited file is behind a difference.
    """
    first = published if published is not None else recomputed
    rest = fsum([(now or 0.0), -(first or 0.0), *(-_effect(change) for change in changes)])
    if abs(rest) <= EXACT:
        return list(changes)
    return [*changes, {"cause": "restated", "id": None, "key": "", "title": why, "effect": rest}]


def _effect(change: Mapping[str, object]) -> float:
    effect = change["effect"]
    return effect if isinstance(effect, float | int) else 0.0
