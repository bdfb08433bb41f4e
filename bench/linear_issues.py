"""The issues, projects and initiatives of the benchmark's Linear with every field that can be asked for.

Each is made from its position alone; nothing is served or measured here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from bench.documents import Told, connection
from bench.payloads import EPIC_EVERY, INITIATIVES, TEAMS

KEYS = ("BEN", "OPS", "WEB", "APP")
BLOCKS = 5
"""how many parents with their children are in one project"""
GAP = 50
"""every 50th number of a team is not in use any more, as those of issues that moved away are not"""
STATES = (
    ("Backlog", "backlog"), ("Todo", "unstarted"), ("In Progress", "started"), ("In Review", "started"),
    ("Done", "completed"), ("Canceled", "canceled"),
)  # fmt: skip
LABELS: dict[str, str] = {"label-backend": "backend", "label-q4": "q4"}
PROJECT_LABELS: dict[str, str] = {f"label-I{n}": f"okr/I{n}" for n in range(1, INITIATIVES + 1)}
STATUSES = (("In Progress", "started"), ("Completed", "completed"))

_STATES = (4, 4, 1, 2, 4, 3, 1, 4, 5, 0)
_ESTIMATES = (1, 2, 3, 5, 8, None, 2)
_DAY = 86_400_000
_ENTRY: Told = dict.fromkeys((
    "fromStateId", "toStateId", "fromState", "toState", "fromEstimate", "toEstimate", "fromParentId", "toParentId",
    "fromProjectId", "toProjectId", "fromTeamId", "toTeamId", "fromCycleId", "toCycleId", "addedLabelIds",
    "removedLabelIds",
))  # fmt: skip
_SUMS = (
    "issueCountHistory", "completedIssueCountHistory",
    "scopeHistory", "completedScopeHistory", "inProgressScopeHistory",
)  # fmt: skip


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

    def state(self, position: int) -> int:
        """Return which state an issue is in; a touched one is for certain in another than before."""
        if position % EPIC_EVERY == 0:
            return 2
        state = _STATES[position % len(_STATES)]
        return state if position not in self.touched else 2 if state >= 4 else 4

    def node(self, position: int) -> Told:
        """Make the whole issue at a position."""
        above, team = position - position % EPIC_EVERY, team_of(position)
        state, updated = self.state(position), stamp(self.changed(position))
        type = STATES[state][1]
        number, person = number_of(position), position % len(TEAMS)
        project = project_of(position)
        return {
            "id": id_of(position),
            "identifier": f"{KEYS[team]}-{number}",
            "number": float(number),
            "previousIdentifiers": [],
            "title": f"Issue number {position} of the benchmark",
            "url": f"https://linear.app/bench/issue/{KEYS[team]}-{number}/issue-number-{position}-of-the-benchmark",
            "estimate": _ESTIMATES[position % len(_ESTIMATES)],
            "priority": 2,
            "createdAt": stamp(self.updated[position] - 20 * _DAY),
            "updatedAt": updated,
            "startedAt": None if type in ("backlog", "unstarted") else stamp(self.updated[position] - 10 * _DAY),
            "completedAt": updated if type == "completed" else None,
            "canceledAt": updated if type == "canceled" else None,
            "archivedAt": None,
            "trashed": None,
            "dueDate": "2026-12-20" if position % 7 == 3 else None,
            "labelIds": list(LABELS),
            "state": state_at(team, state),
            "team": team_at(team),
            "assignee": {"id": f"user-{person}", "displayName": f"dev{person}", "email": f"dev{person}@example.com"},
            "project": {
                "id": f"project-{project:05d}", "slugId": f"{project:012x}", "name": f"Project number {project}",
            },
            "projectMilestone": None,
            "parent": None if above == position else {"id": id_of(above), "identifier": identifier_of(above)},
            "cycle": {"id": f"cycle-{team}-7", "number": 7, "name": None} if position % 3 == 0 else None,
            "syncedWith": None,
            "inverseRelations": connection([] if position % GAP != 7 else [
                {"id": f"relation-{position}", "type": "blocks", "issue": {"id": id_of(position - 1)}}
            ]),
            "attachments": connection([]),
            "history": connection(self._entries(position, team, state)),
        }  # fmt: skip

    def _entries(self, position: int, team: int, state: int) -> list[Told]:
        if state < 2:
            return []
        before, after = state_at(team, 1), state_at(team, state)
        return [{
            **_ENTRY, "id": f"entry-{position}", "createdAt": stamp(self.changed(position)),
            "fromStateId": before["id"], "fromState": before, "toStateId": after["id"], "toState": after,
        }]  # fmt: skip

    def project(self, number: int) -> Told:
        """Make a project of one team, with a label that names an initiative of the workspace file."""
        team, created = number % len(KEYS), self.updated[0] - 30 * _DAY
        status = number % 10 == 9
        return {
            "id": f"project-{number:05d}", "slugId": f"{number:012x}", "name": f"Project number {number}",
            "url": f"https://linear.app/bench/project/project-number-{number}-{number:012x}", "health": "onTrack",
            "priority": 2, "createdAt": stamp(created), "updatedAt": stamp(created + _DAY),
            "startedAt": stamp(created + _DAY), "completedAt": stamp(created + _DAY) if status else None,
            "canceledAt": None, "archivedAt": None, "trashed": None, "startDate": "2026-01-05",
            "startDateResolution": None, "targetDate": "2026-12-20", "targetDateResolution": None,
            "labelIds": [f"label-I{number % INITIATIVES + 1}"] if number % 10 else [],
            "status": {"id": f"status-{int(status)}", "name": STATUSES[status][0], "type": STATUSES[status][1]},
            "lead": {"id": "user-0", "displayName": "dev0", "email": "dev0@example.com"},
            "identifier": f"PRJ-{number}", "previousIdentifiers": [],
            "teams": connection([team_at(team)]),
            **{name: [float(week) for week in range(30)] for name in _SUMS},
            "initiativeToProjects": connection([{
                "id": f"link-{number}", "archivedAt": None, "initiative": self.initiative(number % INITIATIVES),
            }]),
        }  # fmt: skip

    def initiative(self, number: int) -> Told:
        """Make an initiative."""
        created = stamp(self.updated[0] - 40 * _DAY)
        return {
            "id": f"initiative-{number:02d}", "slugId": f"{number:012d}", "name": f"Initiative number {number}",
            "url": f"https://linear.app/bench/initiative/{number:012d}", "status": "Active", "health": None,
            "priority": 2, "createdAt": created, "updatedAt": created, "startedAt": created, "completedAt": None,
            "archivedAt": None, "trashed": None, "targetDate": "2026-12-20", "targetDateResolution": None,
            "labelIds": [], "owner": None, "parentInitiative": None,
        }  # fmt: skip


def id_of(position: int) -> str:
    """Return the id of an issue."""
    return f"{position:08x}-0000-4000-8000-00000000beef"


def position_of(id: str, size: int) -> int | None:
    """Return the position of an id, None for one that is no issue's."""
    if not id.endswith("-00000000beef"):
        return None
    position = int(id[:8], 16)
    return position if position < size else None


