"""Each place of a tracker, written and read over HTTP against the simulated trackers, and changed there by people."""

import re
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime

import httpx
import pytest

from app.demo import github, jira, jira_dc, linear
from app.demo.github_graph import OLD_SERVER
from app.demo.github_projects import add_field, add_item, add_project, edit_status
from app.demo.github_site import Site as GitHubSite
from app.demo.linear_model import Initiative, Project
from app.demo.linear_site import Site as LinearSite
from app.demo.site import OKR_PROGRESS, OKR_STATE, Site
from connectors.base import Spot
from connectors.registry import CONNECTORS, open_connection
from domain.errors import ConfigError, RejectedError
from domain.facts import StatusUpdate
from domain.okr import Health
from domain.workspace import Connection, PublishRow, Secret
from sync.ways import Way, call_out, current

NOW = datetime(2026, 11, 24, 9, 30, tzinfo=UTC)
UPDATE = StatusUpdate(
    workspace="acme",
    kind="initiative",
    id="I1",
    title="One-click pay",
    progress=0.625,
    state="ok",
    health=Health.AT_RISK,
    drivers=("2 items wait for others",),
    summary="At risk.",
    complete_to=NOW,
    url="https://keyrail.acme.example/initiatives/I1",
)
LATER = replace(UPDATE, progress=0.75, health=Health.ON_TRACK, changed=("Progress rose from 62 % to 75 %.",))


class Place:
    """One row of `publish` over one connection: what it says, and what stands there."""

    def __init__(self, client, reading, row):
        self.client, self.reading, self.row = client, reading, row
        self.outlet = CONNECTORS[row.outlet.partition(".")[0]].outlets[row.outlet.partition(".")[2]]
        self.entry = None

    async def at(self, address, period="2026-W48"):
        """Prepare for an address, and go there."""
        prepare, facts = self.outlet.prepare, {}
        if prepare is not None:
            facts = await prepare(self.client, self.row, [address], self.reading)
        known = facts.get("addresses", {})
        key = f"keyrail:acme:{self.row.id}:initiative:I1"
        self.way = Way(row=self.row, outlet=self.outlet, client=self.client, reading=self.reading, facts=facts)
        self.spot = Spot(
            row=self.row, address=known.get(address, address), reading=self.reading, facts=facts, period=period,
            key=f"{key}:{period}" if self.outlet.per_period else key,
        )  # fmt: skip
        return self

    def content(self, update=UPDATE):
        return self.outlet.content(update, self.row)

    async def there(self, known=True):
        """Return what stands there now; with `known` by the id that was kept."""
        return await current(self.way, replace(self.spot, id=self.entry if known else None), "here")

    async def says(self):
        there = await self.there()
        return there.content if there is not None else None

    async def write(self, update=UPDATE):
        """Read first, as the road does, then write."""
        there = await self.there()
        spot = replace(self.spot, id=there.id if there is not None else None)
        self.entry = await call_out(self.way, spot, self.content(update))

    async def take_away(self):
        there = await self.there()
        await self.client.send(self.outlet.remove(replace(self.spot, id=there.id)))
        self.entry = None

    async def may_write(self):
        return [(one.level, one.message) for one in await self.outlet.may_write(self.client, self.row, self.reading)]


@asynccontextmanager
async def opened(connection, face, clock):
    async def sleep(seconds):
        clock.forward(seconds=seconds)

    transport = httpx.ASGITransport(app=face)
    async with open_connection(connection, transport=transport, now=clock, sleep=sleep) as client:
        yield client, await CONNECTORS[connection.type].discover(client, connection, None)


async def kept(place, changed=LATER):
    """Follow a place that is written, found again, changed in place and taken away."""
    assert await place.says() in (None, {"value": None})
    await place.write()
    assert await place.says() == place.content()
    assert (await place.there(known=False)).content == place.content()
    await place.write(changed)
    assert await place.says() == place.content(changed)
    return place


