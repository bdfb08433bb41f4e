"""What discovery finds out, what it refuses, and how it says what to change."""

from dataclasses import replace

import httpx
import pytest

from app.demo import github_projects as projects
from app.demo.github_graph import OLD_SERVER
from connectors.base import Reading
from connectors.github import CONNECTOR, queries, selection
from domain.errors import AuthError, ConfigError, RejectedError
from domain.workspace import Secret


@pytest.fixture
def board(github):
    """acme/api with a project that has a status and points, and issue fields of the organization."""
    github.repository("api", 1)
    github.site.add_issue_type(github.acme, "Epic")
    github.site.add_issue_field(github.acme, "Effort", "NUMBER")
    github.site.add_issue_field(github.acme, "Target date", "DATE")
    made = projects.add_project(
        github.site, github.acme, "Board", statuses=("Todo", "In Progress", "In Review", "Done")
    )
    projects.add_field(github.site, made, "Points", "NUMBER")
    projects.add_field(github.site, made, "Sprint", "ITERATION")
    return made


@pytest.fixture
def discover(github, opened):
    async def discover(connection, before=None, github=github):
        async with opened(connection, github) as client:
            return await CONNECTOR.discover(client, connection, before)

    return discover


async def test_a_reading_holds_what_later_reads_need(github, discover, connection, board):
    told = await discover(connection)
    assert told.account == "keyrail-bot"
    assert told.facts["can"] == sorted(selection.EVERYTHING)
    assert told.facts["old"] is False
    repository = github.site.repository("acme/api")
    assert told.facts["repositories"] == {
        "acme/api": {"id": repository.id, "archived": False, "issues": True, "permission": "WRITE"}
    }
    assert told.facts["issue_fields"]["acme"]["types"] == ["Epic"]
    assert {name: field["type"] for name, field in told.facts["issue_fields"]["acme"]["fields"].items()} == {
        "Effort": "NUMBER", "Target date": "DATE",
    }  # fmt: skip
    assert told.facts["lost"] == {}
    assert told.facts["with_projects"] is False
    assert told.facts["read_ms"] == int(github.at.timestamp() * 1000)
    assert github.operations == ["Capabilities", "Repositories", "Owner"]


async def test_fields_of_projects_that_are_named_or_say_when_are_asked_for(discover, connection, board):
    scoped = replace(
        connection,
        scope={"repositories": ["acme/api"], "projects": ["acme/1"]},
        estimate={"project_field": "points"},
        status={"project_field": "Status"},
    )
    told = await discover(scoped)
    assert told.facts["values"] == ["Points", "Status", "Sprint"]
    assert told.facts["with_projects"] is True
    assert told.facts["projects"]["acme/1"]["title"] == "Board"
    options = told.facts["projects"]["acme/1"]["fields"]["Status"]["options"]
    words = {words[0]: words[1] for id, words in told.facts["statuses"].items() if id in options}
    assert words == {"Todo": "todo", "In Progress": "in_progress", "Done": "done"}


async def test_a_renamed_repository_is_followed(github, discover, connection):
    api = github.repository("api", 1)
    github.site.rename_repository(api, "core")
    told = await discover(connection)
    assert told.facts["names"] == {"acme/api": "acme/core"}
    assert list(told.facts["repositories"]) == ["acme/core"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"scope": {"repositories": ["acme/apy"]}}, r"`scope.repositories` does not exist.*Did you mean 'acme/api'\?"),
        ({"scope": {"repositories": ["acme/a p"]}}, r"'acme/a p' of `scope.repositories` is not a name"),
        ({"scope": {"organizations": ["acmee"]}}, r"organization 'acmee' of `scope.organizations` does not exist"),
        ({"scope": {"projects": ["acme/7"]}}, r"project 'acme/7' of `scope.projects` does not exist.*'acme/1'\?"),
        ({"estimate": {"issue_field": "Efort"}}, r"`estimate.issue_field` names 'Efort'.*Did you mean 'Effort'\?"),
        ({"estimate": {"issue_field": "Target date"}}, r"of the type DATE and holds no number. There are: 'Effort'"),
        (
            {"scope": {"projects": ["acme/1"]}, "estimate": {"project_field": "Pints"}},
            r"`estimate.project_field` names 'Pints'.*Did you mean 'Points'\?",
        ),
        (
            {"scope": {"projects": ["acme/1"]}, "estimate": {"project_field": "Sprint"}},
            r"of the type ITERATION and holds no number. There are: 'Points'",
        ),
        (
            {"scope": {"projects": ["acme/1"]}, "status": {"project_field": "State"}},
            r"`status.project_field` names 'State'.*Did you mean 'Status'\?",
        ),
        (
            {"scope": {"projects": ["acme/1"]}, "fields": {"team": "Teem"}},
            r"`fields.team` names 'Teem', but no issue field",
        ),
    ],
)
async def test_what_is_not_there_is_named_with_the_nearest_that_is(discover, connection, board, change, words):
    with pytest.raises(ConfigError, match=f"github-acme: .*{words}"):
        await discover(replace(connection, **change))


