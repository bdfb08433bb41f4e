"""The past out of today's store: what stood then is what is told of then, and changes sum to the difference."""

from dataclasses import replace
from datetime import date, timedelta
from math import fsum

import pytest

from domain.errors import UsageError
from domain.okr import CheckIn, Contribution, Initiative, KeyResult, Metric, Objective, Timeframe, WorkSelector
from domain.rules import MappingRule, Policies, Test
from storage import items as store
from storage import okrs
from sync import history, ingest, retell
from sync.answers import explain, now_there
from sync.refresh import rebuild

STEP = {"todo": "To Do", "in_progress": "In Progress", "done": "Done", "canceled": "Won't Do"}
RATE = Metric(kind="number", start=0.0, target=10.0, unit="%")
STATUSES = {name: category for category, name in STEP.items()}


@pytest.fixture
def file(workspace):
    """A workspace with I1 on PAY-1, which serves KR1, and I2 on PAY-9; statuses in the tracker's words."""

    def build(**policies):
        made = workspace(
            objectives=[Objective(id="O1", title="Pay", timeframe="2026")],
            key_results=[
                KeyResult(id="KR1", objective="O1", title="Delivery"),
                KeyResult(
                    id="KR2",
                    objective="O1",
                    title="Rate",
                    metric=Metric(kind="number", start=0.0, target=10.0, unit="%"),
                ),
            ],
            initiatives=[
                Initiative(
                    id="I1",
                    title="One",
                    contributes=(Contribution(to="KR1"),),
                    work=(WorkSelector(connection="jira", keys=("PAY-1",)),),
                ),
                Initiative(id="I2", title="Two", work=(WorkSelector(connection="jira", keys=("PAY-9",)),)),
            ],
        )
        year = Timeframe(id="2026", start=date(2026, 1, 1), end=date(2026, 12, 31))
        return replace(made, timeframes={"2026": year}, policies=Policies(**policies))

    return build


class Story:
    """A tracker's items with their history, told as it happens or late."""

    def __init__(self, road, item):
        self.road, self.item = road, item
        self.now, self.told, self.serial = {}, [], 0
        source = road.sources["jira"]
        facts = {"statuses": {name: [name, category] for name, category in STATUSES.items()}}
        road.sources["jira"] = replace(source, reading=replace(source.reading, facts=facts))

    async def remember_statuses(self):
        from storage import checkpoints

        async with self.road.store.write() as tx:
            facts = dict(self.road.sources["jira"].reading.facts)
            await checkpoints.save(tx, "jira", history.READING, {"facts": facts, "account": "", "digest": ""})

    def create(self, name, **known):
        category = known.get("category", "todo")
        if category == "done":
            known = {"completed_at": self.road.clock(), **known}
        known = {"status": STEP[category], "created_at": self.road.clock(), **known}
        self.now[name] = known

    def change(self, name, **fields):
        at = self.road.clock()
        for field, value in fields.items():
            self.serial += 1
            known = self.now[name]
            match field:
                case "category":
                    entry = ("status", known["status"], STEP[value])
                    known |= {"category": value, "status": STEP[value]}
                    known |= {"completed_at": at if value == "done" else None}
                    known |= {"canceled_at": at if value == "canceled" else None}
                case "parent_id":
                    entry = ("parent", known.get("parent_id"), value)
                    known["parent_id"] = value
                case "labels":
                    entry = ("labels", " ".join(known.get("labels", ())), " ".join(value))
                    known["labels"] = value
                case _:
                    before = known.get("estimate")
                    entry = ("estimate", f"{before:g}" if before is not None else None, f"{value:g}")
                    known["estimate"] = value
            named, before, after = entry
            ids = {"before_id": before, "after_id": after} if named == "parent" else {}
            self.told.append({"transition": {
                "connection": "jira", "item_id": name, "id": f"{self.serial}.0", "at": at.isoformat(), "field": named,
                "before": before, "after": after, **ids,
            }})  # fmt: skip

    async def tell(self):
        """Have the tracker read: every item as it is now, with all of its history."""
        items = [self.item(name, updated_at=self.road.clock(), **known) for name, known in self.now.items()]
        await self.road.receive(*items, *self.told)
        async with self.road.store.alone() as tx:
            source = self.road.sources["jira"]
            self.road.moved.add(await ingest.finish_history(tx, self.road.context, source, sorted(self.now)))
        await self.road.refresh()


