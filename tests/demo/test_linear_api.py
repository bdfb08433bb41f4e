"""The simulated Linear as a client meets it: lists and pages, what is seen, access, limits, faults, writing."""

import json
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from graphql import get_named_type, is_leaf_type, is_required_argument, parse

from app.demo.linear import application
from app.demo.linear_limits import complexity
from app.demo.linear_model import Attachment, Issue, on_github
from app.demo.linear_site import Site
from app.web.server import serve

NOW = datetime(2026, 11, 18, 9, 30, tzinfo=UTC)
OLD = NOW - timedelta(days=40)
MS = 1_794_994_200_000
"""NOW in epoch milliseconds"""


@pytest.fixture
def site(clock):
    """MOB-1 (done, in project "Wallet" under an initiative), its sub-issue MOB-2, DES-1 of a private team."""
    site = Site(clock=clock)
    mobile = site.add_team("MOB", "Mobile")
    design = site.add_team("DES", "Design", private=True)
    site.add_cycle(mobile, NOW - timedelta(days=7), NOW + timedelta(days=7))
    site.add_label("ios", parent=site.add_label("area", group=True))
    project = site.add_project(
        "Wallet", [mobile], at=OLD, status="In Progress", labels=[site.label("okr/I1", "project")]
    )
    site.add_milestone(project, "Beta", at=OLD)
    wide = site.add_initiative("Everything on the phone", at=OLD, status="Active")
    site.link_project(site.add_initiative("Wallets", at=OLD, parent=wide), project, at=OLD)
    done = site.create(mobile, "Stored cards", at=OLD, project=project, estimate=3.0, labels=["ios"])
    site.create(mobile, "Stored cards on iOS", at=OLD + timedelta(days=1), project=project, parent=done)
    site.create(design, "Icons", at=OLD + timedelta(days=2))
    site.change(done, state="In Progress", at=OLD + timedelta(days=3))
    site.change(done, state="Done", at=OLD + timedelta(days=4))
    return site


@pytest.fixture
def face(site):
    return application(site)


@pytest.fixture
async def linear(site, face):
    transport = httpx.ASGITransport(app=face)
    async with httpx.AsyncClient(transport=transport, base_url="https://api.linear.app") as client:
        client.headers["authorization"] = site.key
        yield client


@pytest.fixture
def post(linear):
    async def send(query, **variables):
        return await linear.post("/graphql", json={"query": query, "variables": variables})

    return send


@pytest.fixture
def ask(post):
    async def send(query, **variables):
        answer = await post(query, **variables)
        assert (answer.status_code, "errors" in answer.json()) == (200, False), answer.text
        return answer.json()["data"]

    return send


@pytest.fixture
def found(ask):
    async def identifiers(chosen="{}", more="includeArchived: true"):
        data = await ask(f"{{ issues(filter: {chosen}, {more}) {{ nodes {{ identifier }} }} }}")
        return [node["identifier"] for node in data["issues"]["nodes"]]

    return identifiers


async def refused(post, query, **variables):
    answer = await post(query, **variables)
    told = answer.json()
    return answer.status_code, told.get("data", "absent"), told["errors"][0]["extensions"]["code"]


# Lists and pages


async def test_lists_are_newest_first_by_creation_or_by_update(found):
    assert await found() == ["DES-1", "MOB-2", "MOB-1"]
    assert await found(more="orderBy: updatedAt") == ["MOB-1", "DES-1", "MOB-2"]


async def test_pages_hold_each_row_once_and_end(site, ask):
    mobile = site.team("MOB")
    for number in range(7):
        site.create(mobile, f"Task {number}")
    query = """query Page($after: String) { issues(first: 4, after: $after) {
        pageInfo { hasNextPage hasPreviousPage startCursor endCursor } edges { cursor } nodes { id } } }"""
    seen, after, before = [], None, []
    while True:
        page = (await ask(query, after=after))["issues"]
        info = page["pageInfo"]
        cursors = [edge["cursor"] for edge in page["edges"]]
        assert (info["startCursor"], info["endCursor"]) == (cursors[0], cursors[-1])
        seen += [node["id"] for node in page["nodes"]]
        before.append(info["hasPreviousPage"])
        after = info["endCursor"]
        if not info["hasNextPage"]:
            break
    assert sorted(seen) == sorted(issue.id for issue in site.all(Issue))
    assert before == [False, True, True]


async def test_a_row_that_changes_between_pages_leaves_a_frozen_window(site, ask, clock):
    query = """query Page($after: String) { issues(first: 2, after: $after, orderBy: updatedAt,
        filter: {updatedAt: {lt: "2026-11-18T09:30:00.000Z"}}) { pageInfo { endCursor } nodes { identifier } } }"""
    first = (await ask(query))["issues"]
    site.change(site.find("MOB-2"), title="New words")
    rest = (await ask(query, after=first["pageInfo"]["endCursor"]))["issues"]
    assert [[node["identifier"] for node in page["nodes"]] for page in (first, rest)] == [["MOB-1", "DES-1"], []]
    assert rest["pageInfo"]["endCursor"] is None


