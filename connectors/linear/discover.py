"""What must be known about a workspace before anything is read: who we are, its teams, states, statuses and labels.

Requests run side by side; each refusal says what in `keyrail.yaml` to change. No issue is read here.
"""

from __future__ import annotations

import asyncio
import difflib
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from connectors.base import Json, Reading
from connectors.http import Client
from connectors.linear import queries
from connectors.linear.changes import server_time, to_ms
from connectors.linear.containers import VISIBLE, initiatives_visible
from connectors.linear.site import Found, Node, all_nodes, found_in, names_of, scoped_teams, told, wanted_teams
from connectors.linear.windows import SIZES, sizes
from domain.errors import AuthError, ConfigError, RejectedError
from domain.workspace import Connection


async def discover(client: Client, connection: Connection, before: Reading | None = None) -> Reading:
    """Read what later reads need: who we are and which teams there are, then the rest and how large those in scope are.

    Raises AuthError where we are nobody, ConfigError where the scope names a team that is not there.
    """
    who, payload, data = await told(client, queries.ask(queries.WORKSPACE))
    account = account_of(client, data)
    teams = await _teams(client, found_in(client, "teams", who, payload, data))
    roster: dict[str, Mapping[str, Json]] = {str(team["id"]): _team(team) for team in teams if team.get("id")}
    seen = _seen_before(before)
    lost = _lost_teams(client, connection, roster, seen)
    for note in (SIZES, VISIBLE):
        client.notes.pop(note, None)
    states, statuses, labels, fields, initiatives, _ = await asyncio.gather(
        all_nodes(client, queries.STATES, "workflowStates"),
        all_nodes(client, queries.PROJECT_STATUSES, "projectStatuses"),
        _labels(client),
        _project_fields(client),
        initiatives_visible(client),
        sizes(client, scoped_teams(connection, roster)),
    )
    hidden = {id: team for id, team in seen.items() if id not in roster and _is_called(id, team, lost)}
    facts: dict[str, Json] = {
        "workspace": _workspace(data),
        "app": data["viewer"].get("app") is True,
        "teams": dict(roster),
        "visible_teams": sorted(str(team["key"]) for team in roster.values()),
        "statuses": {
            str(one["id"]): [one.get("name"), one.get("type")] for one in [*statuses, *states] if one.get("id")
        },
        "labels": labels,
        "project_fields": list[Json](fields),
        "initiatives": initiatives,
        "lost": {"teams": list[Json](lost)},
        "hidden_teams": dict(hidden),
        "read_ms": int(to_ms(server_time(who))),
    }
    return Reading(facts=facts, account=account, digest=_digest(connection, {**hidden, **roster}, fields))


def account_of(client: Client, data: Mapping[str, Any]) -> str:
    """Return our account's id; raise AuthError where Linear knows no one behind our credentials."""
    viewer = data.get("viewer")
    id = viewer.get("id") if isinstance(viewer, dict) else None
    if not id:
        raise AuthError(
            f"{client.name}: Linear answers, but knows no one behind the credentials of {client.access.source}. "
            "Make a new key and set it there."
        )
    return str(id)


async def _teams(client: Client, first: Found) -> list[Node]:
    """Return all teams; where the first page is not all of them, the list is read from its beginning."""
    return first.nodes if first.after is None else await all_nodes(client, queries.TEAMS, "teams")


async def _labels(client: Client) -> dict[str, Json]:
    """Return all labels by id: the name, and of one in a group that of the group."""
    kinds = await asyncio.gather(
        all_nodes(client, queries.ISSUE_LABELS, "issueLabels"),
        all_nodes(client, queries.PROJECT_LABELS, "projectLabels"),
        _initiative_labels(client),
    )
    return {str(label["id"]): _label(label) for labels in kinds for label in labels if label.get("id")}


async def _initiative_labels(client: Client) -> list[Node]:
    """Return the labels of initiatives; none where Linear does not let us ask for initiatives either."""
    try:
        return await all_nodes(client, queries.INITIATIVE_LABELS, "initiativeLabels")
    except RejectedError:
        if await initiatives_visible(client):
            raise
        return []


def _label(label: Mapping[str, Any]) -> Json:
    parent, name = label.get("parent"), label.get("name")
    return {"name": name, "parent": parent.get("name")} if isinstance(parent, dict) else name