async def changed(road, id_, since):
    """Return the explanation of a subject with what changed since a day."""
    return await retell.with_changes(road.context, await explain(road.context, id_), id_, since, road.context.today)


@pytest.fixture
async def story(road, item, file):
    road.use(file())
    told = Story(road, item)
    await told.remember_statuses()
    return told


async def test_each_day_of_the_past_is_what_was_told_on_it(story, road, clock):
    """Ten days of work, read every evening; then each of them is asked for again."""
    days = {}
    scripts = [
        lambda: [story.create("1", level="epic"), *(story.create(str(n), parent_id="1") for n in range(2, 6))],
        lambda: story.change("2", category="done"),
        lambda: [
            story.create("9", level="epic"),
            story.create("10", parent_id="1", category="done"),
        ],
        lambda: story.change("3", category="canceled"),
        lambda: story.change("4", parent_id="9"),
        lambda: story.change("2", category="in_progress"),
        lambda: story.change("3", category="todo"),
        lambda: [story.change("4", parent_id="1"), story.change("4", category="done")],
        lambda: story.change("1", category="done"),
        lambda: story.change("2", category="done"),
    ]
    for script in scripts:
        script()
        await story.tell()
        days[road.context.today] = (await now_there(road.context)).subjects
        clock.forward(days=1)
    for day, subjects in days.items():
        then = (await history.present_at(road.context, day)).subjects
        for id_, (progress, flow) in subjects.items():
            assert (then[id_][0].value, then[id_][0].counts, then[id_][1]) == (progress.value, progress.counts, flow), (
                day,
                id_,
            )


async def test_the_past_does_not_depend_on_when_it_was_told(story, road, clock):
    story.create("1", level="epic")
    story.create("2", parent_id="1")
    story.create("3", parent_id="1", estimate=3.0)
    first = road.context.today
    clock.forward(days=2)
    story.change("2", category="done")
    story.change("3", estimate=5.0)
    clock.forward(days=2)
    story.change("2", category="todo")
    await story.tell()  # for the first time
    values = [
        (await history.present_at(road.context, first + timedelta(days=n))).subjects["I1"][0].value for n in range(5)
    ]
    assert values == [0.0, 0.0, 0.5, 0.5, 0.0]


async def test_what_is_kept_of_a_past_day_is_dropped_with_late_history_and_with_another_file(story, road, clock, file):
    story.create("1", level="epic")
    story.create("2", parent_id="1")
    await story.tell()
    day = road.context.today
    clock.forward(days=3)
    assert (await history.present_at(road.context, day)).subjects["I1"][0].value == 0.0
    at, clock.at = clock.at, clock.at - timedelta(days=3)
    story.change("2", category="done")
    clock.at = at
    await story.tell()
    assert (await history.present_at(road.context, day)).subjects["I1"][0].value == 1.0
    road.use(replace(file(canceled="as_done"), digest="another"))
    story.create("3", parent_id="1", created_at=clock() - timedelta(days=9), category="canceled")
    story.now["3"]["canceled_at"] = clock() - timedelta(days=8)
    await story.tell()
    async with road.store.alone() as tx:
        await rebuild(tx, road.context)
    assert (await history.present_at(road.context, day)).subjects["I1"][0].counts["canceled"] == 1


