"""Discovery and `check`: what is found, and how a wrong file is refused."""

from dataclasses import replace

import httpx
import pytest

from connectors.base import Reading
from connectors.jira import CONNECTOR
from domain.errors import AuthError, ConfigError, RejectedError


@pytest.fixture
def discover(opened):
    """Discover a connection on a fake."""

    async def discover(connection, fake):
        async with opened(connection, fake) as client:
            return await CONNECTOR.discover(client, connection)

    return discover


async def test_a_reading_of_cloud(jira, discover, connection):
    jira.fields.append(
        {"id": "customfield_10015", "name": "Start date", "custom": True,
         "schema": {"custom": "com.atlassian.jira.plugin.system.customfieldtypes:datepicker"}}
    )  # fmt: skip
    reading = await discover(replace(connection, fields={"team": "Team"}), jira)
    facts = dict(reading.facts)
    requested = facts.pop("request_fields")
    assert facts == {
        "deployment": "cloud",
        "site": "https://acme.atlassian.net",
        "api": "/rest/api/3",
        "gateway": None,
        "time_zone": "Europe/Berlin",
        "fields": {
            "estimate": "customfield_10016",
            "sprint": "customfield_10020",
            "epic_link": None,
            "parent_link": None,
            "start_date": "customfield_10015",
            "extra": {"team": "customfield_10001"},
        },
        "types": {"10000": {"name": "Epic", "level": 1, "subtask": False}},
        "statuses": {"3": ["In Review", "in_progress"]},
        "projects": {"1": "PAY", "2": "CORE"},
        "visible_projects": ["CORE", "PAY"],
        "lost": {"projects": []},
        "epoch_ms": None,
        "read_ms": 1795168800000,
    }
    assert requested[:3] == ["summary", "status", "issuetype"]
    assert requested[-4:] == ["customfield_10016", "customfield_10020", "customfield_10015", "customfield_10001"]
    assert reading.account == "acc-1"
    assert len(jira.calls) == 5
    assert jira.calls[0].url.path == "/rest/api/3/myself"


async def test_a_reading_of_data_center(server, discover, connection):
    connection = replace(connection, url="https://jira.acme.com/jira", auth={"pat": "x"})
    server.fields[1] = {**server.fields[1], "schema": {"custom": "other"}}
    reading = await discover(connection, server)
    assert reading.facts["deployment"] == "datacenter"
    assert reading.facts["api"] == "/rest/api/2"
    assert reading.facts["types"] == {"10000": {"name": "Epic", "level": 1, "subtask": False}}
    assert reading.facts["fields"]["estimate"] is None
    assert reading.facts["time_zone"] == "UTC"
    assert reading.account == "bot"
    assert {call.url.path.partition("/rest")[0] for call in server.calls} == {"/jira"}


async def test_a_wrong_deployment_is_refused(server, discover, connection):
    connection = replace(connection, url="https://jira.acme.com", deployment="cloud")
    server.plan("/rest/api/3/serverInfo", httpx.Response(200, json={"deploymentType": "Server"}))
    with pytest.raises(ConfigError, match="this Jira says that it is datacenter"):
        await discover(connection, server)


async def test_an_address_without_a_jira_is_refused(jira, discover, connection):
    connection = replace(connection, url="https://jira.acme.com")
    jira.plan("/serverInfo", *(httpx.Response(404) for _ in range(2)))
    with pytest.raises(ConfigError, match=r"no Jira answers at https://jira\.acme\.com"):
        await discover(connection, jira)


async def test_a_wrong_token_stops_at_the_first_answer(jira, discover, connection):
    connection = replace(connection, auth={"pat": "x"})
    jira.plan("/myself", httpx.Response(401))
    with pytest.raises(AuthError):
        await discover(connection, jira)
    assert len(jira.calls) == 1


async def test_anonymous_answers_are_an_auth_error(jira, discover, connection):
    jira.me = {}
    with pytest.raises(AuthError, match="anonymous visitor"):
        await discover(connection, jira)


async def test_an_unknown_project_is_named_with_the_nearest(jira, discover, connection):
    with pytest.raises(ConfigError) as caught:
        await discover(replace(connection, scope={"projects": ["CORE", "PAYS"]}), jira)
    assert str(caught.value).startswith("jira-main: project 'PAYS' of `scope.projects` does not exist")
    assert "Did you mean 'PAY'?" in str(caught.value)


async def test_many_projects_are_read_to_the_end(jira, discover, connection):
    jira.projects = [{"id": str(n), "key": f"P{n}", "name": f"Project {n}"} for n in range(250)]
    reading = await discover(replace(connection, scope={"projects": ["p249"]}), jira)
    assert len(reading.facts["visible_projects"]) == 250
    assert [call["startAt"] for call in jira.asked("/project/search")] == ["0", "100", "200"]


async def test_broken_jql_is_quoted(jira, discover, connection):
    words = "Field 'labls' does not exist or you do not have permission to view it."
    jira.plan("/search/jql", httpx.Response(400, json={"errorMessages": [words]}))
    with pytest.raises(ConfigError) as caught:
        await discover(replace(connection, scope={"jql": "labls = okr"}), jira)
    assert words in str(caught.value)
    assert "labls = okr" in str(caught.value)


async def test_a_forbidden_search_stays_a_refusal(jira, discover, connection):
    jira.plan("/search/jql", httpx.Response(403))
    with pytest.raises(RejectedError, match="lacks the permission"):
        await discover(replace(connection, scope={"jql": "labels = okr"}), jira)