async def _project_fields(client: Client) -> tuple[str, ...]:
    """Ask the schema for the optional fields of a project; none where it is not shown."""
    try:
        _, _, data = await told(client, queries.ask(queries.SHAPE))
    except RejectedError:
        return ()
    shape = data.get("project")
    fields = shape.get("fields") if isinstance(shape, dict) else None
    known = {field.get("name") for field in fields or [] if isinstance(field, dict)}
    wanted = queries.OPTIONAL["Project"]
    return wanted if known.issuperset(wanted) else ()


def _team(team: Mapping[str, Any]) -> dict[str, Json]:
    return {
        "key": team.get("key"),
        "name": team.get("name"),
        "estimates": team.get("issueEstimationType") != "notUsed",
        "visibility": team.get("visibility"),
    }


def _workspace(data: Mapping[str, Any]) -> Json:
    organization = data.get("organization")
    return organization.get("urlKey") if isinstance(organization, dict) else None


def _lost_teams(
    client: Client,
    connection: Connection,
    roster: Mapping[str, Mapping[str, Json]],
    seen: Mapping[str, Mapping[str, Json]],
) -> list[str]:
    """Return the teams in scope that we used to see and do not see any more, unless that is all of them.

    Raises ConfigError for all teams that we never saw, or that are called otherwise now.
    """
    wanted = wanted_teams(connection)
    if not wanted:
        raise ConfigError(f"{connection.name}: `scope` needs `teams`.")
    visible = _called(roster)
    missing = [name for name in wanted if name.lower() not in visible]
    gone = _called({id: team for id, team in seen.items() if id not in roster})
    strange = [name for name in missing if name.lower() not in gone]
    if missing and (strange or len(missing) == len(wanted)):
        names = strange or missing
        one = len(names) == 1
        what = f"team{'' if one else 's'} {', '.join(map(repr, names))} of `scope.teams`"
        why = "does not exist, or is private" if one else "do not exist, or are private"
        hints = "".join(_hint(name, roster, seen, alone=one) for name in names)
        raise ConfigError(
            f"{connection.name}: {what} {why} and our account is not in {'it' if one else 'them'}. "
            f"Check the spelling, and which teams {client.access.source} may see.{hints}"
        )
    return missing


def _hint(
    name: str, roster: Mapping[str, Mapping[str, Json]], seen: Mapping[str, Mapping[str, Json]], *, alone: bool
) -> str:
    """Tell what a team of that name is called now, or which key is like it."""
    for id, team in seen.items():
        if id in roster and _is_called(id, team, [name]):
            subject = "It" if alone else f"'{name}'"
            return f" {subject} was the key or the name of '{roster[id]['key']}'."
    keys = [str(team["key"]) for team in roster.values()]
    near = difflib.get_close_matches(name.upper(), keys, n=1, cutoff=0.5)
    question = "Did" if alone else f"'{name}': did"
    return f" {question} you mean '{near[0]}'?" if near else ""


def _seen_before(before: Reading | None) -> dict[str, Mapping[str, Json]]:
    """Return the teams by id that an earlier discovery saw, or knew as lost already."""
    rosters = [before.facts.get(name) for name in ("hidden_teams", "teams")] if before is not None else []
    told = (entry for roster in rosters if isinstance(roster, dict) for entry in roster.items())
    return {id: team for id, team in told if isinstance(team, dict)}


def _called(teams: Mapping[str, Mapping[str, Json]]) -> set[str]:
    """Return all that teams may be called, in lower case."""
    return {name for id, team in teams.items() for name in names_of(id, team)}


def _is_called(id: str, team: Mapping[str, Json], names: Sequence[str]) -> bool:
    return not {name.lower() for name in names}.isdisjoint(names_of(id, team))


def _digest(connection: Connection, roster: Mapping[str, Mapping[str, Json]], fields: Sequence[str]) -> str:
    """Return the digest of what decides what is read; `roster` has the lost teams too, so that losing one is none."""
    decides = {
        "url": connection.url.rstrip("/"),
        "scope": connection.scope,
        "estimate": connection.estimate,
        "teams": sorted((id, roster[id]["key"], roster[id]["estimates"]) for id in scoped_teams(connection, roster)),
        "read": [queries.ISSUE, queries.PROJECT, queries.INITIATIVE, queries.ENTRY, *fields],
    }
    return hashlib.sha256(orjson.dumps(decides, option=orjson.OPT_SORT_KEYS)).hexdigest()