async def test_a_field_of_a_project_that_is_not_in_scope_is_believed(discover, connection, board):
    told = await discover(replace(connection, status={"project_field": "Status"}, fields={"team": "Team"}))
    assert told.facts["values"] == ["Status", "Team"]
    assert told.facts["with_projects"] is True


async def test_what_was_seen_once_is_lost_and_the_rest_goes_on(github, discover, connection):
    github.repository("api", 1)
    web = github.repository("web", 1)
    both = replace(connection, scope={"repositories": ["acme/api", "acme/web"]})
    before = await discover(both)
    web.hidden = True
    told = await discover(both, before)
    assert told.lost == {"repositories": ["acme/web"]}
    again = await discover(both, told)
    assert again.lost == {"repositories": ["acme/web"]}
    with pytest.raises(ConfigError, match="'acme/web'"):
        await discover(both)
    github.site.repository("acme/api").hidden = True
    with pytest.raises(ConfigError, match="'acme/api'"):
        await discover(both, again)


async def test_an_organization_that_is_lost_does_not_hide_the_other(github, discover, connection):
    github.repository("api", 1)
    scoped = replace(connection, scope={"repositories": ["acme/api"], "organizations": ["globex"]})
    with pytest.raises(ConfigError, match="'globex'"):
        await discover(scoped)
    before = Reading(facts={"seen": {"organizations": ["globex"]}}, account="", digest="")
    told = await discover(scoped, before)
    assert told.lost == {"organizations": ["globex"]}


async def test_a_server_tells_what_it_cannot(make_github, discover, connection):
    github = make_github(server="3.17.2")
    github.repository("api", 1)
    server = replace(connection, url="https://git.acme.example/api/v3")
    told = await discover(server, github=github)
    assert told.facts["server"] == "3.17.2"
    assert {"stateReason", "CLOSED_EVENT", "LABELED_EVENT"} <= set(told.facts["can"])
    assert not {"parent", "issueType", "issueFieldValues", "projectItems"} & set(told.facts["can"])
    assert {request.url.path for _, _, request in github.calls} == {"/api/graphql"}
    with pytest.raises(ConfigError, match="this server's issues know no projects"):
        await discover(replace(server, scope={"projects": ["acme/1"]}), github=github)
    with pytest.raises(ConfigError, match=r"`status.project_field` names 'Status', but this server"):
        await discover(replace(server, status={"project_field": "Status"}), github=github)


def test_the_lists_of_events_follow_what_the_server_can():
    can = selection.EVERYTHING - OLD_SERVER - {name for name in selection.EVENT_TYPES if "FIELD" in name}
    assert "ISSUE_FIELD" not in queries.history_document(frozenset(can))


async def test_settings_that_decide_requests_are_in_the_digest(discover, connection, board):
    usual = (await discover(connection)).digest
    assert (await discover(connection)).digest == usual
    for change in (
        {"estimate": {"label": r"size/(\d+)"}},
        {"scope": {"organizations": ["acme"]}},
        {"epics": {"milestones": True}},
        {"fields": {"due": "Target date"}},
    ):
        assert (await discover(replace(connection, **change))).digest != usual


async def test_a_page_that_is_no_api_is_a_wrong_address(github, discover, connection):
    github.plan("Capabilities", httpx.Response(404, json={"message": "Not Found"}))
    with pytest.raises(ConfigError, match=r"no GitHub API answers at https://api.github.com"):
        await discover(connection)


async def test_an_answer_that_names_no_account_is_refused(github, discover, connection):
    github.plan("Capabilities", httpx.Response(200, json={"data": {"viewer": None, "Issue": {"fields": []}}}))
    with pytest.raises(AuthError, match="names no account"):
        await discover(connection)


async def test_a_token_without_the_scope_for_projects_is_told_which(github, discover, connection, board):
    github.site.access.add_token("ghp_narrow", github.site.me, scopes=("repo", "read:org"))

    narrow = replace(connection, auth={"token": Secret("env:T", "ghp_narrow")}, scope={"projects": ["acme/1"]})
    with pytest.raises(AuthError, match=r"lacks a scope\. It needs read:project.* Check environment variable T\."):
        await discover(narrow)


async def test_all_that_the_scope_misses_is_named_at_once(github, discover, connection, board):
    scope = {"repositories": ["acme/apy", "acme/api", "acme/zzzzzzzzzz"], "projects": ["acme/7"]}
    with pytest.raises(ConfigError) as caught:
        await discover(replace(connection, scope=scope))
    assert str(caught.value) == (
        "github-acme: repositories 'acme/apy', 'acme/zzzzzzzzzz' of `scope.repositories` do not exist, or our account "
        "may not see them. Check the spelling, and environment variable GITHUB_TOKEN: it needs access, with Issues and "
        "Metadata: read. 'acme/apy': did you mean 'acme/api'? "
        "Project 'acme/7' of `scope.projects` does not exist, or our account may not see it. Check the spelling, and "
        "environment variable GITHUB_TOKEN: it needs read:project, or of an app the organization permission Projects: "
        "read. Did you mean 'acme/1'?"
    )


