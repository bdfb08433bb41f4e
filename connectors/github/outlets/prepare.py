"""What is read at GitHub before anything is written: ids of projects, fields, items and issues, and what we may do.

Nothing is changed there. What is missing is an error, or a finding of `check`, that says what to do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress

from connectors import graphql
from connectors.base import Finding, Json, Reading
from connectors.github import queries
from connectors.github.auth import App
from connectors.github.outlets.fields import chosen
from connectors.github.outlets.places import ISSUE, PROJECT
from connectors.github.queries import GRAPHQL
from connectors.github.shapes import object_of, objects
from connectors.github.site import ask
from connectors.github.walk import data_of
from connectors.http import Client
from domain.errors import ConfigError, NotFoundError, RejectedError
from domain.workspace import PublishRow

ISSUE_AT = """query IssueAt($owner:String!,$name:String!,$number:Int!){
  repository(owner:$owner,name:$name){id issue(number:$number){id}}
}"""
ITEMS_OF = """query ItemsOf($ids:[ID!]!){
  nodes(ids:$ids){__typename ... on Issue{id number repository{nameWithOwner}
    projectItems(first:100,includeArchived:true){nodes{id project{id}}}}}
}"""
OWNERS_OF = """query OwnersOf($ids:[ID!]!){
  nodes(ids:$ids){__typename ... on Issue{id number repository{nameWithOwner owner{login}}}}
}"""
MAY_UPDATE = """query MayUpdate($id:ID!){
  node(id:$id){__typename ... on ProjectV2{id title viewerCanUpdate}}
}"""
DOCUMENTS = (ISSUE_AT, ITEMS_OF, OWNERS_OF, MAY_UPDATE)

_TOGETHER = 50
"""issues whose items are read in one call"""


# --- status of a project


async def find_projects(
    client: Client, row: PublishRow, addresses: Sequence[str], reading: Reading
) -> Mapping[str, Json]:
    """Return the ids of the projects that subjects name, or the row itself for them, under ``addresses``.

    Of the subjects' those that are not there are left out; raises ConfigError for the row's own.
    """
    named = row.to.get("project")
    found: dict[str, Json] = {str(named): (await _project(client, row, str(named)))["id"]} if named else {}
    for address in dict.fromkeys(addresses):
        if PROJECT.fullmatch(address) and address not in found:
            with suppress(ConfigError):
                found[address] = (await _project(client, row, address))["id"]
    return {"addresses": found}


async def _project(client: Client, row: PublishRow, key: str) -> dict[str, Json]:
    """Return a project with its fields; raise ConfigError where we see none of that number."""
    written = PROJECT.fullmatch(key)
    if written is None:
        raise ConfigError(f"{row.id}: a project is written owner/number, like acme/12; found '{key}'.")
    try:
        _, told = await ask(client, queries.project(written["owner"], int(written["number"])))
        project = object_of(object_of(data_of(told).get("repositoryOwner")).get("projectV2"))
    except NotFoundError:
        project = {}
    if not project:
        raise ConfigError(
            f"{row.id}: there is no project {key}, or our account may not see it. Check the number in its address, and "
            "that the token may read and write projects."
        )
    return project


# --- field of an item in a project


async def find_items(client: Client, row: PublishRow, addresses: Sequence[str], reading: Reading) -> Mapping[str, Json]:
    """Return the row's ``project`` and ``field``, and the ``items`` there by id of the issue.

    Raises ConfigError where the project or the field is not there, or takes something else.
    """
    project, field = await _field_of_project(client, row)
    issues = await find_issues(client, row, addresses, reading)
    items: dict[str, Json] = {}
    names: dict[str, Json] = {}
    for node in await _nodes(client, ITEMS_OF, _ids(addresses, issues)):
        names[str(node["id"])] = _name(node)
        for item in objects(node.get("projectItems")):
            if object_of(item.get("project")).get("id") == project["id"]:
                items[str(node["id"])] = item.get("id")
    return {**issues, "project": project["id"], "field": field, "items": items, "names": names}


async def _field_of_project(client: Client, row: PublishRow) -> tuple[dict[str, Json], dict[str, Json]]:
    key = row.to.get("project")
    if not key:
        raise ConfigError(f"{row.id}: `to` does not say which project's field is written. Say project: owner/number.")
    project = await _project(client, row, str(key))
    return project, chosen(row, objects(project.get("fields")), f"project {key}")


# --- field of an issue


async def find_fields(
    client: Client, row: PublishRow, addresses: Sequence[str], reading: Reading
) -> Mapping[str, Json]:
    """Return the field of each issue's organization under ``fields``, by id of the issue, where there is one.

    Raises ConfigError where none of the organizations has the field, RejectedError where the server knows none.
    """
    issues = await find_issues(client, row, addresses, reading)
    nodes = await _nodes(client, OWNERS_OF, _ids(addresses, issues))
    owners = {
        str(node["id"]): str(object_of(object_of(node.get("repository")).get("owner")).get("login")) for node in nodes
    }
    logins = list(dict.fromkeys(owners.values()))
    by_owner = await _issue_fields(client, row, reading, logins) if logins else {}
    fields = {id: by_owner[login] for id, login in owners.items() if login in by_owner}
    return {**issues, "fields": fields, "names": {str(node["id"]): _name(node) for node in nodes}}


async def _issue_fields(
    client: Client, row: PublishRow, reading: Reading, logins: Sequence[str]
) -> dict[str, dict[str, Json]]:
    told = reading.facts.get("can")
    can = frozenset(str(one) for one in told) if isinstance(told, list) else frozenset()
    if "Organization.issueFields" not in can:
        raise RejectedError(
            f"{row.id}: this GitHub has no issue fields (a preview), or our token may not see them. Write a field of a "
            "project instead: as: project_field."
        )
    found: dict[str, dict[str, Json]] = {}
    refusals: list[ConfigError] = []
    for login in logins:
        try:
            _, answer = await ask(client, queries.owner(can, login))
            fields = objects(object_of(data_of(answer).get("organization")).get("issueFields"))
            found[login] = chosen(row, fields, f"organization {login}")
        except NotFoundError:
            refusals.append(ConfigError(f"{row.id}: {login} is no organization, and only those have issue fields."))
        except ConfigError as error:
            refusals.append(error)
    if not found and refusals:
        raise refusals[0]
    return found


# --- addresses


async def find_issues(
    client: Client, row: PublishRow, addresses: Sequence[str], reading: Reading
) -> Mapping[str, Json]:
    """Return the ids of issues that subjects name like ``acme/api#418``, under ``addresses``, where there are any."""
    found: dict[str, Json] = {}
    for address in dict.fromkeys(addresses):
        if (written := ISSUE.fullmatch(address)) is None:
            continue
        variables: dict[str, Json] = {
            "owner": written["owner"], "name": written["name"], "number": int(written["number"]),
        }  # fmt: skip
        try:
            _, told = await ask(client, graphql.request(GRAPHQL, ISSUE_AT, variables))
            issue = object_of(object_of(data_of(told).get("repository")).get("issue"))
        except NotFoundError:
            continue
        if issue:
            found[address] = issue["id"]
    return {"addresses": found}