async def test_a_cursor_of_another_order_gives_another_slice_without_a_word(ask, found):
    page = await ask("{ issues(first: 1, orderBy: updatedAt) { pageInfo { endCursor } } }")
    cursor = page["issues"]["pageInfo"]["endCursor"]
    assert await found(more=f'orderBy: updatedAt, after: "{cursor}"') == ["DES-1", "MOB-2"]
    assert await found(more=f'after: "{cursor}"') == ["DES-1", "MOB-2", "MOB-1"]


async def test_pages_hold_fifty_rows_unless_asked_and_250_at_most(site, ask, post):
    for number in range(300):
        site.create(site.team("MOB"), f"Task {number}")
    sizes = [
        len((await ask(f"{{ issues{size} {{ nodes {{ id }} }} }}"))["issues"]["nodes"]) for size in ("", "(first: 250)")
    ]
    assert sizes == [50, 250]
    assert await refused(post, "{ issues(first: 251) { nodes { id } } }") == (200, None, "INVALID_INPUT")
    answer = await post("{ issues(first: 251) { nodes { id } } }")
    assert "first must not be greater than 250" in answer.json()["errors"][0]["message"]
    assert await refused(post, '{ issues(after: "%%") { nodes { id } } }') == (200, None, "INVALID_INPUT")


async def test_archived_and_trashed_rows_are_listed_on_demand_only(site, found):
    site.archive(site.find("MOB-1"))
    site.trash(site.find("MOB-2"))
    assert await found(more="first: 9") == ["DES-1"]
    assert await found() == ["DES-1", "MOB-2", "MOB-1"]


@pytest.mark.parametrize(
    ("chosen", "identifiers"),
    [
        ('{team: {key: {eq: "MOB"}}}', ["MOB-2", "MOB-1"]),
        ('{team: {key: {in: ["MOB", "DES"]}}, state: {type: {neq: "completed"}}}', ["DES-1", "MOB-2"]),
        ("{number: {gte: 1, lt: 2}}", ["DES-1", "MOB-1"]),
        ('{createdAt: {gte: "2026-10-10T09:30:00.000Z"}}', ["DES-1", "MOB-2"]),
        ('{createdAt: {gt: "2026-10-10T09:30:00.000Z"}}', ["DES-1"]),
        ('{updatedAt: {gte: "-P5W2D"}}', ["MOB-1"]),
        ('{updatedAt: {lt: "2026-10-13"}}', ["DES-1", "MOB-2"]),
        ("{parent: {null: true}}", ["DES-1", "MOB-1"]),
        ("{parent: {null: false}}", ["MOB-2"]),
        ('{parent: {title: {eq: "Stored cards"}}}', ["MOB-2"]),
        ("{completedAt: {null: false}}", ["MOB-1"]),
        ('{completedAt: {gte: "2026-01-01"}}', ["MOB-1"]),
        ('{project: {name: {eqIgnoreCase: "wallet"}}}', ["MOB-2", "MOB-1"]),
        ('{project: {initiatives: {some: {name: {startsWith: "Wall"}}}}}', ["MOB-2", "MOB-1"]),
        ('{labels: {some: {name: {in: ["ios"]}}}}', ["MOB-1"]),
        ('{labels: {name: {eq: "ios"}}}', ["MOB-1"]),
        ('{labels: {every: {name: {eq: "ios"}}}}', ["DES-1", "MOB-2", "MOB-1"]),
        ("{children: {length: {gt: 0}}}", ["MOB-1"]),
        ('{or: [{title: {contains: "on iOS"}}, {team: {key: {eq: "DES"}}}]}', ["DES-1", "MOB-2"]),
        ('{and: [{title: {containsIgnoreCase: "CARDS"}}, {title: {notContains: "iOS"}}]}', ["MOB-1"]),
        ('{assignee: {email: {nin: ["x@example.com"]}}}', []),
        ('{title: {nin: ["Icons"]}, cycle: {null: true}}', ["MOB-2", "MOB-1"]),
    ],
)
async def test_filters(found, chosen, identifiers):
    assert await found(chosen) == identifiers


async def test_a_filter_by_ids_leaves_out_what_is_not_there(site, ask):
    ids = [site.find("MOB-2").id, "00000000-0000-4000-8000-000000000000", site.find("MOB-1").id]
    query = "query Ids($ids: [ID!]!) { issues(filter: {id: {in: $ids}}) { nodes { identifier } } }"
    assert (await ask(query, ids=ids))["issues"]["nodes"] == [{"identifier": "MOB-2"}, {"identifier": "MOB-1"}]


async def test_a_filter_that_is_no_date_is_refused(post):
    query = '{ issues(filter: {createdAt: {gte: "soon"}}) { nodes { id } } }'
    assert await refused(post, query) == (200, None, "INVALID_INPUT")


# Fields


