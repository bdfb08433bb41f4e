"""The simulated GitHub over HTTP: lists in pages, errors in GitHub's words, what calls cost, REST, GitHub Apps."""

from datetime import UTC, date, datetime, timedelta

import httpx
import jwt
import pytest
from graphql import GraphQLObjectType, get_named_type, is_leaf_type, is_required_argument, parse, validate

from app.demo import github_projects as projects
from app.demo.github import Site, application
from app.demo.github_cost import cost_of
from app.demo.github_graph import OLD_SERVER, engine
from app.demo.graphql import Refusal
from app.web.server import serve
from connectors.github import queries, selection
from connectors.github.outlets import comment as kept

NOW = datetime(2026, 11, 18, 9, 30, tzinfo=UTC)
EVERYTHING = selection.Selection(can=selection.EVERYTHING, projects=True, values=("Status", "Size"))
NOTHING = selection.Selection(can=frozenset())
LIST = 'query($first:Int,$after:String,$last:Int,$before:String){repository(owner:"acme",name:"web"){issues(\
first:$first,after:$after,last:$last,before:$before,orderBy:{field:UPDATED_AT,direction:ASC}){totalCount pageInfo{\
hasNextPage hasPreviousPage startCursor endCursor} nodes{number}}}}'


class Clock:
    """The site's time, moved by hand."""

    def __init__(self):
        self.at = NOW

    def __call__(self):
        return self.at


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def site(clock):
    """Seven issues in acme/web, each a day younger; #1 is an epic above #2 and #3; a project holds #2."""
    site = Site(clock=clock)
    acme = site.add_organization("acme", "Acme")
    site.add_issue_type(acme, "Epic")
    site.add_issue_field(acme, "Effort", "NUMBER")
    web = site.add_repository(acme, "web")
    site.add_repository(acme, "kit")
    for number in range(1, 8):
        site.create(web, f"Issue {number}", at=NOW - timedelta(days=20 - number))
    for number in (2, 3):
        site.change(
            web.issues[number - 1], at=NOW - timedelta(days=10), parent=web.issues[0], fields={"Effort": number}
        )
    site.change(web.issues[0], at=NOW - timedelta(days=9), type="Epic", labels=["okr/I3", "web"])
    project = projects.add_project(site, acme, "Board")
    projects.add_field(site, project, "Size", "NUMBER")
    projects.set_value(site, projects.add_item(site, project, web.issues[1]), "Size", 5)
    return site


@pytest.fixture
def face(site):
    return application(site)


@pytest.fixture
async def client(site, face):
    headers = {"authorization": f"Bearer {site.token}", "user-agent": "tests"}
    transport = httpx.ASGITransport(app=face)
    async with httpx.AsyncClient(transport=transport, base_url="https://api.github.com", headers=headers) as client:
        yield client


@pytest.fixture
def ask(client):
    """Ask a GraphQL question and return the answer's JSON; `status` is expected."""

    async def send(document, status=200, **variables):
        answer = await client.post("/graphql", json={"query": document, "variables": variables})
        assert answer.status_code == status, answer.text
        return answer.json()

    return send


@pytest.fixture
def numbers(ask):
    """The numbers on a page of `LIST`, and its `pageInfo`."""

    async def send(**asked):
        told = (await ask(LIST, **asked))["data"]["repository"]["issues"]
        assert told["totalCount"] == 7
        return [node["number"] for node in told["nodes"]], told["pageInfo"]

    return send


# Documents


def documents():
    for asked in (EVERYTHING, NOTHING):
        yield queries.listing_document(asked)
        yield queries.changed_document(asked)
        yield queries.by_ids_document(asked)
        yield from (queries.rest_of_document(asked, name) for name in selection.lists_of(asked))
    can = selection.EVERYTHING
    yield from (queries.history_document(can), queries.events_document(can), queries.owner_document(can))
    yield from (queries.listing_document(None), queries.CAPABILITIES, queries.MILESTONES, queries.PLACES)
    yield from (queries.PROJECT, queries.items_document(True), queries.REPOSITORIES_OF, queries.PROJECTS_OF)
    yield from (queries.ORGANIZATIONS, queries.organization_document(True, True), queries.counts_document(2, True))
    yield from (queries.repositories_document(2), queries.moved_document(2, True, True))
    yield from kept.DOCUMENTS


@pytest.mark.parametrize("document", list(documents()), ids=lambda text: text.split("(")[0].split("{")[0].strip())
def test_every_document_of_the_connector_is_understood(document):
    assert engine().prepare(document).errors == ()


@pytest.mark.parametrize("document", [queries.listing_document(NOTHING), queries.by_ids_document(NOTHING)])
def test_an_old_server_understands_what_asks_for_little(document):
    assert engine(OLD_SERVER).prepare(document).errors == ()


# Lists


async def test_pages_follow_each_other_from_both_ends(numbers):
    first, info = await numbers(first=3)
    # #1 was changed last, #2 and #3 before: they are at the end of the order of changes.
    assert (first, info["hasNextPage"], info["hasPreviousPage"]) == ([4, 5, 6], True, False)
    second, info = await numbers(first=3, after=info["endCursor"])
    assert (second, info["hasNextPage"], info["hasPreviousPage"]) == ([7, 2, 3], True, True)
    third, info = await numbers(first=3, after=info["endCursor"])
    assert (third, info["hasNextPage"]) == ([1], False)
    assert (await numbers(last=2))[0] == [3, 1]
    back, info = await numbers(last=2, before=(await numbers(last=2))[1]["startCursor"])
    assert (back, info["hasPreviousPage"], info["hasNextPage"]) == ([7, 2], True, True)
    nothing, info = await numbers(first=3, after=(await numbers(first=7))[1]["endCursor"])
    assert (nothing, info["startCursor"], info["endCursor"]) == ([], None, None)


