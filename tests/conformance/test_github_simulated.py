"""The simulated GitHub against GitHub's own schemas: GraphQL names, REST bodies, webhook bodies and signatures."""

import hashlib
import hmac
import json
import re
from datetime import UTC, date, datetime, timedelta
from itertools import chain

import httpx
import pytest
from graphql import build_schema, parse
from jsonschema import Draft4Validator, Draft202012Validator

from app.demo import github_projects as projects
from app.demo.github import Site, application
from app.demo.github_graph import SDL
from app.demo.linear_site import Site as Linear
from app.demo.portfolio import Portfolio
from app.demo.sender import sending
from app.demo.site import Site as Jira

NOW = datetime(2026, 11, 18, 9, 30, tzinfo=UTC)

DEVIATIONS = {
    # Gone with version 2026-03-10 of the REST API, which is younger than the description.
    ("2026-03-10", "GET /repos/{owner}/{repo}/issues", "*", "required"),
    ("2026-03-10", "GET /repos/{owner}/{repo}/issues/{issue_number}", "", "required"),
    ("2026-03-10", "GET /rate_limit", "", "required"),
}


# GraphQL


@pytest.fixture(scope="module")
def theirs(shared):
    return build_schema(shared("schemas/github.graphql").read_text(encoding="utf-8"), assume_valid=True)


@pytest.fixture(scope="module")
def ours():
    return build_schema(SDL.read_text(encoding="utf-8"))


def own_types(schema):
    return {name: kind for name, kind in schema.type_map.items() if not name.startswith("__")}


def differences(ours, theirs):
    """What a schema says that the other does not say, or says otherwise; arguments that it lacks must be optional."""
    for name, kind in own_types(ours).items():
        other = theirs.type_map.get(name)
        if type(kind) is not type(other):
            yield f"{name}: {type(kind).__name__}"
            continue
        yield from (f"{name}.{value}" for value in set(getattr(kind, "values", ())) - set(getattr(other, "values", ())))
        members = {member.name for member in getattr(kind, "types", ())}
        yield from (f"{name} | {member}" for member in members - {m.name for m in getattr(other, "types", ())})
        faces = {face.name for face in getattr(kind, "interfaces", ())}
        yield from (f"{name} & {face}" for face in faces - {f.name for f in getattr(other, "interfaces", ())})
        for field_name, field in getattr(kind, "fields", {}).items():
            yield from field_differences(f"{name}.{field_name}", field, other.fields.get(field_name))


def field_differences(place, field, other):
    if other is None or str(field.type) != str(other.type):
        yield f"{place}: {field.type}"
        return
    if field.deprecation_reason != other.deprecation_reason:
        yield f"{place} @deprecated"
    if default_of(field) != default_of(other):
        yield f"{place} = {default_of(field)}"
    mine, their = getattr(field, "args", {}), getattr(other, "args", {})
    for name, argument in mine.items():
        yield from field_differences(f"{place}({name})", argument, their.get(name))
    yield from (f"{place}({name}) is missing" for name, one in their.items() if name not in mine and is_required(one))


def is_required(argument):
    return str(argument.type).endswith("!") and default_of(argument) is None


def default_of(thing):
    node = getattr(thing.ast_node, "default_value", None)
    return node and json.dumps(node.to_dict(), sort_keys=True, default=str)


def test_our_schema_is_a_part_of_githubs(ours, theirs):
    assert sorted(differences(ours, theirs)) == []
    assert len(own_types(ours)) > 100


@pytest.mark.parametrize(
    ("found", "changed"),
    [
        ("Issue.updatedAt: DateTime", ("updatedAt: DateTime!\n  url: URI!\n  viewerCanSetFields",
         "updatedAt: DateTime\n  url: URI!\n  viewerCanSetFields")),
        ("IssueState.OPENED", ("enum IssueState {\n  CLOSED\n  OPEN", "enum IssueState {\n  CLOSED\n  OPENED")),
        ("Query.nodes(id): [ID!]!", ("nodes(ids: [ID!]!)", "nodes(id: [ID!]!)")),
        ("ProjectV2ItemContent | Issue2", ("union ProjectV2ItemContent = DraftIssue | Issue |",
         "type Issue2 { id: ID! }\nunion ProjectV2ItemContent = DraftIssue | Issue2 |")),
        ("Query.repository(followRenames) = ", ("followRenames: Boolean = true, name: String!, owner",
         "followRenames: Boolean = false, name: String!, owner")),
    ],
)  # fmt: skip
def test_the_check_itself_finds_what_is_wrong(theirs, found, changed):
    text = SDL.read_text(encoding="utf-8")
    assert changed[0] in text
    parse(text)
    told = list(differences(build_schema(text.replace(*changed)), theirs))
    assert any(one.startswith(found) for one in told), told


