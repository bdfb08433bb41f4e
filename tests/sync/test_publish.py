"""Telling places of each class over HTTP: never over what a person wrote, never twice where nobody can look."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from app.web.server import serve
from connectors.base import Call, Outlet, Sink, Target, There
from connectors.registry import SINKS
from connectors.shapes import load
from connectors.sinks import manners
from domain.errors import ConfigError, RejectedError, UsageError
from domain.okr import Contribution, Initiative, KeyResult, Objective, Timeframe, WorkSelector
from domain.rules import Test
from domain.workspace import PublishRow, PublishWhen
from storage import outbox, publications
from sync.addresses import unsupported
from sync.exports import records
from sync.outlets import targets
from sync.publish import plan, release, tell
from sync.refresh import catch_up

SOON = PublishWhen(at_most=None)


class Killed(BaseException):
    """The process ends at once."""


class Board:
    """A tool with cards, known by a key or by an id; it does what it is asked, or what a test wants of it."""

    def __init__(self):
        self.cards = {}
        self.asked = []
        self.answers = []
        self.killed = False

    async def call(self, request):
        key = request.path_params["key"]
        self.asked.append(request.method)
        status = self.answers.pop(0) if self.answers and request.method != "GET" else 200
        if status in (400, 409, 429):
            return JSONResponse({"message": "not now"}, status, headers={"retry-after": "0"})
        if request.method == "POST":
            self.cards[f"{key}#{len(self.cards)}"] = await request.json()
        elif request.method == "PUT":
            self.cards[key] = await request.json()
        elif request.method == "DELETE":
            self.cards.pop(key, None)
        elif key not in self.cards:
            return Response(status_code=404)
        return JSONResponse(self.cards.get(key, {}) if status == 200 else {}, status)

    @property
    def writes(self):
        return [method for method in self.asked if method != "GET"]

    def outlet(self, row):
        """Return an outlet of the class that a row asks for."""
        kind = row.to["class"]

        def content(update, _row):
            if update.progress == 1:
                return {}  # the board has no word for what is complete
            return {
                "text": update.text or f"{update.title}: {update.progress}",
                "summary": " ".join(update.changed),
            }

        def sent(_answer, spot):
            if self.killed:
                raise Killed
            return spot.key

        def current(body, spot):
            said = load(body)
            owner = said.get("owner") if isinstance(said, dict) else None
            return There(content={name: said[name] for name in ("text", "summary")}, id=spot.key, owner=owner)

        post = kind == "blind"
        return Outlet(
            kind=kind,
            guarantee=kind,
            content=content,
            render=lambda content, spot: Call(
                method="POST" if post else "PUT", path=f"/cards/{spot.key}", json=dict(content)
            ),
            read=None if post else lambda spot: Call(method="GET", path=f"/cards/{spot.key}"),
            current=None if post else current,
            remove=None if post else lambda spot: Call(method="DELETE", path=f"/cards/{spot.key}"),
            sent=sent,
            addressed=not post,
            per_period=row.to.get("per_period", False),
        )


@pytest.fixture
async def board(monkeypatch):
    """A board on loopback that rows can publish to as `board`."""
    here = Board()
    async with serve(
        Starlette(routes=[Route("/cards/{key:path}", here.call, methods=["GET", "PUT", "POST", "DELETE"])])
    ) as url:
        sink = Sink(type="board", outlet=here.outlet, target=lambda row: Target(base_url=url, allow_private=True))
        monkeypatch.setitem(
            SINKS, "board", (sink, replace(manners("the board"), rates={"POST": 1000.0, "PUT": 1000.0}))
        )
        yield here


@pytest.fixture
async def company(road, workspace, item):
    """Ten items of one initiative, four of them done: 40 %, under KR1 of O1."""

    def use(*rows, key_results=("KR1",), external=()):
        road.use(
            replace(
                workspace(
                    timeframes=[Timeframe(id="2026-Q4", start=date(2026, 10, 1), end=date(2026, 12, 31))],
                    objectives=[Objective(id="O1", title="Checkout", timeframe="2026-Q4", external=dict(external))],
                    key_results=[KeyResult(id=id, objective="O1", title="Regions") for id in key_results],
                    initiatives=[
                        Initiative(
                            id="I1",
                            title="One click",
                            contributes=tuple(Contribution(to=id) for id in key_results),
                            start=date(2026, 10, 1),
                            external={"board": "card-1"},
                            work=(WorkSelector(connection="jira", keys=("PAY-1",)),),
                        )
                    ],
                ),
                publish=rows,
            )
        )

    async def done(count):
        await road.take(
            *(item(str(n), parent_id="1", category="done" if n < 2 + count else "todo") for n in range(2, 12))
        )

    road.rows, road.done = use, done
    use()
    await road.receive(item("1", level="epic"))
    await road.done(4)
    await catch_up(road.context)
    return road


def row(kind, **more):
    return PublishRow(id="card", outlet="board", to={"class": kind}, **{"when": SOON, **more})


async def log(road):
    return [record async for record in records(road.context, "publications")]


@pytest.mark.parametrize("kind", ["keyed", "read_back", "blind"])
async def test_a_write_whose_answer_nobody_saw_is_not_made_twice(company, board, kind):
    company.rows(row(kind, when=PublishWhen(health=False, at_most=None)))
    board.killed = True
    with pytest.raises(Killed):
        await tell(company.context, {}, by="maria")
    board.killed = False
    (text,) = [card["text"] for card in board.cards.values()]
    done = await tell(company.context, {}, by="maria")
    assert (text, len(board.writes), len(board.cards)) == ("One click: 0.4", 1, 1)
    if kind != "blind":
        assert ([one["action"] for one in done.sent], done.errors) == (["create"], [])
        return
    (write,) = await plan(company.context)
    assert (write.action, "uncertain whether it arrived" in write.reason) == ("skip", True)
    (record,) = await log(company)
    assert (record["action"], record["by"], record["period"], record["after"]["text"]) == (
        "uncertain",
        "maria",
        write.period,
        "One click: 0.4",
    )
    company.clock.forward(days=7)
    assert [one["reason"] for one in (await tell(company.context, {})).sent] == ["our last write was not confirmed"]
    assert len(board.cards) == 2


async def test_an_answer_that_does_not_come_is_uncertain_and_a_person_can_have_it_sent_again(company, board):
    company.rows(row("blind"))
    board.answers = [503]
    done = await tell(company.context, {})
    assert ([one["subject"] for one in done.uncertain], len(done.errors), len(board.writes)) == (["I1"], 1, 1)
    await company.done(6)
    assert (await tell(company.context, {})).sent == []
    await release(company.context, "card:I1", "nobody saw it", by="maria")
    assert len((await tell(company.context, {})).sent) == 1
    assert [(one["action"], one["by"], one["reason"]) for one in await log(company)][1:] == [
        ("released", "maria", "nobody saw it"),
        ("updated", "keyrail serve", "given back after a person's change"),
    ]
    with pytest.raises(UsageError, match="overridden or uncertain"):
        await release(company.context, "card:I1", "again", by="maria")


async def test_what_was_refused_waits_until_it_says_another_thing_or_a_person_asks(company, board):
    company.rows(row("blind"))
    board.answers = [400]
    done = await tell(company.context, {})
    assert ([one["subject"] for one in done.failed], isinstance(done.errors[0], RejectedError)) == (["I1"], True)
    async with company.store.read() as tx:
        assert await outbox.ledger(tx) == {}
    assert ((await tell(company.context, {})).waiting, len(board.writes)) == (1, 1)
    assert len((await tell(company.context, {}, again=True)).sent) == 1
    board.answers = [400]
    await company.done(6)
    await tell(company.context, {})
    await company.done(7)
    assert len((await tell(company.context, {})).sent) == 1


async def test_a_write_that_meets_another_one_is_made_once_more_after_reading_again(company, board):
    company.rows(row("keyed"))
    board.answers = [409]
    assert len((await tell(company.context, {})).sent) == 1
    assert board.asked == ["GET", "PUT", "GET", "PUT"]


async def test_what_a_person_changed_or_took_away_is_theirs_until_it_is_given_back(company, board):
    company.rows(row("keyed"))
    await tell(company.context, {})
    (key,) = board.cards
    for cards, said in (({key: {"text": "Ask Maria", "summary": ""}}, "changed"), ({}, "taken away")):
        board.cards.clear()
        board.cards.update(cards)
        await company.done(6)
        done = await tell(company.context, {})
        assert ([one["reason"] for one in done.overridden], board.cards) == ([f"{said} by a person"], cards)
        await release(company.context, "card:I1", "agreed", by="maria")
        assert len((await tell(company.context, {})).sent) == 1
        await company.done(4)
        await tell(company.context, {})
    found = [one for one in await log(company) if one["action"] in ("overridden", "released")]
    assert [
        (one["before"]["text"], one["after"] and one["after"]["text"]) for one in found if one["action"] == "overridden"
    ] == [
        ("One click: 0.4", "Ask Maria"),
        ("One click: 0.4", None),
    ]


async def test_what_another_workspace_wrote_is_left_alone_and_named_by_check(company, board):
    company.rows(row("keyed"))
    await tell(company.context, {})
    (key,) = board.cards
    board.cards[key]["owner"] = "keyrail:globex:card:initiative:I1"
    await company.done(6)
    done = await tell(company.context, {})
    assert (done.sent, "written for another workspace (keyrail:globex" in done.failed[0]["reason"]) == ([], True)
    findings = await targets(company.context, {})
    assert [(one["level"], one["subject"]) for one in findings] == [("ok", "card"), ("error", "card")]
    assert "give this one another place" in findings[1]["message"]


async def test_a_new_period_has_an_entry_of_its_own_and_what_is_unchanged_has_none(company, board):
    company.rows(replace(row("keyed"), to={"class": "keyed", "per_period": True}))
    await tell(company.context, {})
    await company.done(6)
    await tell(company.context, {})
    assert len(board.cards) == 1
    company.clock.forward(days=7)
    await catch_up(company.context)
    assert (await tell(company.context, {})).sent == []
    await company.done(8)
    (write,) = (await tell(company.context, {})).sent
    assert (write["action"], len(board.cards)) == ("create", 2)
    assert {key.rpartition(":")[2] for key in board.cards} == {"2026-W47", "2026-W48"}


async def test_a_row_with_a_cron_line_sends_once_at_each_of_its_times(company, board):
    company.clock.at = datetime(2026, 11, 18, 12, tzinfo=UTC)
    company.rows(row("blind", when=PublishWhen(progress=None, health=False, at_most=None, cron="0 9 * * MON")))
    (write,) = await plan(company.context)
    assert (write.document()["action"], write.reason) == ("skip", "its first time is 23 Nov 2026, 09:00")
    assert (await tell(company.context, {})).sent == []
    company.clock.at = datetime(2026, 11, 23, 7, 59, tzinfo=UTC)
    assert (await tell(company.context, {})).sent == []
    company.clock.at = datetime(2026, 11, 23, 8, 1, tzinfo=UTC)
    (sent,) = (await tell(company.context, {})).sent
    assert (sent["period"], sent["reason"]) == ("2026-11-23T09:00", "first time")
    await company.done(6)
    (write,) = await plan(company.context)
    assert (write.action, write.reason) == ("skip", "its next time is 30 Nov 2026, 09:00")
    company.clock.at = datetime(2026, 12, 14, 8, 1, tzinfo=UTC)
    await catch_up(company.context)
    assert [one["reason"] for one in (await tell(company.context, {})).sent] == ["its time was 14 Dec 2026, 09:00"]
    assert (await tell(company.context, {})).sent == []
    assert len(board.cards) == 2


async def test_changes_that_wait_fold_into_one_write_with_the_first_due_time(company, board):
    company.rows(row("keyed", when=PublishWhen(at_most=timedelta(hours=24))))
    await tell(company.context, {})
    company.clock.forward(hours=1)
    await company.done(6)
    await tell(company.context, {})
    first = company.clock()
    company.clock.forward(hours=1)
    await company.done(7)
    await tell(company.context, {})
    async with company.store.read() as tx:
        (due,) = await outbox.waiting(tx)
    assert (due.first_due_at, due.content["progress"]) == (first, 0.7)
    company.clock.forward(hours=23)
    assert len((await tell(company.context, {})).sent) == 1
    assert len(board.writes) == 2


async def test_a_dry_run_notes_each_thing_once_and_sends_nothing(company, board):
    company.rows(row("keyed", mode="dry_run"))
    for _ in range(2):
        (dry,) = (await tell(company.context, {})).dry_run
        assert (dry["action"], dry["mode"]) == ("create", "dry_run")
    await company.done(6)
    await tell(company.context, {})
    assert [(one["action"], one["after"]["text"]) for one in await log(company)] == [
        ("would send", "One click: 0.4"),
        ("would send", "One click: 0.6"),
    ]
    assert board.asked == []


async def test_an_update_says_what_changed_and_goes_on_saying_it(company, board):
    company.rows(row("keyed", template="{{ title }} {{ progress_words }}: {{ changed | join(' ') }}"))
    await tell(company.context, {})
    await company.done(6)
    await tell(company.context, {})
    (card,) = board.cards.values()
    assert card["text"] == "One click 60 %: Progress moved from 40 % to 60 %. 2 items became done."
    assert card["summary"] == "Progress moved from 40 % to 60 %. 2 items became done."
    company.clock.forward(hours=1)
    assert (await tell(company.context, {})).sent == []
    company.rows(row("keyed", template="{{ title }}"))
    assert [one["reason"] for one in (await tell(company.context, {})).sent] == ["the template was edited"]


async def test_a_subject_without_an_address_and_a_row_without_an_outlet_are_named(company, board):
    company.rows(row("keyed", what="key_results"), replace(row("keyed"), id="pigeon", outlet="pigeon"))
    found = {one["subject"]: one for one in await targets(company.context, {})}
    assert (found["card"]["level"], found["card"]["message"]) == ("warning", "no address: no `external: card` on KR1")
    assert (found["pigeon"]["level"], "does not publish to pigeon" in found["pigeon"]["message"]) == ("error", True)
    done = await tell(company.context, {})
    assert ([type(error) for error in done.errors], done.sent) == ([ConfigError], [])
    assert len(unsupported(company.context)) == 1


async def test_what_leaves_the_row_is_taken_away_where_it_can_be(company, board):
    company.rows(row("keyed"))
    await tell(company.context, {})
    assert len(board.cards) == 1
    company.rows(replace(row("keyed"), what="objectives"))
    (sent,) = (await tell(company.context, {})).sent
    assert (sent["action"], board.cards) == ("delete", {})
    async with company.store.read() as tx:
        assert await outbox.ledger(tx) == {}
        assert set(await publications.latest(tx, "removed")) == {
            outbox.Place(target="card", kind="initiative", subject="I1", address="card-1")
        }


async def test_a_sentence_about_today_alone_never_causes_a_write(company, board):
    company.rows(row("keyed", when=PublishWhen(health=False, at_most=None), template="{{ title }}: {{ summary }}"))
    await tell(company.context, {})
    (before,) = (dict(card) for card in board.cards.values())
    company.clock.forward(days=7)
    await catch_up(company.context)
    (write,) = await plan(company.context)
    assert (write.action, write.after["text"] != before["text"]) == ("skip", True)
    assert write.reason == "moved by less than the row asks for"


async def test_an_epic_is_told_on_itself_about_itself(company):
    badge = PublishRow(id="badge", outlet="jira.remote_link", connection="jira", what="epics", when=SOON)
    company.rows(badge, replace(badge, id="web", only=Test(field="team", op="in", value=("Web",))))
    (write,) = await plan(company.context)
    assert (write.place.kind, write.place.subject, write.place.address, write.key) == ("epic", "jira:1", "1", "PAY-1")
    assert (write.action, write.after["title"].rpartition(": ")[2]) == ("create", "40 % · Unknown")
    assert [found.key for found in await plan(company.context, subject="PAY-1")] == ["PAY-1"]
    found = {one["subject"]: one["message"] for one in await targets(company.context, {})}
    assert found == {"badge": "each subject has an address", "web": "each subject has an address"}


async def test_where_one_value_fits_two_subjects_of_a_row_are_refused_by_name(company):
    value = PublishRow(
        id="value", outlet="jira.field", connection="jira", what="key_results", on="linked_epics", when=SOON,
        to={"field": "OKR", "value": "progress"},
    )  # fmt: skip
    own = replace(value, id="own", outlet="jira.property", to={"key": "okr.{subject}"})
    company.rows(value, own)
    assert {write.action for write in await plan(company.context)} == {"create"}
    company.rows(value, own, key_results=("KR1", "KR2"))
    decided = {(write.place.target, write.place.subject): write.reason for write in await plan(company.context)}
    words = "KR1, KR2 would all be written here, and it holds one value: leave the others out by `only`"
    assert decided == {
        ("value", "KR1"): words,
        ("value", "KR2"): words,
        ("own", "KR1"): "first time",
        ("own", "KR2"): "first time",
    }
    found = [one["message"] for one in await targets(company.context, {}) if one["subject"] == "value"]
    assert found == ["each subject has an address", f"PAY-1: {words}"]


async def test_what_a_place_has_no_words_for_is_not_told_and_leaves_what_stands_there(company, board):
    company.rows(row("keyed"))
    await tell(company.context, {})
    before = dict(board.cards)
    await company.done(10)
    done = await tell(company.context, {})
    assert (done.sent, done.unchanged, board.cards) == ([], 1, before)
    (write,) = await plan(company.context)
    assert write.reason.startswith("nothing to tell")


async def test_targets_are_told_side_by_side_and_one_that_is_away_stops_no_other(company, board):
    company.rows(*(replace(row("keyed"), id=f"card-{n}") for n in range(4)))
    board.answers = [400]
    done = await tell(company.context, {})
    assert (len(done.sent), len(done.failed), len(board.cards)) == (3, 1, 3)


async def test_what_leaves_a_place_is_taken_away_before_another_takes_it(company, board):
    company.rows(row("keyed"))
    await tell(company.context, {})
    board.asked.clear()
    company.rows(replace(row("keyed"), what="objectives"), external={"board": "card-1"})
    assert [one["action"] for one in (await tell(company.context, {})).sent] == ["delete", "create"]
    assert board.writes == ["DELETE", "PUT"]
    board.asked.clear()
    company.rows(row("keyed"))
    await tell(company.context, {})
    assert board.writes == ["DELETE", "PUT"]


async def test_the_project_of_a_row_is_no_address_but_of_statuses(company):
    field = PublishRow(
        id="f", outlet="jira.field", connection="jira", to={"project": "acme/12", "field": "OKR"}, when=SOON
    )
    company.rows(field)
    assert await plan(company.context) == []
