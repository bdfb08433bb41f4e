"""What programs read: the report, the work, the state; in pages, filtered, as tables, and only when it has changed."""

import csv
import io
import re
from datetime import timedelta

import pytest

from storage import items as store
from sync.answers import report
from sync.exports import records

LISTS = (
    "objectives", "key-results", "initiatives", "items", "epics", "history", "check-ins", "overrides", "connections",
    "deliveries", "publications", "audit",
)  # fmt: skip


async def ids(api, path, name="id", **params):
    return [one[name] for one in (await api.get(path, params=params))["records"]]


async def test_the_report_is_that_of_show(api):
    doc = await api.get("show")
    told = await report(api.context, timeframe="current")
    assert doc["objectives"] == told["objectives"]
    assert [one["id"] for one in doc["objectives"]] == ["O1", "O2"]
    assert doc["key_results"][0]["delivery_progress"] == pytest.approx(0.5)


async def test_subjects_are_found_by_what_they_are(api):
    assert await ids(api, "objectives") == ["O1", "O2"]
    assert await ids(api, "objectives", timeframe="all") == ["O0", "O1", "O2"]
    assert await ids(api, "objectives", owner="ann@example.com") == ["O1"]
    assert await ids(api, "objectives", q="FASTER") == ["O2"]
    assert await ids(api, "key-results", objective="O1") == ["KR1", "KR2"]
    assert await ids(api, "key-results", q="kr2") == ["KR2"]
    assert await ids(api, "initiatives", key_result="KR3") == ["I2"]
    assert await ids(api, "initiatives", team="Payments") == ["I1"]
    assert await ids(api, "initiatives", health="off_track") == [
        one["id"] for one in (await api.get("initiatives"))["records"] if one["health"] == "off_track"
    ]


async def test_a_subject_is_read_by_its_id(api):
    for path, id_ in (("objectives", "O0"), ("key-results", "KR1"), ("initiatives", "I2")):
        doc = await api.get(f"{path}/{id_}")
        assert doc["id"] == id_
        answer = await api.client.get(f"/api/v1/{path}/NO")
        assert answer.status_code == 404
        assert "'NO'" in answer.json()["detail"]


async def test_items_are_found_by_what_they_are(api):
    assert await ids(api, "items", level="epic") == ["1", "20"]
    assert await ids(api, "items", category="done") == ["2", "3", "4"]
    assert await ids(api, "items", initiative="I2") == ["20", "21"]
    assert await ids(api, "items", linked="false") == ["30"]
    assert await ids(api, "items", linked="false", team="Payments") == []
    assert await ids(api, "items", q="pay-7") == ["7"]
    assert await ids(api, "items", q="100%_O") == ["30"]
    assert await ids(api, "items", q="%") == ["30"]
    assert await ids(api, "items", connection="jira", project="PAY", limit=1) == ["1"]
    recent = (api.clock() - timedelta(hours=1)).isoformat()
    assert await ids(api, "items", updated_since=recent) == []


async def test_what_is_gone_is_left_out_unless_it_is_asked_for(api):
    async with api.store.write() as tx:
        found = (await store.by_key(tx, "PAY-30"))[0]
        await store.mark(tx, found, read_at=api.clock(), deleted_at=api.clock(), inaccessible_on=None)
    assert "30" not in await ids(api, "items")
    assert "30" in await ids(api, "items", deleted="true")


async def test_an_item_is_read_by_its_key(api):
    for name in ("PAY-20", "pay-20", "jira:PAY-20"):
        assert (await api.get(f"items/{name}"))["title"] == '<script>alert("x")</script>'
    assert (await api.client.get("/api/v1/items/PAY-99")).status_code == 404


async def test_records_are_those_of_the_export(api):
    for path in ("items", "epics", "history"):
        exported = [one async for one in records(api.context, path)]
        assert [one["id"] for one in await api.all(path)] == [one["id"] for one in exported], path
    epic = (await api.get("epics"))["records"][0]
    assert (epic["progress"], epic["counts"]["done"]) == (pytest.approx(0.5), 3)


async def test_pages_join_without_gap_or_repetition(api):
    for path in LISTS:
        whole = (await api.get(path, params={"limit": 500}))["records"]
        assert await api.all(path) == whole, path