# --- Jira


@pytest.fixture
def site(clock):
    site = Site(clock=clock)
    site.add_project("PAY", "Payments")
    site.create("PAY", "Epic", "Checkout")
    return site


@pytest.fixture(params=["cloud", "datacenter"])
async def issues(request, site, clock):
    """A function that gives the place of a row at Jira, of either kind."""
    cloud = request.param == "cloud"
    face = (jira if cloud else jira_dc).application(site)
    auth = {"email": site.email, "token": Secret("token", site.token)} if cloud else {"pat": Secret("t", site.token)}
    connection = Connection(
        name="jira", type="jira", url=site.url, auth=auth, deployment=request.param, scope={"projects": ("PAY",)}
    )
    async with opened(connection, face, clock) as (client, reading):

        def place(kind, template=None, **to):
            return Place(
                client,
                reading,
                PublishRow(id="row", outlet=f"jira.{kind}", connection="jira", to=to, template=template),
            )

        place.face = face
        yield place


async def test_a_property_is_kept(issues, site):
    place = await kept(await issues("property").at("PAY-1"))
    assert site.find("PAY-1").properties["keyrail"]["progress"] == 0.75
    site.find("PAY-1").properties["keyrail"]["progress"] = 0.1
    assert await place.says() != place.content(LATER)
    await place.take_away()
    assert site.find("PAY-1").properties == {}
    assert await place.says() is None


async def test_a_property_of_another_workspace_is_left_alone(issues, site):
    site.find("PAY-1").properties["keyrail"] = {"marker": "keyrail:other:row:initiative:I1"}
    with pytest.raises(RejectedError, match=r"another workspace \(keyrail:other:row:initiative:I1\)"):
        await (await issues("property").at("PAY-1")).says()


@pytest.mark.parametrize(
    ("field", "value", "name", "said"),
    [("OKR progress", "progress", OKR_PROGRESS, 75.0), ("okr state", "health", OKR_STATE, "On Track")],
)
async def test_a_field_is_found_by_name_set_and_emptied(issues, site, field, value, name, said):
    place = await kept(await issues("field", field=field, value=value).at("PAY-1"))
    assert site.find("PAY-1").custom[name] == said
    site.change(site.find("PAY-1"), custom={name: None})
    assert await place.says() == {"value": None}
    await place.write()
    await place.take_away()
    assert site.find("PAY-1").custom[name] is None


async def test_where_jira_refuses_a_quiet_edit_it_is_made_once_without_and_that_is_remembered(issues, site):
    place = await issues("field", field="OKR progress", value="progress").at("PAY-1")
    await place.write()
    await place.write(LATER)
    edits = [(dict(one.query), one.status) for one in issues.face.exchanges if one.method == "PUT"]
    assert edits == [({"notifyUsers": "false"}, 403), ({}, 204), ({}, 204)]
    assert await place.says() == place.content(LATER)


async def test_where_jira_takes_a_quiet_edit_all_are_quiet(issues, site):
    site.faults.refuse_quiet_edit = False
    place = await issues("field", field="OKR progress", value="progress").at("PAY-1")
    await place.write()
    await place.write(LATER)
    assert [dict(one.query) for one in issues.face.exchanges if one.method == "PUT"] == [{"notifyUsers": "false"}] * 2


async def test_what_is_really_forbidden_stays_so(issues, site):
    site.permissions.discard("EDIT_ISSUES")
    place = await issues("field", field="OKR progress", value="progress").at("PAY-1")
    with pytest.raises(RejectedError, match="permission to edit issues"):
        await place.write()


async def test_a_comment_is_kept_as_one(issues, site):
    place = await kept(await issues("comment").at("PAY-1"))
    (comment,) = site.find("PAY-1").comments
    assert comment["id"] == place.entry
    site.find("PAY-1").comments.append({**comment, "id": "99", "properties": [], "body": place.row.id})
    comment["body"] = {"type": "doc", "version": 1, "content": []} if isinstance(comment["body"], dict) else "no"
    assert "body" in await place.says()
    await place.take_away()
    assert [one["id"] for one in site.find("PAY-1").comments] == ["99"]
    assert await place.says() is None