async def test_every_field_of_every_row_says_something(site, face, ask):
    issue, other = site.find("MOB-1"), site.find("MOB-2")
    project = issue.project
    site.change(
        issue, assignee=site.me, labels=["bug"], cycle=None, due_date=NOW.date(), synced_with=[on_github("a", "b", 1)]
    )
    site.change(issue, project_milestone=project.milestones[0], priority=2)
    site.relate(issue, "blocks", other)
    site.attach(issue, "https://k.example/1", "62 %")
    site.post_update(project, "onTrack", "Fine.")
    site.add_link(project, "Plan", "https://k.example/plan")
    site.label("kr/KR5", of="initiative")
    initiative = site.parent_of(site.add_initiative("Part", parent=site.add_initiative("Whole")))
    site.post_update(initiative, "atRisk", "Less fine.")
    site.register("https://k.example/hook", ["Issue"])
    schema = face.engine.schema

    def leaves(kind):
        return [name for name, one in kind.fields.items() if is_leaf_type(get_named_type(one.type))]

    def inside(kind):
        for name, one in kind.fields.items():
            inner = get_named_type(one.type)
            if not is_leaf_type(inner) and inner.name.endswith("Connection"):
                row = get_named_type(inner.fields["nodes"].type)
                yield f"{name}(first: 2, includeArchived: true) {{ nodes {{ {' '.join(leaves(row))} }} }}"
            elif not is_leaf_type(inner) and hasattr(inner, "fields") and inner.name != "Organization":
                yield f"{name} {{ {' '.join(leaves(inner))} }}"

    asked = 0
    for name, one in schema.query_type.fields.items():
        kind = get_named_type(one.type)
        if any(is_required_argument(argument) for argument in one.args.values()) or not kind.name.endswith(
            "Connection"
        ):
            continue
        row = get_named_type(kind.fields["nodes"].type)
        for part in [" ".join(leaves(row)), *inside(row)]:
            data = await ask(f"{{ {name}(first: 4, includeArchived: true) {{ nodes {{ {part} }} }} }}")
            assert data[name]["nodes"], name
            asked += 1
    assert asked > 80
    data = await ask("{ organization { name urlKey userCount createdIssueCount projectStatuses { type } } }")
    assert data["organization"] == {
        "name": "Acme",
        "urlKey": "acme",
        "userCount": 2,
        "createdIssueCount": 3,
        "projectStatuses": [
            {"type": kind} for kind in ("backlog", "planned", "started", "paused", "completed", "canceled")
        ],
    }


async def test_an_issue_and_its_past_read_as_linear_writes_them(site, ask):
    data = await ask("""{ issue(id: "MOB-1") {
        identifier number estimate priorityLabel createdAt completedAt dueDate url
        state { name type } team { key } parent { id } children { nodes { identifier } } labels { nodes { name } }
        history(first: 1) {
            pageInfo { hasNextPage } nodes { createdAt fromStateId toState { type } fromEstimate } } } }""")
    assert data["issue"] == {
        "identifier": "MOB-1",
        "number": 1,
        "estimate": 3,
        "priorityLabel": "No priority",
        "createdAt": "2026-10-09T09:30:00.000Z",
        "completedAt": "2026-10-13T09:30:00.000Z",
        "dueDate": None,
        "url": "https://linear.app/acme/issue/MOB-1/stored-cards",
        "state": {"name": "Done", "type": "completed"},
        "team": {"key": "MOB"},
        "parent": None,
        "children": {"nodes": [{"identifier": "MOB-2"}]},
        "labels": {"nodes": [{"name": "ios"}]},
        "history": {
            "pageInfo": {"hasNextPage": True},
            "nodes": [
                {
                    "createdAt": "2026-10-13T09:30:00.000Z",
                    "fromStateId": site.state(site.team("MOB"), "In Progress").id,
                    "toState": {"type": "completed"},
                    "fromEstimate": None,
                }
            ],
        },
    }


async def test_projects_milestones_and_initiatives_tell_what_is_derived(ask):
    data = await ask("""{
        projects { nodes { name progress scope status { type } issueCountHistory
            projectMilestones { nodes { name status } } initiatives { nodes { name } } } }
        initiatives { nodes { name parentInitiative { name } projects { nodes { name } } } }
        cycles { nodes { number name isActive isNext } } teams { nodes { key activeCycle { number } issueCount } } }""")
    assert data["projects"]["nodes"] == [
        {
            "name": "Wallet",
            "progress": 0.75,
            "scope": 4,
            "status": {"type": "started"},
            "issueCountHistory": [2.0] * 6,
            "projectMilestones": {"nodes": [{"name": "Beta", "status": "next"}]},
            "initiatives": {"nodes": [{"name": "Wallets"}]},
        }
    ]
    assert sorted(data["initiatives"]["nodes"], key=lambda one: one["name"]) == [
        {"name": "Everything on the phone", "parentInitiative": None, "projects": {"nodes": [{"name": "Wallet"}]}},
        {
            "name": "Wallets",
            "parentInitiative": {"name": "Everything on the phone"},
            "projects": {"nodes": [{"name": "Wallet"}]},
        },
    ]
    assert data["cycles"]["nodes"] == [{"number": 1, "name": "Cycle 1", "isActive": True, "isNext": False}]
    assert sorted(data["teams"]["nodes"], key=lambda one: one["key"]) == [
        {"key": "DES", "activeCycle": None, "issueCount": 1},
        {"key": "MOB", "activeCycle": {"number": 1}, "issueCount": 2},
    ]


