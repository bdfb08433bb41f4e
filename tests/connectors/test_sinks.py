"""What every place that is only written to must do, each asked over its simulation."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta

import httpx
import pytest
from starlette.responses import JSONResponse, PlainTextResponse

from app.demo import okr_tools, sinks
from connectors.base import Call, Reading, Spot
from connectors.registry import SINKS, open_sink
from domain.errors import AuthError, ConfigError, NotFoundError, RejectedError, VendorUnavailableError
from domain.facts import Outlook, StatusUpdate
from domain.okr import Health
from domain.workspace import PublishRow, Secret

NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)
READING = Reading(facts={}, account="", digest="")
HOST = "http://127.0.0.1:1"
UPDATE = StatusUpdate(
    workspace="acme",
    kind="key_result",
    id="KR1",
    title='Checkout <b>in</b> *one* & "only" step',
    progress=0.62,
    state="ok",
    health=Health.AT_RISK,
    drivers=("62 % delivered, 70 % expected by today",),
    summary="At risk. 62 % delivered, 70 % expected by today.",
    flags=(),
    complete_to=NOW,
    url="https://keyrail.example.com/key_results/KR1",
    coverage=0.9,
    forecast=Outlook(p50=date(2026, 12, 1), p85=date(2026, 12, 12), probability=0.4),
    changed=("Progress moved from 60 % to 62 %.",),
    period="2026-W48",
)


@dataclass
class Place:
    """A row, and what of its simulation tells that something was written there."""

    name: str
    to: dict
    address: str = ""
    written: str = ""
    what: str = "key_results"
    secret: str = field(default="", compare=False)


def token(value):
    return Secret("env:TOKEN", value)


TOOL, SINK = token("tool-token"), token("sink-token")
PLACES = {
    "slack hook": Place("slack", {"url": token(f"{HOST}/services/T0/B0/secret")}, "", "hooked"),
    "slack bot": Place("slack", {"token": SINK, "channel": "C0123456789", "api": f"{HOST}/slack"}, "", "messages"),
    "webhook": Place(
        "webhook",
        {"url": f"{HOST}/receive", "secret": token("whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=")},
        "",
        "delivered",
    ),
    "okr_tracker": Place(
        "okr_tracker",
        {"url": f"{HOST}/tracker", "api_key": TOOL, "client_id": "keyrail", "client_secret": TOOL},
        "kr1",
        "values",
    ),
    "operately": Place("operately", {"url": f"{HOST}/operately", "token": TOOL}, "goal-1/tgt-1", "check_ins"),
    "appfire": Place("appfire", {"url": f"{HOST}/appfire", "token": TOOL}, "1", "appfire"),
    "aha": Place("aha", {"url": f"{HOST}/aha", "token": TOOL}, "ACME-K-1"),
    "aha goal": Place(
        "aha", {"url": f"{HOST}/aha", "token": TOOL, "statuses": {"at_risk": "s2"}}, "ACME-G-1", "", "objectives"
    ),
    "asana metric": Place("asana", {"url": f"{HOST}/asana", "token": TOOL}, "77"),
    "asana status": Place("asana", {"url": f"{HOST}/asana", "token": TOOL, "as": "status"}, "77", "statuses"),
    "goals": Place("goals", {"site": f"{HOST}/goals", "email": "bot@acme.com", "token": TOOL}, "ACME-1", "updates"),
}
READ_BACK = [name for name in PLACES if name not in ("slack hook", "webhook", "appfire", "goals")]


class World:
    """A simulation, a row that writes to it, and the road from an update to the vendor's answer."""

    def __init__(self, place):
        self.now = NOW
        self.place = place
        self.slack = sinks.Sinks(clock=lambda: self.now)
        self.tools = okr_tools.Tools(clock=lambda: self.now)
        self.site = self.slack if place.name in ("slack", "webhook") else self.tools
        face = sinks.application(self.slack) if self.site is self.slack else okr_tools.application(self.tools)
        self.transport = httpx.ASGITransport(app=face)
        self.row = PublishRow(
            id="row", outlet=place.name, to={**place.to, "allow_private": True}, what=place.what, experimental=True
        )

    @property
    def written(self):
        found = self.slack.channels["C0123456789"] if self.place.written == "messages" else None
        return len(found if found is not None else getattr(self.site, self.place.written))

    @property
    def outlet(self):
        return SINKS[self.row.outlet][0].outlet(self.row)

    async def sleep(self, seconds):
        self.now += timedelta(seconds=seconds)
        await asyncio.sleep(0)

    @asynccontextmanager
    async def opened(self):
        async with open_sink(self.row, transport=self.transport, sleep=self.sleep, now=lambda: self.now) as client:
            yield client

    async def spot(self, client, **more):
        prepare = self.outlet.prepare
        facts = await prepare(client, self.row, [self.place.address], READING) if prepare else {}
        spot = Spot(
            row=self.row,
            address=self.place.address,
            key="keyrail:acme:row:key_result:KR1:2026-W48",
            reading=READING,
            facts=facts,
            period="2026-W48",
            now=self.now,
        )
        return replace(spot, **more)

    async def there(self, client, spot):
        call = self.outlet.read(spot)
        for _ in range(9):
            try:
                found = self.outlet.current((await client.send(call)).body, spot)
            except NotFoundError:
                return None
            if not isinstance(found, Call):
                return found
            call = found
        raise AssertionError("no end of pages")

    async def tell(self, update=UPDATE, **more):
        """Write an update as the road does: read the place first; return the id of the entry and the content."""
        async with self.opened() as client:
            spot = await self.spot(client, **more)
            content = self.outlet.content(update, self.row)
            if self.outlet.read is not None:
                there = await self.there(client, spot)
                spot = replace(spot, id=there.id if there else None)
            answer = await client.send(self.outlet.render(content, spot))
            return self.outlet.sent(answer, spot), content

    async def says(self, **more):
        async with self.opened() as client:
            return await self.there(client, await self.spot(client, **more))