async def test_a_comment_out_of_a_template_is_kept(issues, site):
    place = await issues("comment", template="x").at("PAY-1")
    await kept(place, replace(LATER, text="Two lines,\n\n* one | of them * starred"))


async def test_what_may_be_written_is_told_before(issues, site):
    for kind, to in (("remote_link", {}), ("property", {}), ("comment", {})):
        assert await issues(kind, **to).may_write() == [("ok", "The account may write there.")]
    field = {"field": "OKR progress", "value": "progress"}
    (ready, loud) = await issues("field", **field).may_write()
    assert ready == ("ok", f"Writes progress to {OKR_PROGRESS}.")
    assert loud[0] == "warning"
    assert "does not administer PAY, so Jira mails watchers" in loud[1]
    site.permissions.add("ADMINISTER_PROJECTS")
    assert [level for level, _ in await issues("field", **field).may_write()] == ["ok", "ok"]
    site.permissions -= {"LINK_ISSUES", "EDIT_OWN_COMMENTS"}
    assert "lacks LINK_ISSUES in PAY: links cannot be written" in (await issues("remote_link").may_write())[0][1]
    assert "the comment cannot be kept up to date" in (await issues("comment").may_write())[0][1]


@pytest.mark.parametrize(
    ("to", "words"),
    [
        ({"field": "OKR progres", "value": "progress"}, r"no field 'OKR progres' is visible.* Near: 'OKR progress'"),
        ({"field": "OKR health", "value": "progress"}, r"is no field that progress can be written to\. Name a number"),
        ({"field": "OKR progress", "value": "health"}, r"Name a select list with one choice or a text field"),
        ({"field": "summary", "value": "text"}, r"Name a text field"),
    ],
)
async def test_a_field_that_does_not_fit_is_refused_with_what_to_do(issues, to, words):
    place = issues("field", **to)
    with pytest.raises(ConfigError, match=words):
        await place.at("PAY-1")
    ((level, _),) = await place.may_write()
    assert level == "error"


# --- Linear


@pytest.fixture
def wallet(clock):
    site = LinearSite(clock=clock)
    team = site.add_team("MOB", "Mobile")
    site.add_project("Wallet", [team], status="In Progress")
    site.trash(site.add_project("Wallet", [team], status="In Progress"))
    site.add_project("Twice", [team], status="In Progress")
    site.add_initiative("Twice", status="Active")
    site.add_initiative("Everything on the phone", status="Active")
    return site


@pytest.fixture
async def updates(wallet, clock):
    """A function that gives the place of a row of updates at Linear."""
    connection = Connection(
        name="linear", type="linear", url="https://api.linear.app/graphql", auth={"token": Secret("t", wallet.key)},
        scope={"teams": ("MOB",)},
    )  # fmt: skip
    async with opened(connection, linear.application(wallet), clock) as (client, reading):
        yield lambda template=None: Place(
            client, reading, PublishRow(id="row", outlet="linear.update", connection="linear", template=template)
        )


@pytest.mark.parametrize("name", ["Wallet", "everything on the phone"])
async def test_an_update_is_posted_once_a_period_and_changed_in_place(updates, wallet, name):
    place = await kept(await updates().at(name))
    row = next(one for one in (*wallet.all(Project), *wallet.all(Initiative)) if one.name.lower() == name.lower())
    (update,) = row.updates
    assert (update.id, update.health, row.health) == (place.entry, "onTrack", "onTrack")
    wallet.edit_update(update, health="offTrack")
    assert (await place.says())["mark"] == "offTrack"
    later = await updates().at(name, period="2026-W49")
    await later.write()
    assert len(row.updates) == 2
    await later.take_away()
    assert await later.says() == {"archived": True}
    await later.write()
    assert await later.says() == later.content()
    assert len(row.updates) == 2