async def test_one_miss_among_many_nulls_the_whole_answer(post):
    answer = await post('{ a: issue(id: "MOB-1") { id } b: issue(id: "MOB-9") { id } }')
    told = answer.json()
    assert (answer.status_code, told["data"]) == (200, None)
    assert told["errors"][0]["message"] == "Entity not found: Issue"
    assert told["errors"][0]["extensions"]["type"] == "invalid input"


# What is seen


async def test_a_team_that_went_private_looks_like_nothing(site, found, ask, post):
    site.find("MOB-2").team.hidden = True
    assert await found() == ["DES-1"]
    data = await ask("{ teams { nodes { key } } projects { nodes { name } } initiativeToProjects { nodes { id } } }")
    assert data == {
        "teams": {"nodes": [{"key": "DES"}]},
        "projects": {"nodes": []},
        "initiativeToProjects": {"nodes": []},
    }
    assert await refused(post, '{ issue(id: "MOB-1") { id } }') == (200, None, "INPUT_ERROR")


async def test_initiatives_can_be_out_of_sight(site, ask):
    site.faults.hide_initiatives = True
    data = await ask("{ initiatives { nodes { id } } projects { nodes { initiatives { nodes { id } } } } }")
    assert data == {"initiatives": {"nodes": []}, "projects": {"nodes": [{"initiatives": {"nodes": []}}]}}


async def test_a_parent_of_a_hidden_team_is_null(site, ask):
    site.change(site.find("DES-1"), parent=site.find("MOB-1"))
    site.team("MOB").hidden = True
    assert (await ask('{ issue(id: "DES-1") { parent { id } } }'))["issue"] == {"parent": None}


# Access


async def test_a_personal_key_goes_without_a_scheme(linear, site):
    async def status(header):
        headers = {"authorization": header} if header is not None else {}
        linear.headers.pop("authorization", None)
        answer = await linear.post("/graphql", json={"query": "{ viewer { id } }"}, headers=headers)
        told = answer.json().get("errors", [{}])[0]
        return (
            answer.status_code,
            told.get("extensions", {}).get("code"),
            "Remove the Bearer" in told.get("message", ""),
        )

    refusal = (401, "AUTHENTICATION_ERROR", False)
    assert await status(site.key) == (200, None, False)
    assert await status(f"Bearer {site.key}") == (401, "AUTHENTICATION_ERROR", True)
    assert [await status(header) for header in (None, "wrong", "Bearer wrong", "")] == [refusal] * 4


@pytest.fixture
def grant(linear, site):
    async def send(**form):
        client = {"client_id": site.oauth.client_id, "client_secret": site.oauth.client_secret}
        return await linear.post("/oauth/token", data={**client, **form})

    return send


@pytest.fixture
def as_bearer(linear):
    async def send(token, query="{ viewer { name app } }"):
        answer = await linear.post("/graphql", json={"query": query}, headers={"authorization": f"Bearer {token}"})
        return answer.status_code, answer.json().get("data")

    return send


async def test_refresh_tokens_rotate_and_answer_again_for_half_an_hour(site, grant, as_bearer, clock):
    first = site.oauth.refresh_token
    answer = (await grant(grant_type="refresh_token", refresh_token=first)).json()
    assert {key: answer[key] for key in ("token_type", "expires_in", "scope")} == {
        "token_type": "Bearer",
        "expires_in": 86_399,
        "scope": "read write",
    }
    assert answer["refresh_token"] == site.oauth.refresh_token != first
    assert await as_bearer(answer["access_token"]) == (200, {"viewer": {"name": "Product operations", "app": False}})
    clock.forward(29 * 60)
    assert (await grant(grant_type="refresh_token", refresh_token=first)).json() == answer
    clock.forward(2 * 60)
    late = await grant(grant_type="refresh_token", refresh_token=first)
    assert (late.status_code, late.json()["error"]) == (400, "invalid_grant")
    clock.forward(24 * 3600)
    assert (await as_bearer(answer["access_token"]))[0] == 401
    again = (await grant(grant_type="refresh_token", refresh_token=answer["refresh_token"])).json()
    assert (await as_bearer(again["access_token"]))[0] == 200


async def test_another_token_of_the_application_revokes_the_first(site, grant, as_bearer):
    first, second = [(await grant(grant_type="client_credentials")).json() for _ in range(2)]
    assert first["expires_in"] == 2_591_999
    assert "refresh_token" not in first
    assert (await as_bearer(first["access_token"]))[0] == 401
    assert await as_bearer(second["access_token"]) == (200, {"viewer": {"name": "Keyrail", "app": True}})
    site.oauth.revoke()
    assert (await as_bearer(second["access_token"]))[0] == 401


