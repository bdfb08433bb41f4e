"""The issues that the benchmark serves, rendered to bytes before any clock starts.

Shapes are those of Jira Cloud, about 4 KB an issue with all its fields; nothing is served or measured here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from app.demo import jira_bodies
from app.demo.site import POINTS, SPRINT, START_DATE, TEAM, Site
from connectors.jira.queries import FIELDS

PROJECTS = ("BEN", "OPS", "WEB", "APP")
INITIATIVES = 20
TEAMS = ("Payments", "Web", "Ledger", "Platform", "Merchants", "Identity", "Search", "Mobile")
FIRST_ID = 100_001
EPIC_EVERY = 20
"""Every 20th issue is an epic, the next 19 are its children."""

_STATUSES = ("Done", "Done", "To Do", "In Progress", "Done", "In Review", "To Do", "Done", "Won't Do", "To Do")
_POINTS = (1.0, 2.0, 3.0, 5.0, 8.0, None, 2.0)


@dataclass(slots=True)
class Issues:
    """All issues of a benchmark: position i has id `FIRST_ID + i`; `updated` is in ms and grows with i.

    `bodies` are whole (`*all`); `asked` hold the fields alone that Keyrail asks for, as Jira would answer.
    """

    size: int
    site: Site
    bodies: list[bytes]
    asked: list[bytes]
    ids: list[bytes]
    updated: list[int]
    touched: dict[int, int] = field(default_factory=dict)
    """position -> ms of the change that `touch` made"""


def render(size: int, now: datetime | None = None) -> Issues:
    """Render `size` issues over four projects; the newest was updated three days before `now`."""
    now = now or datetime.now(UTC)
    site = Site(name="bench", zone="UTC", my_zone="UTC", email="bench@example.com", token="bench-token")
    for key in PROJECTS:
        site.add_project(key, f"Project {key}")
    step = timedelta(days=300) / size
    first = now - timedelta(days=303)
    issues = Issues(size=size, site=site, bodies=[], asked=[], ids=[], updated=[])
    parts = _Parts(site)
    for position in range(size):
        updated = first + step * position
        issues.updated.append(int(updated.timestamp() * 1000))
        status = _STATUSES[position % len(_STATUSES)]
        issues.bodies.append(_issue(parts, position, updated, status, parts.rest))
        issues.asked.append(_issue(parts, position, updated, status, parts.asked))
        issues.ids.append(b'{"id":"%d","key":"%s"}' % (FIRST_ID + position, key_of(position).encode()))
    return issues


def key_of(position: int) -> str:
    """Return the key of an issue; an epic and its children are of one project."""
    block, place = divmod(position, EPIC_EVERY)
    return f"{PROJECTS[block % len(PROJECTS)]}-{block // len(PROJECTS) * EPIC_EVERY + place + 1}"


def project_of(position: int) -> str:
    """Return the project key of an issue."""
    return PROJECTS[position // EPIC_EVERY % len(PROJECTS)]


def touch(issues: Issues, count: int, now: datetime) -> None:
    """Change `count` issues spread over all, children only: they are done now, one millisecond after the other."""
    parts, stride = _Parts(issues.site), max(1, issues.size // count)
    start = int(now.timestamp() * 1000)
    for number in range(count):
        position = min(issues.size - 1, number * stride + 7)
        position += position % EPIC_EVERY == 0
        at = start + number
        issues.touched[position] = at
        moment = datetime.fromtimestamp(at / 1000, UTC)
        # A touched issue changes for certain: what was done is reopened.
        was_done = _STATUSES[position % len(_STATUSES)] == "Done"
        status = "In Progress" if was_done else "Done"
        issues.bodies[position] = _issue(parts, position, moment, status, parts.rest)
        issues.asked[position] = _issue(parts, position, moment, status, parts.asked)


class _Parts:
    """Fragments that many issues share, rendered once."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.users = [orjson.dumps(jira_bodies.account(site, site.add_user(f"{team} team"))) for team in TEAMS]
        self.statuses = {s.name: orjson.dumps(jira_bodies.status(site, s)) for s in site.statuses.values()}
        self.types = {t.name: orjson.dumps(jira_bodies.issue_type(site, t)) for t in site.types.values()}
        self.projects = {p.key: orjson.dumps(jira_bodies.project(site, p)) for p in site.projects.values()}
        self.teams = [
            orjson.dumps({"self": f"{site.url}/rest/api/3/customFieldOption/{n}", "value": team, "id": str(10_020 + n)})
            for n, team in enumerate(TEAMS)
        ]
        rest = _constant_fields(site)
        wanted = {*FIELDS, SPRINT, START_DATE}
        self.rest = orjson.dumps(rest)[1:-1]
        self.asked = orjson.dumps({name: value for name, value in rest.items() if name in wanted})[1:-1]