def team_of(position: int) -> int:
    """Return which team an issue is of; a parent and its children are of one."""
    return position // EPIC_EVERY % len(KEYS)


def number_of(position: int) -> int:
    """Return the number within the team."""
    place = position // EPIC_EVERY // len(KEYS) * EPIC_EVERY + position % EPIC_EVERY
    return place + place // (GAP - 1) + 1


def identifier_of(position: int) -> str:
    """Return the identifier of an issue."""
    return f"{KEYS[team_of(position)]}-{number_of(position)}"


def project_of(position: int) -> int:
    """Return the number of an issue's project."""
    return position // EPIC_EVERY // len(KEYS) // BLOCKS * len(KEYS) + team_of(position)


def projects_among(size: int) -> int:
    """Return how many projects there are beside so many issues."""
    return project_of(size - 1) // len(KEYS) * len(KEYS) + len(KEYS)


def team_at(team: int) -> Told:
    """Return a team as issues and projects state it."""
    return {"id": f"team-{team}", "key": KEYS[team], "name": f"Team {KEYS[team]}"}


def state_at(team: int, state: int) -> Told:
    """Return a state; each team has its own."""
    name, type = STATES[state]
    return {"id": f"state-{team}-{state}", "name": name, "type": type}


def stamp(ms: int) -> str:
    """Return epoch ms as Linear writes them."""
    return f"{datetime.fromtimestamp(ms // 1000, UTC):%Y-%m-%dT%H:%M:%S}.{ms % 1000:03d}Z"


def made(size: int, now: datetime) -> Issues:
    """Return `size` issues over four teams; the newest was updated three days before `now`."""
    step = timedelta(days=300) / size
    first = now - timedelta(days=303)
    return Issues(size=size, updated=[int((first + step * at).timestamp() * 1000) for at in range(size)])