async def test_changes_sum_to_what_the_number_moved_by_and_name_each_item(story, road, clock):
    story.create("1", level="epic")
    for n in range(32, 42):
        story.create(str(n), parent_id="1", category="done" if n < 36 else "todo")
    await story.tell()
    since = road.context.today
    clock.forward(days=1)
    story.change("36", category="done")
    clock.forward(hours=1)
    story.create("20", parent_id="1")
    story.create("21", parent_id="1")
    clock.forward(hours=1)
    story.change("37", category="canceled")
    await story.tell()
    doc = await changed(road, "I1", since)
    told = [(row["cause"], row["key"]) for row in doc["changes"]]
    assert told == [("done", "PAY-36"), ("added", "PAY-20"), ("added", "PAY-21"), ("canceled", "PAY-37")]
    assert fsum(row["effect"] for row in doc["changes"]) == pytest.approx(3 / 55, abs=1e-12)
    assert (doc["progress"], doc["before"]["progress"]) == pytest.approx((5 / 11, 4 / 10))
    epic = await retell.with_changes(
        road.context, await explain(road.context, "PAY-1"), "PAY-1", since, road.context.today
    )
    assert [row["effect"] for row in epic["changes"]] == [row["effect"] for row in doc["changes"]]
    above = await changed(road, "O1", since)
    assert [(row["id"], row["effect"]) for row in above["changes"]] == [("KR1", pytest.approx(3 / 55))]


async def test_an_epic_that_left_is_explained_where_it_was_and_where_it_went(story, road, clock):
    story.create("1", level="epic")
    story.create("9", level="epic")
    story.create("2", parent_id="1")
    story.create("3", parent_id="2", category="done")
    story.create("4", parent_id="1")
    await story.tell()
    since = road.context.today
    clock.forward(days=1)
    story.change("2", parent_id="9")
    await story.tell()
    then = await retell.explain_at(road.context, "I1", since)
    assert [row["key"] for row in then["inputs"]] == ["PAY-3", "PAY-4"]
    assert then["progress"] == 0.5
    here = await changed(road, "I1", since)
    assert [(row["cause"], row["key"], row["effect"]) for row in here["changes"]] == [("moved_out", "PAY-3", -0.5)]
    there = await changed(road, "I2", since)
    moved = [(row["cause"], row["key"], row["effect"]) for row in there["changes"] if row["effect"]]
    assert moved == [("moved_in", "PAY-3", 1.0)]


async def test_rules_are_applied_to_items_as_they_were(story, road, clock, file):
    rule = MappingRule(name="okr", when=Test(field="labels", op="in", value=("pay",)), initiative="I1")
    road.use(replace(file(), rules=(rule,)))
    story.create("7", labels=("other",))
    await story.tell()
    since = road.context.today
    clock.forward(days=1)
    story.change("7", labels=("other", "pay"))
    await story.tell()
    assert (await retell.explain_at(road.context, "I1", since))["inputs"] == []
    clock.forward(days=1)
    story.change("7", labels=("other",))
    await story.tell()
    now = await explain(road.context, "I1")
    assert now["inputs"] == []
    then = await retell.explain_at(road.context, "I1", since + timedelta(days=1))
    assert [(row["key"], row["rule"]) for row in then["inputs"]] == [("PAY-7", "rule:okr")]


async def test_a_deleted_item_was_there_before(story, road, clock):
    story.create("1", level="epic")
    story.create("2", parent_id="1", category="done")
    story.create("3", parent_id="1")
    await story.tell()
    since = road.context.today
    clock.forward(days=1)
    await road.take({"delete": "2"})
    assert (await retell.explain_at(road.context, "I1", since))["progress"] == 0.5
    doc = await changed(road, "I1", since)
    assert [(row["cause"], row["key"], row["effect"]) for row in doc["changes"]] == [("deleted", "PAY-2", -0.5)]