async def test_what_changes_while_a_list_is_read_is_met_again_at_its_end(numbers, site):
    _, info = await numbers(first=3)
    site.change(site.find("acme/web#5"), title="Moved on")
    rest, info = await numbers(first=100, after=info["endCursor"])
    assert rest == [7, 2, 3, 1, 5]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("orderBy:{field:CREATED_AT,direction:DESC}", [7, 6, 5, 4, 3, 2, 1]),
        ("orderBy:{field:CREATED_AT,direction:DESC},states:[CLOSED]", [4]),
        ("orderBy:{field:COMMENTS,direction:DESC}", [6, 7, 5, 4, 3, 2, 1]),
        ('filterBy:{since:"2026-11-08T09:30:00Z"}', [1, 2, 3, 4, 6]),
        ('filterBy:{since:"2026-11-08T09:30:01Z"}', [1, 4, 6]),
        (
            'filterBy:{since:"2026-11-08T09:30:00Z",states:[OPEN]},orderBy:{field:UPDATED_AT,direction:ASC}',
            [2, 3, 1, 6],
        ),
        ('filterBy:{type:"Epic"}', [1]),
        ('filterBy:{type:"none",milestone:"none",assignee:"none",milestoneNumber:"none"}', [2, 3, 4, 5, 6, 7]),
        ('labels:["web"]', [1]),
    ],
)
async def test_orders_and_filters(ask, site, arguments, expected):
    site.change(site.find("acme/web#4"), state="closed")
    site.comment(site.find("acme/web#6"), "Soon.")
    text = f'{{repository(owner:"acme",name:"web"){{issues(first:100,{arguments}){{nodes{{number}}}}}}}}'
    told = await ask(text)
    assert [node["number"] for node in told["data"]["repository"]["issues"]["nodes"]] == expected


async def test_a_whole_issue_as_the_connector_asks_for_it(site, face, client):
    issue = site.find("acme/web#2")
    site.change(issue, labels=["a", "b"], assignees=[site.member], state="closed", reason="not_planned")
    site.block(issue, site.find("acme/web#4"))
    call = queries.by_ids(EVERYTHING, [issue.id])
    told = (await client.post(call.path, json=call.json)).json()
    epic, blocker = site.find("acme/web#1"), site.find("acme/web#4")
    item, project = issue.items[0], site.accounts["acme"].projects[0]
    size, effort = project.field("Size"), site.accounts["acme"].issue_fields[0]
    end = {"hasNextPage": False, "endCursor": "Y3Vyc29yOnYyOlswXQ=="}
    assert told == {
        "data": {
            "rateLimit": {
                "cost": 1, "limit": 5000, "remaining": 4999, "used": 1, "resetAt": "2026-11-18T10:30:00Z",
            },
            "nodes": [
                {
                    "__typename": "Issue",
                    "id": issue.id,
                    "number": 2,
                    "title": "Issue 2",
                    "url": "https://github.com/acme/web/issues/2",
                    "state": "CLOSED",
                    "stateReason": "NOT_PLANNED",
                    "createdAt": "2026-10-31T09:30:00Z",
                    "updatedAt": "2026-11-18T09:30:00Z",
                    "closedAt": "2026-11-18T09:30:00Z",
                    "fullDatabaseId": str(issue.id_number),
                    "repository": {"nameWithOwner": "acme/web", "isArchived": False},
                    "milestone": None,
                    "issueType": None,
                    "parent": {"id": epic.id, "number": 1, "repository": {"nameWithOwner": "acme/web"}},
                    "subIssuesSummary": {"total": 0, "completed": 0, "percentCompleted": 0},
                    "issueDependenciesSummary": {"blockedBy": 1, "totalBlockedBy": 1},
                    "duplicateOf": None,
                    "assignees": {
                        "totalCount": 1,
                        "pageInfo": end,
                        "nodes": [{"login": "delivery-lead", "id": site.member.id}],
                    },
                    "labels": {
                        "totalCount": 2,
                        "pageInfo": {"hasNextPage": False, "endCursor": "Y3Vyc29yOnYyOlsxXQ=="},
                        "nodes": [{"id": label.id, "name": label.name} for label in issue.labels],
                    },
                    "blockedBy": {
                        "totalCount": 1,
                        "pageInfo": end,
                        "nodes": [
                            {
                                "id": blocker.id, "number": 4, "state": "OPEN",
                                "repository": {"nameWithOwner": "acme/web"},
                            }
                        ],
                    },
                    "issueFieldValues": {
                        "totalCount": 1,
                        "pageInfo": end,
                        "nodes": [
                            {
                                "__typename": "IssueFieldNumberValue",
                                "field": {
                                    "__typename": "IssueFieldNumber", "id": effort.id, "name": "Effort",
                                    "dataType": "NUMBER",
                                },
                                "numberValue": 2.0,
                            }
                        ],
                    },
                    "projectItems": {
                        "totalCount": 1,
                        "pageInfo": end,
                        "nodes": [
                            {
                                "id": item.id,
                                "type": "ISSUE",
                                "isArchived": False,
                                "updatedAt": "2026-11-18T09:30:00Z",
                                "project": {
                                    "id": project.id, "number": 1, "title": "Board", "owner": {"login": "acme"}
                                },
                                "value0": None,
                                "value1": {
                                    "__typename": "ProjectV2ItemFieldNumberValue",
                                    "field": {"id": size.id, "name": "Size", "dataType": "NUMBER"},
                                    "number": 5.0,
                                },
                            }
                        ],
                    },
                }
            ],
        }
    }  # fmt: skip