async def test_an_application_sees_public_teams_and_initiatives_with_their_scope(site, grant, as_bearer):
    query = "{ issues { nodes { identifier } } initiatives { nodes { name } } }"
    token = (await grant(grant_type="client_credentials")).json()["access_token"]
    _, told = await as_bearer(token, query)
    assert [one["identifier"] for one in told["issues"]["nodes"]] == ["MOB-2", "MOB-1"]
    assert len(told["initiatives"]["nodes"]) == 2
    site.oauth.app_scopes = ("read",)
    token = (await grant(grant_type="client_credentials")).json()["access_token"]
    assert (await as_bearer(token, query))[1]["initiatives"]["nodes"] == []
    card = 'mutation { attachmentCreate(input: {issueId: "MOB-1", url: "https://k.example", title: "x"}) { success } }'
    assert await as_bearer(token, card) == (200, None)


async def test_grants_are_refused_in_oauths_words(linear, site, grant):
    async def told(answer):
        return answer.status_code, answer.json()["error"]

    assert await told(await grant(grant_type="refresh_token", client_secret="wrong")) == (401, "invalid_client")
    assert await told(await grant(grant_type="password")) == (400, "unsupported_grant_type")
    site.oauth.client_credentials = False
    assert await told(await grant(grant_type="client_credentials")) == (400, "unauthorized_client")
    answer = await linear.post("/oauth/token", json={"grant_type": "client_credentials"})
    assert await told(answer) == (400, "invalid_request")
    basic = httpx.BasicAuth(site.oauth.client_id, site.oauth.client_secret)
    form = {"grant_type": "refresh_token", "refresh_token": site.oauth.refresh_token}
    assert (await linear.post("/oauth/token", data=form, auth=basic)).status_code == 200


# Documents and limits


async def test_documents_that_break_the_schema_are_answered_400_without_data(post):
    assert await refused(post, "{ issues { ") == (400, "absent", "GRAPHQL_PARSE_FAILED")
    assert await refused(post, "{ initiatives { nodes { progress } } }") == (400, "absent", "GRAPHQL_VALIDATION_FAILED")
    query = "query Ids($ids: [ID!]!) { issues(filter: {id: {in: $ids}}) { nodes { id } } }"
    assert await refused(post, query, ids=None) == (400, "absent", "BAD_USER_INPUT")


async def test_a_body_without_a_document_is_refused(linear):
    assert (await linear.post("/graphql", content=b"[")).status_code == 400
    assert (await linear.post("/graphql", json={"query": "{ viewer { id } }", "variables": [1]})).status_code == 400
    assert (
        await linear.post("/graphql", json={"query": "query A { viewer { id } } query B { viewer { id } }"})
    ).status_code == 400


async def test_fields_come_and_go_without_a_version(site):
    async def fields(face):
        transport = httpx.ASGITransport(app=face)
        async with httpx.AsyncClient(transport=transport, base_url="https://api.linear.app") as client:
            query = '{ __type(name: "Project") { fields { name } } }'
            answer = await client.post("/graphql", json={"query": query}, headers={"authorization": site.key})
            names = {field["name"] for field in answer.json()["data"]["__type"]["fields"]}
            return "identifier" in names, "health" in names

    assert await fields(application(site)) == (False, True)
    assert await fields(application(site, newer=True, without=["Project.health"])) == (True, False)


ISSUES = """query Issues($after: String) { issues(first: 100, after: $after, orderBy: updatedAt) {
    pageInfo { hasNextPage endCursor } nodes {
        id identifier previousIdentifiers number title url estimate priority createdAt updatedAt startedAt
        completedAt canceledAt archivedAt autoArchivedAt trashed dueDate labelIds state { id name type } team { id key }
        assignee { id displayName email } project { id } projectMilestone { id } parent { id }
        cycle { id number startsAt endsAt } } } }"""
SPREAD = """{ issues(first: 2) { nodes { ...Row ... on Issue { id } } } }
    fragment Row on Issue { labels(first: 3) { nodes { id } } }"""
PROJECTS = """query Projects { projects(first: 50) { pageInfo { hasNextPage endCursor } nodes {
        id name url slugId createdAt updatedAt archivedAt trashed startedAt completedAt canceledAt progress scope
        health healthUpdatedAt startDate startDateResolution targetDate targetDateResolution
        status { id name type } lead { id } labelIds lastUpdate { id health createdAt }
        teams(first: 10) { nodes { id key } } initiatives(first: 10) { nodes { id } }
        projectMilestones(first: 20) { nodes { id name targetDate progress status sortOrder updatedAt } } } } }"""


@pytest.mark.parametrize(
    ("query", "variables", "points"),
    [
        ("{ viewer { id name } }", {}, 1.2),
        ("{ teams { nodes { id } } }", {}, 1 + 50 * 1.1),
        ("query A($n: Int) { teams(first: $n) { nodes { id } } }", {"n": 3}, 1 + 3 * 1.1),
        ("{ teams(first: 2) { edges { cursor node { id } } } }", {}, 1 + 2 * (1 + 0.1 + 1.1)),
        (SPREAD, {}, 1 + 2 * (1 + 0.1 + 1 + 3 * 1.1)),
        (ISSUES, {}, 1_132.2),
        (PROJECTS, {}, 3_337.2),
    ],
)
def test_complexity_is_the_vendors_formula(face, query, variables, points):
    document = parse(query)
    found = complexity(face.engine.schema, document, document.definitions[0], variables)
    assert found == pytest.approx(points)