# REST


def plain(node):
    """OpenAPI 3.0 to JSON Schema."""
    if isinstance(node, list):
        return [plain(item) for item in node]
    if not isinstance(node, dict):
        return node
    out = {key: plain(value) for key, value in node.items() if key not in ("example", "examples")}
    if out.pop("nullable", None) is True:
        if isinstance(out.get("type"), str):
            out["type"] = [out["type"], "null"]
        elif "type" not in out:
            out = {"anyOf": [out, {"type": "null"}]}
        if "enum" in out:
            out["enum"] = [*out["enum"], None]
    return out


@pytest.fixture(scope="module")
def described(shared):
    return json.loads(shared("schemas/github-rest-subset.openapi.json").read_text())


@pytest.fixture(scope="module")
def components(described):
    return plain(described)["components"]


@pytest.fixture
def site():
    """Two repositories; every part of an issue is set on acme/web#2, below the epic #1."""
    site = Site(clock=lambda: NOW)
    acme = site.add_organization("acme", "Acme")
    for name in ("Epic", "Task"):
        site.add_issue_type(acme, name)
    site.add_issue_field(acme, "Effort", "NUMBER")
    site.add_issue_field(acme, "Stage", "SINGLE_SELECT", ["Ready", "Doing"])
    site.add_issue_field(acme, "Due", "DATE")
    site.add_issue_field(acme, "For", "MULTI_SELECT", ["Phone", "Desktop"])
    web, _ = site.add_repository(acme, "web"), site.add_repository(acme, "kit")
    epic = site.create(web, "Payment page", at=NOW - timedelta(days=9), type="Epic", labels=["okr/I3"])
    milestone = site.add_milestone(web, "November", due=date(2026, 11, 30))
    site.create(
        web, "Fewer scripts", body="Why not.", parent=epic, labels=["a"], assignees=[site.member], type="Task",
        milestone=milestone, fields={"Effort": 3, "Stage": "Ready", "Due": "2026-11-30", "For": ["Phone"]},
    )  # fmt: skip
    site.create_pull(web, "Do it")
    return site


def operation(described, method, path):
    for template, item in sorted(described["paths"].items(), key=lambda row: row[0].count("{")):
        if re.fullmatch(re.sub(r"\{[^}]+\}", "[^/]+", template), path) and method.lower() in item:
            return f"{method} {template}", item[method.lower()]
    raise AssertionError(f"{method} {path} is not described")


def broken(described, components, exchange):
    """Return (operation, place, rule) of everything in an answer that breaks the description."""
    name, found = operation(described, exchange.method, exchange.path)
    answer = found["responses"][str(exchange.status)]
    if "$ref" in answer:
        answer = described["components"]["responses"][answer["$ref"].rpartition("/")[2]]
    content = answer.get("content", {}).get("application/json")
    if content is None or not exchange.answer:
        return set()
    validator = Draft4Validator({**plain(content["schema"]), "components": components})
    return {
        (name, "/".join("*" if isinstance(step, int) else step for step in error.absolute_path), error.validator)
        for error in validator.iter_errors(json.loads(exchange.answer))
    }


@pytest.mark.parametrize("version", ["2022-11-28", "2026-03-10"])
async def test_rest_answers_are_as_described(site, described, components, version):
    site.block(site.find("acme/web#2"), site.find("acme/web#1"))
    site.change(site.find("acme/web#2"), state="closed", reason="not_planned")
    site.transfer(site.create(site.repository("acme/web"), "Moves on"), site.repository("acme/kit"))
    site.delete(site.create(site.repository("acme/web"), "Goes"))
    face = application(site)
    app = site.access.add_app(site.add_bot("keyrail"))
    headers = {
        "authorization": f"Bearer {site.token}",
        "user-agent": "tests",
        "x-github-api-version": version,
    }
    calls = {
        "/repos/acme/web/issues?state=all&sort=updated&direction=asc&per_page=100&since=2026-01-01T00:00:00Z": 200,
        "/repos/acme/web/issues/1": 200,
        "/repos/acme/web/issues/2": 200,
        "/repos/acme/web/issues/3": 200,
        "/repos/acme/web/issues/4": 301,
        "/repos/acme/web/issues/5": 410,
        "/repos/acme/web/issues/6": 404,
        "/repos/acme/web/issues?page=3": 422,
        "/repos/acme/web": 200,
        "/repos/acme/none": 404,
        "/rate_limit": 200,
    }
    site.faults.page_limit = 2
    found = set()
    transport = httpx.ASGITransport(app=face)
    async with httpx.AsyncClient(transport=transport, base_url="https://api.github.com", headers=headers) as client:
        for path, status in calls.items():
            assert (await client.get(path)).status_code == status, path
            found |= broken(described, components, face.exchanges[-1])
        path = f"/app/installations/{app.installation}/access_tokens"
        assert (await client.post(path)).status_code == 401
        found |= broken(described, components, face.exchanges[-1])
    assert found == {(name, place, rule) for known, name, place, rule in DEVIATIONS if known == version}