async def test_the_past_of_an_issue_by_kinds(site, client):
    issue = site.find("acme/web#2")
    site.change(issue, at=NOW - timedelta(days=2), state="closed")
    site.change(issue, at=NOW - timedelta(days=1), state="open", fields={"Effort": 8})
    site.comment(issue, "Soon.")
    call = queries.history(selection.EVERYTHING, [issue.id])
    told = (await client.post(call.path, json=call.json)).json()["data"]["nodes"][0]["timelineItems"]
    assert told["totalCount"] == 5
    assert [(one["__typename"], one["createdAt"]) for one in told["nodes"]] == [
        ("ParentIssueAddedEvent", "2026-11-08T09:30:00Z"),
        ("IssueFieldAddedEvent", "2026-11-08T09:30:00Z"),
        ("ClosedEvent", "2026-11-16T09:30:00Z"),
        ("ReopenedEvent", "2026-11-17T09:30:00Z"),
        ("IssueFieldChangedEvent", "2026-11-17T09:30:00Z"),
    ]
    assert (told["nodes"][2]["stateReason"], told["nodes"][2]["duplicateOf"]) == ("COMPLETED", None)
    assert (told["nodes"][4]["previousValue"], told["nodes"][4]["newValue"]) == ("2", "8")


async def test_items_of_a_project_and_its_archive(site, client, ask):
    project = site.accounts["acme"].projects[0]
    projects.archive(site, projects.add_item(site, project, site.find("acme/web#3")))
    projects.add_item(site, project, site.create_pull(site.repository("acme/web"), "Do it"))
    projects.add_draft(site, project, "Perhaps")
    kit = site.create(site.repository("acme/kit"), "Elsewhere")
    projects.add_item(site, project, kit)
    kit.repository.hidden = True
    call = queries.items(selection.EVERYTHING, project.id)
    nodes = (await client.post(call.path, json=call.json)).json()["data"]["node"]["items"]["nodes"]
    assert [(node["type"], node["isArchived"], node["content"]) for node in nodes] == [
        ("ISSUE", False, {"__typename": "Issue", "id": site.find("acme/web#2").id,
                          "repository": {"nameWithOwner": "acme/web"}}),
        ("ISSUE", True, {"__typename": "Issue", "id": site.find("acme/web#3").id,
                         "repository": {"nameWithOwner": "acme/web"}}),
        ("PULL_REQUEST", False, {"__typename": "PullRequest"}),
        ("DRAFT_ISSUE", False, {"__typename": "DraftIssue"}),
        ("REDACTED", False, None),
    ]  # fmt: skip
    text = "query($id:ID!){node(id:$id){... on ProjectV2{items(first:100){totalCount}}}}"
    assert (await ask(text, id=project.id))["data"]["node"]["items"]["totalCount"] == 4


async def test_values_that_a_project_shows(site, ask):
    project = site.accounts["acme"].projects[0]
    projects.add_field(site, project, "Sprint", "ITERATION", iterations=[("One", date(2026, 11, 9), 14)])
    issue = site.find("acme/web#2")
    site.change(issue, labels=["a"], assignees=[site.member])
    projects.set_value(site, issue.items[0], "Sprint", "One")
    text = """query($id:ID!){node(id:$id){... on ProjectV2Item{fieldValues(first:20){nodes{__typename
      ... on ProjectV2ItemFieldTextValue{text} ... on ProjectV2ItemFieldNumberValue{number}
      ... on ProjectV2ItemFieldUserValue{users(first:5){nodes{login}}}
      ... on ProjectV2ItemFieldLabelValue{labels(first:5){nodes{name}}}
      ... on ProjectV2ItemFieldRepositoryValue{repository{name}}
      ... on ProjectV2ItemFieldIterationValue{title startDate duration}}}}}}"""
    told = await ask(text, id=issue.items[0].id)
    assert told["data"]["node"]["fieldValues"]["nodes"] == [
        {"__typename": "ProjectV2ItemFieldTextValue", "text": "Issue 2"},
        {"__typename": "ProjectV2ItemFieldUserValue", "users": {"nodes": [{"login": "delivery-lead"}]}},
        {"__typename": "ProjectV2ItemFieldLabelValue", "labels": {"nodes": [{"name": "a"}]}},
        {"__typename": "ProjectV2ItemFieldRepositoryValue", "repository": {"name": "web"}},
        {"__typename": "ProjectV2ItemFieldNumberValue", "number": 5.0},
        {"__typename": "ProjectV2ItemFieldIterationValue", "title": "One", "startDate": "2026-11-09", "duration": 14},
    ]


