"""The next timeframe's objectives and open key results as YAML, for a person to edit and include.

Only text; nothing is written, and no value of the store is read: baselines restart by themselves.
"""

from __future__ import annotations

from collections.abc import Iterator

from config.notes import nearest
from config.schema import EDITOR_LINE
from config.written import flow, metric, policies, scalar, source
from domain.errors import UsageError
from domain.okr import KeyResult, Objective, Status
from domain.workspace import Workspace

OPEN = (Status.ACTIVE, Status.PAUSED)


def rollover(workspace: Workspace, from_timeframe: str, to_timeframe: str) -> str:
    """Return YAML with the open key results of one timeframe, carried over into the next under new ids.

    Raises UsageError for an unknown timeframe, or where both are the same.
    """
    for name in (from_timeframe, to_timeframe):
        if name not in workspace.timeframes:
            raise UsageError(_unknown(name, workspace))
    if from_timeframe == to_timeframe:
        raise UsageError(f"Both are {to_timeframe}. Name the timeframe that ends and the one that follows.")
    open_results = [
        each
        for each in workspace.key_results.values()
        if each.timeframe == from_timeframe
        and each.status in OPEN
        and workspace.objectives[each.objective].status in OPEN
    ]
    taken = {*workspace.objectives, *workspace.key_results, *workspace.initiatives}
    moved = dict.fromkeys(each.objective for each in open_results)
    ids = {old: _new_id(old, from_timeframe, to_timeframe, taken) for old in moved}
    ids |= {each.id: _new_id(each.id, from_timeframe, to_timeframe, taken) for each in open_results}
    lines = [EDITOR_LINE, f"# Open key results of {from_timeframe}, carried over into {to_timeframe}."]
    if not open_results:
        return "\n".join([*lines, f"# None is open in {from_timeframe}.", "objectives: []", ""])
    lines += ["# Set targets; a start is left out on purpose: the last value before the first day becomes it."]
    lines.append("objectives:")
    for name in moved:
        lines += _objective(workspace.objectives[name], to_timeframe, ids, workspace)
        for each in open_results:
            if each.objective == name:
                lines += _key_result(each, ids, workspace)
    return "\n".join([*lines, ""])


def _unknown(name: str, workspace: Workspace) -> str:
    close = nearest(name, workspace.timeframes)
    hint = f" Did you mean '{close}'?" if close else ""
    known = ", ".join(workspace.timeframes) or "none"
    return f"There is no timeframe '{name}' in the workspace file.{hint} There are: {known}."


def _new_id(old: str, source_name: str, target: str, taken: set[str]) -> str:
    """Return a free id: the old one with the timeframe's name replaced, else appended; recorded in `taken`."""
    stem = old.replace(source_name, target) if source_name in old else f"{old}-{target}"
    new, number = stem, 2
    while new in taken:
        new, number = f"{stem}-{number}", number + 1
    taken.add(new)
    return new


def _objective(old: Objective, timeframe: str, ids: dict[str, str], workspace: Workspace) -> Iterator[str]:
    yield f"  - id: {scalar(ids[old.id])}"
    yield f"    title: {scalar(old.title)}"
    yield f"    timeframe: {scalar(timeframe)}"
    if old.owner:
        yield f"    owner: {scalar(old.owner)}"
    if old.parent:
        yield f"    parent: {scalar(ids.get(old.parent, old.parent))}"
    if old.weight != 1:
        yield f"    weight: {scalar(old.weight)}"
    if old.dimensions:
        yield f"    dimensions: {flow(old.dimensions)}"
    if old.policies:
        yield f"    policies: {flow(policies(old.policies))}"
    yield "    key_results:"


def _key_result(old: KeyResult, ids: dict[str, str], workspace: Workspace) -> Iterator[str]:
    yield f"      - id: {scalar(ids[old.id])}"
    yield f"        title: {scalar(old.title)}"
    yield f"        continues: {scalar(old.id)}"
    if old.owner:
        yield f"        owner: {scalar(old.owner)}"
    if old.weight != 1:
        yield f"        weight: {scalar(old.weight)}"
    if old.status is not Status.ACTIVE:
        yield f"        status: {old.status}"
    if old.metric is not None:
        yield f"        metric: {flow(metric(old.metric))}"
    if old.source != "check_in":
        yield f"        source: {flow(source(old.source))}"
    if old.commitment != "committed":
        yield f"        commitment: {old.commitment}"
    if old.dimensions:
        yield f"        dimensions: {flow(old.dimensions)}"
    for initiative in workspace.initiatives.values():
        if initiative.status in OPEN and any(each.to == old.id for each in initiative.contributes):
            yield f"        # {initiative.id} served {old.id}; add {ids[old.id]} to its contributes if it goes on."
