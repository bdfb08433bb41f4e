"""What each event of Linear becomes, which delivery it is, and whether it is genuine and was sent just now."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.base import Parsed, Reading
from connectors.linear.parse import parse
from connectors.linear.webhook import ACTIONS, IGNORED, THINGS, UNSTATED, delivery_id, hints, verify, webhook
from connectors.signature import sign
from domain.errors import PayloadError, SignatureError, StaleDeliveryError
from domain.work import Category, Delete, Ignored, ItemRef, Level, Refetch, Upsert, WorkItem
from domain.workspace import Connection

SAMPLES = Path(__file__).parent / "samples"
LINEAR = Connection(name="linear-acme", type="linear", url="https://api.linear.app/graphql", scope={"teams": ["MOB"]})
BOT = "00000000-0000-4000-8000-00000000beef"
READ = Reading(facts={}, account=BOT, digest="d")
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
SECRET = "It's ours"

ISSUE = "5b1e0c52-0001-4c1e-9a51-000000000001"
PROJECT = "9c0ec700-0000-4000-8000-000000000001"
INITIATIVE = "1f000000-0000-4000-8000-000000000002"


def sample(name: str) -> bytes:
    return (SAMPLES / f"{name}.json").read_bytes()


def refetch(id: str, key: str = "") -> Refetch:
    return Refetch(ref=ItemRef(connection="linear-acme", id=id), key=key)


def altered(name: str, **data: object) -> bytes:
    delivery = json.loads(sample(name))
    delivery["data"] = {**delivery["data"], **data}
    return json.dumps(delivery).encode()


def without(name: str, *fields: str) -> bytes:
    delivery = json.loads(sample(name))
    for field in fields:
        del delivery["data"][field]
    return json.dumps(delivery).encode()


def read(body: bytes, reading: Reading = READ) -> object:
    (change,) = webhook(body, None, LINEAR, reading).changes
    return change


UPDATED = Upsert(
    item=WorkItem(
        connection="linear-acme",
        tracker="linear",
        id=ISSUE,
        key="MOB-12",
        url="https://linear.app/acme/issue/MOB-12/remember-the-card",
        title="Remember the card",
        type="Issue",
        level=Level.ISSUE,
        status="In Progress",
        vendor_category=Category.IN_PROGRESS,
        category=Category.IN_PROGRESS,
        created_at=datetime(2026, 10, 2, 9, 0, tzinfo=UTC),
        updated_at=datetime(2026, 11, 22, 11, 59, 57, 500_000, tzinfo=UTC),
        started_at=datetime(2026, 10, 6, 7, 0, tzinfo=UTC),
        project="MOB",
        team="Mobile",
        estimate=5.0,
        parent_id=PROJECT,
        containers=("cycle:Cycle 7", "milestone:Beta", "project:One-click pay on mobile"),
        labels=("checkout",),
        assignees=("jo@acme.example",),
        sprint="Cycle 7",
        milestone="Beta",
        due_date=date(2026, 11, 20),
        former_keys=("ENG-7",),
    ),
    unstated=UNSTATED,
)

CASES = {
    "issue_update__state": UPDATED,
    "issue_create__parent_not_told": refetch(ISSUE, "MOB-12"),
    "issue_remove__trash": refetch(ISSUE, "MOB-12"),
    "issue_update__own_bookkeeping": Ignored(reason="our own update"),
    "issue_update__own_account_by_hand": UPDATED,
    "project_update__target_date": refetch(PROJECT, "6c1f00aa12b3"),
    "initiative_update__status": refetch(INITIATIVE, "f00dfeed0002"),
    "project_update_create__health": Ignored(reason="what is told about a project changes nothing that counts"),
    "comment_create__on_issue": Ignored(reason="a comment changes nothing that counts"),
    "permission_change__teams": Ignored(
        reason="the next census finds what came into sight and what went out of it"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_an_event_becomes(name):
    assert webhook(sample(name), None, LINEAR, READ) == Parsed(changes=(CASES[name],))


def test_each_webhook_sample_has_its_case():
    assert {path.stem for path in SAMPLES.glob("*.json") if b'"webhookTimestamp"' in path.read_bytes()} == set(CASES)


# --- what is believed


@pytest.mark.parametrize(
    ("unset", "parent"),
    [
        ({"projectId": None, "project": None, "projectMilestoneId": None, "projectMilestone": None}, None),
        ({"parentId": "i9"}, "i9"),
        ({"parentId": None}, PROJECT),
    ],
)
def test_an_issue_is_believed_where_parent_and_project_are_told_even_if_there_are_none(unset, parent):
    change = read(altered("issue_update__state", **unset))
    assert isinstance(change, Upsert)
    assert change.item.parent_id == parent


@pytest.mark.parametrize(
    "body",
    [
        without("issue_update__state", "parentId"),
        without("issue_update__state", "projectId", "project"),
        without("issue_update__state", "project"),
        without("issue_update__state", "team"),
        without("issue_update__state", "state"),
        without("issue_update__state", "cycle"),
        without("issue_update__state", "projectMilestone"),
        without("issue_update__state", "assignee"),
        without("issue_update__state", "labels"),
        altered("issue_update__state", labelIds=["1ab00000-0000-4000-8000-000000000001", "another"]),
        altered("issue_update__state", trashed=True),
    ],
)
def test_what_a_body_does_not_state_or_name_is_read_again(body):
    assert read(body) == refetch(ISSUE, "MOB-12")


def test_a_name_that_discovery_knows_need_not_be_told():
    body = altered("issue_update__state", labels=[])
    assert read(body) == refetch(ISSUE, "MOB-12")
    knowing = Reading(facts={"labels": {"1ab00000-0000-4000-8000-000000000001": "checkout"}}, account=BOT, digest="d")
    assert read(body, knowing) == UPDATED


def test_the_group_of_a_label_is_told_by_id_alone_so_it_is_looked_up():
    label = {"id": "1ab00000-0000-4000-8000-000000000001", "name": "checkout", "parentId": "g"}
    body = altered("issue_update__state", labels=[label])
    assert read(body) == refetch(ISSUE, "MOB-12")
    grouped = {"1ab00000-0000-4000-8000-000000000001": {"name": "checkout", "parent": "area"}}
    change = read(body, Reading(facts={"labels": grouped}, account=BOT, digest="d"))
    assert isinstance(change, Upsert)
    assert change.item.labels == ("checkout", "area/checkout")


def test_a_body_says_the_same_as_a_page_of_the_same_issue_would():
    data = json.loads(sample("issue_update__state"))["data"]
    page = json.dumps({"data": {"issue": data}}).encode()
    assert parse("items", page, LINEAR, READ).changes == (replace(UPDATED, unstated=frozenset()),)


def test_an_archived_issue_keeps_its_category():
    change = read(altered("issue_update__state", archivedAt="2026-11-22T11:59:57.500Z"))
    assert isinstance(change, Upsert)
    assert (change.item.archived, change.item.category) == (True, Category.IN_PROGRESS)


def test_a_body_of_old_has_its_identifier_from_team_and_number_and_its_address_beside_it():
    body = without("issue_update__state", "identifier", "url")
    assert read(body) == UPDATED


@pytest.mark.parametrize("name", ["issue_update__state", "project_update__target_date", "initiative_update__status"])
def test_what_is_removed_is_read_again_for_the_trash_gives_back(name):
    delivery = {**json.loads(sample(name)), "action": "remove"}
    change = read(json.dumps(delivery).encode())
    assert isinstance(change, Refetch)
    assert change.ref.id == delivery["data"]["id"]


# --- whose doing it is


def test_without_a_known_account_of_ours_nothing_is_our_own():
    unknown = Reading(facts={}, account="", digest="d")
    assert read(sample("issue_update__own_bookkeeping"), unknown) == UPDATED


@pytest.mark.parametrize(
    ("more", "ours"),
    [
        ({"updatedFrom": {}}, True),
        ({"updatedFrom": {"sortOrder": 7.5, "updatedAt": "x"}}, True),
        ({"updatedFrom": {"description": None, "dueDate": "2026-11-20"}}, True),
        ({"updatedFrom": {"dueDate": None}}, False),
        ({"updatedFrom": {"title": "Forget the card"}}, False),
        ({"updatedFrom": None}, False),
        ({"action": "create"}, False),
        ({"actor": None}, False),
    ],
)
def test_an_update_is_our_own_where_our_account_changed_nothing_that_means_anything(more, ours):
    delivery = {**json.loads(sample("issue_update__own_bookkeeping")), **more}
    assert isinstance(read(json.dumps(delivery).encode()), Ignored) is ours


# --- what is known


def test_every_ignored_event_says_why():
    for event, reason in IGNORED.items():
        body = json.dumps({"type": event, "action": "create", "data": {}}).encode()
        assert webhook(body, None, LINEAR, READ).changes == (Ignored(reason=reason),)
        assert len(reason) > 10


def test_a_body_without_its_event_takes_the_given_one():
    body = json.dumps({"action": "remove", "data": {"id": "i1", "identifier": "MOB-1"}}).encode()
    assert webhook(body, "Issue", LINEAR, READ).changes == (refetch("i1", "MOB-1"),)
    with pytest.raises(PayloadError, match="names no event"):
        webhook(body, None, LINEAR, READ)


@pytest.mark.parametrize(
    ("delivery", "says"),
    [
        ({"type": "Hogehoge", "action": "create", "data": {"id": "x"}}, "type 'Hogehoge' is unknown"),
        ({"type": "Issue", "action": "hogehoge", "data": {"id": "x"}}, "Issue has the unknown action 'hogehoge'"),
        ({"type": "Project", "data": {"id": "x"}}, "Project has the unknown action 'None'"),
        ({"type": "Issue", "action": "update"}, "Issue update: the body has no 'data'"),
        ({"type": "Issue", "action": "create", "data": {"identifier": "MOB-1"}}, "Issue MOB-1 has no 'id'"),
        ([], "list instead of an object"),
    ],
)
def test_a_body_without_what_its_event_needs_says_so(delivery, says):
    with pytest.raises(PayloadError, match=says):
        webhook(json.dumps(delivery).encode(), None, LINEAR, READ)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.sampled_from(["id", "started", BOT, "2026-01-01T00:00:00Z"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["id", "key", "name", "type", "nodes", "number"]), inner, max_size=4)
    ),
    max_leaves=8,
)
FIELDS = st.sampled_from(
    [
        "id",
        "identifier",
        "state",
        "team",
        "parentId",
        "projectId",
        "project",
        "labelIds",
        "labels",
        "number",
        "estimate",
    ]
)


@settings(max_examples=300, deadline=None)
@given(
    event=st.sampled_from([*THINGS, *IGNORED]),
    action=st.sampled_from(sorted(ACTIONS)),
    data=st.dictionaries(FIELDS, JSON, max_size=6),
    parts=st.dictionaries(st.sampled_from(["actor", "updatedFrom", "url", "data"]), JSON),
)
def test_a_known_event_with_any_body_is_read_or_parked(event, action, data, parts):
    base = json.loads(sample("issue_update__state"))["data"]
    delivery = {"type": event, "action": action, "data": {**base, **data}, **parts}
    try:
        changes = webhook(json.dumps(delivery).encode(), None, LINEAR, READ).changes
    except PayloadError:
        return
    assert len(changes) == 1
    assert not isinstance(changes[0], Delete)


# --- which delivery


def test_a_delivery_is_known_by_linears_identifier_whatever_its_case():
    assert delivery_id({"Linear-Delivery": "abc", "Linear-Event": "Issue"}, b"{}") == "abc"
    assert delivery_id({"linear-delivery": "abc"}, b"other") == "abc"


def test_without_one_it_is_known_by_its_body_never_by_the_webhook():
    first, second = (json.dumps({"webhookId": "w", "webhookTimestamp": at}).encode() for at in (1, 2))
    assert delivery_id({}, first) == delivery_id({"Linear-Delivery": " "}, first)
    assert delivery_id({}, first) != delivery_id({}, second)


# --- is it genuine


def signed(body: bytes, secret: str = SECRET) -> dict[str, str]:
    return {"Linear-Signature": sign(secret, body), "Linear-Delivery": "d", "Linear-Timestamp": "1795348800000"}


def sent(at: object) -> bytes:
    return json.dumps({"type": "Issue", "action": "create", "webhookTimestamp": at}).encode()


def test_a_delivery_is_signed_over_the_raw_body():
    body = sample("issue_update__state")
    verify(signed(body), body, SECRET, NOW)
    with pytest.raises(SignatureError, match="does not match"):
        verify(signed(body), body + b"\n", SECRET, NOW)


@pytest.mark.parametrize(
    ("headers", "says"),
    [
        ({}, "no signature"),
        ({"Linear-Signature": ""}, "no signature"),
        ({"Linear-Signature": "00"}, "does not match"),
        ({"Linear-Signature": "é"}, "does not match"),
        ({"linear-signature": sign("other", sample("issue_update__state"))}, "does not match"),
        ({"linear-signature": sign(SECRET, sample("issue_update__state"), prefix="sha256=")}, "does not match"),
        ({"X-Hub-Signature": sign(SECRET, sample("issue_update__state"))}, "no signature"),
    ],
)
def test_what_is_not_genuine_is_refused(headers, says):
    with pytest.raises(SignatureError, match=says):
        verify(headers, sample("issue_update__state"), SECRET, NOW)


def test_without_a_secret_nothing_is_genuine():
    body = sample("issue_update__state")
    with pytest.raises(SignatureError, match="No webhook secret"):
        verify(signed(body, ""), body, "", NOW)


@pytest.mark.parametrize("off", [-60, -1, 0, 1, 60])
def test_a_delivery_of_this_minute_is_believed(off):
    body = sent((NOW + timedelta(seconds=off)).timestamp() * 1000)
    verify(signed(body), body, SECRET, NOW)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (sent((NOW - timedelta(seconds=61)).timestamp() * 1000), "sent at 2026-11-22T11:58:59Z"),
        (sent((NOW + timedelta(seconds=61)).timestamp() * 1000), "sent at 2026-11-22T12:01:01Z"),
        (sent(None), "does not say when"),
        (sent("1795348800000"), "does not say when"),
        (sent(1e300), "does not say when"),
        (b"{}", "does not say when"),
        (b"[]", "does not say when"),
        (b"{", "does not say when"),
    ],
)
def test_a_genuine_delivery_outside_the_window_is_told_from_a_forged_one(body, says):
    with pytest.raises(StaleDeliveryError, match=says) as stale:
        verify(signed(body), body, SECRET, NOW)
    assert not isinstance(stale.value, SignatureError)
    with pytest.raises(SignatureError):
        verify(signed(body, "forged"), body, SECRET, NOW)


@pytest.mark.parametrize("name", CASES)
def test_of_a_stale_delivery_nothing_is_kept_but_what_to_read_again(name):
    expected = CASES[name]
    if isinstance(expected, Upsert):
        expected = refetch(expected.item.id, expected.item.key)
    kept = () if isinstance(expected, Ignored) else (expected,)
    assert hints(sample(name), None, LINEAR, READ) == Parsed(changes=kept)