async def test_owners_and_what_they_have(site, client):
    site.repository("acme/kit").is_archived = True
    call = queries.organization("acme", since="2026-11-18T00:00:00Z", milestones=True)
    told = (await client.post(call.path, json=call.json)).json()["data"]["organization"]
    assert [(one["nameWithOwner"], one["isArchived"], one["issues"]) for one in told["repositories"]["nodes"]] == [
        ("acme/kit", True, {"totalCount": 0}),
        ("acme/web", False, {"totalCount": 0}),
    ]
    call = queries.project("acme", 1)
    told = (await client.post(call.path, json=call.json)).json()["data"]["repositoryOwner"]
    fields = told["projectV2"]["fields"]["nodes"]
    assert (told["__typename"], told["projectV2"]["title"]) == ("Organization", "Board")
    assert [one["name"] for one in fields if one["dataType"] in ("SINGLE_SELECT", "NUMBER")] == ["Status", "Size"]
    assert [one["name"] for one in fields[2]["options"]] == ["Todo", "In Progress", "Done"]
    call = queries.owner(selection.EVERYTHING, "acme")
    told = (await client.post(call.path, json=call.json)).json()["data"]["organization"]
    assert [one["name"] for one in told["issueTypes"]["nodes"]] == ["Epic"]
    assert [(one["name"], one["dataType"]) for one in told["issueFields"]["nodes"]] == [("Effort", "NUMBER")]


# Errors


async def test_what_is_not_there_is_null_and_told(ask, site):
    gone = site.find("acme/web#7")
    site.delete(gone)
    here = site.find("acme/web#1")
    told = await ask("query($ids:[ID!]!){nodes(ids:$ids){id}}", ids=[here.id, gone.id])
    assert told == {
        "data": {"nodes": [{"id": here.id}, None]},
        "errors": [
            {
                "type": "NOT_FOUND",
                "path": ["nodes", 1],
                "locations": [{"line": 1, "column": 20}],
                "message": f"Could not resolve to a node with the global id of '{gone.id}'",
            }
        ],
    }


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ('{repository(owner:"acme",name:"no"){id}}',
         ("NOT_FOUND", "Could not resolve to a Repository with the name 'acme/no'.")),
        ('{organization(login:"no"){id}}',
         ("NOT_FOUND", "Could not resolve to an Organization with the login of 'no'.")),
        ('{user(login:"acme"){id}}', ("NOT_FOUND", "Could not resolve to a User with the login of 'acme'.")),
        ('{organization(login:"acme"){projectV2(number:9){id}}}',
         ("NOT_FOUND", "Could not resolve to a ProjectV2 with the number 9.")),
        ('{repository(owner:"acme",name:"web"){issue(number:99){id}}}',
         ("NOT_FOUND", "Could not resolve to an Issue with the number of 99.")),
        ('{repository(owner:"acme",name:"web"){issues(first:5,after:"nonsense"){nodes{id}}}}',
         ("INVALID_CURSOR_ARGUMENTS", "`nonsense` does not appear to be a valid cursor.")),
        ('{repository(owner:"acme",name:"web"){issues{nodes{id}}}}',
         ("MISSING_PAGINATION_BOUNDARIES",
          "You must provide a `first` or `last` value to properly paginate the `issues` connection.")),
        ('{repository(owner:"acme",name:"web"){issues(first:101){nodes{id}}}}',
         ("EXCESSIVE_PAGINATION",
          "Requesting 101 records on the `issues` connection exceeds the `first` limit of 100 records.")),
        ('{repository(owner:"acme",name:"web"){issues(first:100){nodes{labels(first:100){nodes{issues:repository{'
         "issues(first:100){nodes{id}}}}}}}}}",
         ("MAX_NODE_LIMIT_EXCEEDED",
          "This query requests up to 1,010,100 possible nodes which exceeds the maximum limit of 500,000.")),
    ],
)  # fmt: skip
async def test_refusals_are_worded_as_githubs(ask, text, error):
    told = (await ask(text))["errors"]
    assert [(one["type"], one["message"]) for one in told] == [error]


async def test_a_field_that_the_schema_lacks_fails_the_whole_document(ask):
    assert await ask("{viewer{login shoeSize}}") == {
        "errors": [
            {
                "path": ["query"],
                "extensions": {"code": "undefinedField", "typeName": "User", "fieldName": "shoeSize"},
                "locations": [{"line": 1, "column": 15}],
                "message": "Field 'shoeSize' doesn't exist on type 'User'",
            }
        ]
    }
    assert "data" not in await ask("{viewer{")
    assert "data" not in await ask("query A{viewer{login}} query B{viewer{login}}")


async def test_introspection_tells_a_new_server_from_an_old_one(site, client):
    call = queries.capabilities()
    told = (await client.post(call.path, json=call.json)).json()["data"]
    fields = {one["name"] for one in told["Issue"]["fields"]}
    assert fields >= set(selection.ISSUE_FIELDS) - {"status"}
    assert told["IssueStatus"] is None
    old = httpx.AsyncClient(
        transport=httpx.ASGITransport(app=application(site, without=OLD_SERVER)), base_url="http://x"
    )
    async with old:
        headers = {"authorization": f"Bearer {site.token}", "user-agent": "tests"}
        told = (await old.post(call.path, json=call.json, headers=headers)).json()["data"]
    fields = {one["name"] for one in told["Issue"]["fields"]}
    assert fields & set(selection.ISSUE_FIELDS) == {"fullDatabaseId", "stateReason"}
    assert {one["name"] for one in told["IssueTimelineItemsItemType"]["enumValues"]} >= {
        "CLOSED_EVENT",
        "LABELED_EVENT",
    }
    assert "ISSUE_TYPE_ADDED_EVENT" not in {one["name"] for one in told["IssueTimelineItemsItemType"]["enumValues"]}
    assert told["IssueFieldValue"] is None


# What calls cost