async def test_a_page_says_where_to_go_on(api):
    answer = await api.client.get("/api/v1/items?limit=3&level=issue")
    link = answer.headers["link"]
    assert link.endswith('>; rel="next"')
    follows = await api.client.get(link[1:].partition(">")[0])
    assert follows.json()["records"][0]["id"] == "30"
    assert "link" not in (await api.client.get("/api/v1/items?limit=500")).headers


async def test_pages_go_on_where_they_were_while_others_write(api, item):
    first = await api.get("items", params={"limit": 3})
    async with api.store.write() as tx:
        rows = [item("1a"), item("9", title="later")]
        await store.upsert(tx, [store.row_of(one, (), {}, api.clock(), api.context.zone) for one in rows])
    rest = await ids(api, "items", cursor=first["next"])
    assert (first["records"][-1]["id"], rest[0]) == ("20", "21")
    assert not {one["id"] for one in first["records"]} & set(rest)
    assert "9" in rest
    assert "1a" not in rest


async def test_every_list_is_a_table_too(api):
    for path in LISTS:
        answer = await api.client.get(f"/api/v1/{path}?format=csv")
        assert answer.status_code == 200, path
        assert answer.headers["content-type"] == "text/csv; charset=utf-8"
        assert answer.headers["content-disposition"] == f'attachment; filename="{path}.csv"'
        rows = list(csv.reader(io.StringIO(answer.text)))
        assert len(rows) == 1 + len((await api.get(path, params={"limit": 500}))["records"]), path
        assert not [cell for row in rows for cell in row if re.match(r"[=+@\t\r]|-(?!\d)", cell)]


async def test_a_table_runs_nothing_and_has_all_pages(api, monkeypatch):
    monkeypatch.setattr("app.web.api.answer.MOST", 2)
    table = (await api.client.get("/api/v1/items?format=csv&limit=1")).text
    assert len(list(csv.DictReader(io.StringIO(table)))) == 10
    titles = [
        row["title"]
        for row in csv.DictReader(io.StringIO((await api.client.get("/api/v1/key-results?format=csv")).text))
    ]
    assert "'=HYPERLINK(1)" in titles


async def test_what_has_not_changed_is_not_sent_again(api):
    for path in ("show", "key-results", "items?limit=2", "portfolio", "explain/KR1", "coverage", "objectives/O1", "me"):
        first = await api.client.get(f"/api/v1/{path}")
        mark = first.headers["etag"]
        assert first.headers["cache-control"] == "private, no-cache"
        again = await api.client.get(f"/api/v1/{path}", headers={"if-none-match": f'"other", {mark}'})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", mark), path


async def test_the_hour_changes_no_mark_and_news_does(api):
    paths = ("show", "key-results", "check-ins")

    async def marks():
        return [(await api.client.get(f"/api/v1/{path}")).headers["etag"] for path in paths]

    before = await marks()
    api.clock.forward(hours=2)
    assert await marks() == before
    answer = await api.client.post("/api/v1/check-ins", json={"key_result": "KR2", "value": 60})
    assert answer.status_code == 201
    assert all(one != other for one, other in zip(await marks(), before, strict=True))


async def test_why_and_where_and_what_if(api):
    why = await api.get("explain/KR1", params={"burnup": "true"})
    assert sum(one["effect"] for one in why["inputs"]) == pytest.approx(why["progress"])
    assert why["burnup"]
    assert "burnup" not in await api.get("explain/KR1")
    assert (await api.get("explain/jira:PAY-1"))["key"] == "PAY-1"
    assert (await api.get("portfolio", params={"by": "team"}))["dimensions"][0]["dimension"] == "team"
    supposed = await api.get("what-if", params=[("drop", "I1"), ("delay", "I2=2w")])
    assert [one["change"] for one in supposed["changes"]] == ["drop", "delay"]
    assert (await api.get("coverage"))["unlinked"]["items"] == 1