async def test_a_health_without_a_word_is_left_to_linear(updates):
    await kept(await updates().at("Wallet"), replace(UPDATE, health=Health.PAUSED))
    template = await updates(template="x").at("Wallet", period="2026-W49")
    await template.write(replace(UPDATE, health=Health.UNKNOWN, text="Nobody knows."))
    assert await template.says() == template.content(replace(UPDATE, health=Health.UNKNOWN, text="Nobody knows."))


async def test_a_name_that_is_nobodys_or_several_ones_is_refused(updates):
    with pytest.raises(RejectedError, match="no project or initiative 'Purse'"):
        await (await updates().at("Purse")).says()
    with pytest.raises(RejectedError, match=r"'Twice' could be the project https://\S+ or the initiative https://"):
        await (await updates().at("Twice")).says()
    assert (await updates().may_write())[0][0] == "ok"


# --- GitHub


@pytest.fixture
def hub(clock):
    """Issue acme/api#1, which is in project acme/1, and #2, which is in none; fields of both kinds."""
    site = GitHubSite(clock=clock)
    acme = site.add_organization("acme")
    api = site.add_repository(acme, "api")
    board = add_project(site, acme, "Roadmap")
    for name, kind, options in (("OKR", "NUMBER", ()), ("Health", "SINGLE_SELECT", OPTIONS), ("Note", "TEXT", ())):
        site.add_issue_field(acme, name, kind, options)
        add_field(site, board, f"Board {name}", kind, options)
    issue = site.create(api, "Checkout")
    add_item(site, board, issue)
    add_item(site, add_project(site, acme, "Another"), issue)
    site.create(api, "In no project")
    return site


OPTIONS = ("On Track", "At Risk")


@pytest.fixture
async def boards(hub, clock):
    """A function that gives the place of a row at GitHub."""
    connection = Connection(
        name="hub", type="github", url="https://api.github.com", auth={"token": Secret("t", hub.token)},
        scope={"organizations": ("acme",), "projects": ("acme/1",)},
    )  # fmt: skip
    async with opened(connection, github.application(hub), clock) as (client, reading):

        def place(kind, template=None, **to):
            row = PublishRow(id="row", outlet=f"github.{kind}", connection="hub", to=to, template=template)
            return Place(client, reading, row)

        yield place


async def test_a_comment_on_an_issue_is_kept_as_one(boards, hub):
    place = await kept(await boards("comment").at("acme/api#1"))
    (comment,) = hub.find("acme/api#1").comments
    assert comment.id == place.entry
    hub.edit_comment(comment, "no")
    assert await place.says() == {"body": "no"}
    await place.take_away()
    assert await place.says() is None
    assert await place.may_write() == [("ok", "Our account may comment.")]


@pytest.mark.parametrize("to", [{}, {"project": "acme/1"}])
async def test_the_status_of_a_project_is_posted_once_a_period_and_changed_in_place(boards, hub, to):
    place = await kept(await boards("status_update", **to).at("acme/1"))
    board = hub.accounts["acme"].projects[0]
    (status,) = board.statuses
    assert (status.id, status.status) == (place.entry, "ON_TRACK")
    await place.write(replace(UPDATE, health=Health.UNKNOWN))
    assert status.status is None
    edit_status(hub, status, status="INACTIVE")
    assert (await place.says())["mark"] == "INACTIVE"
    later = await boards("status_update", **to).at("acme/1", period="2026-W49")
    await later.write()
    assert [one.status for one in board.statuses] == ["INACTIVE", "AT_RISK"]
    await later.take_away()
    assert await later.says() is None
    assert board.statuses == [status]


FIELDS = [("OKR", "progress", 75.0), ("health", "health", "On Track"), ("Note", "text", "75 % · On track")]