async def test_what_is_too_complex_is_refused_before_it_runs(post):
    nested = "{ issues(first: 250) { nodes { children(first: 50) { nodes { id } } } } }"
    assert await refused(post, nested) == (400, "absent", "INVALID_INPUT")
    assert "too complex" in (await post(nested)).json()["errors"][0]["message"]


def limits(answer):
    names = ("Requests-Limit", "Requests-Remaining", "Requests-Reset", "Complexity-Limit", "Complexity-Remaining",
             "Complexity-Reset")  # fmt: skip
    return [int(answer.headers[f"X-RateLimit-{name}"]) for name in names]


async def test_headers_tell_what_is_left_and_when_it_is_full_again(post, clock):
    answer = await post("{ issues(first: 100) { nodes { id } } }")
    assert int(answer.headers["X-Complexity"]) == 3
    assert limits(answer) == [2500, 2499, MS + 1440, 3_000_000, 2_999_996, MS + 3]
    assert answer.headers["Date"] == "Wed, 18 Nov 2026 09:30:00 GMT"
    clock.forward(1)
    await post("{ viewer { id } }")
    clock.forward(60)
    again = await post("{ viewer { id } }")
    assert limits(again)[:2] == [2500, 2499]


async def test_an_empty_bucket_is_a_400_that_says_until_when(face, post, clock):
    face.limits.requests.limit = 3600
    face.limits.requests.take(3599, clock.at)
    assert (await post("{ viewer { id } }")).status_code == 200
    limited = await post("{ viewer { id } }")
    told = limited.json()["errors"][0]["extensions"]
    assert (limited.status_code, told["code"], told["type"]) == (400, "RATELIMITED", "ratelimited")
    assert limits(limited)[1:3] == [0, MS + 3_600_000]
    clock.forward(1)
    assert (await post("{ viewer { id } }")).status_code == 200


async def test_points_run_out_as_requests_do(face, post, clock):
    face.limits.complexity.take(2_999_900, clock.at)
    costly = "{ issues(first: 250) { nodes { id } } }"
    limited = await post(costly)
    assert limited.json()["errors"][0]["extensions"]["code"] == "RATELIMITED"
    assert limits(limited)[:2] == [2500, 2499]
    assert limits(limited)[4:] == [0, MS + 3_599_880]
    clock.forward(1)
    assert (await post(costly)).status_code == 200


async def test_the_state_of_the_limits_can_be_asked_for(ask):
    data = await ask("{ rateLimitStatus { kind limits { type allowedAmount remainingAmount period reset } } }")
    assert data["rateLimitStatus"]["limits"][0] == {
        "type": "request",
        "allowedAmount": 2500,
        "remainingAmount": 2499,
        "period": 3_600_000,
        "reset": MS + 1440,
    }


# Faults


@pytest.mark.parametrize(
    ("kind", "details", "status", "code"),
    [
        ("rate_limit", {}, 400, "RATELIMITED"),
        ("too_many", {}, 429, "RATELIMITED"),
        ("refused", {}, 401, "AUTHENTICATION_ERROR"),
        ("internal", {}, 200, "INTERNAL_SERVER_ERROR"),
    ],
)
async def test_faults_meet_the_operation_that_they_name_once(site, post, kind, details, status, code):
    query = "query Viewer { viewer { id } }"
    site.faults.add(kind, path="Viewer", **details)
    assert (await post("{ teams { nodes { id } } }")).status_code == 200
    answer = await post(query)
    assert (answer.status_code, answer.json()["errors"][0]["extensions"]["code"]) == (status, code)
    assert (await post(query)).json()["data"] == {"viewer": {"id": site.me.id}}
    assert not site.faults.queue


@pytest.mark.parametrize("reason", ["Requests", "Complexity", "Endpoint"])
async def test_a_rate_limit_names_the_bucket(site, post, reason):
    site.faults.add("rate_limit", reason=reason.lower(), retry_after=7)
    limited = await post("{ viewer { id } }")
    name = "Endpoint-Requests" if reason == "Endpoint" else reason
    assert limited.headers[f"X-RateLimit-{name}-Remaining"] == "0"
    assert limited.headers[f"X-RateLimit-{name}-Reset"] == str(MS + 7000)