@pytest.mark.parametrize(
    ("text", "variables", "expected"),
    [
        ("{viewer{login}}", {}, (0, 0, 1)),
        ('{repository(owner:"a",name:"b"){issues(first:100){nodes{id}}}}', {}, (1, 100, 1)),
        ('query($n:Int=100){repository(owner:"a",name:"b"){issues(first:$n){nodes{...I}}}} '
         "fragment I on Issue{labels(first:50){nodes{id}} assignees(first:10){nodes{id}} "
         "issueFieldValues(first:20){nodes{__typename}}}", {}, (301, 8100, 3)),
        ("query($ids:[ID!]!){nodes(ids:$ids){... on Issue{labels(first:2){nodes{id}}}}}", {"ids": ["a"] * 100},
         (100, 300, 1)),
        ('{a:repository(owner:"a",name:"b"){issues(last:1){nodes{id}}} '
         'b:repository(owner:"a",name:"b"){issues(last:1){nodes{id}}}}', {}, (2, 2, 1)),
    ],
)  # fmt: skip
def test_points_by_the_vendors_formula(text, variables, expected):
    document = parse(text)
    assert validate(engine().schema, document) == []
    cost = cost_of(engine().schema, document, document.definitions[0], variables)
    assert (cost.requests, cost.nodes, cost.points) == expected


async def test_what_is_left_is_told_in_headers_and_body_until_the_hour_is_over(site, client, clock):
    site.access.limits["graphql"] = 2
    text = {"query": "{rateLimit{cost limit remaining used resetAt nodeCount}}"}
    first = await client.post("/graphql", json=text)
    assert first.json()["data"]["rateLimit"] == {
        "cost": 1, "limit": 2, "remaining": 1, "used": 1, "resetAt": "2026-11-18T10:30:00Z", "nodeCount": 0,
    }  # fmt: skip
    shown = {name: first.headers[f"x-ratelimit-{name}"] for name in ("limit", "remaining", "used", "reset", "resource")}
    assert shown == {
        "limit": "2", "remaining": "1", "used": "1", "reset": str(int((NOW + timedelta(hours=1)).timestamp())),
        "resource": "graphql",
    }  # fmt: skip
    assert first.headers["date"] == "Wed, 18 Nov 2026 09:30:00 GMT"
    await client.post("/graphql", json=text)
    refused = await client.post("/graphql", json=text)
    assert (refused.status_code, refused.headers["x-ratelimit-remaining"]) == (200, "0")
    assert [error["type"] for error in refused.json()["errors"]] == ["RATE_LIMITED"]
    clock.at += timedelta(hours=1)
    assert (await client.post("/graphql", json=text)).json()["data"]["rateLimit"]["remaining"] == 1


# Comments


async def test_comments_are_made_changed_and_deleted(site, ask):
    issue = site.find("acme/web#1")
    told = await ask(kept.ADD_COMMENT, subjectId=issue.id, body="First.")
    id = told["data"]["addComment"]["commentEdge"]["node"]["id"]
    assert issue.updated_at == NOW
    site.comment(issue, "Of somebody else.")
    await ask(kept.UPDATE_COMMENT, id=id, body="Second.")
    told = (await ask(kept.COMMENTS, id=issue.id))["data"]["node"]["comments"]
    assert [(one["body"], one["viewerDidAuthor"]) for one in told["nodes"]] == [
        ("Second.", True), ("Of somebody else.", False),
    ]  # fmt: skip
    assert (await ask(kept.COMMENT, id=id))["data"]["node"] == {
        "__typename": "IssueComment",
        "id": id,
        "body": "Second.",
    }
    await ask(kept.DELETE_COMMENT, id=id)
    assert [error["type"] for error in (await ask(kept.COMMENT, id=id))["errors"]] == ["NOT_FOUND"]
    assert [(change.action, change.actor) for change in site.changes[-4:]] == [
        ("created", site.me), ("created", site.member), ("edited", site.me), ("deleted", site.me),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("spoil", "body", "error"),
    [
        ({"is_archived": True}, "Hello", ("FORBIDDEN", "Repository was archived so is read-only.")),
        ({"viewer_permission": "READ"}, "Hello", ("FORBIDDEN", "Resource not accessible by personal access token")),
        ({}, " ", ("UNPROCESSABLE", "Body can't be blank")),
        ({}, "x" * 65_537, ("UNPROCESSABLE", "Body is too long (maximum is 65536 characters)")),
    ],
)
async def test_comments_that_are_refused(site, ask, spoil, body, error):
    issue = site.find("acme/web#1")
    for name, value in spoil.items():
        setattr(issue.repository, name, value)
    told = await ask(kept.ADD_COMMENT, subjectId=issue.id, body=body)
    assert told["data"] == {"addComment": None}
    assert [(one["type"], one["message"], one["path"]) for one in told["errors"]] == [(*error, ["addComment"])]


async def test_a_comment_of_another_is_not_ours_to_change(site, ask):
    comment = site.comment(site.find("acme/web#1"), "Mine.")
    told = await ask(kept.UPDATE_COMMENT, id=comment.id, body="Ours.")
    assert [error["type"] for error in told["errors"]] == ["FORBIDDEN"]
    assert comment.body == "Mine."


# REST


async def read(client, call):
    return await client.request(call.method, call.path, params=call.params, headers=call.headers)


