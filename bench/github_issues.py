"""The issues of the benchmark's GitHub with every field that can be asked for; a twentieth of them is in a project.

An issue is made from its position alone; nothing is served or measured here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from bench.documents import Told, connection
from bench.payloads import EPIC_EVERY, INITIATIVES, TEAMS

OWNER = "bench"
REPOSITORIES = ("web", "api", "app", "ops")
PROJECT_ID, PROJECT_EVERY = "PVT_kwDOBench01", 20
"""the project, and how many epics there are for each whose issues are in it"""
FIELD_ID, STATUS_ID = "IFN_kwDOBench01", "PVTSSF_lADOBench01"
OPTIONS = ("Todo", "In Progress", "In Review", "Done")
EFFORT: Told = {"__typename": "IssueFieldNumber", "id": FIELD_ID, "name": "Effort", "dataType": "NUMBER"}
STATUS: Told = {
    "__typename": "ProjectV2SingleSelectField", "id": STATUS_ID, "name": "Status", "dataType": "SINGLE_SELECT",
    "options": [{"id": f"{at:08x}", "name": name} for at, name in enumerate(OPTIONS)],
}  # fmt: skip
PROJECT: Told = {
    "__typename": "ProjectV2", "id": PROJECT_ID, "number": 1, "title": "Roadmap", "closed": False,
    "url": f"https://github.com/orgs/{OWNER}/projects/1", "owner": {"__typename": "Organization", "login": OWNER},
}  # fmt: skip

_STATES = ("Done", "Done", "Todo", "In Progress", "Done", "In Review", "Todo", "Done", "Won't do", "Todo")
_EFFORT = (1.0, 2.0, 3.0, 5.0, 8.0, None, 2.0)


@dataclass(slots=True)
class Issues:
    """All issues: the one at position i is older than that at i + 1; `updated` is in ms and grows with i."""

    size: int
    updated: list[int]
    touched: dict[int, int] = field(default_factory=dict)
    """position -> ms of the change that `touch` made"""

    def changed(self, position: int) -> int:
        """Return the ms at which an issue changed last."""
        return self.touched.get(position, self.updated[position])

    def state(self, position: int) -> str:
        """Return where an issue stands; a touched one for certain elsewhere than before."""
        if position % EPIC_EVERY == 0:
            return "In Progress"
        state = _STATES[position % len(_STATES)]
        return state if position not in self.touched else "In Progress" if state in ("Done", "Won't do") else "Done"

    def is_closed(self, position: int) -> bool:
        """Whether an issue is closed."""
        return self.state(position) in ("Done", "Won't do")

    def node(self, position: int) -> Told:
        """Make the whole issue at a position."""
        epic = position % EPIC_EVERY == 0
        above = position - position % EPIC_EVERY
        state, closed = self.state(position), self.is_closed(position)
        updated = _stamp(self.changed(position))
        named = (
            [f"okr/I{position // EPIC_EVERY % INITIATIVES + 1}"] if epic and in_rule(position) else ["backend", "q4"]
        )
        effort = None if epic else _EFFORT[position % len(_EFFORT)]
        return {
            "__typename": "Issue",
            "id": id_of(position),
            "fullDatabaseId": str(2_000_000_000 + position),
            "number": number_of(position),
            "title": f"{'Epic' if epic else 'Item'} number {position} of the benchmark",
            "url": f"https://github.com/{repository_of(position)}/issues/{number_of(position)}",
            "state": "CLOSED" if closed else "OPEN",
            "stateReason": ("NOT_PLANNED" if state == "Won't do" else "COMPLETED") if closed else None,
            "createdAt": _stamp(self.updated[position] - 20 * 86_400_000),
            "updatedAt": updated,
            "closedAt": updated if closed else None,
            "repository": place(position),
            "milestone": milestone(position) if position % 4 == 1 else None,
            "issueType": {"id": f"IT_{'epic' if epic else 'task'}", "name": "Epic" if epic else "Task"},
            "parent": None if epic else reference(above),
            "subIssuesSummary": {"total": EPIC_EVERY - 1 if epic else 0, "completed": 0, "percentCompleted": 0},
            "issueDependenciesSummary": {"blockedBy": 0, "totalBlockedBy": 0},
            "duplicateOf": None,
            "assignees": _all([{"login": TEAMS[position % len(TEAMS)].lower(), "id": f"U_{position % len(TEAMS)}"}]),
            "labels": _all([{"id": f"LA_{name}", "name": name} for name in named]),
            "blockedBy": _all([reference(position - 1)] if position % 50 == 7 else []),
            "issueFieldValues": _all([] if effort is None else [
                {"__typename": "IssueFieldNumberValue", "field": EFFORT, "value": effort}
            ]),
            "projectItems": _all([self.item(position)] if in_project(position) else []),
            "timelineItems": _all(self._events(position, closed, updated)),
        }  # fmt: skip

    def item(self, position: int) -> Told:
        """Make the item that an issue is in the project."""
        state = self.state(position).replace("Won't do", "Done")
        value = {
            "__typename": "ProjectV2ItemFieldSingleSelectValue", "field": STATUS, "name": state,
            "optionId": f"{OPTIONS.index(state):08x}",
        }  # fmt: skip
        return {
            "__typename": "ProjectV2Item", "id": f"PVTI_{position:08d}", "type": "ISSUE", "isArchived": False,
            "updatedAt": _stamp(self.changed(position)), "project": PROJECT, "fieldValueByName": value,
            "content": reference(position),
        }  # fmt: skip

    def _events(self, position: int, closed: bool, updated: str) -> list[Told]:
        label: Told = {
            "__typename": "LabeledEvent", "id": f"LE_{position:08d}", "label": {"id": "LA_q4", "name": "q4"},
            "createdAt": _stamp(self.updated[position] - 19 * 86_400_000),
        }  # fmt: skip
        end: Told = {
            "__typename": "ClosedEvent", "id": f"CE_{position:08d}", "createdAt": updated, "stateReason": "COMPLETED",
            "duplicateOf": None,
        }  # fmt: skip
        return [label, end] if closed else [label]


def id_of(position: int) -> str:
    """Return the node id of an issue."""
    return f"I_kwDOBench{position:09d}"


def position_of(id: str, size: int) -> int | None:
    """Return the position of a node id, None for one that is no issue's."""
    tail = id.removeprefix("I_kwDOBench")
    return int(tail) if tail != id and tail.isdigit() and int(tail) < size else None