async def test_gateways_fail_as_gateways_do(site, post):
    for kind in ("unavailable", "overloaded", "login_page", "malformed"):
        site.faults.add(kind)
    answers = [await post("{ viewer { id } }") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [502, 503, 200, 200]
    assert answers[1].headers["Retry-After"] == "1"
    assert answers[2].headers["Content-Type"].startswith("text/html")
    with pytest.raises(json.JSONDecodeError):
        answers[3].json()


async def test_partial_data_comes_with_an_error_beside_it(site, post):
    site.faults.add("partial", path="issues")
    answer = await post("{ issues { nodes { id state { id } project { id } } } }")
    told = answer.json()
    assert answer.status_code == 200
    wallet = {"id": site.find("MOB-1").project.id}
    assert [node["project"] for node in told["data"]["issues"]["nodes"]] == [None, None, wallet]
    assert told["errors"][0]["path"] == ["issues", "nodes", 1, "project"]


@pytest.mark.parametrize(("kind", "same"), [("null_cursor", False), ("same_cursor", True)])
async def test_a_next_page_that_cannot_be_reached(site, ask, kind, same):
    query = """query Page($after: String) { issues(first: 1, after: $after) {
        pageInfo { hasNextPage endCursor } nodes { labels { pageInfo { hasNextPage } } } } }"""
    after = (await ask(query))["issues"]["pageInfo"]["endCursor"]
    site.faults.add(kind)
    page = (await ask(query, after=after))["issues"]
    assert page["pageInfo"] == {"hasNextPage": True, "endCursor": after if same else None}
    assert page["nodes"][0]["labels"]["pageInfo"] == {"hasNextPage": False}


async def test_a_cursor_can_run_out(site, post):
    query = "query Page($after: String) { issues(first: 1, after: $after) { pageInfo { endCursor } } }"
    after = (await post(query)).json()["data"]["issues"]["pageInfo"]["endCursor"]
    site.faults.add("expired_cursor", after=1)
    assert (await post(query)).status_code == 200
    assert await refused(post, query, after=after) == (200, None, "INVALID_INPUT")
    assert (await post(query, after=after)).json()["data"]


async def test_pages_can_be_smaller_than_asked(site, ask):
    site.faults.page_size = 2
    page = (await ask("{ issues(first: 250) { pageInfo { hasNextPage } nodes { id } } }"))["issues"]
    assert (len(page["nodes"]), page["pageInfo"]["hasNextPage"]) == (2, True)


async def test_answers_can_take_their_time_and_end_early(site, face):
    site.faults.latency = 0.001
    async with serve(face) as url, httpx.AsyncClient(base_url=url, headers={"authorization": site.key}) as client:
        assert (await client.post("/graphql", json={"query": "{ viewer { id } }"})).status_code == 200
        site.faults.add("cut")
        with pytest.raises(httpx.RemoteProtocolError):
            await client.post("/graphql", json={"query": "{ viewer { id } }"})
        site.url = url
        page = await client.get(f"{url}/acme/issue/MOB-1/stored-cards")
        assert (page.status_code, "<h1>MOB-1: Stored cards</h1>" in page.text) == (200, True)
        assert (await client.get(f"{url}/acme/issue/MOB-9")).status_code == 404
        project = (await client.post("/graphql", json={"query": "{ projects { nodes { url } } }"})).json()["data"]
        page = await client.get(project["projects"]["nodes"][0]["url"])
        assert (page.status_code, "<h1>Wallet</h1>" in page.text) == (200, True)


async def test_observers_see_each_exchange(site, face, post):
    seen = []
    face.observers.append(seen.append)
    await post("query Me { viewer { id } }")
    assert [(one.path, one.operation, one.status) for one in seen] == [("/graphql", "Me", 200)]
    assert (face.count("Me"), face.count("/graphql"), face.count("Other")) == (1, 1, 0)
    assert json.loads(seen[0].answer) == {"data": {"viewer": {"id": site.me.id}}}


# Writing

ATTACH = """mutation Attach($input: AttachmentCreateInput!) {
    attachmentCreate(input: $input) { success attachment { id title subtitle metadata } } }"""


async def test_a_card_is_one_per_issue_and_address(site, ask):
    card = {"issueId": site.find("MOB-1").id, "url": "https://k.example/1", "title": "62 %", "subtitle": "On track"}
    first = (await ask(ATTACH, input=card))["attachmentCreate"]
    again = (await ask(ATTACH, input=card | {"title": "63 %", "metadata": {"p": 0.63}}))["attachmentCreate"]
    assert first["attachment"] == {
        "id": first["attachment"]["id"],
        "title": "62 %",
        "subtitle": "On track",
        "metadata": {},
    }
    assert again["attachment"] == first["attachment"] | {"title": "63 %", "metadata": {"p": 0.63}}
    data = await ask('{ attachmentsForURL(url: "https://k.example/1") { nodes { id issue { identifier } } } }')
    assert data["attachmentsForURL"]["nodes"] == [{"id": first["attachment"]["id"], "issue": {"identifier": "MOB-1"}}]
    delete = "mutation Detach($id: String!) { attachmentDelete(id: $id) { success entityId } }"
    gone = (await ask(delete, id=first["attachment"]["id"]))["attachmentDelete"]
    assert gone == {"success": True, "entityId": first["attachment"]["id"]}
    assert list(site.all(Attachment)) == []


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"issueId": "MOB-9"}, "INPUT_ERROR"),
        ({"url": "nowhere"}, "INVALID_INPUT"),
        ({"title": ""}, "INVALID_INPUT"),
        ({"title": "x" * 513}, "INVALID_INPUT"),
    ],
)
async def test_cards_are_checked(post, wrong, code):
    card = {"issueId": "MOB-1", "url": "https://k.example/1", "title": "62 %"}
    assert await refused(post, ATTACH, input=card | wrong) == (200, None, code)