async def test_rest_lists_pull_requests_too_and_tells_what_is_unchanged(site, client):
    site.create_pull(site.repository("acme/web"), "Do it", at=NOW - timedelta(days=1))
    first = await read(client, queries.issues("", "acme/web"))
    assert [(one["number"], "pull_request" in one) for one in first.json()] == [
        (4, False), (5, False), (6, False), (7, False), (2, False), (3, False), (1, False), (8, True),
    ]  # fmt: skip
    assert "link" not in first.headers
    again = await read(client, queries.issues("", "acme/web", etag=first.headers["etag"]))
    assert (again.status_code, again.content, again.headers["x-ratelimit-used"]) == (304, b"", "1")
    site.change(site.find("acme/web#4"), title="Changed")
    changed = await read(client, queries.issues("", "acme/web", "2026-11-18T09:30:00Z", first.headers["etag"]))
    assert [one["title"] for one in changed.json()] == ["Changed"]


@pytest.mark.parametrize("large", [False, True])
async def test_rest_pages_lead_on_by_their_links(site, client, large):
    site.faults.large_repositories = large
    address, seen = "/repos/acme/web/issues?state=all&per_page=3&sort=created&direction=asc", []
    while address:
        answer = await client.get(address)
        seen += [one["number"] for one in answer.json()]
        found = [part for part in answer.headers.get("link", "").split(", ") if part.endswith('rel="next"')]
        address = found[0].partition(">")[0].removeprefix("<") if found else None
        assert address is None or "/repositories/700000001/issues?" in address
        assert address is None or ("after=" in address) is large
    assert seen == [1, 2, 3, 4, 5, 6, 7]
    numbered = await client.get("/repos/acme/web/issues?page=2&per_page=3")
    assert numbered.status_code == (422 if large else 200)


async def test_rest_lists_open_issues_only_unless_asked(site, client):
    site.change(site.find("acme/web#4"), state="closed")
    assert [one["number"] for one in (await client.get("/repos/acme/web/issues")).json()] == [7, 6, 5, 3, 2, 1]
    assert [one["number"] for one in (await client.get("/repos/acme/web/issues?labels=web")).json()] == [1]
    site.repository("acme/web").has_issues_enabled = False
    assert (await client.get("/repos/acme/web/issues")).status_code == 410


async def test_rest_knows_where_an_issue_went(site, client):
    web, kit = site.repository("acme/web"), site.repository("acme/kit")
    moved = site.transfer(site.find("acme/web#4"), kit)
    site.delete(site.find("acme/web#5"))
    answer = await read(client, queries.issue("", "acme/web", 4))
    assert (answer.status_code, answer.headers["location"]) == (
        301, f"https://api.github.com/repositories/{kit.number}/issues/1",
    )  # fmt: skip
    assert (await client.get(answer.headers["location"])).json()["node_id"] == moved.id
    assert (await read(client, queries.issue("", "acme/web", 5))).status_code == 410
    assert (await read(client, queries.issue("", "acme/web", 99))).status_code == 404
    kit.hidden = True
    assert (await read(client, queries.issue("", "acme/web", 4))).status_code == 404
    site.rename_repository(web, "shop")
    answer = await read(client, queries.issue("", "acme/web", 1))
    assert (answer.status_code, answer.headers["location"]) == (
        301, f"https://api.github.com/repositories/{web.number}/issues/1",
    )  # fmt: skip
    assert (await client.get(answer.headers["location"])).json()["number"] == 1


async def test_versions_of_the_rest_api(client):
    told = {}
    for version in ("2022-11-28", "2026-03-10", "2020-01-01"):
        told[version] = await client.get("/repos/acme/web/issues/1", headers={"x-github-api-version": version})
    assert "assignee" in told["2022-11-28"].json()
    assert "assignee" not in told["2026-03-10"].json()
    assert told["2020-01-01"].status_code == 400
    assert "rate" not in (await client.get("/rate_limit", headers={"x-github-api-version": "2026-03-10"})).json()


async def test_small_calls(site, client):
    assert (await client.get("/user")).json()["login"] == "keyrail-bot"
    assert (await read(client, queries.repository("", "acme/web"))).headers["x-oauth-scopes"] == (
        "repo, read:org, read:project"
    )
    assert (await read(client, queries.rate_limit(""))).json()["resources"]["core"]["used"] == 2
    assert (await read(client, queries.planning_statuses("", "acme/web"))).status_code == 404
    site.planning_statuses = [{"id": 1, "name": "Backlog", "category": "backlog"}]
    assert (await read(client, queries.planning_statuses("", "acme/web"))).json() == site.planning_statuses
    assert (await client.get("/no/such/place")).status_code == 404
    assert (await client.get("/rate_limit", headers={"user-agent": ""})).status_code == 200
    page = await client.get("/acme/web/issues/1")
    assert "Issue 1" in page.text
    assert (await client.get("/acme/web/issues/99")).status_code == 404


async def test_an_enterprise_server_has_other_paths_and_no_limits(clock):
    site = Site(clock=clock, url="https://git.acme.example", server="3.17.4")
    acme = site.add_organization("acme")
    site.create(site.add_repository(acme, "web"), "One", labels=["a"])
    transport = httpx.ASGITransport(app=application(site))
    headers = {"authorization": f"Bearer {site.token}", "user-agent": "tests"}
    async with httpx.AsyncClient(transport=transport, base_url=site.url, headers=headers) as client:
        call = queries.listing(NOTHING, "acme/web", "ASC")
        answer = await client.post("/api/graphql", json=call.json)
        assert answer.json()["data"]["rateLimit"] is None
        assert answer.json()["data"]["repository"]["issues"]["totalCount"] == 1
        assert answer.headers["x-github-enterprise-version"] == "3.17.4"
        assert "x-ratelimit-limit" not in answer.headers
        told = (await client.get("/api/v3/repos/acme/web/issues/1")).json()
        assert told["url"] == "https://git.acme.example/api/v3/repos/acme/web/issues/1"
        assert "sub_issues_summary" not in told
        assert (await client.get("/api/v3/rate_limit")).status_code == 404


