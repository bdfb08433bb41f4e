"""What programs say: check-ins and overrides, by whom, put to the account; and what is refused with nothing stored."""

import pytest

from storage import audit, okrs, overrides


async def deeds(api):
    async with api.store.read() as tx:
        return [deed for _, deed in await audit.deeds(tx)]


async def test_a_check_in_is_recorded_with_who_said_it(api):
    said = {"key_result": "KR2", "value": 40, "date": "2026-11-17", "note": "from the shop"}
    answer = await api.client.post("/api/v1/check-ins", json=said)
    assert answer.status_code == 201
    assert answer.json() == {
        "key_result": "KR2",
        "value": 40.0,
        "date": "2026-11-17",
        "note": "from the shop",
        "by": "ann",
    }
    assert (await api.get("check-ins"))["records"][0] | {"recorded_at": ""} == {
        "key_result": "KR2", "as_of": "2026-11-17T22:59:59Z", "value": 40.0, "note": "from the shop", "by": "ann",
        "recorded_at": "",
    }  # fmt: skip
    assert (await api.get("key-results/KR2"))["outcome_progress"] == pytest.approx(0.4)
    assert await deeds(api) == [
        audit.Deed(
            at=api.clock(), by="ann", via="token", address="127.0.0.1", action="check-in", subject="KR2",
            detail={"value": 40.0, "date": "2026-11-17"},
        )
    ]  # fmt: skip
    (told,) = (await api.get("audit"))["records"]
    assert (told["by"], told["action"], told["subject"]) == ("ann", "check-in", "KR2")


async def test_health_is_stated_and_taken_back(api):
    said = {"subject": "KR1", "health": "off_track", "until": "2026-12-01", "reason": "The supplier left"}
    answer = await api.client.post("/api/v1/overrides", json=said)
    assert (answer.status_code, answer.json()["by"]) == (201, "ann")
    assert (await api.get("key-results/KR1"))["health"] == "off_track"
    (stated,) = (await api.get("overrides"))["records"]
    assert (stated["reason"], stated["cleared_at"]) == ("The supplier left", None)
    answer = await api.client.delete("/api/v1/overrides/KR1", params={"reason": "Found another"})
    assert (answer.status_code, answer.json()["cleared"]["reason"]) == (200, "The supplier left")
    assert (await api.get("key-results/KR1"))["health"] != "off_track"
    assert (await api.get("overrides", params={"subject": "KR1"}))["records"][0]["cleared_at"] is not None
    assert (await api.get("overrides", params={"subject": "O1"}))["records"] == []
    assert [one.action for one in await deeds(api)] == ["clear override", "override"]
    again = await api.client.delete("/api/v1/overrides/KR1")
    assert (again.status_code, "Nobody's word" in again.json()["detail"]) == (404, True)


CHECK_IN = {"key_result": "KR2", "value": 1}
OVERRIDE = {"subject": "KR1", "health": "at_risk", "until": "2026-12-01", "reason": "x"}


WRONG = (
    ("check-ins", {**CHECK_IN, "key_result": "KR9"}, "no key result 'KR9'"),
    ("check-ins", {**CHECK_IN, "key_result": "KR1"}, "has no metric"),
    ("check-ins", {**CHECK_IN, "date": "2026-11-19"}, "in the future"),
    ("check-ins", {**CHECK_IN, "date": "19.11."}, "date: expected a day"),
    ("check-ins", {**CHECK_IN, "date": 3}, "date: expected a day"),
    ("check-ins", {**CHECK_IN, "value": "1"}, "value: expected a number"),
    ("check-ins", {**CHECK_IN, "value": True}, "value: expected a number"),
    ("check-ins", {**CHECK_IN, "value": 1e301}, "value: expected a number"),
    ("check-ins", {**CHECK_IN, "note": "a\0b"}, "control characters"),
    ("check-ins", {**CHECK_IN, "note": "a" * 2001}, "at most 2000"),
    ("check-ins", {**CHECK_IN, "valeu": 1}, "There are: key_result, value, date, note."),
    ("check-ins", {"value": 1}, "key_result: expected a text"),
    ("check-ins", [1], "a JSON object"),
    ("overrides", {**OVERRIDE, "health": "at_rsk"}, "Did you mean at_risk?"),
    ("overrides", {**OVERRIDE, "until": "2026-11-17"}, "is over"),
    ("overrides", {**OVERRIDE, "until": "9999-12-31"}, "until: expected a day"),
    ("overrides", {**OVERRIDE, "until": None}, "until: expected a day"),
    ("overrides", {**OVERRIDE, "reason": " "}, "reason: expected a text"),
    ("overrides", {**OVERRIDE, "subject": "PAY-2"}, "is no epic"),
)


async def test_what_cannot_be_is_told_and_nothing_is_stored(api):
    for path, said, why in WRONG:
        answer = await api.client.post(f"/api/v1/{path}", json=said)
        assert answer.status_code == 422, said
        assert why in answer.json()["detail"]
    async with api.store.read() as tx:
        assert len(await okrs.all_check_ins(tx)) == 2
        assert await overrides.all_overrides(tx) == []
    assert await deeds(api) == []


async def test_only_json_of_a_bearable_size_is_read(api):
    assert (await api.client.post("/api/v1/check-ins", data={"key_result": "KR2", "value": "1"})).status_code == 415
    headers = {"content-type": "application/json; charset=utf-8"}
    broken = await api.client.post("/api/v1/check-ins", content=b'{"value":', headers=headers)
    assert broken.status_code == 400
    large = await api.client.post("/api/v1/check-ins", content=b" " * 70_000, headers=headers)
    assert large.status_code == 413
    assert (await api.client.post("/api/v1/check-ins?dry=1", json=CHECK_IN)).status_code == 400


async def test_who_may_only_read_changes_nothing(api):
    for answer in (
        await api.reader.post("/api/v1/check-ins", json=CHECK_IN),
        await api.reader.post("/api/v1/overrides", json=OVERRIDE),
        await api.reader.delete("/api/v1/overrides/KR1"),
    ):
        assert answer.status_code == 403
        assert "wall may read, not write" in answer.json()["detail"]
    assert await deeds(api) == []