def repository_of(position: int) -> str:
    """Return ``owner/name``; an epic and its children are of one repository."""
    return f"{OWNER}/{REPOSITORIES[position // EPIC_EVERY % len(REPOSITORIES)]}"


def number_of(position: int) -> int:
    """Return the number within the repository."""
    return position // EPIC_EVERY // len(REPOSITORIES) * EPIC_EVERY + position % EPIC_EVERY + 1


def in_project(position: int) -> bool:
    """Whether an issue is in the project."""
    return position // EPIC_EVERY % PROJECT_EVERY == 0


def in_rule(position: int) -> bool:
    """Whether an epic has a label that names an initiative."""
    return position // EPIC_EVERY % 10 != 0


def place(position: int) -> Told:
    """Return the repository of an issue as the issue states it."""
    return {"nameWithOwner": repository_of(position), "isArchived": False}


def reference(position: int) -> Told:
    """Return an issue as others refer to it."""
    return {
        "__typename": "Issue", "id": id_of(position), "number": number_of(position), "state": "OPEN",
        "repository": place(position),
    }  # fmt: skip


def milestone(position: int) -> Told:
    """Return the one milestone of an issue's repository."""
    name = repository_of(position)
    return {
        "id": f"MI_{name}", "number": 1, "title": "Q4", "url": f"https://github.com/{name}/milestone/1",
        "state": "OPEN", "dueOn": "2026-12-20T00:00:00Z",
    }  # fmt: skip


def made(size: int, now: datetime) -> Issues:
    """Return `size` issues over four repositories; the newest was updated three days before `now`."""
    step = timedelta(days=300) / size
    first = now - timedelta(days=303)
    return Issues(size=size, updated=[int((first + step * at).timestamp() * 1000) for at in range(size)])


def _stamp(ms: int) -> str:
    return f"{datetime.fromtimestamp(ms / 1000, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _all(nodes: list[Told]) -> Told:
    return connection(nodes, len(nodes))
