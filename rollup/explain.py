"""Why a number is what it is: every input with its effect, everything left out with its reason.

The rows are those that `progress`, `score` and `views` summed, so an explanation cannot differ from its number.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from math import fsum

from domain.errors import UsageError
from domain.facts import Fact, Facts, Freshness, Node
from domain.rules import Policies
from domain.workspace import Workspace
from rollup.leaves import Entry
from rollup.progress import epic_sized, epics, lone
from rollup.report import (
    Json,
    initiative_summary,
    instant,
    key_result_summary,
    objective_summary,
    override_json,
)
from rollup.scope import Scope, inspect
from rollup.sizes import Sized
from rollup.summary import amount, percent
from rollup.tree import Key
from rollup.views import KeyResultView, ObjectiveView, Views, children_of, complete_to, key_results_of

REASON_WORDS = {
    "canceled": "canceled",
    "done_before_start": "done before the key result started",
    "unestimated": "has no estimate",
    "deleted": "deleted in the tracker",
    "inaccessible": "our account has not been able to see it since {day}",
    "mirror": "a mirrored copy of {mirror}",
    "has_children": "its children count",
    "subtask": "a sub-task: its parent counts",
    "below_leaf": "its parent counts",
    "moved_away": "counts for {links} instead of its parent's initiative",
    "entered_after_end": "came into scope after the end",
    "added_after_baseline": "came into scope after the baseline",
}
"""What each reason of an excluded item means, for people."""


def explain(
    views: Views, subject: str, facts: Facts, *, scope: Scope | None = None, baseline_at: date | None = None
) -> Json:
    """Return the document of ``explain --json`` for an objective, a key result or an initiative.

    `facts` lists the items one by one (`item` filled) and `scope` is the subject's (`scope_of`); an
    objective needs neither; `baseline_at` is as for `measure`. Effects of the inputs sum to the progress.
    Raises UsageError for an unknown id.
    """
    if subject in views.objectives:
        return _objective(views.objectives[subject], views)
    if scope is None or (subject not in views.key_results and subject not in views.initiatives):
        raise UsageError(f"{subject} is no objective, key result or initiative of this workspace. Check its id.")
    settled = inspect(facts, scope, today=views.sources.today, baseline_at=baseline_at)
    if subject in views.key_results:
        return _key_result(views.key_results[subject], settled, scope, views)
    view = views.initiatives[subject]
    return {
        "id": subject,
        "kind": "initiative",
        "title": view.initiative.title,
        "sentence": initiative_summary(view),
        "progress": view.progress.value,
        "state": view.progress.state,
        **_delivery(settled, scope.policies, scope.shares),
        "changes": [],
        "health": str(view.verdict.health),
        "health_reasons": list(view.verdict.reasons),
        "overlays": list(view.overlays),
        "flags": list(view.flags),
        "override": override_json(view.verdict),
        "policies": policies_json(scope.policies),
        "complete_to": instant(complete_to(views.sources.freshness, view.progress.connections)),
    }


def explain_epic(
    facts: Facts,
    name: str,
    policies: Policies,
    *,
    today: date,
    workspace: Workspace,
    freshness: Mapping[str, Freshness],
) -> Json:
    """Return the explanation of an epic, named by key, id or ``connection:key``, over its leaf items.

    Raises UsageError where nothing or more than one item has that name.
    """
    node, fact = _named(facts, name, workspace)
    if node is None:
        progress = lone(fact.category)
        face = fact.item
        effect = progress.value or 0.0
        own = _input(Entry(fact, None, 1.0, fact.category, effect, 1.0, 1.0, None, None, ()), 1.0, {})
        return {
            "id": face.id if face else name,
            "kind": "epic",
            "title": face.title if face else name,
            "progress": progress.value,
            "state": progress.state,
            "formula": "It has no children: 100 % when it is done, nothing in scope before.",
            "inputs": [own] if progress.value is not None else [],
            "excluded": [],
            "changes": [],
            "policies": policies_json(policies),
            "complete_to": instant(complete_to(freshness, (fact.connection,))),
        }
    key: Key = (node.fact.connection, node.id)
    progress = epics(facts, policies, today=today, only=(key,))[key]
    return {
        "id": node.id,
        "kind": "epic",
        "title": node.fact.item.title if node.fact.item else node.key,
        "progress": progress.value,
        "state": progress.state,
        **_delivery(epic_sized(facts, key, policies, today=today), policies, {}),
        "changes": [],
        "flags": list(progress.flags),
        "policies": policies_json(policies),
        "complete_to": instant(complete_to(freshness, (node.fact.connection,))),
    }


def policies_json(policies: Policies) -> Json:
    """Return the policy values that a delivery number was made with."""
    credit = policies.credit
    return {
        "credit": {"todo": credit.todo, "started": credit.started, "review": credit.review, "done": credit.done},
        "size": policies.size if policies.size_field is None else {"field": policies.size_field},
        "unestimated": policies.unestimated,
        "leaf_level": policies.leaf_level,
        "canceled": policies.canceled,
        "before_start": policies.before_start,
        "parent_done_wins": policies.parent_done_wins,
        "top_down": policies.top_down,
        "inaccessible_grace": policies.inaccessible_grace,
    }


def _named(facts: Facts, name: str, workspace: Workspace) -> tuple[Node | None, Fact]:
    connection, _, rest = name.partition(":")
    scoped = connection if rest and connection in workspace.connections else None
    wanted = rest if scoped else name
    nodes = [n for n in facts.nodes if wanted in (n.key, n.id) and (scoped is None or n.fact.connection == scoped)]
    rows = [
        f
        for f in facts.rows
        if f.item is not None and wanted in (f.item.key, f.item.id) and (scoped is None or f.connection == scoped)
    ]
    if len(nodes) + len(rows) > 1:
        candidates = [f"{n.fact.connection}:{n.key}" for n in nodes]
        candidates += [f"{f.connection}:{f.item.key}" for f in rows if f.item is not None]
        raise UsageError(f"{name} names more than one item: {', '.join(sorted(candidates))}. Say which.")
    if nodes:
        return nodes[0], nodes[0].fact
    if rows:
        return None, rows[0]
    raise UsageError(f"No item is called {name}. Use its key, or connection:key.")


def _key_result(view: KeyResultView, settled: Sized, scope: Scope, views: Views) -> Json:
    kr = view.key_result
    delivery = _delivery(settled, scope.policies, scope.shares)
    head: Json = {
        "id": kr.id,
        "kind": "key_result",
        "title": kr.title,
        "sentence": key_result_summary(view),
        "progress": view.value,
        "state": view.state,
    }
    tail: Json = {
        "changes": [],
        "score_basis": view.basis,
        "health": str(view.verdict.health),
        "health_reasons": list(view.verdict.reasons),
        "overlays": list(view.overlays),
        "flags": list(view.flags),
        "override": override_json(view.verdict),
        "policies": policies_json(scope.policies),
        "complete_to": instant(complete_to(views.sources.freshness, view.delivery.connections)),
    }
    if view.outcome is None:
        return {**head, **delivery, **tail}
    return {
        **head,
        "formula": _outcome_formula(view),
        "inputs": _outcome_inputs(view),
        "excluded": [],
        **tail,
        "delivery": {"progress": view.delivery.value, "state": view.delivery.state, **delivery},
    }


def _outcome_inputs(view: KeyResultView) -> list[Json]:
    metric, outcome = view.key_result.metric, view.outcome
    if metric is None or outcome is None or outcome.score.value is None:
        return []
    if metric.kind == "milestones":
        whole = fsum(m.weight for m in metric.milestones)
        reached = [(m, m.done is not None and m.done <= view.evaluated_on) for m in metric.milestones]
        return [
            {
                "kind": "milestone",
                "title": m.title,
                "weight": m.weight,
                "done": m.done.isoformat() if m.done is not None else None,
                "effect": m.weight / whole if met else 0.0,
            }
            for m, met in reached
        ]
    latest = outcome.latest
    return [
        {
            "kind": "check_in",
            "as_of": instant(latest.as_of) if latest is not None else None,
            "value": outcome.score.current,
            "by": latest.by if latest is not None else "",
            "note": latest.note if latest is not None else "",
            "effect": outcome.score.value,
        }
    ]


def _outcome_formula(view: KeyResultView) -> str:
    metric, outcome = view.key_result.metric, view.outcome
    if metric is None or outcome is None or outcome.score.value is None:
        return "No value has been checked in that a score could be taken of."
    found = outcome.score
    unit = f" {metric.unit}" if metric.unit else ""
    result = f"= {percent(outcome.score.value)} %"
    now = amount(found.current) if found.current is not None else "nothing"
    match metric.kind:
        case "number" if found.start is not None and metric.target is not None and "degenerate" not in found.flags:
            start, target = amount(found.start), amount(metric.target)
            return f"({now} - {start}) / ({target} - {start}){unit}, kept within 0 and 1, {result}"
        case "milestones":
            whole = fsum(m.weight for m in metric.milestones)
            return f"weight {now} of {amount(whole)} reached {result}"
        case "maintain":
            low = amount(metric.lo) if metric.lo is not None else "any"
            high = amount(metric.hi) if metric.hi is not None else "any"
            return f"{now}{unit} against the range {low} to {high} {result}"
        case "binary":
            return f"{'reached' if outcome.score.value >= 1 else 'not reached'} {result}"
        case _:
            words = {"at_least": "at least ", "at_most": "at most "}.get(metric.kind, "")
            target = amount(metric.target) if metric.target is not None else "no target"
            return f"{now}{unit} against {words}{target}{unit} {result}"


def _delivery(settled: Sized, policies: Policies, shares: Mapping[str, float]) -> Json:
    """Return formula, inputs and excluded of a sum over items."""
    counted = [e for e in settled.entries if e.reason is None] + list(settled.excess)
    whole = fsum(e.weight * e.fact.count for e in counted)
    live = any(e.category != "canceled" for e in settled.entries if e.reason is None)
    known = whole > 0 and live
    inputs = [_input(e, whole if known else 0.0, shares) for e in counted]
    inputs.sort(key=_rank)
    left_out = [_excluded(e) for e in settled.entries if e.reason is not None]
    left_out.sort(key=lambda row: (str(row["reason"]), str(row["key"]), str(row["id"])))
    formula = _formula(settled, counted, whole, policies) if known else "Nothing in scope, so there is no number."
    return {"formula": formula, "inputs": inputs, "excluded": left_out}


def _rank(row: Json) -> tuple[float, str, str]:
    effect = row["effect"]
    return (-effect if isinstance(effect, float) else 0.0, str(row["key"]), str(row["id"]))


def _formula(settled: Sized, counted: Sequence[Entry], whole: float, policies: Policies) -> str:
    done = fsum(e.weight * e.credit * e.fact.count for e in counted)
    value = f"{percent(done / whole)} %"
    if settled.mode == "equal_per_child":
        return f"the mean of the children's own progress, step by step = {value}"
    unit = {"count": "items", "points": "points", "time": "seconds"}.get(settled.mode, policies.size_field or "units")
    shared = any(e.share != 1 for e in counted)
    what = "sum of share x size x credit / sum of share x size" if shared else "sum of size x credit / sum of size"
    text = f"{what} = {amount(done)} of {amount(whole)} {unit} = {value}"
    if "fallback_count" in settled.flags:
        text += " (counted by items: too few have an estimate)"
    return text


def _input(e: Entry, whole: float, shares: Mapping[str, float]) -> Json:
    """Return one input; `shares` are those of the scope, empty for an epic."""
    face = e.fact.item
    initiative = next((i for i, k in shares.items() if k == e.share and i in e.fact.links), None)
    return {
        "id": face.id if face else e.node.id if e.node else None,
        "key": face.key if face else e.node.key if e.node else None,
        "title": face.title if face else "",
        "url": face.url if face else None,
        "connection": e.fact.connection,
        "tracker": face.tracker if face else None,
        "status": face.status if face else None,
        "category": e.category,
        "stage": e.fact.stage,
        "size": e.size,
        "credit": e.credit,
        "share": e.share,
        "initiative": initiative,
        "rule": face.rule.get(initiative) if face and initiative else None,
        "inherited_from": face.inherited_from.get(initiative) if face and initiative else None,
        "imputed": e.imputed,
        "count": e.fact.count,
        "effect": e.weight * e.credit * e.fact.count / whole if whole > 0 else 0.0,
    }


def _excluded(e: Entry) -> Json:
    face, reason = e.fact.item, e.reason or ""
    words = REASON_WORDS.get(reason, reason).format(
        day=e.fact.inaccessible_on,
        mirror=e.fact.mirror_of,
        links=", ".join(sorted(e.fact.links)) or "nothing",
    )
    return {
        "id": face.id if face else e.node.id if e.node else None,
        "key": face.key if face else e.node.key if e.node else None,
        "reason": reason,
        "title": face.title if face else "",
        "detail": words,
        "connection": e.fact.connection,
        "count": e.fact.count,
    }


def _objective(view: ObjectiveView, views: Views) -> Json:
    objective = view.objective
    manual = view.manual
    children = [
        *(
            (v.key_result.id, "key_result", v.key_result.title, v.key_result.weight, v.value, str(v.key_result.status))
            for v in key_results_of(views, objective.id)
        ),
        *(
            (o.id, "objective", o.title, o.weight, views.objectives[o.id].value, str(o.status))
            for o in children_of(views.sources.workspace, objective.id)
        ),
    ]
    inputs, left_out = _weighed(children)
    head: Json = {
        "id": objective.id,
        "kind": "objective",
        "title": objective.title,
        "sentence": objective_summary(view),
        "progress": view.value,
        "state": view.state,
    }
    connections = {c for v in key_results_of(views, objective.id) for c in v.delivery.connections}
    tail: Json = {
        "changes": [],
        "health": str(view.verdict.health),
        "health_reasons": list(view.verdict.reasons),
        "overlays": list(view.overlays),
        "flags": list(view.flags),
        "override": override_json(view.verdict),
        "complete_to": instant(complete_to(views.sources.freshness, connections)),
    }
    formula = _mean_formula(inputs, view.computed.value)
    if manual is not None:
        until = f" until {manual.until.isoformat()}" if manual.until is not None else ""
        stated: Json = {"kind": "manual", "by": manual.by, "reason": manual.reason, "effect": manual.value}
        computed: Json = {"progress": view.computed.value, "formula": formula, "inputs": inputs, "excluded": left_out}
        said = f"set by {manual.by}{until}: {manual.reason}"
        return {**head, "formula": said, "inputs": [stated], "excluded": [], **tail, "computed": computed}
    if view.value is None and view.computed.value is not None:
        computed = {"progress": view.computed.value, "formula": formula, "inputs": inputs, "excluded": left_out}
        off = "the roll-up of this objective is switched off"
        return {**head, "formula": off, "inputs": [], "excluded": [], **tail, "computed": computed}
    return {**head, "formula": formula, "inputs": inputs, "excluded": left_out, **tail}


def _weighed(
    children: Iterable[tuple[str, str, str, float, float | None, str]],
) -> tuple[list[Json], list[Json]]:
    """Return inputs and excluded of a weighted mean: paused, canceled and valueless children are left out."""
    rows = list(children)
    counted = [r for r in rows if r[5] not in ("paused", "canceled") and r[4] is not None]
    whole = fsum(r[3] for r in counted)
    inputs: list[Json] = []
    left_out: list[Json] = []
    for id_, kind, title, weight, value, status in rows:
        if status in ("paused", "canceled") or value is None:
            reason = status if status in ("paused", "canceled") else "no_value"
            left_out.append({"id": id_, "key": id_, "reason": reason, "title": title, "kind": kind, "weight": weight})
            continue
        effect = weight * value / whole if whole > 0 else 0.0
        row: Mapping[str, object] = {"id": id_, "key": id_, "kind": kind, "title": title}
        inputs.append({**row, "weight": weight, "progress": value, "effect": effect})
    return inputs, left_out


def _mean_formula(inputs: Sequence[Json], value: float | None) -> str:
    if value is None:
        return "No key result has a value yet, so there is no number."
    terms = [f"{amount(_number(i['weight']))} x {percent(_number(i['progress']))} %" for i in inputs]
    whole = fsum(_number(i["weight"]) for i in inputs)
    return f"({' + '.join(terms)}) / {amount(whole)} = {percent(value)} %"


def _number(value: object) -> float:
    return value if isinstance(value, float | int) else 0.0