@pytest.fixture
def world(request):
    return World(PLACES[request.param])


def every(names=tuple(PLACES)):
    return pytest.mark.parametrize("world", names, indirect=True)


def test_every_sink_of_the_registry_is_asked():
    assert {place.name for place in PLACES.values()} == set(SINKS)


@every()
async def test_an_update_arrives_once(world):
    await world.tell()
    if world.place.written:
        assert world.written == 1


@every(READ_BACK)
async def test_what_was_written_is_read_back_as_it_was_meant(world):
    entry, content = await world.tell()
    there = await world.says(id=entry)
    assert there is not None
    assert there.content == content
    lost = await world.says()
    assert lost is not None
    assert lost.content == content
    assert entry is None or lost.id == entry


@every(["okr_tracker", "aha", "asana metric", "slack bot"])
async def test_another_number_replaces_the_one_before(world):
    entry, _ = await world.tell()
    _, content = await world.tell(replace(UPDATE, progress=0.7), id=entry)
    there = await world.says(id=entry)
    assert there is not None
    assert there.content == content
    if world.place.written:
        assert world.written == 1


@every([name for name in PLACES if name not in ("slack hook", "slack bot", "webhook")])
async def test_nothing_is_told_that_the_tool_has_no_word_for(world):
    nothing = replace(UPDATE, progress=None, health=Health.UNKNOWN)
    assert world.outlet.content(nothing, world.row) == {}


@every()
async def test_what_moves_with_the_calendar_stands_under_summary(world):
    later = replace(
        UPDATE, drivers=("another reason",), summary="Another day.", changed=(), complete_to=NOW + timedelta(days=1)
    )
    one, two = (dict(world.outlet.content(update, world.row)) for update in (UPDATE, later))
    one.pop("summary", None)
    two.pop("summary", None)
    assert one == two


@every([name for name in PLACES if name not in ("slack hook",)])
async def test_a_refused_secret_is_named_and_never_shown(world):
    key = "secret" if world.place.name == "webhook" else "client_secret" if "client_secret" in world.row.to else "token"
    wrong = "whsec_" + "d3Jvbmcg" * 5 if key == "secret" else "wrong-secret"
    world.row = replace(world.row, to={**world.row.to, key: Secret("env:THE_SECRET", wrong)})
    if world.place.name == "goals":
        world.tools.trouble = [JSONResponse({"message": f"no {wrong}"}, 401)]
    with pytest.raises(AuthError) as refused:
        await world.tell()
    assert wrong not in str(refused.value)
    if key != "secret":
        assert "THE_SECRET" in str(refused.value)


@every()
async def test_a_missing_secret_is_named(world):
    gone = {name: Secret("env:GONE", None) for name, value in world.row.to.items() if isinstance(value, Secret)}
    world.row = replace(world.row, to={**world.row.to, **gone})
    with pytest.raises(ConfigError, match="environment variable GONE is not set"):
        await world.tell()


@every(["slack hook", "appfire", "goals"])
async def test_what_has_no_key_is_not_repeated_when_its_outcome_is_unclear(world):
    async with world.opened() as client:
        spot = await world.spot(client)
        world.site.trouble = [PlainTextResponse("away", 503)]
        call = world.outlet.render(world.outlet.content(UPDATE, world.row), spot)
        with pytest.raises(VendorUnavailableError):
            await client.send(call)
    assert world.written == 0


@every()
async def test_a_limit_is_waited_out(world):
    async with world.opened() as client:
        spot = await world.spot(client)
        call = world.outlet.render(world.outlet.content(UPDATE, world.row), spot)
        began = world.now
        world.site.trouble = [PlainTextResponse("slow down", 429, headers={"retry-after": "30"})]
        await client.send(call)
    assert world.now >= began + timedelta(seconds=30)


@every(["slack bot", "operately", "asana status"])
async def test_what_was_written_can_be_taken_back(world):
    entry, _ = await world.tell()
    async with world.opened() as client:
        await client.send(world.outlet.remove(await world.spot(client, id=entry)))
    assert world.written == 0
    assert await world.says(id=entry) is None


@every()
async def test_a_private_address_is_refused_unless_the_row_allows_it(world):
    world.row = replace(world.row, to={name: value for name, value in world.row.to.items() if name != "allow_private"})
    with pytest.raises(RejectedError, match=r"no public address; nothing was sent.*allow_private: true"):
        await world.tell()


@every(["operately", "asana status"])
async def test_what_another_workspace_wrote_is_seen_to_be_theirs(world):
    await world.tell(key="keyrail:globex:row:key_result:KR9:2026-W48")
    there = await world.says()
    assert there is not None
    assert there.owner == "keyrail:globex:row:key_result:KR9:2026-W48"
