"""What each event of Jira becomes, which delivery it is, and whether it is genuine."""

import base64
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.base import Parsed, Reading
from connectors.jira.webhook import IGNORED, SPRINT_EVENTS, VERSION_EVENTS, delivery_id, verify, webhook
from connectors.signature import hmac_sha256, sign
from domain.errors import PayloadError, SignatureError
from domain.work import Delete, Ignored, ItemRef, Refetch
from domain.workspace import Connection

SAMPLES = Path(__file__).parent / "samples"
CLOUD = Connection(name="jira-main", type="jira", url="https://acme.atlassian.net")
READ = Reading(facts={}, account="557058:keyrail-bot", digest="d")
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
SECRET = "It's ours"


def sample(name: str) -> bytes:
    return (SAMPLES / f"{name}.json").read_bytes()


def refetch(id: str, key: str = "") -> Refetch:
    return Refetch(ref=ItemRef(connection="jira-main", id=id), key=key)


CASES = {
    "jira_issue_created__cloud": (refetch("20012", "PAY-12"),),
    "jira_issue_updated__status": (refetch("20012", "PAY-12"),),
    "jira_issue_updated__data_center_comment": (refetch("31007", "CORE-40"),),
    "jira_issue_updated__empty_changelog": (refetch("20012", "PAY-12"),),
    "jira_issue_updated__own_remote_link": (Ignored(reason="our own update"),),
    "jira_issue_updated__own_account_other_content": (refetch("20012", "PAY-12"),),
    "jira_issue_updated__own_account_other_link": (refetch("20012", "PAY-12"),),
    "jira_issue_updated__person_remote_link": (refetch("20012", "PAY-12"),),
    "jira_issue_deleted__id_and_key": (
        Delete(ref=ItemRef(connection="jira-main", id="20012"), key="PAY-12"),
    ),
    "issuelink_created__blocks": (refetch("20040"), refetch("20012")),
    "sprint_closed__board": (refetch("sprint:7", "sprint:Pay 7"),),
    "jira_version_released__cloud": (refetch("version:10008", "version:2026.11"),),
    "comment_created__cloud": (Ignored(reason="a comment changes nothing that counts"),),
    "project_deleted__cloud": (Ignored(reason="the next census finds which items went with the project"),),
    "issue_property_set__own": (Ignored(reason="issue properties are not read"),),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_an_event_becomes(name):
    assert webhook(sample(name), None, CLOUD, READ) == Parsed(changes=CASES[name])


def test_each_webhook_sample_has_its_case():
    events = {path.stem for path in SAMPLES.glob("*.json") if b'"timestamp"' in path.read_bytes()}
    assert events - set(CASES) == {"jira_issue_updated__no_event_name"}


def test_a_body_without_its_event_takes_the_given_one():
    body = sample("jira_issue_updated__no_event_name")
    assert webhook(body, "jira:issue_updated", CLOUD, READ).changes == (refetch("20012", "PAY-12"),)
    with pytest.raises(PayloadError, match="names no event"):
        webhook(body, None, CLOUD, READ)


def test_the_event_that_the_body_names_wins():
    assert (
        webhook(sample("jira_issue_deleted__id_and_key"), "jira:issue_updated", CLOUD, READ).changes
        == (CASES["jira_issue_deleted__id_and_key"])
    )


def test_without_a_known_account_of_ours_nothing_is_our_own():
    unknown = Reading(facts={}, account="", digest="d")
    assert webhook(sample("jira_issue_updated__own_remote_link"), None, CLOUD, unknown).changes == (
        refetch("20012", "PAY-12"),
    )


def test_on_data_center_our_account_is_a_user_key():
    delivery = json.loads(sample("jira_issue_updated__own_remote_link"))
    delivery["user"] = {"name": "keyrail", "key": "JIRAUSER10001"}
    reading = Reading(facts={}, account="JIRAUSER10001", digest="d")
    assert webhook(json.dumps(delivery).encode(), None, CLOUD, reading).changes == (Ignored(reason="our own update"),)


def test_every_ignored_event_says_why():
    for event, reason in IGNORED.items():
        body = json.dumps({"webhookEvent": event}).encode()
        assert webhook(body, None, CLOUD, READ).changes == (Ignored(reason=reason),)
        assert len(reason) > 10


@pytest.mark.parametrize("event", ["jira:issue_exploded", "", None, 7])
def test_an_unknown_event_is_parked_under_its_name(event):
    with pytest.raises(PayloadError, match="jira:issue_exploded" if event == "jira:issue_exploded" else "no event"):
        webhook(json.dumps({"webhookEvent": event, "issue": {"id": "1"}}).encode(), None, CLOUD, READ)


@pytest.mark.parametrize(
    ("delivery", "says"),
    [
        ({"webhookEvent": "jira:issue_updated"}, "jira:issue_updated: the body has no 'issue'"),
        ({"webhookEvent": "jira:issue_deleted", "issue": {"key": "PAY-1"}}, "'issue' has no 'id'"),
        ({"webhookEvent": "issuelink_deleted", "issueLink": {}}, "names neither of its issues"),
        ({"webhookEvent": "sprint_started"}, "no 'sprint'"),
        ({"webhookEvent": "jira:version_moved", "version": {"name": "x"}}, "'version' has no 'id'"),
        ([], "list instead of an object"),
    ],
)
def test_a_body_without_what_its_event_needs_says_so(delivery, says):
    with pytest.raises(PayloadError, match=says):
        webhook(json.dumps(delivery).encode(), None, CLOUD, READ)


EVENTS = ["jira:issue_created", "jira:issue_updated", "jira:issue_deleted", "issuelink_created", *SPRINT_EVENTS]
EVENTS += [*VERSION_EVENTS, *IGNORED]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.sampled_from(["id", "RemoteIssueLink", "557058:keyrail-bot"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["id", "key", "name", "items", "accountId", "field", "toString"]), inner, max_size=4
        )
    ),
    max_leaves=8,
)