async def test_what_is_hidden_by_a_refusal_is_named_beside_what_is_not_there(github, discover, connection):
    globex = github.site.add_organization("globex", "Globex")
    github.site.add_repository(globex, "shop", at=github.at)
    github.repository("api", 1)
    github.site.faults.sso_required.add("globex")
    with pytest.raises(AuthError, match=r"single sign-on.*'acme/nope' of `scope.repositories` does not exist"):
        await discover(replace(connection, scope={"repositories": ["acme/api", "globex/shop", "acme/nope"]}))


async def test_all_scopes_that_a_token_lacks_are_named_at_once(github, discover, connection, board):
    def lacking(field, scopes):
        said = f"The '{field}' field requires one of the following scopes: {scopes}, but your token has only none."
        return {"data": {field: None}, "errors": [{"type": "INSUFFICIENT_SCOPES", "message": said}]}

    github.plan("Organization", httpx.Response(200, json=lacking("organization", "['read:org']")))
    github.plan("Project", httpx.Response(200, json=lacking("repositoryOwner", "['project', 'read:project']")))
    with pytest.raises(AuthError) as caught:
        await discover(replace(connection, scope={"organizations": ["acme"], "projects": ["acme/1"]}))
    assert str(caught.value) == (
        "github-acme: the token lacks scopes. It needs read:org, and project or read:project. Add them to the token. "
        "Check environment variable GITHUB_TOKEN."
    )


async def test_issue_statuses_are_read_where_the_server_has_them(github, discover, connection):
    github.repository("api", 1)
    fields = [{"name": name} for name in ("stateReason", "status")]
    told = {
        "viewer": {"login": "keyrail-bot"},
        "Issue": {"fields": fields},
        "IssueStatus": {"fields": [{"name": "id"}, {"name": "name"}, {"name": "category"}]},
    }
    github.plan("Capabilities", httpx.Response(200, json={"data": told}))
    rows = [
        {"id": 1, "name": "Building", "category": "started"},
        {"id": 2, "name": "Dropped", "category": "not_planned"},
        {"id": 3, "name": "Odd", "category": "of another kind"},
    ]
    github.plan("/repos/acme/api/planning-statuses", httpx.Response(200, json=rows))
    reading = await discover(connection)
    assert "status" in reading.facts["can"]
    assert reading.facts["statuses"]["Building"] == "in_progress"
    assert reading.facts["statuses"]["Dropped"] == "canceled"
    assert "Odd" not in reading.facts["statuses"]
    github.plan("Capabilities", httpx.Response(200, json={"data": told}))
    assert "Building" not in (await discover(connection)).facts["statuses"]


async def test_what_single_sign_on_hides_is_lost_where_it_was_seen_and_said_where_it_was_not(
    github, discover, connection
):
    globex = github.site.add_organization("globex", "Globex")
    github.site.add_repository(globex, "shop", at=github.at)
    github.repository("api", 1)
    for key, name in (("organizations", "globex"), ("repositories", "globex/shop")):
        scoped = replace(connection, scope={"repositories": ["acme/api"]})
        scoped = replace(scoped, scope={**scoped.scope, key: [*scoped.scope.get(key, ()), name]})
        before = await discover(scoped)
        github.site.faults.sso_required.add("globex")
        told = await discover(scoped, before)
        assert told.lost == {key: [name]}
        assert list(told.facts["repositories"]) == ["acme/api"]
        with pytest.raises(AuthError, match="single sign-on"):
            await discover(scoped)
        github.site.faults.sso_required.clear()


async def test_a_project_that_is_refused_is_lost_where_it_was_seen(github, discover, connection, board):
    scoped = replace(connection, scope={"repositories": ["acme/api"], "projects": ["acme/1"]})
    before = await discover(scoped)
    refused = {"data": {"repositoryOwner": None}, "errors": [{"type": "FORBIDDEN", "message": "IP allow list"}]}
    github.plan("Project", httpx.Response(200, json=refused), httpx.Response(200, json=refused))
    assert (await discover(scoped, before)).lost == {"projects": ["acme/1"]}
    with pytest.raises(RejectedError, match="IP allow list"):
        await discover(scoped)
    lacking = {
        "data": {"repositoryOwner": None},
        "errors": [{"type": "INSUFFICIENT_SCOPES", "message": "read:project"}],
    }
    github.plan("Project", httpx.Response(200, json=lacking))
    with pytest.raises(AuthError, match=r"the token lacks a scope\..*Check environment variable GITHUB_TOKEN\."):
        await discover(scoped, before)