async def test_an_id_of_ones_own_can_be_used_once(ask, post):
    card = {
        "id": "11111111-1111-4111-8111-111111111111",
        "issueId": "MOB-1",
        "url": "https://k.example/1",
        "title": "x",
    }
    assert (await ask(ATTACH, input=card))["attachmentCreate"]["attachment"]["id"] == card["id"]
    assert await refused(post, ATTACH, input=card | {"url": "https://k.example/2"}) == (200, None, "INVALID_INPUT")


@pytest.mark.parametrize("kind", ["project", "initiative"])
async def test_updates_carry_health_to_their_row(site, ask, kind):
    row = next(iter(site.rows[type(site.find("MOB-1").project)].values()))
    if kind == "initiative":
        row = site.add_initiative("Mobile")
    title = kind.capitalize()
    made = await ask(
        f"mutation Make($input: {title}UpdateCreateInput!) {{ {kind}UpdateCreate(input: $input) "
        f"{{ {kind}Update {{ id health body {kind} {{ health }} user {{ name }} }} }} }}",
        input={f"{kind}Id": row.id, "health": "atRisk", "body": "Late."},
    )
    update = made[f"{kind}UpdateCreate"][f"{kind}Update"]
    assert update == {
        "id": update["id"],
        "health": "atRisk",
        "body": "Late.",
        kind: {"health": "atRisk"},
        "user": {"name": "Product operations"},
    }
    edited = await ask(
        f"mutation Edit($id: String!) {{ {kind}UpdateUpdate(id: $id, input: {{health: onTrack}}) "
        f"{{ {kind}Update {{ health body }} }} }}",
        id=update["id"],
    )
    assert edited[f"{kind}UpdateUpdate"][f"{kind}Update"] == {"health": "onTrack", "body": "Late."}
    await ask(f"mutation Hide($id: String!) {{ {kind}UpdateArchive(id: $id) {{ success }} }}", id=update["id"])
    assert row.health is None


async def test_external_links_are_no_upsert(site, ask):
    project = site.find("MOB-1").project
    create = """mutation Link($input: EntityExternalLinkCreateInput!) {
        entityExternalLinkCreate(input: $input) { entityExternalLink { id } } }"""
    ids = [
        (await ask(create, input={"projectId": project.id, "url": "https://k.example", "label": "OKR"}))[
            "entityExternalLinkCreate"
        ]["entityExternalLink"]["id"]
        for _ in range(2)
    ]
    assert [link.id for link in project.links] == ids
    await ask("mutation Drop($id: String!) { entityExternalLinkDelete(id: $id) { success } }", id=ids[0])
    assert [link.id for link in project.links] == ids[1:]


async def test_webhooks_are_registered_changed_and_dropped(ask, post):
    create = "mutation Hook($input: WebhookCreateInput!) { webhookCreate(input: $input) { webhook { id enabled } } }"
    given = {"url": "https://k.example/hook", "resourceTypes": ["Issue"], "allPublicTeams": True}
    assert await refused(post, create, input=given | {"teamId": "MOB"}) == (200, None, "INVALID_INPUT")
    hook = (await ask(create, input=given))["webhookCreate"]["webhook"]
    assert hook["enabled"]
    await ask(
        "mutation Off($id: String!) { webhookUpdate(id: $id, input: {enabled: false}) { success } }", id=hook["id"]
    )
    listed = await ask("{ webhooks { nodes { id enabled resourceTypes allPublicTeams } } }")
    assert listed["webhooks"]["nodes"] == [
        {"id": hook["id"], "enabled": False, "resourceTypes": ["Issue"], "allPublicTeams": True}
    ]
    await ask("mutation Drop($id: String!) { webhookDelete(id: $id) { success } }", id=hook["id"])
    assert (await ask("{ webhooks { nodes { id } } }"))["webhooks"]["nodes"] == []


@pytest.mark.parametrize(
    "wrong",
    [{"url": "k.example"}, {"resourceTypes": []}, {"resourceTypes": ["Sprint"]}, {"teamId": "MOB"}],
)
async def test_a_webhook_that_cannot_be_is_refused(post, wrong):
    create = "mutation Hook($input: WebhookCreateInput!) { webhookCreate(input: $input) { success } }"
    given = {"url": "https://k.example/w", "resourceTypes": ["Issue"], "allPublicTeams": True, **wrong}
    answer = await post(create, input=given)
    assert "Argument Validation Error" in answer.json()["errors"][0]["message"]


async def test_webhooks_are_for_administrators_alone(site, linear):
    answer = site.oauth.grant(
        {"client_id": site.oauth.client_id, "client_secret": site.oauth.client_secret,
         "grant_type": "client_credentials"},
        site.now(),
    )  # fmt: skip
    headers = {"authorization": f"Bearer {answer['access_token']}"}
    for document in (
        "{ webhooks { nodes { id } } }",
        'mutation { webhookCreate(input: {url: "https://k.example", resourceTypes: ["Issue"], allPublicTeams: true})'
        " { success } }",
    ):
        told = (await linear.post("/graphql", json={"query": document}, headers=headers)).json()
        assert told["errors"][0]["message"] == "Invalid scope: `admin` required"
