"""Discovery and `check`: what is found, and how a wrong file is refused."""

from dataclasses import replace

import pytest

from app.demo.linear_graph import engine_of
from app.demo.linear_limits import Limits
from connectors.base import Finding, Reading
from connectors.linear import CONNECTOR
from connectors.linear.site import site_of
from domain.errors import AuthError, ConfigError, RejectedError
from domain.workspace import Secret


async def test_a_reading_of_a_workspace(linear, discovered, connection, states):
    site = linear.site
    group = site.add_label("okr", group=True)
    plain, inside = site.add_label("Bug"), site.add_label("KR1", parent=group)
    of_project, of_initiative = site.add_label("bet", of="project"), site.add_label("kr/KR5", of="initiative")
    hidden = site.add_team("SEC", "Secret", private=True)
    hidden.hidden = True
    reading = await discovered(linear)
    facts = dict(reading.facts)
    statuses = facts.pop("statuses")
    assert facts == {
        "workspace": "acme",
        "app": False,
        "teams": {
            linear.eng.id: {"key": "ENG", "name": "Engineering", "estimates": True, "visibility": "public"},
            linear.des.id: {"key": "DES", "name": "Design", "estimates": False, "visibility": "public"},
        },
        "visible_teams": ["DES", "ENG"],
        "labels": {
            group.id: "okr",
            plain.id: "Bug",
            inside.id: {"name": "KR1", "parent": "okr"},
            of_project.id: "bet",
            of_initiative.id: "kr/KR5",
        },
        "project_fields": [],
        "initiatives": True,
        "lost": {"teams": []},
        "hidden_teams": {},
        "read_ms": 1795168800000,
    }
    of_issues = {id: entry for id, entry in states(linear).items() if id in statuses}
    assert {id: statuses[id] for id in of_issues} == of_issues
    assert len(of_issues) == 16
    assert sorted(statuses[id] for id in statuses.keys() - of_issues.keys()) == [
        ["Backlog", "backlog"], ["Canceled", "canceled"], ["Completed", "completed"], ["In Progress", "started"],
        ["Paused", "paused"], ["Planned", "planned"],
    ]  # fmt: skip
    assert reading.account == site.me.id


async def test_who_we_are_comes_first_and_a_wrong_key_stops_there(linear, opened, connection):
    wrong = replace(connection, auth={"token": Secret("env:LINEAR_TOKEN", "nonsense")})
    async with opened(wrong, linear) as client:
        with pytest.raises(AuthError):
            await CONNECTOR.discover(client, wrong, None)
    assert linear.operations == ["Workspace"]


async def test_discovery_takes_two_rounds_and_the_sizes_of_teams_come_along(linear, opened, connection, everything):
    async with opened(connection, linear) as client:
        reading = await CONNECTOR.discover(client, connection, None)
        assert linear.operations[0] == "Workspace"
        assert sorted(linear.operations[1:]) == [
            "InitiativeLabels", "InitiativesSeen", "IssueLabels", "ProjectLabels", "ProjectStatuses", "Shape", "Sizes",
            "WorkflowStates",
        ]  # fmt: skip
        assert await CONNECTOR.count(client, connection, reading) == 0
        _ = [page async for page in CONNECTOR.backfill(client, connection, reading, everything)]
    assert linear.operations.count("Sizes") == 1


async def test_a_later_discovery_of_the_session_asks_for_the_sizes_again(linear, opened, scoped):
    linear.site.create(linear.eng, "Pay")
    linear.site.create(linear.des, "Draw")
    async with opened(scoped("ENG"), linear) as client:
        reading = await CONNECTOR.discover(client, scoped("ENG"), None)
        assert await CONNECTOR.count(client, scoped("ENG"), reading) == 1
        reading = await CONNECTOR.discover(client, scoped("ENG", "DES"), reading)
        assert await CONNECTOR.count(client, scoped("ENG", "DES"), reading) == 2


async def test_teams_of_all_pages_are_known(linear, discovered):
    linear.site.faults.page_size = 1
    reading = await discovered(linear)
    assert reading.facts["visible_teams"] == ["DES", "ENG"]


async def test_labels_of_initiatives_that_are_refused_alone_are_no_reason_to_go_on(linear, discovered):
    linear.face.engine = engine_of(without=["Query.initiativeLabels"])
    with pytest.raises(RejectedError, match="initiativeLabels"):
        await discovered(linear)


async def test_the_fields_of_newer_schemas_are_found_and_read(newer_linear, opened, connection, everything):
    project = newer_linear.site.add_project("Pay", [newer_linear.eng])
    connection = replace(connection, auth={"token": newer_linear.site.key})
    async with opened(connection, newer_linear) as client:
        reading = await CONNECTOR.discover(client, connection, None)
        pages = [page async for page in CONNECTOR.backfill(client, connection, reading, everything)]
    assert reading.facts["project_fields"] == ["identifier", "previousIdentifiers"]
    (node,) = pages[0].payload["data"]["projects"]["nodes"]
    assert (node["id"], node["previousIdentifiers"]) == (project.id, [])
    assert node["identifier"]