def _constant_fields(site: Site) -> dict[str, Any]:
    text = (
        "As a customer I want this step to be so quick that I do not notice it, so that I do not give up. "
        "It is accepted when the measurement of a week shows it on every kind of device that we support. "
    )
    paragraph = {"type": "paragraph", "content": [{"type": "text", "text": text}]}
    unused = {f"customfield_{number}": None for number in range(10_060, 10_080)}
    return {
        "fixVersions": [], "versions": [], "components": [], "issuelinks": [], "subtasks": [], "worklog": None,
        "priority": {"self": f"{site.url}/rest/api/3/priority/3", "name": "Medium", "id": "3",
                     "iconUrl": f"{site.url}/images/icons/priorities/medium.svg"},
        "description": {"type": "doc", "version": 1, "content": [paragraph]},
        "timeoriginalestimate": None, "timeestimate": None, "timespent": None, "environment": None,
        "security": None, "workratio": -1, "lastViewed": None, "duedate": None, "aggregatetimespent": None,
        "watches": {"self": f"{site.url}/rest/api/3/issue/X/watchers", "watchCount": 1, "isWatching": False},
        "progress": {"progress": 0, "total": 0}, "aggregateprogress": {"progress": 0, "total": 0},
        SPRINT: [{"id": 7, "name": "Sprint 7", "state": "active", "boardId": 1, "goal": "",
                  "startDate": "2026-01-05T08:00:00.000Z", "endDate": "2026-01-19T08:00:00.000Z"}],
        START_DATE: None, **unused,
    }  # fmt: skip


_TEMPLATE = (
    b'{"expand":"renderedFields,names,schema,operations,editmeta,changelog,versionedRepresentations","id":"%(id)d",'
    b'"self":"%(url)s/rest/api/3/issue/%(id)d","key":"%(key)s","fields":{"summary":"%(summary)s",'
    b'"issuetype":%(type)s,"status":%(status)s,"project":%(project)s,%(parent)s"labels":%(labels)s,'
    b'"assignee":%(user)s,"resolution":%(resolution)s,'
    b'"resolutiondate":%(resolved)s,"created":"%(created)s","updated":"%(updated)s",'
    b'"statuscategorychangedate":"%(updated)s","' + POINTS.encode() + b'":%(points)s,"' + TEAM.encode() + b'":%(team)s,'
    b"%(rest)s}}"
)
_PARENT = (
    b'"parent":{"id":"%(id)d","key":"%(key)s","self":"%(url)s/rest/api/3/issue/%(id)d","fields":{'
    b'"summary":"Epic number %(id)d","status":%(status)s,"issuetype":%(type)s}},'
)


def _issue(parts: _Parts, position: int, updated: datetime, status: str, rest: bytes) -> bytes:
    url, block = parts.site.url.encode(), position // EPIC_EVERY
    epic = position % EPIC_EVERY == 0
    kind = parts.types["Epic" if epic else ("Story", "Task", "Bug")[position % 3]]
    above = block * EPIC_EVERY
    parent = b"" if epic else _PARENT % {
        b"id": FIRST_ID + above, b"key": key_of(above).encode(), b"url": url,
        b"status": parts.statuses["In Progress"], b"type": parts.types["Epic"],
    }  # fmt: skip
    status = "In Progress" if epic else status
    closed = {"Done": b'{"id":"10000","name":"Done"}', "Won't Do": b'{"id":"10001","name":"Won\'t Do"}'}.get(status)
    at = _stamp(updated)
    points = None if epic else _POINTS[position % len(_POINTS)]
    return _TEMPLATE % {
        b"id": FIRST_ID + position,
        b"url": url,
        b"key": key_of(position).encode(),
        b"summary": b"%s number %d of the benchmark" % (b"Epic" if epic else b"Item", FIRST_ID + position),
        b"type": kind,
        b"status": parts.statuses[status],
        b"project": parts.projects[project_of(position)],
        b"parent": parent,
        b"labels": b'["okr/I%d"]' % (block % INITIATIVES + 1) if epic and block % 10 else b'["backend","q4"]',
        b"user": parts.users[position % len(TEAMS)],
        b"resolution": closed or b"null",
        b"resolved": b'"%s"' % at if closed else b"null",
        b"created": _stamp(updated - timedelta(days=20)),
        b"updated": at,
        b"points": b"null" if points is None else b"%g" % points,
        b"team": parts.teams[block % len(TEAMS)],
        b"rest": rest,
    }


def _stamp(at: datetime) -> bytes:
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}+0000".encode()