@pytest.mark.parametrize(("field", "value", "said"), FIELDS)
async def test_a_field_of_an_item_in_a_project_is_set_and_emptied(boards, hub, field, value, said):
    place = await kept(
        await boards("project_field", project="acme/1", field=f"board {field}", value=value).at("acme/api#1")
    )
    item, _ = hub.find("acme/api#1").items
    assert [getattr(one.content, "name", one.content) for one in item.values.values()] == [said]
    await place.take_away()
    assert item.values == {}
    assert await place.says() == {"value": None}


@pytest.mark.parametrize(("field", "value", "said"), FIELDS)
async def test_a_field_of_an_issue_is_set_and_emptied(boards, hub, field, value, said):
    issue = hub.find("acme/api#1")
    place = await kept(await boards("issue_field", field=field, value=value).at(issue.id))
    assert [one.value for one in issue.values.values()] == [said]
    await place.take_away()
    assert issue.values == {}
    assert await place.says() == {"value": None}


async def test_what_is_not_there_stops_no_other_place(boards):
    with pytest.raises(RejectedError, match="no issue acme/api#99"):
        await (await boards("comment").at("acme/api#99")).says()
    with pytest.raises(RejectedError, match="no project acme/9"):
        await (await boards("status_update").at("acme/9")).says()
    field = {"project": "acme/1", "field": "Board OKR", "value": "progress"}
    with pytest.raises(RejectedError, match="acme/api#2 is not in the project acme/1"):
        await (await boards("project_field", **field).at("acme/api#2")).says()


@pytest.mark.parametrize(
    ("kind", "to", "words"),
    [
        ("status_update", {"project": "acme/9"}, "there is no project acme/9"),
        ("project_field", {"field": "OKR", "value": "progress"}, "does not say which project's field"),
        (
            "project_field",
            {"project": "acme/1", "field": "Board Not", "value": "text"},
            "no field 'Board Not'.* Near: ",
        ),
        ("project_field", {"project": "acme/1", "field": "Title", "value": "health"}, "no field that health can be"),
        ("issue_field", {"field": "Note", "value": "progress"}, r"no field that progress.* Name a number field"),
    ],
)
async def test_a_row_that_means_nothing_there_is_refused_with_what_to_do(boards, kind, to, words):
    place = boards(kind, **to)
    ((level, message),) = await place.may_write()
    assert level == "error"
    assert re.search(words, message)
    with pytest.raises((ConfigError, RejectedError), match=words):
        await (await place.at("acme/api#1")).says()


async def test_who_may_not_change_a_project_is_told_before(boards, hub):
    field = {"project": "acme/1", "field": "Board OKR", "value": "progress"}
    rows = (boards("project_field", **field), boards("status_update", project="acme/1"))
    assert [level for row in rows for level, _ in await row.may_write()] == ["ok", "ok", "ok"]
    hub.accounts["acme"].projects[0].viewer_can_update = False
    for row in rows:
        assert "may not change the project 'Roadmap'. Give it the role Write" in (await row.may_write())[-1][1]
    with pytest.raises(RejectedError, match="permission to update the project"):
        await (await rows[0].at("acme/api#1")).write()
    assert (await boards("issue_field", field="OKR", value="progress").may_write())[0][0] == "ok"


async def test_a_server_without_issue_fields_says_so(hub, clock):
    connection = Connection(
        name="hub", type="github", url="https://ghe.acme.example/api/v3", auth={"token": Secret("t", hub.token)},
        scope={"repositories": ("acme/api",)},
    )  # fmt: skip
    face = github.application(hub, without=OLD_SERVER)
    async with opened(connection, face, clock) as (client, reading):
        row = PublishRow(id="row", outlet="github.issue_field", connection="hub", to={"field": "OKR"})
        with pytest.raises(RejectedError, match=r"no issue fields \(a preview\).* as: project_field"):
            await Place(client, reading, row).at("acme/api#1")
