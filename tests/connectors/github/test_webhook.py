"""What each event of GitHub becomes, which delivery it is, and whether it is genuine."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.base import Parsed, Reading
from connectors.github.events import IGNORED, event_like
from connectors.github.webhook import delivery_id, verify, webhook
from connectors.signature import sign
from domain.errors import PayloadError, SignatureError
from domain.work import Delete, Ignored, ItemRef, Refetch
from domain.workspace import Connection

SAMPLES = Path(__file__).parent / "samples"
GITHUB = Connection(name="github-acme", type="github", url="https://api.github.com")
MILESTONES = replace(GITHUB, epics={"milestones": True})
READ = Reading(facts={}, account="keyrail[bot]", digest="d")
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
SECRET = "It's ours"


def sample(name: str) -> bytes:
    return (SAMPLES / f"{name}.json").read_bytes()


def ref(id: str) -> ItemRef:
    return ItemRef(connection="github-acme", id=id)


def refetch(id: str, key: str = "") -> Refetch:
    return Refetch(ref=ref(id), key=key)


def delete(id: str, key: str) -> Delete:
    return Delete(ref=ref(id), key=key)


CASES = {
    "issues__closed": (refetch("I_12", "acme/api#12"),),
    "issues__field_added": (refetch("I_12", "acme/api#12"),),
    "issues__status_changed": (refetch("I_12", "acme/api#12"),),
    "issues__deleted": (delete("I_12", "acme/api#12"),),
    "issues__transferred": (delete("I_12", "acme/api#12"), refetch("I_w3", "acme/web#3")),
    "issues__transferred_same_id": (refetch("I_12", "acme/web#3"),),
    "issues__opened_by_transfer": (refetch("I_w3", "acme/web#3"), refetch("I_12", "acme/api#12")),
    "issues__pull_request": (Ignored(reason="a pull request is no work item"),),
    "sub_issues__parent_issue_added": (refetch("I_90", "acme/web#9"), refetch("I_7", "acme/api#7")),
    "sub_issues__sub_issue_removed": (refetch("I_7", "acme/api#7"),),
    "issue_dependencies__blocked_by_added": (refetch("I_12", "acme/api#12"), refetch("I_40", "acme/api#40")),
    "issue_dependencies__ids_alone": (
        Ignored(reason="its issues are named by number alone; the next sync reads them"),
    ),
    "milestone__created": (Ignored(reason="a new milestone has no issues yet"),),
    "milestone__edited": (
        refetch("milestone:MI_3", "milestone:2026.11"), refetch("milestone:MI_3", "milestone:November"),
    ),
    "milestone__closed": (refetch("milestone:MI_3", "milestone:2026.11"),),
    "milestone__deleted": (refetch("milestone:MI_3", "milestone:2026.11"),),
    "projects_v2_item__edited": (refetch("I_12"),),
    "projects_v2_item__draft": (Ignored(reason="a draft is no work item"),),
    "projects_v2_item__pull_request": (Ignored(reason="a pull request is no work item"),),
    "issue_comment__own": (Ignored(reason="our own comment"),),
    "issue_comment__own_account_other_words": (Ignored(reason="a comment changes nothing that counts"),),
    "issue_comment__pull_request": (Ignored(reason="a pull request is no work item"),),
    "label__edited": (Ignored(reason=IGNORED["label"]),),
    "repository__renamed": (
        Ignored(reason="the next discovery follows a repository that was renamed, moved, archived or deleted"),
    ),
    "installation_repositories__removed": (Ignored(reason="what the app may see is found by the next discovery"),),
    "ping__organization": (Ignored(reason="a greeting: the webhook is set up"),),
}  # fmt: skip

OF_MILESTONES = {
    "milestone__created": (refetch("MI_3", "acme/api/milestone/3"),),
    "milestone__closed": (refetch("MI_3", "acme/api/milestone/3"),),
    "milestone__edited": (refetch("MI_3", "acme/api/milestone/3"), *CASES["milestone__edited"]),
    "milestone__deleted": (delete("MI_3", "acme/api/milestone/3"), *CASES["milestone__deleted"]),
}


@pytest.mark.parametrize("name", CASES)
def test_an_event_becomes(name):
    assert webhook(sample(name), name.split("__")[0], GITHUB, READ) == Parsed(changes=CASES[name])


@pytest.mark.parametrize("name", CASES)
def test_without_the_header_the_shape_tells_the_event(name):
    assert event_like(json.loads(sample(name))) == name.split("__")[0]
    assert webhook(sample(name), None, GITHUB, READ) == Parsed(changes=CASES[name])


@pytest.mark.parametrize("name", OF_MILESTONES)
def test_a_milestone_that_is_an_epic_is_read_again_itself(name):
    assert webhook(sample(name), "milestone", MILESTONES, READ) == Parsed(changes=OF_MILESTONES[name])


def test_each_webhook_sample_has_its_case():
    others = {"page", "timeline"}
    assert {path.stem for path in SAMPLES.glob("*.json") if path.stem.split("__")[0] not in others} == set(CASES)


def body(**parts: object) -> bytes:
    return json.dumps({"sender": {"login": "maria"}, "repository": {"full_name": "acme/api"}, **parts}).encode()


def test_a_parent_that_the_body_holds_is_read_again():
    parent = {"node_id": "I_7", "number": 7, "repository_url": "https://api.github.com/repos/acme/web"}
    told = webhook(
        body(action="closed", issue={"node_id": "I_1", "number": 1, "parent": parent}), "issues", GITHUB, READ
    )
    assert told.changes == (refetch("I_1", "acme/api#1"), refetch("I_7", "acme/web#7"))


def test_a_transfer_that_does_not_say_where_to_is_read_again():
    told = webhook(body(action="transferred", issue={"node_id": "I_1", "number": 1}), "issues", GITHUB, READ)
    assert told.changes == (refetch("I_1", "acme/api#1"),)


def test_the_account_may_be_known_by_login_node_id_or_number():
    for account in ("keyrail[bot]", "BOT_1", "99"):
        reading = replace(READ, account=account)
        assert webhook(sample("issue_comment__own"), None, GITHUB, reading).changes == (
            Ignored(reason="our own comment"),
        )
    told = webhook(sample("issue_comment__own"), None, GITHUB, replace(READ, account="")).changes
    assert told == (Ignored(reason="a comment changes nothing that counts"),)


@pytest.mark.parametrize("event", sorted(IGNORED))
def test_what_changes_nothing_is_ignored_with_its_reason(event):
    assert webhook(body(action="created"), event, GITHUB, READ) == Parsed(changes=(Ignored(reason=IGNORED[event]),))


@pytest.mark.parametrize(
    ("delivery", "event", "says"),
    [
        (b"{", "issues", "not JSON"),
        (b"[]", "issues", "is list instead of an object"),
        (b"{}", None, "names no event"),
        (body(action="teleported"), "galaxy", "event 'galaxy' is unknown"),
        (body(action="opened"), "issues", "no 'issue'"),
        (body(action="opened", issue={"number": 7}), "issues", "number 7 has no 'node_id'"),
        (body(action="deleted", issue={"number": 7, "id": None}), "issues", "number 7 has no 'node_id'"),
        (body(action="sub_issue_added"), "sub_issues", "neither 'sub_issue' nor 'parent_issue'"),
        (body(action="edited"), "milestone", "no 'milestone'"),
        (body(action="edited"), "projects_v2_item", "no 'projects_v2_item'"),
        (body(projects_v2_item={"content_type": "Issue"}), "projects_v2_item", "no 'content_node_id'"),
    ],
)
def test_what_cannot_be_read_is_parked_by_name(delivery, event, says):
    with pytest.raises(PayloadError, match=says):
        webhook(delivery, event, GITHUB, READ)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
PARTS = ("issue", "milestone", "changes", "repository", "comment", "sender", "sub_issue", "projects_v2_item", "action")


@settings(max_examples=200, deadline=None)
@given(name=st.sampled_from(sorted(CASES)), part=st.sampled_from(PARTS), junk=JSON)
def test_whatever_a_part_holds_the_delivery_is_read_or_parked(name, part, junk):
    delivery = {**json.loads(sample(name)), part: junk}
    try:
        changes = webhook(json.dumps(delivery).encode(), name.split("__")[0], MILESTONES, READ).changes
    except PayloadError:
        return
    assert changes
    assert all(isinstance(change, (Delete, Ignored, Refetch)) for change in changes)


# --- which delivery


def test_a_delivery_is_known_by_its_guid_also_when_it_is_sent_again():
    assert delivery_id({"X-GitHub-Delivery": "72d3162e"}, b"{}") == "72d3162e"
    assert delivery_id({"x-github-delivery": "72d3162e"}, b"other") == "72d3162e"


def test_without_one_it_is_known_by_its_body():
    assert delivery_id({}, b"{}") == delivery_id({"X-GitHub-Delivery": " "}, b"{}")
    assert delivery_id({}, b"{}") != delivery_id({}, b"{ }")


# --- is it genuine


def test_a_delivery_is_signed_over_the_raw_body():
    delivery = sample("issues__closed")
    verify({"X-Hub-Signature-256": sign(SECRET, delivery, prefix="sha256=")}, delivery, SECRET, NOW)
    with pytest.raises(SignatureError, match="does not match"):
        verify({"x-hub-signature-256": sign(SECRET, delivery, prefix="sha256=")}, delivery + b"\n", SECRET, NOW)


@pytest.mark.parametrize(
    ("headers", "secret", "says"),
    [
        ({}, SECRET, "no signature"),
        ({"X-Hub-Signature-256": ""}, SECRET, "no signature"),
        ({"X-Hub-Signature-256": "sha256=00"}, SECRET, "does not match"),
        ({"X-Hub-Signature-256": "sha256=é"}, SECRET, "does not match"),
        ({"X-Hub-Signature": "sha1=00"}, SECRET, "SHA-1 alone"),
        ({"X-Hub-Signature-256": sign("", b"{}", prefix="sha256=")}, "", "No webhook secret"),
    ],
)
def test_what_is_not_genuine_is_refused(headers, secret, says):
    with pytest.raises(SignatureError, match=says):
        verify(headers, b"{}", secret, NOW)