def _ids(addresses: Sequence[str], issues: Mapping[str, Json]) -> list[str]:
    known = object_of(issues.get("addresses"))
    ids = (str(known.get(address, address)) for address in addresses)
    return [id for id in dict.fromkeys(ids) if not ISSUE.fullmatch(id)]


def _name(issue: Mapping[str, Json]) -> str:
    """Return an issue as people know it."""
    return f"{object_of(issue.get('repository')).get('nameWithOwner')}#{issue.get('number')}"


async def _nodes(client: Client, document: str, ids: Sequence[str]) -> list[dict[str, Json]]:
    """Read nodes by id, some together; those that are gone are left out."""
    found: list[dict[str, Json]] = []
    for start in range(0, len(ids), _TOGETHER):
        part = list(ids[start : start + _TOGETHER])
        _, told = await ask(client, graphql.request(GRAPHQL, document, {"ids": part}))
        nodes = data_of(told).get("nodes")
        found += [node for node in nodes if isinstance(node, dict) and "id" in node] if isinstance(nodes, list) else []
    return found


# --- for `check`


def _finding(level: str, row: PublishRow, message: str) -> Finding:
    return Finding(level=level, subject=f"target {row.id}", message=message)


async def may_comment(client: Client, row: PublishRow, reading: Reading) -> list[Finding]:
    """Tell whether comments can be written; for a token of a person that is so wherever it can read."""
    if isinstance(client.access, App) and client.access.permissions.get("issues") != "write":
        return [_finding("error", row, "The app may not comment. Grant it Issues: write.")]
    return [_finding("ok", row, "Our account may comment.")]


async def may_post(client: Client, row: PublishRow, reading: Reading) -> list[Finding]:
    """Tell whether our account may change the row's project; what subjects name is found by `find_projects`."""
    named = row.to.get("project")
    if not named:
        return []
    try:
        return [await _may_update(client, row, await _project(client, row, str(named)))]
    except (ConfigError, RejectedError) as error:
        return [_finding("error", row, str(error))]


async def may_set_item(client: Client, row: PublishRow, reading: Reading) -> list[Finding]:
    """Tell whether the project and the field are there and our account may change them."""
    try:
        project, field = await _field_of_project(client, row)
        return [
            _finding("ok", row, f"Writes {row.to.get('value')} to '{field['name']}'."),
            await _may_update(client, row, project),
        ]
    except (ConfigError, RejectedError) as error:
        return [_finding("error", row, str(error))]


async def _may_update(client: Client, row: PublishRow, project: Mapping[str, Json]) -> Finding:
    _, told = await ask(client, graphql.request(GRAPHQL, MAY_UPDATE, {"id": project["id"]}))
    node = object_of(data_of(told).get("node"))
    if node.get("viewerCanUpdate") is True:
        return _finding("ok", row, f"Our account may change the project '{node.get('title')}'.")
    return _finding(
        "error", row, f"Our account may not change the project '{project.get('title')}'. Give it the role "
        "Write there; an app needs Projects: write of the organization."
    )  # fmt: skip


async def may_set_issue(client: Client, row: PublishRow, reading: Reading) -> list[Finding]:
    """Tell whether an organization in scope has the field; who may write an issue may write its fields."""
    owners = [str(login) for login in object_of(reading.facts.get("issue_fields"))]
    try:
        found = await _issue_fields(client, row, reading, owners)
    except (ConfigError, RejectedError) as error:
        return [_finding("error", row, str(error))]
    if not found:
        return [_finding("warning", row, "No organization is in scope, and only those have issue fields.")]
    return [_finding("ok", row, f"Writes {row.to.get('value')} to '{row.to.get('field')}' of {', '.join(found)}.")]