async def test_the_past_is_told(api):
    day = (api.context.today - timedelta(days=30)).isoformat()
    assert (await api.get("key-results/KR2", params={"as_of": day}))["outcome_progress"] is None
    assert (await api.get("key-results/KR2"))["outcome_progress"] == pytest.approx(0.25)
    assert (await api.get("explain/KR1", params={"as_of": day}))["as_of"].startswith(day)


async def test_the_state_is_told(api):
    (connection,) = (await api.get("connections"))["records"]
    assert (connection["name"], connection["items"], connection["waiting"], connection["stale"]) == (
        "jira",
        10,
        3,
        True,
    )
    assert await ids(api, "deliveries", "delivery_id", state="new") == ["d2", "d1", "d0"]
    assert await ids(api, "deliveries", state="parked") == []
    assert await ids(api, "publications", "state", target="jira-links") == ["told"]
    assert await ids(api, "history", "item_id", item="PAY-3") == ["3", "3"]
    assert await ids(api, "check-ins", "value", key_result="KR2") == [25.0, 10.0]
    assert await api.get("me") == {"name": "ann", "role": "write", "via": "token"}


WRONG = (
    ("objectives?timeframe=Q9", 400, "no timeframe 'Q9'"),
    ("objectives?colour=red", 400, "There are: as_of, cursor, format, health, limit, owner, q, timeframe."),
    ("objectives?health=bad", 400, "expected one of"),
    ("objectives?health=on_track&health=at_risk", 400, "stands here 2 times"),
    ("objectives?as_of=2027-01-01", 400, "still to come"),
    ("objectives?as_of=yesterday", 400, "a day like"),
    ("objectives?as_of=0001-01-01", 400, "from 1970"),
    ("items?updated_since=0001-01-01T00:00:00%2B14:00", 400, "an instant like"),
    ("show?as_of=2026-11-01&as_published=2026-11-01", 400, "name one of them"),
    ("items?limit=0", 400, "from 1 to 500"),
    ("items?limit=501", 400, "from 1 to 500"),
    ("items?limit=1e2", 400, "from 1 to 500"),
    ("items?cursor=x", 400, "none of ours"),
    ("items?cursor=WzEsMl0", 400, "none of ours"),
    ("deliveries?cursor=WzFlOTldXQ", 400, "none of ours"),
    ("deliveries?cursor=Wzk5OTk5OTk5OTk5OTk5OTk5OTk5XQ", 400, "none of ours"),
    ("items?q=%00", 400, "in one line"),
    ("items?q=", 400, "in one line"),
    ("items?updated_since=2026-11-01T10:00", 400, "an instant like"),
    ("items?linked=yes", 400, "true or false"),
    ("history?item=PAY-99", 400, "nothing called"),
    ("what-if", 400, "Say what would be: drop I1"),
    ("what-if?delay=I1", 400, "delay: expected a span"),
    ("what-if?drop=I9", 400, "no initiative 'I9'"),
    ("portfolio?by=colour", 400, "no dimension 'colour'"),
    ("explain/NO", 404, "nothing called 'NO'"),
    ("nowhere", 404, "nothing here"),
    ("", 404, "nothing here"),
)


async def test_what_cannot_be_answered_is_told_with_what_would_be_right(api):
    for path, status, said in WRONG:
        answer = await api.client.get(f"/api/v1/{path}")
        assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), path
        doc = answer.json()
        assert doc["status"] == status
        assert said in doc["detail"], path


async def test_a_method_that_is_not_there_is_told_with_those_that_are(api):
    answer = await api.client.put("/api/v1/check-ins")
    assert answer.status_code == 405
    assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD", "POST"}
    assert answer.json()["detail"] == "PUT is not answered here."


async def test_the_account_is_for_those_who_may_write(api):
    answer = await api.reader.get("/api/v1/audit")
    assert answer.status_code == 403
    assert "--role write" in answer.json()["detail"]


async def test_the_reference_stands_without_anything_from_elsewhere(api):
    page = await api.client.get("/api/docs")
    assert page.status_code == 200
    assert all(name in page.text for name in ("/api/v1/what-if", "updated_since", "check-ins", "openapi.json"))
    assert "<script" not in page.text
    assert "style=" not in page.text
    assert "http" not in page.text.replace("http://keyrail.test/api/v1/", "")