async def test_initiatives_that_are_refused_are_left_out_and_the_rest_is_read(linear, opened, connection, everything):
    linear.site.add_project("Pay", [linear.eng])
    linear.face.engine = engine_of(without=["Query.initiatives"])
    async with opened(connection, linear) as client:
        reading = await CONNECTOR.discover(client, connection, None)
        pages = [page async for page in CONNECTOR.backfill(client, connection, reading, everything)]
        fetched = [page async for page in CONNECTOR.fetch(client, connection, reading, ["nobody"])]
        findings = await CONNECTOR.probe(client, connection, reading)
        located = await CONNECTOR.locate(client, connection, reading, "an-initiative", "")
    assert reading.facts["initiatives"] is False
    assert [page.items for page in pages] == [1]
    assert "initiativeToProjects" not in pages[0].payload["data"]["projects"]["nodes"][0]
    assert [page.missing for page in fetched] == [("nobody",)]
    assert [one for one in findings if one.subject == "initiatives"] == [
        Finding(
            level="warning",
            subject="initiatives",
            message=(
                "Linear refuses to show initiatives; projects are read without them. Add initiatives to what the key "
                "may read."
            ),
        )
    ]
    assert (located.state, located.detail) == (
        "inaccessible",
        "initiatives are no longer visible to our account",
    )


async def test_initiatives_that_are_shown_again_are_found_by_the_next_discovery_of_the_session(
    linear, opened, connection
):
    shown, linear.face.engine = linear.face.engine, engine_of(without=["Query.initiatives"])
    async with opened(connection, linear) as client:
        reading = await CONNECTOR.discover(client, connection, None)
        assert reading.facts["initiatives"] is False
        linear.face.engine = shown
        reading = await CONNECTOR.discover(client, connection, reading)
    assert reading.facts["initiatives"] is True


# --- scope


@pytest.mark.parametrize("names", [["ENG", "DES"], ["eng", "Design"], ["Engineering", "des"]])
async def test_teams_are_known_by_key_and_by_name_without_case(linear, discovered, scoped, names):
    reading = await discovered(linear, scoped(*names))
    assert site_of(scoped(*names), reading).teams == {linear.eng.id: "ENG", linear.des.id: "DES"}


async def test_a_team_is_known_by_its_id(linear, discovered, scoped):
    reading = await discovered(linear, scoped(linear.des.id))
    assert site_of(scoped(linear.des.id), reading).teams == {linear.des.id: "DES"}


async def test_a_key_beats_the_name_of_another_team(linear, discovered, scoped):
    named = linear.site.add_team("XYZ", "ENG")
    reading = await discovered(linear, scoped("ENG"))
    assert site_of(scoped("ENG"), reading).teams == {linear.eng.id: "ENG"}
    assert site_of(scoped("xyz"), reading).teams == {named.id: "XYZ"}


async def test_an_unknown_team_is_named_with_the_nearest(linear, discovered, scoped):
    with pytest.raises(ConfigError) as caught:
        await discovered(linear, scoped("ENG", "DESI"))
    assert str(caught.value) == (
        "linear-acme: team 'DESI' of `scope.teams` does not exist, or is private and our account is not in it. "
        "Check the spelling, and which teams environment variable LINEAR_TOKEN may see. Did you mean 'DES'?"
    )


async def test_all_unknown_teams_are_named_at_once(linear, discovered, scoped):
    with pytest.raises(ConfigError) as caught:
        await discovered(linear, scoped("DESI", "ENG", "QQQ"))
    assert str(caught.value) == (
        "linear-acme: teams 'DESI', 'QQQ' of `scope.teams` do not exist, or are private and our account is not in them."
        " Check the spelling, and which teams environment variable LINEAR_TOKEN may see. 'DESI': did you mean 'DES'?"
    )


async def test_no_team_is_a_config_error(linear, discovered, scoped):
    with pytest.raises(ConfigError, match="`scope` needs `teams`"):
        await discovered(linear, scoped())


async def test_a_team_that_went_private_is_lost_and_stays_lost(linear, discovered, connection):
    before = await discovered(linear)
    linear.des.hidden, linear.des.visibility = True, "private"
    reading = await discovered(linear, before=before)
    assert reading.lost == {"teams": ["DES"]}
    again = await discovered(linear, before=reading)
    assert again.lost == {"teams": ["DES"]}


async def test_a_team_that_comes_back_is_not_lost_any_more(linear, discovered, connection):
    before = await discovered(linear)
    linear.des.hidden = True
    reading = await discovered(linear, before=before)
    linear.des.hidden = False
    assert (await discovered(linear, before=reading)).lost == {}


@pytest.mark.parametrize("key", ["ENG", "DES"])
async def test_a_team_that_goes_out_of_sight_and_comes_back_lets_nothing_be_read_from_the_start(
    linear, discovered, key
):
    team = linear.site.team(key)
    before = await discovered(linear)
    team.hidden = True
    lost = await discovered(linear, before=before)
    still = await discovered(linear, before=lost)
    team.hidden = False
    back = await discovered(linear, before=still)
    assert [one.lost for one in (lost, still, back)] == [{"teams": [key]}, {"teams": [key]}, {}]
    assert {one.digest for one in (lost, still, back)} == {before.digest}


