"""Webhooks at the trackers: made once, seen in what they differ, kept alive, taken away; nobody else's touched."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import httpx
import orjson
import pytest
from cryptography.fernet import Fernet

from app.bootstrap import KeptTokens
from app.demo import company, github_company, linear_company
from app.demo import github as github_face
from app.demo import jira as jira_face
from app.demo import jira_dc as jira_dc_face
from app.demo import linear as linear_face
from app.demo.github_site import Site as GitHub
from app.demo.linear_model import Webhook
from app.demo.linear_site import Site as Linear
from app.demo.site import Site as Jira
from connectors.registry import CONNECTORS, open_connection
from domain.errors import AuthError, ConfigError
from domain.workspace import Connection, Secret, Workspace
from storage import checkpoints
from sync import hooks, places, probe
from sync.context import Context, Live
from sync.mapping import compile_mapping

TODAY = date(2026, 11, 16)
NOW = datetime(2026, 11, 16, 9, tzinfo=UTC)
URL = "https://keyrail.example.com/webhooks/{}"
SECRET = "n0b0dy-kn0ws-this-0ne"  # of simulated trackers
KEY = Fernet.generate_key().decode()


class Tracker:
    """A simulated tracker, a connection to it, and what stands there."""

    def __init__(self, kind, store):
        self.kind, self.store, self.now = kind, store, NOW
        self.calls = []
        getattr(self, f"_{kind.partition('-')[0]}")()

    def _jira(self):
        self.site = Jira(clock=lambda: self.now)
        company.build(self.site, TODAY)
        self.site.permissions.add("ADMINISTER")
        self.site.webhook_secret = SECRET
        token = Secret("env:TOKEN", self.site.token)
        auth = {
            "jira-cloud": {"email": self.site.email, "token": token},
            "jira-server": {"pat": token},
            "jira-oauth": {
                "oauth": {
                    "client_id": "id",
                    "client_secret": Secret("env:CLIENT", SECRET),
                    "refresh_token": Secret("env:REFRESH", "first"),
                }
            },
        }[self.kind]
        server = self.kind == "jira-server"
        self.face = (jira_dc_face if server else jira_face).application(self.site)
        self.connection = self._stated("jira", "http://127.0.0.1:1", auth, {"projects": ["PAY", "CORE"]})
        self.connection = replace(self.connection, deployment="datacenter" if server else "cloud")
        if self.kind == "jira-oauth":
            self.connection = replace(self.connection, url=self.site.url)

    def _github(self):
        self.site = GitHub(clock=lambda: self.now, url="http://127.0.0.1:1")
        github_company.build(self.site, TODAY)
        for repository in self.site.repositories.values():
            repository.viewer_permission = "ADMIN"
        scope, auth = {"organizations": ["acme"], "projects": ["acme/1"]}, {}
        if self.kind == "github-app":
            app = self.site.access.add_app(self.site.me)
            key = Secret("env:KEY", app.private_key)
            auth = {"app": {"id": str(app.id), "installation": str(app.installation), "private_key": key}}
        else:
            scopes = ("repo", "read:org", "read:project", "admin:org_hook", "admin:repo_hook")
            self.site.access.add_token("ghp_admin", self.site.me, scopes=scopes)
            auth = {"token": Secret("env:TOKEN", "ghp_admin")}
        if self.kind == "github-repositories":
            names = sorted(f"{one.owner.login}/{one.name}" for one in self.site.repositories.values())[:2]
            scope = {"repositories": names}
        self.face = github_face.application(self.site)
        self.connection = self._stated("github", "http://127.0.0.1:1", auth, scope)

    def _linear(self):
        self.site = Linear(clock=lambda: self.now)
        linear_company.build(self.site, TODAY)
        self.face = linear_face.application(self.site)
        auth, scope = {"token": Secret("env:TOKEN", self.site.key)}, {"teams": ["MOB", "DES"]}
        self.connection = self._stated("linear", "http://127.0.0.1:1/graphql", auth, scope)

    def _stated(self, type, url, auth, scope):
        secret = Secret("env:HOOK_SECRET", SECRET)
        return Connection(
            name=f"{type}-main", type=type, url=url, auth=auth, scope=scope, webhook_secret=secret, budget=1.0
        )

    @property
    def url(self):
        return self.connection.webhook_url or URL.format(self.connection.name)

    async def _answer(self, request):
        self.calls.append(request)
        if request.url.host == "auth.atlassian.com":
            told = {"access_token": self.site.token, "refresh_token": "next", "expires_in": 3600}
            return httpx.Response(200, json=told)
        if request.url.path == "/oauth/token/accessible-resources":
            return httpx.Response(200, json=[{"id": self.site.cloud_id, "url": self.site.url}])
        return await httpx.ASGITransport(app=self.face).handle_async_request(request)

    async def _sleep(self, seconds):
        self.now += timedelta(seconds=seconds)
        await asyncio.sleep(0)

    def context(self, public_url="https://keyrail.example.com"):
        workspace = Workspace(name="acme", timezone="UTC", connections={self.connection.name: self.connection})
        mapper = compile_mapping(workspace)
        return Context(
            store=self.store, workspace=workspace, mapper=mapper, now=lambda: self.now, public_url=public_url
        )

    @asynccontextmanager
    async def live(self):
        async with open_connection(
            self.connection,
            store=KeptTokens(self.store),
            secret_key=KEY,
            transport=httpx.MockTransport(self._answer),
            sleep=self._sleep,
            now=lambda: self.now,
        ) as client:
            connector = CONNECTORS[self.connection.type]
            reading = await connector.discover(client, self.connection, None)
            yield Live(connection=self.connection, connector=connector, client=client, reading=reading)

    async def do(self, action, **more):
        """Do an action and return its rows; nothing that is sent or stored may show the secret."""
        async with self.live() as source:
            before = len(self.calls)
            (doc,), errors = await hooks.over(self.context(**more), {source.name: source}, action)
        self.made = [call for call in self.calls[before:] if self._changes(call)]
        assert SECRET not in str(doc)
        if errors:
            raise errors[0]
        assert doc["url"] == self.url
        return doc["webhooks"]

    def _changes(self, request):
        if request.url.path.endswith(("/oauth/token", "/access_tokens")):
            return False
        return b"mutation" in request.content if self.kind == "linear" else request.method != "GET"

    def standing(self):
        """Return the webhooks that the simulated tracker has: (id, address, whether it is on, events)."""
        match self.kind.partition("-")[0]:
            case "linear":
                return [(one.id, one.url, one.enabled, one.resource_types) for one in self.site.all(Webhook)]
            case "github":
                return [(str(one.id), one.url, one.active, one.events) for one in self.site.hooks.values()]
            case _:
                return [(str(one.id), one.url, one.enabled, one.events) for one in self.site.webhooks.values()]

    def first(self):
        """Return the first webhook itself, to be tampered with."""
        kept = self.site.all(Webhook) if self.kind == "linear" else None
        if self.kind.startswith("github"):
            kept = self.site.hooks.values()
        return next(iter(kept if kept is not None else self.site.webhooks.values()))


KINDS = ("jira-cloud", "jira-server", "jira-oauth", "github-token", "github-repositories", "github-app", "linear")


@pytest.fixture(params=KINDS)
def tracker(request, store):
    return Tracker(request.param, store)


@pytest.fixture
def tracker_of(store):
    return lambda kind: Tracker(kind, store)


# Making


async def test_registering_makes_one_webhook_a_place_and_the_second_time_changes_nothing(tracker):
    rows = await tracker.do("register")
    assert {row["state"] for row in rows} == {"ok"}
    assert {row["action"] for row in rows} == {"created"}
    made = tracker.standing()
    assert {url for _, url, _, _ in made} == {tracker.url}
    assert len(made) == len(rows) == (2 if tracker.kind == "github-repositories" else 1)
    rows = await tracker.do("register")
    assert {(row["state"], row["action"]) for row in rows} == {("ok", "unchanged")}
    assert (tracker.standing(), tracker.made) == (made, [])


async def test_what_a_tracker_is_given_is_the_secret_that_deliveries_are_verified_with(tracker):
    await tracker.do("register")
    if tracker.kind == "jira-oauth":
        assert tracker.first().secret is None  # the app's client secret signs
    else:
        assert tracker.first().secret == SECRET


async def test_listing_tells_and_changes_nothing(tracker):
    rows = await tracker.do("list")
    assert {(row["state"], row["id"]) for row in rows} == {("missing", None)}
    assert tracker.standing() == tracker.made == []
    await tracker.do("register")
    rows = await tracker.do("list")
    assert {(row["state"], row["action"], row["url"]) for row in rows} == {("ok", None, tracker.url)}
    assert tracker.made == []


async def test_another_address_moves_the_webhook_and_makes_no_second_one(tracker):
    await tracker.do("register")
    before = tracker.standing()
    tracker.connection = replace(tracker.connection, webhook_url="https://other.example.com/in")
    rows = await tracker.do("list")
    assert {(row["state"], *row["differs"]) for row in rows} == {
        ("differs", f"goes to {URL.format(tracker.connection.name)}")
    }
    rows = await tracker.do("register")
    assert {(row["state"], row["action"]) for row in rows} == {("ok", "updated")}
    assert {url for _, url, _, _ in tracker.standing()} == {"https://other.example.com/in"}
    assert len(tracker.standing()) == len(before)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "github-app"])
async def test_a_missing_event_and_a_webhook_that_is_off_are_seen_and_set_right(tracker_of, kind):
    tracker = tracker_of(kind)
    await tracker.do("register")
    hook = tracker.first()
    name = "resource_types" if tracker.kind == "linear" else "events"
    wanted = list(getattr(hook, name))
    setattr(hook, name, [*wanted[1:], *(["label"] if tracker.kind.startswith("github") else [])])
    if tracker.kind != "jira-oauth":
        setattr(hook, "active" if tracker.kind.startswith("github") else "enabled", False)
    (row, *_) = await tracker.do("list")
    assert row["state"] == "differs"
    assert f"does not tell of {wanted[0]}" in row["differs"]
    assert ("is switched off" in row["differs"]) is (tracker.kind != "jira-oauth")
    (row, *_) = await tracker.do("register")
    assert (row["state"], row["action"]) == ("ok", "updated")
    assert set(wanted) <= set(getattr(tracker.first(), name))
    if tracker.kind.startswith("github"):
        assert "label" in tracker.first().events  # somebody added it


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "jira-oauth"])
async def test_a_changed_secret_is_noticed_and_given_to_the_tracker(tracker_of, kind):
    tracker = tracker_of(kind)
    await tracker.do("register")
    tracker.connection = replace(tracker.connection, webhook_secret=Secret("env:HOOK_SECRET", "an0ther-0ne"))
    (row, *_) = await tracker.do("list")
    assert row["state"] == "differs"
    assert "HOOK_SECRET" in row["differs"][0]
    assert "an0ther" not in str(row)
    (row, *_) = await tracker.do("register")
    assert (row["state"], row["action"]) == ("ok", "updated")
    assert tracker.first().secret == "an0ther-0ne"


async def test_a_webhook_with_our_address_that_somebody_made_is_given_our_secret_once(tracker_of):
    tracker = tracker_of("jira-cloud")
    await tracker.do("register")
    async with tracker.store.write() as tx:
        await checkpoints.drop(tx, tracker.connection.name, places.STREAM)
    tracker.first().secret = "made-by-hand"
    (row,) = await tracker.do("list")
    assert row["differs"] == ["was not made by us: whether it signs with environment variable HOOK_SECRET is not known"]
    (row,) = await tracker.do("register")
    assert (row["action"], tracker.first().secret) == ("updated", SECRET)
    (row,) = await tracker.do("register")
    assert row["action"] == "unchanged"


async def test_a_webhook_that_signs_nothing_is_seen_and_given_our_secret(tracker_of):
    tracker = tracker_of("jira-cloud")
    await tracker.do("register")
    tracker.first().secret = None
    (row,) = await tracker.do("list")
    assert row["differs"] == ["signs nothing"]
    await tracker.do("register")
    assert tracker.first().secret == SECRET


async def test_a_second_webhook_with_our_address_is_one_too_many(tracker_of):
    tracker = tracker_of("jira-cloud")
    await tracker.do("register")
    ours = tracker.first()
    tracker.site.webhooks[1] = replace(ours, id=1)
    rows = await tracker.do("list")
    assert [(row["id"], row["state"], row["differs"]) for row in rows] == [
        (str(ours.id), "ok", []),
        ("1", "differs", ["is one too many"]),
    ]
    rows = await tracker.do("register")
    assert [row["action"] for row in rows] == ["unchanged", "removed"]
    assert list(tracker.site.webhooks) == [ours.id]


async def test_the_store_holds_nothing_that_the_secret_could_be_told_from(tracker):
    await tracker.do("register")
    async with tracker.store.read() as tx:
        kept = await checkpoints.load(tx, tracker.connection.name, places.STREAM)
    assert kept["places"]
    for place in kept["places"].values():
        assert SECRET not in str(place)
        assert len(place["mark"]) == 4


# Places


async def test_linear_has_a_webhook_for_public_teams_and_one_for_each_private_team(tracker_of):
    tracker = tracker_of("linear")
    secret = tracker.site.add_team("SEC", "Security", private=True)
    tracker.connection = replace(tracker.connection, scope={"teams": ["MOB", "DES", "SEC"]})
    rows = await tracker.do("register")
    assert [row["place"] for row in rows] == ["all public teams", "team SEC"]
    made = list(tracker.site.all(Webhook))
    assert [(one.all_public_teams, one.team) for one in made] == [(True, None), (False, secret)]
    tracker.connection = replace(tracker.connection, scope={"teams": ["MOB"]})
    rows = await tracker.do("register")
    assert [(row["place"], row["action"]) for row in rows] == [
        ("team MOB", "created"),
        ("all public teams", "removed"),
        ("team SEC", "removed"),
    ]
    assert [one.team.key for one in tracker.site.all(Webhook)] == ["MOB"]


async def test_a_repository_that_left_the_scope_loses_its_webhook(tracker_of):
    tracker = tracker_of("github-repositories")
    await tracker.do("register")
    first, second = tracker.connection.scope["repositories"]
    tracker.connection = replace(tracker.connection, scope={"repositories": [first]})
    rows = await tracker.do("list")
    assert [(row["place"], row["state"]) for row in rows] == [(first, "ok"), (second, "differs")]
    rows = await tracker.do("register")
    assert [(row["place"], row["action"]) for row in rows] == [(first, "unchanged"), (second, "removed")]
    assert len(tracker.standing()) == 1


async def test_the_scope_of_projects_narrows_a_webhook_of_jira(tracker_of):
    tracker = tracker_of("jira-cloud")
    await tracker.do("register")
    assert tracker.first().jql == 'project in ("PAY", "CORE")'
    tracker.connection = replace(tracker.connection, scope={"projects": ["PAY"]})
    (row,) = await tracker.do("list")
    assert row["differs"] == ['tells of project in ("PAY", "CORE") instead of project in ("PAY")']
    await tracker.do("register")
    assert tracker.first().jql == 'project in ("PAY")'


# Nobody else's


async def test_other_webhooks_are_left_alone(tracker_of):
    tracker = tracker_of("jira-cloud")
    await tracker.do("register")
    other = replace(tracker.first(), id=99_999, url="https://somebody.example.com/hook")
    tracker.site.webhooks[other.id] = other
    for action in ("register", "refresh", "remove"):
        await tracker.do(action)
    assert list(tracker.site.webhooks.values()) == [other]


async def test_the_webhook_of_an_app_that_goes_elsewhere_is_not_taken_over(tracker_of):
    tracker = tracker_of("github-app")
    await tracker.do("register")
    async with tracker.store.write() as tx:
        await checkpoints.drop(tx, tracker.connection.name, places.STREAM)
    tracker.first().url = "https://somebody.example.com/hook"
    (row,) = await tracker.do("register")
    assert row["state"] == "by_hand"
    assert "goes to https://somebody.example.com/hook, which is not ours to change" in row["error"]
    assert tracker.first().url == "https://somebody.example.com/hook"


async def test_events_that_only_a_person_can_choose_are_asked_for_and_not_sent_each_time(tracker_of):
    tracker = tracker_of("github-app")
    tracker.site.access.events = ("issues",)
    (row,) = await tracker.do("register")
    assert row["state"] == "by_hand"
    assert any("Sub-issues" in step for step in row["instructions"])
    tracker.first().events = ["issues"]
    (row,) = await tracker.do("register")
    assert (row["state"], row["action"], tracker.made) == ("by_hand", "unchanged", [])


async def test_removing_takes_ours_and_forgets_them(tracker):
    await tracker.do("register")
    rows = await tracker.do("remove")
    if tracker.kind == "github-app":
        assert [row["state"] for row in rows] == ["by_hand"]
        return
    assert {row["action"] for row in rows} == {"removed"}
    assert tracker.standing() == []
    assert await tracker.do("remove") == []
    async with tracker.store.read() as tx:
        assert (await checkpoints.load(tx, tracker.connection.name, places.STREAM))["places"] == {}


# Keeping alive


async def test_a_dynamic_webhook_gets_more_time_when_ten_days_are_left(tracker_of):
    tracker = tracker_of("jira-oauth")
    await tracker.do("register")
    tracker.now += timedelta(days=19)
    (row,) = await tracker.do("refresh")
    assert (row["action"], tracker.made) == ("unchanged", [])
    tracker.now += timedelta(days=2)
    (row,) = await tracker.do("list")
    assert row["differs"] == ["ends on 2026-12-16"]
    (row,) = await tracker.do("refresh")
    assert (row["state"], row["action"]) == ("ok", "extended")
    assert tracker.first().expires == tracker.now + timedelta(days=30)


async def test_a_dynamic_webhook_that_ended_is_made_anew(tracker_of):
    tracker = tracker_of("jira-oauth")
    await tracker.do("register")
    tracker.now += timedelta(days=31)
    (row,) = await tracker.do("refresh")
    assert (row["state"], row["action"]) == ("ok", "created")
    assert len(tracker.standing()) == 1


async def test_a_webhook_that_a_person_deleted_is_not_made_anew_by_refresh(tracker_of):
    tracker = tracker_of("jira-cloud")
    await tracker.do("register")
    tracker.site.webhooks.clear()
    (row,) = await tracker.do("refresh")
    assert (row["state"], tracker.standing()) == ("missing", [])


@pytest.mark.parametrize("kind", ["jira-cloud", "jira-server", "github-token", "linear"])
async def test_a_webhook_that_was_switched_off_is_switched_on(tracker_of, kind):
    tracker = tracker_of(kind)
    await tracker.do("register")
    setattr(tracker.first(), "active" if kind == "github-token" else "enabled", False)
    (row,) = await tracker.do("refresh")
    assert (row["state"], row["action"]) == ("ok", "enabled")
    assert tracker.standing()[0][2] is True


# What does not go


async def test_without_the_right_a_person_is_told_what_to_click(tracker_of):
    for kind in ("jira-cloud", "jira-server", "github-token", "github-repositories"):
        tracker = tracker_of(kind)
        if kind.startswith("jira"):
            tracker.site.permissions.discard("ADMINISTER")
        else:
            tracker.site.access.add_token(
                "ghp_admin", tracker.site.me, scopes=("public_repo", "read:org", "read:project")
            )
        rows = await tracker.do("register")
        assert {row["state"] for row in rows} == {"by_hand"}, kind
        for row in rows:
            told = " ".join(row["instructions"])
            assert tracker.url in told
            assert "the value of environment variable HOOK_SECRET" in told
            assert "(403)" in row["error"] or "(404)" in row["error"]
        assert tracker.standing() == []


async def test_an_application_without_the_right_is_told_what_to_click_in_linear(tracker_of):
    tracker = tracker_of("linear")
    app = tracker.site.oauth
    auth = {"client_credentials": {"client_id": app.client_id, "client_secret": Secret("env:APP", app.client_secret)}}
    tracker.connection = replace(tracker.connection, auth=auth)
    (row,) = await tracker.do("register")
    assert row["state"] == "by_hand"
    assert "our account lacks the permission" in row["error"]
    assert f"URL: {tracker.url}" in row["instructions"]


async def test_a_refusal_inside_a_successful_answer_is_a_refusal(tracker_of):
    tracker = tracker_of("jira-oauth")
    tracker.connection = replace(tracker.connection, scope={"jql": "labels = okr"})
    (row,) = await tracker.do("register")
    assert row["state"] == "by_hand"
    assert "Jira did not take the webhook: The clause of the JQL filter" in row["error"]


async def test_without_a_public_address_the_setting_is_named(tracker_of):
    tracker = tracker_of("jira-cloud")
    with pytest.raises(ConfigError, match="Set KEYRAIL_PUBLIC_URL"):
        await tracker.do("register", public_url=None)
    with pytest.raises(ConfigError, match="unencrypted"):
        await tracker.do("register", public_url="http://keyrail.example.com")
    assert tracker.standing() == []


async def test_without_a_secret_nothing_is_registered(tracker_of):
    tracker = tracker_of("jira-cloud")
    tracker.connection = replace(tracker.connection, webhook_secret=None)
    with pytest.raises(ConfigError, match="no webhook secret is set"):
        await tracker.do("register")
    assert await tracker.do("list")


async def test_the_secret_of_an_oauth_app_must_be_its_client_secret(tracker_of):
    tracker = tracker_of("jira-oauth")
    tracker.connection = replace(tracker.connection, webhook_secret=Secret("env:HOOK_SECRET", "an0ther-0ne"))
    with pytest.raises(ConfigError, match="client secret"):
        await tracker.do("register")


async def test_a_refused_token_ends_one_connection_and_no_other(tracker_of):
    well, ill = tracker_of("linear"), tracker_of("jira-cloud")
    async with well.live() as one, ill.live() as two:
        ill.site.token = "revoked"
        docs, errors = await hooks.over(well.context(), {"a": two, "b": one}, "register")
    assert [type(error) for error in errors] == [AuthError]
    assert [bool(doc["error"]) for doc in docs] == [True, False]
    assert len(well.standing()) == 1


async def test_what_a_tracker_says_of_a_secret_is_not_repeated(tracker_of):
    tracker = tracker_of("jira-cloud")

    async def echoing(request):
        if request.method == "POST":
            said = orjson.loads(request.content)["secret"]
            return httpx.Response(400, json={"errorMessages": [f"The secret {said} is too short."]})
        return await Tracker._answer(tracker, request)

    tracker._answer = echoing
    (row,) = await tracker.do("register")
    assert "The secret *** is too short." in row["error"]


# What `check` says of it


@pytest.mark.parametrize("kind", ["jira-cloud", "github-repositories", "linear"])
async def test_check_looks_whether_a_webhook_stands(tracker_of, kind):
    tracker = tracker_of(kind)

    async def said():
        async with tracker.live() as source:
            return await probe.deliveries(tracker.context(), source)

    finding = await said()
    assert (finding["level"], finding["subject"]) == ("warning", "webhook")
    assert "no webhook" in finding["message"]
    assert f"keyrail webhooks register --connection {tracker.connection.name}" in finding["message"]
    await tracker.do("register")
    finding = await said()
    assert (finding["level"], "stands and is switched on" in finding["message"]) == ("ok", True)
    setattr(tracker.first(), "active" if kind.startswith("github") else "enabled", False)
    finding = await said()
    assert (finding["level"], "is switched off" in finding["message"]) == ("warning", True)


async def test_check_does_not_complain_where_our_account_may_not_look(tracker_of):
    tracker = tracker_of("jira-cloud")
    tracker.site.permissions.discard("ADMINISTER")
    async with tracker.live() as source:
        finding = await probe.deliveries(tracker.context(), source)
    assert (finding["level"], "may not see" in finding["message"]) == ("ok", True)