# Who may call


async def test_credentials(site, client):
    async def status(value):
        return (await client.get("/user", headers={"authorization": value})).status_code

    assert await status("Bearer nonsense") == 401
    assert await status(f"token {site.token}") == 200
    assert (
        await client.post("/graphql", headers={"authorization": ""}, json={"query": "{viewer{login}}"})
    ).status_code == 401
    site.access.add_token("github_pat_x", site.member, scopes=None)
    answer = await client.get("/user", headers={"authorization": "Bearer github_pat_x"})
    assert (answer.json()["login"], "x-oauth-scopes" in answer.headers) == ("delivery-lead", False)
    site.access.revoke("github_pat_x")
    assert await status("Bearer github_pat_x") == 401


async def test_a_token_without_a_scope_cannot_ask_for_projects(site, client):
    site.access.add_token("ghp_little", site.me, scopes=["repo"])
    call = queries.project("acme", 1)
    answer = await client.post(call.path, json=call.json, headers={"authorization": "Bearer ghp_little"})
    errors = answer.json()["errors"]
    assert [error["type"] for error in errors] == ["INSUFFICIENT_SCOPES"]
    assert "requires one of the following scopes: ['read:project']" in errors[0]["message"]
    assert "data" not in answer.json()


@pytest.fixture
def app(site):
    return site.access.add_app(site.add_bot("keyrail"))


def proof(app, **changed):
    at = int(NOW.timestamp())
    told = {"iat": at - 60, "exp": at + 540, "iss": app.client_id, **changed}
    return {"authorization": f"Bearer {jwt.encode(told, app.private_key, algorithm='RS256')}"}


async def test_an_app_is_given_tokens_for_an_hour(site, client, clock, app):
    path = f"/app/installations/{app.installation}/access_tokens"
    answer = await client.post(path, headers=proof(app))
    assert (answer.status_code, answer.json()["expires_at"]) == (201, "2026-11-18T10:30:00Z")
    assert answer.json()["permissions"]["issues"] == "write"
    headers = {"authorization": f"Bearer {answer.json()['token']}"}
    text = {"query": "{viewer{__typename login}}"}
    told = await client.post("/graphql", json=text, headers=headers)
    assert told.json()["data"]["viewer"] == {"__typename": "User", "login": "keyrail[bot]"}
    assert (await client.get("/user", headers=headers)).status_code == 403
    clock.at += timedelta(hours=1)
    assert (await client.post("/graphql", json=text, headers=headers)).status_code == 401


@pytest.mark.parametrize(
    "changed",
    [
        {"iss": "somebody"},
        {"exp": int(NOW.timestamp()) + 3600},
        {"exp": int(NOW.timestamp()) - 1},
        {"iat": int(NOW.timestamp()) + 600},
    ],
)
async def test_an_app_that_does_not_prove_itself_gets_nothing(client, app, changed):
    path = f"/app/installations/{app.installation}/access_tokens"
    assert (await client.post(path, headers=proof(app, **changed))).status_code == 401


async def test_who_an_app_is_and_where(site, client, app):
    path = f"/app/installations/{app.installation}"
    secret = jwt.encode({"iss": app.client_id}, "x" * 32, algorithm="HS256")
    assert (await client.get("/app", headers={"authorization": f"Bearer {secret}"})).status_code == 401
    assert (await client.get("/app", headers={"authorization": f"Bearer {site.token}"})).status_code == 401
    assert (await client.get("/app", headers=proof(app, iss=str(app.id)))).json()["slug"] == "keyrail"
    assert (await client.get(path, headers=proof(app))).json()["account"]["login"] == "acme"
    assert (await client.get("/app/installations/1", headers=proof(app))).status_code == 404
    assert (await client.post("/app/installations/1/access_tokens", headers=proof(app))).status_code == 404


# Observers


async def test_exchanges_are_seen_and_counted(site, face, client, ask):
    seen = []
    face.observers.append(seen.append)
    await ask("query Who{viewer{login}}")
    await client.get("/rate_limit")
    assert [(one.method, one.path, one.status) for one in seen] == [
        ("POST", "/graphql", 200), ("GET", "/rate_limit", 200),
    ]  # fmt: skip
    assert (face.count(), face.count("/graphql"), face.operations(), face.points) == (2, 1, ["Who"], 1)


async def test_over_a_real_socket(site, face):
    async with serve(face) as url:
        site.url = url
        headers = {"authorization": f"Bearer {site.token}"}
        async with httpx.AsyncClient(base_url=url, headers=headers) as client:
            told = (await client.get("/repos/acme/web/issues/1")).json()
            assert told["url"] == f"{url}/repos/acme/web/issues/1"
            assert (await client.get(told["html_url"])).status_code == 200


def test_refusals_carry_what_the_vendor_adds():
    with pytest.raises(Refusal) as caught:
        cost_of(engine().schema, (document := parse("{viewer{organizations{nodes{id}}}}")), document.definitions[0], {})
    assert caught.value.told == {"type": "MISSING_PAGINATION_BOUNDARIES", "path": ["query", "viewer", "organizations"]}