async def test_the_calls_about_webhooks_are_as_described(site, described, components):
    """Asked of a repository, and of the App; those of organizations are not in the description that we keep."""
    site.repository("acme/web").viewer_permission = "ADMIN"
    face = application(site)
    found = set()
    headers = {"authorization": f"Bearer {site.token}", "user-agent": "tests"}
    transport = httpx.ASGITransport(app=face)
    sites = Portfolio(jira=Jira(), github=site, linear=Linear(), urls={})
    async with (
        httpx.AsyncClient(transport=transport, base_url="https://api.github.com", headers=headers) as client,
        sending(sites) as sender,
    ):

        async def ask(method, path, status, **asked):
            answer = await client.request(method, path, **asked)
            assert answer.status_code == status, (path, answer.text)
            found.update(broken(described, components, face.exchanges[-1]))
            return answer.json() if answer.content else None

        base, config = "/repos/acme/web/hooks", {"url": "http://127.0.0.1:9/w", "content_type": "json", "secret": "s"}
        told = await ask("POST", base, 201, json={"config": config, "events": ["issues"]})
        await ask("POST", base, 422, json={"config": config, "events": ["issues"]})
        await ask("POST", base, 422, json={"config": config, "events": ["sprints"]})
        await ask("GET", base, 200)
        hook = f"{base}/{told['id']}"
        await ask("GET", hook, 200)
        await ask("PATCH", hook, 200, json={"active": True, "add_events": ["milestone"]})
        await ask("GET", f"{hook}/config", 200)
        await ask("PATCH", f"{hook}/config", 200, json={"secret": "t"})
        await ask("POST", f"{hook}/pings", 204)
        await sender.idle()
        site.change(site.find("acme/web#2"), state="closed")
        await sender.idle()
        rows = await ask("GET", f"{hook}/deliveries", 200)
        assert [row["event"] for row in rows] == ["issues", "ping", "ping"]
        await ask("GET", f"{hook}/deliveries?cursor=x", 400)
        await ask("GET", f"{hook}/deliveries/{rows[0]['id']}", 200)
        await ask("POST", f"{hook}/deliveries/{rows[0]['id']}/attempts", 202)
        await ask("GET", hook, 200)
        await ask("DELETE", hook, 204)
        await ask("GET", hook, 404)
    assert found == set()


# Webhooks


@pytest.fixture(scope="module")
def hooks(shared):
    return json.loads(shared("schemas/github-webhooks.schema.json").read_text())["$defs"]


