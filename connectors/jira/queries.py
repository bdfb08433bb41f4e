"""Jira's requests as values: JQL texts and the `Call`s that carry them, for Cloud and Data Center.

Pure; what an answer means, and which call comes next, is decided in `client`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from connectors.base import Call, Json
from domain.workspace import Connection

CLOUD, SERVER = "/rest/api/3", "/rest/api/2"
BULK, HISTORY_BULK, ID_PAGE, PAGE, RECONCILE = 100, 1000, 5000, 100, 50
"""most issues in one bulk fetch, one changelog bulk fetch, one page of ids, one page of issues, one reconcile list"""

FIELDS: tuple[str, ...] = (
    "summary", "status", "issuetype", "project", "parent", "labels", "assignee", "created", "updated", "resolution",
    "resolutiondate", "statuscategorychangedate", "duedate", "timeoriginalestimate", "issuelinks", "fixVersions",
    "components",
)  # fmt: skip
"""the system fields that parse reads"""

_URL_ROOM = 3000
_WORD_OR_QUOTE = re.compile(r"""("(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')|\border\s+by\b""", re.IGNORECASE | re.DOTALL)


# --- JQL


def quoted(word: str) -> str:
    """Quote a word for JQL; reserved words and signs are then harmless."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def without_order(jql: str) -> str:
    """Cut ``ORDER BY …`` off a JQL text, so that it can stand in brackets; quoted text is left alone."""
    for found in _WORD_OR_QUOTE.finditer(jql):
        if found.group(1) is None:
            return jql[: found.start()].strip()
    return jql.strip()


def scope_jql(connection: Connection) -> str:
    """Return the connection's scope as one JQL clause without order."""
    jql = connection.scope.get("jql")
    if isinstance(jql, str) and jql.strip():
        return f"({without_order(jql)})"
    return f"project in ({', '.join(quoted(key) for key in project_keys(connection))})"


def project_keys(connection: Connection) -> tuple[str, ...]:
    """Return the keys of `scope.projects`, as written."""
    keys = connection.scope.get("projects")
    return tuple(str(key) for key in keys) if isinstance(keys, list | tuple) else ()


def listed(clause: str) -> str:
    """Order a clause for a complete listing."""
    return f"{clause} ORDER BY id ASC"


def since(clause: str, moment: datetime, *, epoch_ms: bool, zone: str) -> str:
    """Return what of `clause` (empty: anything) changed from the minute of `moment` on, oldest first, without an end.

    Unquoted milliseconds mean one instant everywhere; a quoted date is read in the account's profile zone.
    """
    minute = moment.replace(second=0, microsecond=0)
    local = minute if epoch_ms else minute.astimezone(ZoneInfo(zone))
    start = str(int(minute.timestamp()) * 1000) if epoch_ms else f'"{local:%Y-%m-%d %H:%M}"'
    both = f"{clause} AND " if clause else ""
    return f"{both}updated >= {start} ORDER BY updated ASC, id ASC"


def children_jql(parents: Sequence[str], fields: Mapping[str, Json], *, server: bool) -> str:
    """Return the direct children of `parents` (ids); Data Center keeps epics and plans in fields of their own."""
    ids = ", ".join(parents)
    clauses = [f"parent in ({ids})"]
    if server:
        for role in ("epic_link", "parent_link"):
            field = fields.get(role)
            if isinstance(field, str) and field.startswith("customfield_"):
                clauses.append(f"cf[{field.removeprefix('customfield_')}] in ({ids})")
    return " OR ".join(clauses) if len(clauses) == 1 else f"({' OR '.join(clauses)})"


def among(clause: str, ids: Sequence[str]) -> str:
    """Return those of `ids` that are in `clause`."""
    return f"{clause} AND id in ({', '.join(ids)})"


# --- what both kinds of Jira answer


def get(api: str, path: str, **params: str) -> Call:
    """Read `path` of the API."""
    return Call(method="GET", path=f"{api}{path}", params=params)


def post(path: str, body: Json) -> Call:
    """Ask a question that needs a body; it changes nothing, so it may be repeated."""
    return Call(method="POST", path=path, json=body)


def myself(api: str) -> Call:
    """Ask who we are; an answer without an account is an anonymous one."""
    return get(api, "/myself")


def server_info(api: str) -> Call:
    """Ask for the deployment and the server's clock."""
    return get(api, "/serverInfo")


def issue_fields(api: str) -> Call:
    """List all fields, unpaged."""
    return get(api, "/field")


def issue_types(api: str) -> Call:
    """List the issue types that we can see."""
    return get(api, "/issuetype")


def statuses(api: str) -> Call:
    """List all statuses, unpaged."""
    return get(api, "/status")


