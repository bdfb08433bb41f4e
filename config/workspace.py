"""keyrail.yaml to the values of the domain: read, joined with what it includes, and found right.

All that is wrong is told at once. No tracker is asked, and a secret is resolved but never shown.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from config import grammar, nodes
from config.files import Sources, gather
from config.notes import BAD, Bad, Notes, Place
from config.references import advise, check_names, check_values
from domain.errors import ConfigError, Problem
from domain.okr import KeyResult, Objective
from domain.rules import Policies
from domain.workspace import PublishRow, Secret, Workspace

DEFAULT_TIMEZONE = "UTC"


def load(path: Path, environ: Mapping[str, str]) -> Workspace:
    """Return the workspace; raise ConfigError with all problems where there is an error.

    A secret that is not there is no error: it is asked for when it is needed.
    """
    workspace, problems = check(path, environ)
    errors = tuple(problem for problem in problems if problem.severity == "error")
    if workspace is None or errors:
        count = f"{len(errors)} error{'' if len(errors) == 1 else 's'}"
        raise ConfigError(f"{path}: {count} in the workspace file. The first: {errors[0]}", errors)
    return workspace


def check(path: Path, environ: Mapping[str, str]) -> tuple[Workspace | None, list[Problem]]:
    """Return the workspace (None where there is an error) and all errors and warnings, in the order of the files."""
    notes = Notes(environ)
    sources = gather(path, notes)
    read = _read(sources)
    if sources.roots:
        check_names(notes)
        check_values(read, notes)
    workspace = None
    if not any(problem.severity == "error" for problem in notes.problems):
        workspace = _build(read, sources)
        advise(workspace, notes)
    order = {name: i for i, name in enumerate(sources.names)}
    ordered = sorted(notes.problems, key=lambda each: (order.get(each.file, -1), each.line, each.severity, each.key))
    return workspace, list(dict.fromkeys(ordered))


def _read(sources: Sources) -> dict[str, Any]:
    """Read each file by the grammar and join what they say."""
    joined = grammar.empty()
    for i, root in enumerate(sources.roots):
        _required(root, sources.names[0], first=i == 0 and root.file == sources.names[0], notes=sources.notes)
        _settle(root, sources.notes)
        for name, node in root.values.items():
            key = grammar.ROOT.keys.get(name)
            empty = isinstance(node, nodes.Scalar) and node.empty
            value = BAD if key is None or empty else key.shape.read(node, name, sources.notes)
            if isinstance(value, Bad) or name == "include":
                continue
            if name in grammar.LISTS:
                joined[name] += value
            elif name in grammar.MAPPINGS:
                for inner, each in value.items():
                    joined[name].setdefault(inner, each)
            else:
                joined.setdefault(name, value)
    return joined


def _required(root: nodes.Mapping, file: str, *, first: bool, notes: Notes) -> None:
    grammar.ROOT.refuse_unknown(root, "", notes)
    for name in ("version", "workspace") if first else ():
        node = root.values.get(name)
        if node is None or (isinstance(node, nodes.Scalar) and node.empty):
            expected = grammar.ROOT.keys[name].shape.expected
            notes.error(Place(file, 1, name), f"The key '{name}' is missing: {expected}.")


def _settle(root: nodes.Mapping, notes: Notes) -> None:
    """Note settings that two files state."""
    for name in grammar.WORDS:
        if name in root.values:
            notes.define("setting", name, Place(root.file, root.line_of(name), name), "The key")
    policies = root.values.get("policies")
    if isinstance(policies, nodes.Mapping):
        for name, key in policies.keys.items():
            notes.define("policy", name, Place(key.file, key.line, f"policies.{name}"), "The policy")


def _build(read: Mapping[str, Any], sources: Sources) -> Workspace:
    objectives: dict[str, Objective] = {}
    key_results: dict[str, KeyResult] = {}
    for objective, inner in read["objectives"]:
        objectives[objective.id] = objective
        for each in inner:
            timeframe = each.timeframe or objective.timeframe
            key_results[each.id] = replace(each, objective=objective.id, timeframe=timeframe)
    rank = {name: i for i, name in enumerate(read["connections"])}
    return Workspace(
        name=read["workspace"],
        timezone=read.get("timezone", DEFAULT_TIMEZONE),
        connections=read["connections"],
        mirrors=tuple(tuple(sorted(group, key=lambda pair: rank[pair[0]])) for group in read["mirrors"]),
        timeframes=read["timeframes"],
        dimensions=read["dimensions"],
        teams=read["teams"],
        objectives=objectives,
        key_results=key_results,
        initiatives={each.id: each for each in read["initiatives"]},
        rules=tuple(read["mapping"]),
        policies=Policies().under(read["policies"]),
        publish=tuple(_addressed(row, read) for row in read["publish"]),
        files=tuple(sources.names),
        digest=sources.hash.hexdigest(),
    )


def _addressed(row: PublishRow, read: Mapping[str, Any]) -> PublishRow:
    """Put the tracker's name before the kind of place: ``jira.remote_link``."""
    if row.connection is None:
        return row
    return replace(row, outlet=f"{read['connections'][row.connection].type}.{row.outlet}")


def secrets(workspace: Workspace) -> tuple[Secret, ...]:
    """Return every secret that the file refers to, for the masks of the log."""
    places: list[object] = [connection.auth for connection in workspace.connections.values()]
    places += [connection.webhook_secret for connection in workspace.connections.values()]
    places += [row.to for row in workspace.publish]
    places += [key_result.source for key_result in workspace.key_results.values()]
    return tuple(secret for place in places for secret in _inside(place))


def _inside(value: object) -> Iterator[Secret]:
    if isinstance(value, Secret):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _inside(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _inside(inner)