def everything_happens(site):
    """Let each thing happen once, and yield the changes one by one, while the site still is as they say."""
    web, kit = site.repository("acme/web"), site.repository("acme/kit")
    one, epic = site.find("acme/web#2"), site.find("acme/web#1")
    for new in (
        {"state": "closed", "reason": "not_planned"}, {"state": "open"}, {"labels": ["b"]}, {"assignees": []},
        {"assignees": [site.member]}, {"milestone": None}, {"milestone": web.milestones[0]}, {"type": None},
        {"type": "Task"}, {"parent": None}, {"parent": epic}, {"title": "Less"}, {"body": ""},
        {"fields": {"Effort": 5}}, {"fields": {"Stage": "Doing"}}, {"fields": {"Due": None}},
        {"fields": {"For": ["Phone", "Desktop"]}},
        {"locked": True}, {"locked": False}, {"pinned": True}, {"pinned": False},
    ):  # fmt: skip
        yield from site.change(one, **new)
    yield from site.block(one, epic)
    yield from site.unblock(one, epic)
    comment = site.comment(one, "Soon.")
    yield site.changes[-1]
    yield site.edit_comment(comment, "Later.")
    yield site.delete_comment(comment)
    yield site.rename_label(one.labels[0], "c")
    yield site.change_milestone(web.milestones[0], title="Winter")
    yield site.change_milestone(web.milestones[0], closed=True)
    yield site.change_milestone(web.milestones[0], closed=False)
    project = projects.add_project(site, site.accounts["acme"], "Board")
    projects.add_field(site, project, "Size", "NUMBER")
    projects.add_field(site, project, "Sprint", "ITERATION", iterations=[("One", date(2026, 11, 9), 14)])
    item = projects.add_item(site, project, one)
    yield site.changes[-1]
    for name, value in (("Status", "Done"), ("Size", 5), ("Sprint", "One"), ("Size", None)):
        yield projects.set_value(site, item, name, value)
    yield projects.archive(site, item)
    yield projects.archive(site, item, archived=False)
    yield projects.remove(site, item)
    draft = projects.add_draft(site, project, "Perhaps")
    yield projects.convert_draft(site, draft, one)
    site.transfer(one, kit)
    yield site.changes[-1]
    yield site.delete(epic)
    yield site.rename_repository(web, "shop")
    yield site.archive_repository(kit)


def test_webhooks_are_as_described_and_signed(site, hooks):
    face, seen = application(site), []
    for change in chain(list(site.changes), everything_happens(site)):
        delivery = face.webhook_for(change)
        body = json.loads(delivery.body)
        name = f"{delivery.headers['X-GitHub-Event']}.{body['action']}"
        check = Draft202012Validator({"$ref": f"#/$defs/{name}", "$defs": hooks})
        assert [(list(error.absolute_path), error.message[:200]) for error in check.iter_errors(body)] == [], name
        digest = hmac.new(site.webhook_secret.encode(), delivery.body, hashlib.sha256).hexdigest()
        assert delivery.headers["X-Hub-Signature-256"] == f"sha256={digest}"
        assert face.webhook_for(change).headers["X-GitHub-Delivery"] == delivery.headers["X-GitHub-Delivery"]
        seen.append((name, delivery.headers["X-GitHub-Delivery"]))
    assert len({id for _, id in seen}) == len(seen)
    assert {name for name, _ in seen} == {
        *(
            f"issues.{action}"
            for action in (
                "opened", "edited", "closed", "reopened", "deleted", "transferred", "assigned", "unassigned", "labeled",
                "unlabeled", "milestoned", "demilestoned", "typed", "untyped", "locked", "unlocked", "pinned",
                "unpinned", "field_added", "field_removed",
            )
        ),
        *(f"sub_issues.{side}_{action}" for side in ("sub_issue", "parent_issue") for action in ("added", "removed")),
        *(
            f"issue_dependencies.{side}_{action}"
            for side in ("blocked_by", "blocking")
            for action in ("added", "removed")
        ),
        *(f"issue_comment.{action}" for action in ("created", "edited", "deleted")),
        *(
            f"projects_v2_item.{action}"
            for action in ("created", "edited", "archived", "restored", "deleted", "converted")
        ),
        *(f"milestone.{action}" for action in ("edited", "closed", "opened")),
        "label.edited", "repository.renamed", "repository.archived",
    }  # fmt: skip


def test_what_a_delivery_says_of_a_change(site):
    face, one = application(site), site.find("acme/web#2")
    field = site.change(one, fields={"Effort": 5})[0]
    body = json.loads(face.webhook_for(field).body)
    assert (body["action"], body["issue"]["node_id"], body["issue_field"]["name"]) == ("field_added", one.id, "Effort")
    assert (body["issue_field_value"]["value"], body["changes"]["issue_field_value"]["from"]["value"]) == (5.0, 3.0)
    moved = site.transfer(one, site.repository("acme/kit"))
    body = json.loads(face.webhook_for(site.changes[-1]).body)
    assert (body["issue"]["node_id"], body["changes"]["new_issue"]["node_id"]) == (one.id, moved.id)
    assert body["changes"]["new_repository"]["full_name"] == "acme/kit"
    parent = site.change(moved, parent=None)
    bodies = [json.loads(face.webhook_for(change).body) for change in parent]
    assert [(body["action"], body["repository"]["name"], body["sub_issue"]["number"]) for body in bodies] == [
        ("parent_issue_removed", "kit", 1), ("sub_issue_removed", "web", 1),
    ]  # fmt: skip