async def test_the_burnup_has_each_day_since_the_start_with_the_causes_of_each_step(story, road, clock):
    story.create("1", level="epic")
    story.create("2", parent_id="1")
    clock.forward(days=2)
    story.change("2", category="done")
    clock.forward(days=1)
    story.create("3", parent_id="1")
    await story.tell()
    doc = await retell.with_burnup(road.context, await explain(road.context, "I1"), "I1", road.context.today)
    assert [(day["done"], day["scope"], day["progress"]) for day in doc["burnup"]] == [
        (0.0, 1.0, 0.0), (0.0, 1.0, 0.0), (1.0, 1.0, 1.0), (1.0, 2.0, 0.5),
    ]  # fmt: skip
    assert [day["causes"] for day in doc["burnup"]][1:] == [{}, {"done": 1.0}, {"added": -0.5}]
    assert doc["burnup"][-1]["day"] == road.context.today.isoformat()


async def test_a_metric_changes_by_its_check_ins(story, road, clock):
    since = road.context.today
    async with road.store.write() as tx:
        for value in (2.0, 5.0):
            clock.forward(days=1)
            now = clock()
            await okrs.add_check_in(tx, CheckIn(key_result="KR2", as_of=now, value=value, recorded_at=now, by="maria"))
    doc = await changed(road, "KR2", since)
    assert [(row["cause"], row["title"], row["effect"]) for row in doc["changes"]] == [
        ("check_in", "2 %", 0.2), ("check_in", "5 %", pytest.approx(0.3)),
    ]  # fmt: skip


@pytest.mark.parametrize("known", [{"archived": True}, {"blocked_by": ["3"]}], ids=["archived", "blocked"])
async def test_an_open_item_that_waits_or_is_archived_says_that_its_past_is_not_known(story, road, clock, known):
    story.create("1", level="epic")
    story.create("2", parent_id="1", **known)
    story.create("3", parent_id="1", category="done")
    clock.forward(days=1)
    story.change("2", category="in_progress")
    story.change("3", category="todo")
    await story.tell()
    then, now = road.context.today - timedelta(days=1), road.context.today
    for day, silent in ((then, True), (now, False)):
        flags = (await history.present_at(road.context, day)).subjects["I1"][0].flags
        assert ("no_history" in flags) is silent


async def test_an_item_that_was_over_does_not_ask_for_what_has_no_past(story, road, clock):
    story.create("1", level="epic")
    story.create("2", parent_id="1", category="done", archived=True)
    clock.forward(days=1)
    story.change("2", category="todo")
    await story.tell()
    then = (await history.present_at(road.context, road.context.today - timedelta(days=1))).subjects["I1"][0]
    assert (then.value, then.flags) == (1.0, ())


async def test_an_item_whose_history_was_never_read_says_so_in_the_past(road, item, file, clock):
    road.use(file())
    born = clock() - timedelta(days=5)
    finished = clock() - timedelta(days=1)
    epic = item("1", level="epic", created_at=born)
    await road.take(epic, item("2", parent_id="1", category="done", created_at=born, completed_at=finished))
    then = (await history.present_at(road.context, road.context.today - timedelta(days=3))).subjects["I1"][0]
    assert (then.value, then.flags) == (0.0, ("no_history",))
    assert (await road.progress("I1")).flags == ()


async def test_days_that_cannot_be_asked_for_are_refused_with_what_can(road, file, story, clock):
    story.create("1")
    await story.tell()
    doc = await explain(road.context, "I1")
    with pytest.raises(UsageError, match=r"future.*2026-11-18"):
        await retell.explain_at(road.context, "I1", date(2026, 11, 19))
    with pytest.raises(UsageError, match="Nothing lies between"):
        await retell.with_changes(road.context, doc, "I1", road.context.today, road.context.today)
    with pytest.raises(UsageError, match="did not exist on 2026-11-01: it was created 2026-11-18"):
        await retell.explain_at(road.context, "PAY-1", date(2026, 11, 1))
    async with road.store.read() as tx:
        assert await store.counts(tx) == {"jira": 1}