@pytest.mark.parametrize(
    ("boards", "estimate"), [({}, "customfield_10016"), ({1: "customfield_10026"}, "customfield_10026")]
)
async def test_of_two_point_fields_the_boards_decide(jira, discover, connection, classic_points, boards, estimate):
    jira.fields.append(classic_points)
    jira.boards = boards
    reading = await discover(connection, jira)
    assert reading.facts["fields"]["estimate"] == estimate


async def test_one_point_field_needs_no_board(jira, discover, connection):
    jira.boards = {1: "customfield_10026"}
    reading = await discover(connection, jira)
    assert reading.facts["fields"]["estimate"] == "customfield_10016"
    assert jira.asked("/board") == []


async def test_boards_that_disagree_are_asked_about(jira, discover, connection, classic_points):
    jira.fields.append(classic_points)
    jira.boards = {1: "customfield_10026", 2: "customfield_10016"}
    with pytest.raises(ConfigError, match=r"`estimate` could mean several.*customfield_10016.*customfield_10026"):
        await discover(connection, jira)


async def test_a_board_api_that_refuses_is_no_reason_to_stop(jira, discover, connection, classic_points):
    jira.fields.append(classic_points)
    jira.plan("/agile/1.0/board", *(httpx.Response(403) for _ in range(2)))
    reading = await discover(connection, jira)
    assert reading.facts["fields"]["estimate"] == "customfield_10016"


@pytest.mark.parametrize(
    ("wanted", "found"),
    [("Story Points", "customfield_10026"), ("story points", "customfield_10026"),
     ("customfield_10016", "customfield_10016"), ("none", None)],
)  # fmt: skip
async def test_an_estimate_by_name_or_id(jira, discover, connection, classic_points, wanted, found):
    jira.fields.append(classic_points)
    reading = await discover(replace(connection, estimate=wanted), jira)
    assert reading.facts["fields"]["estimate"] == found


async def test_an_unknown_field_lists_near_names(jira, discover, connection):
    with pytest.raises(ConfigError, match=r"`estimate`: no field 'Story points'.*'Story point estimate'"):
        await discover(replace(connection, estimate="Story points"), jira)
    with pytest.raises(ConfigError, match=r"`fields\.region`: no field 'Region'"):
        await discover(replace(connection, fields={"region": "Region"}), jira)


async def test_two_fields_of_one_name_are_refused(jira, discover, connection, classic_points):
    jira.fields += [classic_points, {**classic_points, "id": "customfield_10099"}]
    with pytest.raises(ConfigError, match=r"customfield_10026.*customfield_10099"):
        await discover(replace(connection, estimate="Story Points"), jira)


async def test_fields_of_projects_out_of_scope_do_not_count(jira, discover, connection, classic_points):
    other = {"type": "PROJECT", "project": {"id": "77"}}
    jira.fields += [classic_points, {**classic_points, "id": "customfield_10099", "scope": other}]
    reading = await discover(replace(connection, estimate="Story Points"), jira)
    assert reading.facts["fields"]["estimate"] == "customfield_10026"


async def test_the_digest_moves_with_what_is_requested_alone(jira, discover, connection):
    first = (await discover(connection, jira)).digest
    jira.me = {**jira.me, "timeZone": "UTC"}
    assert (await discover(replace(connection, budget=0.1), jira)).digest == first
    others = [
        replace(connection, scope={"projects": ["PAY"]}),
        replace(connection, fields={"team": "Team"}),
        replace(connection, estimate="none"),
    ]
    assert len({first, *[(await discover(other, jira)).digest for other in others]}) == 4


async def test_findings_of_check(jira, opened, connection, reading, make_issue):
    jira.add(make_issue(1))
    async with opened(connection, jira) as client:
        found = {finding.subject: finding for finding in await CONNECTOR.probe(client, connection, reading)}
    assert {subject: finding.level for subject, finding in found.items()} == {
        "credentials": "ok",
        "permissions in PAY": "warning",
        "permissions in CORE": "warning",
        "rate limit": "ok",
        "scope": "ok",
        "estimate": "ok",
    }
    assert "environment variable JIRA_TOKEN" in found["credentials"].message
    assert "LINK_ISSUES" in found["permissions in PAY"].message
    assert "customfield_10016" in found["estimate"].message
    assert "t0k3n" not in " ".join(finding.message for finding in found.values())


async def test_little_head_room_is_a_warning(jira, opened, connection, reading):
    heads = {"x-ratelimit-nearlimit": "true", "x-ratelimit-limit": "100", "x-ratelimit-remaining": "9"}
    jira.plan("/myself", httpx.Response(200, json=jira.me, headers=heads))
    async with opened(connection, jira) as client:
        found = {finding.subject: finding for finding in await CONNECTOR.probe(client, connection, reading)}
    assert found["rate limit"].level == "warning"
    assert "9 of 100" in found["rate limit"].message


async def test_a_project_that_was_seen_before_is_lost_not_unknown(connection, jira, opened):
    both = replace(connection, scope={"projects": ["CORE", "GONE"]})
    before = Reading(facts={"visible_projects": ["CORE", "GONE"]}, account="a", digest="d")
    async with opened(both, jira) as client:
        assert (await CONNECTOR.discover(client, both, before)).lost == {"projects": ["GONE"]}
        with pytest.raises(ConfigError, match="GONE"):
            await CONNECTOR.discover(client, both, None)