@settings(max_examples=200, deadline=None)
@given(event=st.sampled_from(EVENTS), parts=st.dictionaries(
    st.sampled_from(["issue", "user", "changelog", "issueLink", "sprint", "version", "comment"]), JSON
))  # fmt: skip
def test_a_known_event_with_any_body_is_read_or_parked(event, parts):
    try:
        changes = webhook(json.dumps({"webhookEvent": event, **parts}).encode(), None, CLOUD, READ).changes
    except PayloadError:
        return
    assert changes
    assert all(isinstance(change, (Delete, Ignored, Refetch)) for change in changes)


# --- which delivery


def test_a_delivery_is_known_by_jiras_identifier_whatever_its_case_or_retry():
    assert delivery_id({"X-Atlassian-Webhook-Identifier": "abc", "X-Atlassian-Webhook-Retry": "2"}, b"{}") == "abc"
    assert delivery_id({"x-atlassian-webhook-identifier": "abc"}, b"other") == "abc"


def test_without_one_it_is_known_by_its_body_which_holds_its_time():
    first, second = (json.dumps({"timestamp": at, "issue": {"id": "1"}}).encode() for at in (1, 2))
    assert delivery_id({}, first) == delivery_id({"X-Atlassian-Webhook-Identifier": " "}, first)
    assert delivery_id({}, first) != delivery_id({}, second)


# --- is it genuine


def token(claims: dict[str, object], secret: str = SECRET, algorithm: str = "HS256") -> str:
    def part(value: bytes) -> str:
        return base64.urlsafe_b64encode(value).rstrip(b"=").decode()

    head = part(json.dumps({"typ": "JWT", "alg": algorithm}).encode())
    signed = f"{head}.{part(json.dumps(claims).encode())}"
    return f"{signed}.{part(hmac_sha256(secret, signed.encode()))}"


def claims(issued: int = -10, expires: int = 170) -> dict[str, object]:
    now = int(NOW.timestamp())
    return {"iss": "client", "iat": now + issued, "exp": now + expires}


def test_an_admin_webhook_is_signed_over_the_raw_body():
    body = sample("jira_issue_created__cloud")
    verify({"X-Hub-Signature": sign(SECRET, body, prefix="sha256=")}, body, SECRET, NOW)
    with pytest.raises(SignatureError, match="does not match"):
        verify({"x-hub-signature": sign(SECRET, body, prefix="sha256=")}, body + b"\n", SECRET, NOW)


@pytest.mark.parametrize("scheme", ["Bearer", "JWT", "bearer"])
def test_a_dynamic_webhook_carries_a_token_signed_with_the_client_secret(scheme):
    verify({"Authorization": f"{scheme} {token(claims())}"}, b"{}", SECRET, NOW)


@pytest.mark.parametrize(
    ("headers", "says"),
    [
        ({}, "no signature"),
        ({"X-Hub-Signature": ""}, "not accepted"),
        ({"X-Hub-Signature": "sha1=00"}, "'sha1' is not accepted"),
        ({"X-Hub-Signature": "sha256=00"}, "does not match"),
        ({"Authorization": "Basic abc"}, "no signature"),
        ({"Authorization": "Bearer abc"}, "no signed JWT"),
        ({"Authorization": "Bearer a.b.c"}, "cannot be read"),
        ({"Authorization": "Bearer é.é.é"}, "cannot be read"),
        ({"Authorization": f"Bearer {token(claims(), secret='other')}"}, "does not match"),
        ({"Authorization": f"Bearer {token(claims(), algorithm='none')}"}, "not signed with HS256"),
        ({"Authorization": f"Bearer {token(claims(expires=-61))}"}, "expired"),
        ({"Authorization": f"Bearer {token(claims(issued=61))}"}, "yet to come"),
        ({"Authorization": f"Bearer {token({'iat': 0})}"}, "does not say when it expires"),
        ({"Authorization": f"Bearer {token({'exp': 1e300})}"}, "a time that is none"),
    ],
)
def test_what_is_not_genuine_is_refused(headers, says):
    with pytest.raises(SignatureError, match=says):
        verify(headers, b"{}", SECRET, NOW)


def test_a_clock_that_is_a_minute_off_is_forgiven():
    verify({"Authorization": f"Bearer {token(claims(issued=60, expires=-60))}"}, b"{}", SECRET, NOW)


def test_a_signature_that_does_not_match_is_not_saved_by_a_good_token():
    headers = {"X-Hub-Signature": "sha256=00", "Authorization": f"Bearer {token(claims())}"}
    with pytest.raises(SignatureError, match="does not match"):
        verify(headers, b"{}", SECRET, NOW)


def test_without_a_secret_nothing_is_genuine():
    with pytest.raises(SignatureError, match="No webhook secret"):
        verify({"Authorization": f"Bearer {token(claims(), secret='')}"}, b"{}", "", NOW)