async def test_a_team_that_is_called_otherwise_now_is_not_lost_but_named(linear, discovered, connection, scoped):
    before = await discovered(linear)
    by_name = await discovered(linear, scoped("Engineering", "DES"))
    linear.eng.key = "PLAT"
    with pytest.raises(ConfigError, match=r"team 'ENG' .* It was the key or the name of 'PLAT'\.$"):
        await discovered(linear, before=before)
    again = await discovered(linear, scoped("Engineering", "DES"), before=by_name)
    assert again.lost == {}
    assert again.digest != by_name.digest, "each issue has another identifier, and its time did not move"


async def test_a_scope_of_which_nothing_is_left_is_an_error(linear, discovered, scoped):
    before = await discovered(linear, scoped("DES"))
    linear.des.hidden = True
    with pytest.raises(ConfigError, match="team 'DES'"):
        await discovered(linear, scoped("DES"), before)


async def test_the_digest_covers_what_decides_what_is_read(linear, discovered, connection, scoped):
    first = await discovered(linear)
    assert (await discovered(linear)).digest == first.digest
    others = [scoped("ENG"), replace(connection, estimate="none")]
    assert len({(await discovered(linear, other)).digest for other in others} | {first.digest}) == 3
    linear.des.issue_estimation_type = "linear"
    assert (await discovered(linear)).digest != first.digest


# --- check


class Silent(Limits):
    """Limits that no header tells of."""

    def headers(self, now, cost):
        return {}


async def check(opened, connection, workspace, reading=None):
    async with opened(connection, workspace) as client:
        reading = reading or await CONNECTOR.discover(client, connection, None)
        return await CONNECTOR.probe(client, connection, reading)


async def test_findings_of_a_workspace(linear, opened, connection):
    linear.many(linear.eng, 3)
    found = await check(opened, connection, linear)
    assert [(one.level, one.subject, one.message) for one in found] == [
        ("ok", "credentials", "environment variable LINEAR_TOKEN is the user product-ops@example.com."),
        ("ok", "scope", "About 3 issues in DES, ENG."),
        ("ok", "initiatives", "None is visible. If the workspace has any, add initiatives to what the key may read."),
        ("ok", "estimate", "Estimates are off in DES; turn them on in the team's settings, or say none."),
        ("ok", "rate limit", found[4].message),
        (
            "ok",
            "pace",
            "At least 81,081 issues an hour without their history, going by the points that an issue costs at most.",
        ),
        (
            "ok",
            "writing",
            "Linear does not tell what we may write; attachments on issues need the write permission of the key.",
        ),
    ]
    assert found[4].message.startswith("Left this hour: 2,4")
    assert found[4].message.endswith("of 3,000,000 points. Keyrail uses at most 100% of them.")


async def test_what_is_wrong_is_a_warning(linear, opened, connection, scoped):
    linear.des.visibility = "private"
    linear.site.me.guest = True
    linear.face.limits.requests.limit = 10
    connection = scoped("DES")
    found = {one.subject: one for one in await check(opened, connection, linear)}
    assert found["scope"] == Finding(level="warning", subject="scope", message="No issue is in DES. Check `scope`.")
    assert found["private teams"].message == (
        "DES: private; a webhook for all public teams does not cover it. Add one of its own."
    )
    assert found["estimate"].level == "warning"
    assert found["rate limit"].level == "warning"
    assert found["pace"].message.startswith("At least 2,500 issues an hour")
    assert found["writing"].level == "warning"


async def test_initiatives_that_are_seen_are_visible(linear, opened, connection):
    linear.site.add_initiative("Faster")
    found = {one.subject: one for one in await check(opened, connection, linear)}
    assert found["initiatives"] == Finding(level="ok", subject="initiatives", message="Visible.")


async def test_an_app_that_sees_no_initiative_is_told_of_the_scope(linear, opened, connection):
    reading = Reading(facts={"teams": {linear.eng.id: {"key": "ENG", "estimates": True}}}, account="", digest="")
    linear.site.faults.hide_initiatives = True
    async with opened(connection, linear) as client:
        by_app = replace(connection, auth={"client_credentials": {}})
        found = {one.subject: one for one in await CONNECTOR.probe(client, by_app, reading)}
    assert found["initiatives"] == Finding(
        level="warning",
        subject="initiatives",
        message="None is visible. If the workspace has any, add initiative:read to the scopes of the app.",
    )


async def test_an_answer_without_limits_says_so(linear, opened, connection):
    reading = Reading(facts={"teams": {linear.eng.id: {"key": "ENG", "estimates": True}}}, account="", digest="")
    linear.face.limits = Silent()
    found = {one.subject: one for one in await check(opened, connection, linear, reading)}
    assert found["rate limit"].message == "Linear states none on this answer. Keyrail uses at most 100% of it."
    assert "pace" not in found
    assert found["estimate"].message == "All teams in scope estimate."