def projects(api: str, start: int = 0) -> Call:
    """List visible projects: pages of 100 on Cloud, all at once on Data Center."""
    if api == SERVER:
        return get(api, "/project")
    return get(api, "/project/search", startAt=str(start), maxResults="100")


def permissions(api: str, project: str, names: Sequence[str]) -> Call:
    """Ask which of the permissions `names` we have in a project."""
    return get(api, "/mypermissions", projectKey=project, permissions=",".join(names))


def boards(project: str) -> Call:
    """List the Scrum and Kanban boards of a project, of all where none is given."""
    where = {"projectKeyOrId": project} if project else {}
    return get("/rest/agile/1.0", "/board", maxResults="50", **where)


def board_configuration(board: int) -> Call:
    """Read a board's estimation field among other settings."""
    return get("/rest/agile/1.0", f"/board/{int(board)}/configuration")


def issue(api: str, id: str, fields: Sequence[str]) -> Call:
    """Read one issue from the database, not the index."""
    return get(api, f"/issue/{_segment(id)}", fields=",".join(fields))


def issue_changelog(api: str, id: str, start: int) -> Call:
    """Read a page of one issue's changelog, oldest first."""
    return get(api, f"/issue/{_segment(id)}/changelog", startAt=str(start), maxResults="100")


def issue_with_changelog(api: str, id: str) -> Call:
    """Read one issue with its embedded changelog."""
    return get(api, f"/issue/{_segment(id)}", fields="created", expand="changelog")


# --- Cloud


def search(jql: str, fields: Sequence[str], size: int, token: str | None = None, reconcile: Sequence[str] = ()) -> Call:
    """Search on Cloud. `reconcile` (at most 50 ids, the same on each page) are read past the index's lag."""
    body: dict[str, Json] = {"jql": jql, "fields": list(fields), "maxResults": size}
    if token:
        body["nextPageToken"] = token
    if reconcile:
        if len(reconcile) > RECONCILE:
            raise ValueError(f"at most {RECONCILE} ids can be reconciled in one search, not {len(reconcile)}")
        body["reconcileIssues"] = [int(id) for id in reconcile]
    return post(f"{CLOUD}/search/jql", body)


def approximate_count(jql: str) -> Call:
    """Ask Cloud for its estimate of how many issues match."""
    return post(f"{CLOUD}/search/approximate-count", {"jql": jql})


def bulk_fetch(ids: Sequence[str], fields: Sequence[str]) -> Call:
    """Read up to 100 issues; those that are gone or hidden are absent from the answer."""
    if len(ids) > BULK:
        raise ValueError(f"at most {BULK} issues can be fetched at once, not {len(ids)}")
    return post(f"{CLOUD}/issue/bulkfetch", {"issueIdsOrKeys": list(ids), "fields": list(fields)})


def bulk_changelog(ids: Sequence[str], field_ids: Sequence[str], token: str | None = None) -> Call:
    """Read the changelogs of up to 1,000 issues, oldest first; `field_ids` (at most 10) empty means all fields."""
    if len(ids) > HISTORY_BULK or len(field_ids) > 10:
        raise ValueError("at most 1,000 issues and 10 fields can be asked for at once")
    body: dict[str, Json] = {"issueIdsOrKeys": list(ids), "maxResults": 10_000}
    if field_ids:
        body["fieldIds"] = list(field_ids)
    if token:
        body["nextPageToken"] = token
    return post(f"{CLOUD}/changelog/bulkfetch", body)


def remote_links(api: str, id: str) -> Call:
    """List the remote links of an issue."""
    return get(api, f"/issue/{_segment(id)}/remotelink")


# --- Data Center


def server_search(
    jql: str, fields: Sequence[str], size: int, start: int = 0, *, expand: str = "", validate: bool = True
) -> Call:
    """Search on Data Center; `validate` False answers what it can where an id of the JQL is gone."""
    if len(jql) + len(",".join(fields)) <= _URL_ROOM or expand:
        params = {"jql": jql, "fields": ",".join(fields), "maxResults": str(size), "startAt": str(start)}
        if expand:
            params["expand"] = expand
        if not validate:
            params["validateQuery"] = "false"
        return Call(method="GET", path=f"{SERVER}/search", params=params)
    body: dict[str, Json] = {"jql": jql, "fields": list(fields), "maxResults": size, "startAt": start}
    if not validate:
        body["validateQuery"] = False
    return post(f"{SERVER}/search", body)


def _segment(id: str) -> str:
    """Refuse what is no id or key, so that no payload can name another path."""
    if not id.replace("-", "").replace("_", "").isalnum():
        raise ValueError(f"not an issue id or key: {id!r}")
    return id


def utc(ms: float) -> datetime:
    """Return the instant of epoch milliseconds."""
    return datetime.fromtimestamp(ms / 1000, UTC)