# Everything that the schema has


def leaves(kind):
    """Select every plain field of a type, each under a name of its type so that none conflicts with another's."""
    return " ".join(
        f"{kind.name}_{name}:{name}"
        for name, field in kind.fields.items()
        if is_leaf_type(get_named_type(field.type))
        and not any(is_required_argument(argument) for argument in field.args.values())
    )


def any_of(kinds):
    return "__typename " + " ".join(f"... on {kind.name}{{{leaves(kind)}}}" for kind in kinds if kind.fields)


def let_everything_happen(site):
    acme, issue, other = site.accounts["acme"], site.find("acme/web#2"), site.find("acme/web#4")
    fields = (
        ("Stage", "SINGLE_SELECT", ["Ready"]),
        ("Due", "DATE", []),
        ("Note", "TEXT", []),
        ("For", "MULTI_SELECT", ["A", "B"]),
    )
    for name, data_type, options in fields:
        site.add_issue_field(acme, name, data_type, options)
    site.add_issue_type(acme, "Task")
    milestone = site.add_milestone(issue.repository, "November", due=date(2026, 11, 30))
    site.change(
        issue, labels=["a"], assignees=[site.member], milestone=milestone, type="Task", title="New", locked=True,
        pinned=True, state="closed", reason="duplicate", duplicate_of=other,
        fields={"Effort": 8, "Stage": "Ready", "Due": "2026-11-30", "Note": "Why", "For": ["A", "B"]},
    )  # fmt: skip
    project = acme.projects[0]
    for name, data_type, value in (
        ("Day", "DATE", date(2026, 11, 30)),
        ("Memo", "TEXT", "x"),
        ("Sprint", "ITERATION", "One"),
    ):
        iterations = [("One", date(2026, 11, 9), 14)] if data_type == "ITERATION" else ()
        projects.add_field(site, project, name, data_type, iterations=iterations)
        projects.set_value(site, issue.items[0], name, value)
    projects.add_field(site, project, "Effort", "NUMBER", issue_field=acme.issue_fields[0])
    projects.set_value(site, issue.items[0], "Status", "Done")
    site.block(issue, other)
    site.unblock(issue, other)
    site.comment(issue, "Soon.")
    projects.remove(site, projects.add_item(site, project, issue))
    site.change(
        issue, state="open", labels=[], assignees=[], milestone=None, type="Epic", parent=None, locked=False,
        pinned=False, fields={"Note": None},
    )  # fmt: skip
    site.change(issue, type=None)
    projects.add_draft(site, project, "Perhaps")
    site.create_pull(issue.repository, "Do it")
    site.add_bot("keyrail")
    return site.transfer(issue, site.repository("acme/kit"))


async def test_every_plain_field_of_every_thing_is_answered(site, ask):
    schema = engine().schema
    let_everything_happen(site)
    kinds = [kind for kind in schema.type_map.values() if isinstance(kind, GraphQLObjectType)]
    nodes = [kind for kind in kinds if any(face.name == "Node" for face in kind.interfaces)]
    ids = [id for id in site.nodes if site.node(id) is not None]
    text = f"query($ids:[ID!]!){{nodes(ids:$ids){{{any_of(nodes)}}}}}"
    seen = set()
    for begin in range(0, len(ids), 100):
        told = await ask(text, ids=ids[begin : begin + 100])
        assert "errors" not in told
        seen |= {node["__typename"] for node in told["data"]["nodes"]}
    assert seen >= {
        "User", "Organization", "Bot", "Repository", "Issue", "PullRequest", "Label", "Milestone", "IssueType",
        "IssueFieldNumber", "IssueFieldDate", "IssueFieldText", "IssueFieldSingleSelect", "IssueFieldMultiSelect",
        "ProjectV2", "ProjectV2Field", "ProjectV2SingleSelectField", "ProjectV2IterationField", "ProjectV2Item",
        "DraftIssue", "IssueComment",
    }  # fmt: skip


async def test_every_plain_field_of_every_event_and_value_is_answered(site, ask):
    schema = engine().schema
    moved = let_everything_happen(site)
    events = schema.type_map["IssueTimelineItems"].types
    values = schema.type_map["IssueFieldValue"].types
    shown = [kind for kind in schema.type_map["ProjectV2ItemFieldValue"].types if "id" in kind.fields]
    text = f"""query($id:ID!){{node(id:$id){{... on Issue{{
      timelineItems(first:100){{nodes{{{any_of(events)}}}}} issueFieldValues(first:20){{nodes{{{any_of(values)}}}}}
      projectItems(first:5){{nodes{{fieldValues(first:50){{nodes{{{any_of(shown)}}}}}}}}}}}}}}}"""
    told = await ask(text, id=moved.id)
    assert "errors" not in told
    node = told["data"]["node"]
    here = {one["__typename"] for one in node["timelineItems"]["nodes"]}
    assert {kind.name for kind in events} - here == {
        # on the other side of a link, or of an issue that is gone
        "BlockingAddedEvent", "BlockingRemovedEvent", "SubIssueAddedEvent", "SubIssueRemovedEvent",
        "ConvertedToDiscussionEvent",
    }  # fmt: skip
    assert {one["__typename"] for one in node["issueFieldValues"]["nodes"]} == {kind.name for kind in values} - {
        "IssueFieldTextValue"
    }
    assert {one["__typename"] for one in node["projectItems"]["nodes"][0]["fieldValues"]["nodes"]} >= {
        kind.name for kind in shown
    }
