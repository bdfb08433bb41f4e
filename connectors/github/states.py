"""Where an issue stands and how large it is: by its own fields, a label, a project, or by being open or closed.

Pure; the operator's meanings of a word are applied by `sync.settle`, only which word of a closed issue counts is here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from connectors.github.plan import ESTIMATE_NAMES, STATUS_CATEGORIES, TEMPLATE_WORDS, Plan
from connectors.github.shapes import folded, object_of, text_of
from connectors.github.values import Project, Value, first_of_kind, first_value, number_in
from domain.work import Category

CANCELED_REASONS = frozenset({"not_planned", "duplicate"})
"""State reasons of an issue that was closed without being done."""


class State(NamedTuple):
    """Where an issue stands: its word, GitHub's category, why it was closed, and what is to be said about it."""

    status: str
    category: Category
    resolution: str | None
    flags: tuple[str, ...] = ()


def is_closed(node: Mapping[str, Any]) -> bool:
    """Tell whether an issue or a milestone is closed."""
    state = node.get("state")
    return isinstance(state, str) and state.upper() == "CLOSED"


def state_of(node: Mapping[str, Any], labels: Sequence[str], projects: Sequence[Project], plan: Plan) -> State:
    """Return where an issue stands, by its own status, a label, a project, or by being open or closed."""
    is_open = not is_closed(node)
    reason = text_of(node.get("stateReason"))
    resolution = folded(reason) if reason and not is_open else None
    if plan.status.kind == "auto":
        return _own_status(node, is_open, resolution)
    word = _word(labels, projects, plan)
    status = plan.status_word(is_open, word)
    past = () if word is None or plan.has_status_history() else ("no_history",)
    if not is_open:
        return State(status, Category.DONE, resolution, past)
    if word is None:
        return State(status, Category.TODO, resolution)
    category = TEMPLATE_WORDS.get(folded(word))
    return State(status, category or Category.TODO, resolution, past if category else ("unmapped_status", *past))


def _own_status(node: Mapping[str, Any], is_open: bool, resolution: str | None) -> State:
    """Return where an issue stands by its issue status where it has one; a closed issue keeps a word of an end only."""
    told = object_of(node.get("status"))
    name, group = text_of(told.get("name")), folded(text_of(told.get("category")) or "").replace(" ", "_")
    category = STATUS_CATEGORIES.get(group)
    ended = category in (Category.DONE, Category.CANCELED)
    if name is None or (not is_open and not ended):
        return State(*(("open", Category.TODO) if is_open else ("closed", Category.DONE)), resolution)
    if category is None:
        return State(name, Category.TODO, None, ("unmapped_status", "no_history"))
    if not is_open and resolution is not None:
        category = Category.DONE
    elif category is Category.CANCELED:
        resolution = group
    return State(name, category, resolution, ("no_history",))


def _word(labels: Sequence[str], projects: Sequence[Project], plan: Plan) -> str | None:
    if plan.status.kind == "label":
        return plan.status.in_labels(labels)
    found = first_value(plan.status.name, [project.values for project in projects])
    return str(found.plain) if found is not None and found.kind in ("single", "text") else None


def estimate_of(
    values: Mapping[str, Value], labels: Sequence[str], projects: Sequence[Project], plan: Plan
) -> tuple[float | None, tuple[str, ...]]:
    """Return the estimate and what is to be said about it; 0 is a value, a negative or a word is not."""
    source = plan.estimate
    told: object = None
    if source.kind == "auto":
        told = first_of_kind("number", ESTIMATE_NAMES, [values])
    elif source.kind == "label":
        told = source.in_labels(labels)
    elif source.kind in ("issue_field", "project_field"):
        places = [values] if source.kind == "issue_field" else [project.values for project in projects]
        found = first_value(source.name, places)
        told = found.plain if found is not None else None
    if told is None:
        return None, ()
    estimate = number_in(told)
    past = ("no_history",) if source.kind == "project_field" else ()
    return estimate, past if estimate is not None else ("bad_estimate", *past)
