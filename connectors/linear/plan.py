"""What one page needs of the connection and of discovery, looked up once: the names behind ids, and who estimates.

Pure; also what stands in for discovery where there was none. What a name means for an item is said in `parse`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from connectors.base import Reading
from connectors.linear.shapes import child, listed, reference, text_of
from domain.workspace import Connection


def defaults(connection: Connection) -> Reading:
    """Return the reading that stands in for discovery: nothing is known but what a payload states itself."""
    return Reading(facts={"guessed": True}, account="", digest="")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What one page needs of the connection and the discovery, looked up once.

    `teams` are (key, name) and `states` (name, type) by id, `labels` the names of a label by id: its own, and
    behind it ``group/name`` where it is in a group. `silent` are the ids of teams that do not estimate.
    """

    connection: str
    estimates: bool
    workspace: str | None
    teams: Mapping[str, tuple[str | None, str | None]]
    silent: frozenset[str]
    states: Mapping[str, tuple[str | None, str | None]]
    labels: Mapping[str, tuple[str, ...]]

    def team(self, node: Mapping[str, Any], field: str = "team") -> tuple[str | None, str | None, str | None]:
        """Return (id, key, name) of the team that a node is in; what it does not state is looked up."""
        team, id = child(node, field), reference(node, field)
        key, name = self.teams.get(id or "", (None, None))
        return id, text_of(team.get("key")) or key, text_of(team.get("name")) or name

    def state(self, node: Mapping[str, Any], field: str = "state") -> tuple[str | None, str | None]:
        """Return (name, type) of a state; the name is that of today where the node states the id alone."""
        state = child(node, field)
        name, type = self.states.get(reference(node, field) or "", (None, None))
        return text_of(state.get("name")) or name, text_of(state.get("type")) or type

    def estimates_in(self, issue: Mapping[str, Any]) -> bool:
        """Tell whether estimates are wanted, and the team of an issue does not leave them aside."""
        return self.estimates and reference(issue, "team") not in self.silent

    def labels_of(self, node: Mapping[str, Any]) -> tuple[str, ...]:
        """Return the names of a node's labels, once each: in the order of `labelIds`, and then those nested alone."""
        nested = listed(node.get("labels"))
        known = {id: self.label(label) for label in nested if (id := text_of(label.get("id")))}
        ids = node.get("labelIds")
        wanted = [id for id in ids if isinstance(id, str)] if isinstance(ids, list) else []
        names = [name for id in wanted for name in known.get(id) or self.labels.get(id, ())]
        names += [name for label in nested if label.get("id") not in wanted for name in self.label(label)]
        return tuple(dict.fromkeys(names))

    def label(self, label: Mapping[str, Any]) -> tuple[str, ...]:
        """Return the names of a nested label; webhooks name its group by id alone, so that is looked up."""
        id = text_of(label.get("id"))
        known = self.labels.get(id, ()) if id is not None and text_of(label.get("parentId")) else ()
        return known or label_names(label)


def plan_of(connection: Connection, reading: Reading) -> Plan:
    """Return the plan of a page."""
    facts = reading.facts
    teams = _entries(facts.get("teams"))
    return Plan(
        connection=connection.name,
        estimates=connection.estimate != "none",
        workspace=text_of(facts.get("workspace")),
        teams={id: (_field(team, "key"), _field(team, "name")) for id, team in teams.items()},
        silent=frozenset(
            [id for id, team in teams.items() if isinstance(team, dict) and team.get("estimates") is False]
        ),
        states={id: _state(entry) for id, entry in _entries(facts.get("statuses")).items()},
        labels={id: names for id, entry in _entries(facts.get("labels")).items() if (names := label_names(entry))},
    )


def label_names(label: Any) -> tuple[str, ...]:
    """Return the names of a label: its own, and ``group/name`` where it is in a group, as Linear writes it."""
    name = text_of(label) or _field(label, "name")
    if name is None:
        return ()
    group = label.get("parent") if isinstance(label, dict) else None
    above = text_of(group) or _field(group, "name")
    return (name, f"{above}/{name}") if above else (name,)


def _entries(told: object) -> Mapping[str, Any]:
    return told if isinstance(told, Mapping) else {}


def _field(entry: Any, field: str) -> str | None:
    return text_of(entry.get(field)) if isinstance(entry, Mapping) else None


def _state(entry: Any) -> tuple[str | None, str | None]:
    """Read ``[name, type]``, which the road reads too, or a type alone."""
    if isinstance(entry, list | tuple) and len(entry) > 1:
        return text_of(entry[0]), text_of(entry[-1])
    return None, text_of(entry)
