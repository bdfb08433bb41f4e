"""What Linear's answers say beside their data: limits with resets in milliseconds, and errors on 200 and 400."""

from datetime import UTC, datetime, timedelta

import orjson
import pytest

from connectors.base import Answer, Call
from connectors.linear.answers import failed, read_limits
from connectors.ratelimit import QUIET, Signal
from domain.errors import AuthError, NotFoundError, RejectedError, VendorUnavailableError

NOW = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
CALL = Call(method="POST", path="/graphql")


def ms(moment):
    return str(int(moment.timestamp() * 1000))


def answer(status=200, body=None, **headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status=status, headers=named, body=orjson.dumps(body or {"data": {}}), sent_at=NOW)


def errors(*told, data=None):
    return {"data": data, "errors": [{"message": message, "extensions": more} for message, more in told]}


LIMITED = errors(("Rate limit exceeded", {"code": "RATELIMITED", "type": "ratelimited"}))
BUCKETS = {
    "x_ratelimit_requests_limit": "2500", "x_ratelimit_requests_remaining": "2000",
    "x_ratelimit_complexity_limit": "3000000", "x_ratelimit_complexity_remaining": "1500000", "x_complexity": "900",
}  # fmt: skip


def test_the_emptier_bucket_counts_with_what_flows_back_and_what_the_call_took():
    found = read_limits(answer(**BUCKETS), NOW)
    assert found == Signal(limit=3_000_000, remaining=1_500_000, refill=3_000_000 / 3600, cost=900)
    fewer = {**BUCKETS, "x_ratelimit_requests_remaining": "100"}
    assert read_limits(answer(**fewer), NOW) == Signal(limit=2500, remaining=100, refill=2500 / 3600, cost=1)


def test_a_complexity_without_the_cost_of_the_call_says_nothing():
    without = {name: value for name, value in BUCKETS.items() if name != "x_complexity"}
    assert read_limits(answer(**without), NOW) == Signal(limit=2500, remaining=2000, refill=2500 / 3600, cost=1)


@pytest.mark.parametrize("headers", [{}, {"x_complexity": "12"}, {"x_ratelimit_requests_limit": "many"}])
def test_an_answer_without_limits_is_quiet(headers):
    assert read_limits(answer(**headers), NOW) is QUIET


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, LIMITED),
        (200, LIMITED),
        (400, errors(("slow down", {"type": "Ratelimited"}))),
        (400, errors(("slow down", {"code": "RATELIMITED"}))),
        (429, {"message": "Too many requests"}),
    ],
)
def test_a_refusal_for_the_rate_is_known_by_code_type_or_status(status, body):
    assert read_limits(answer(status, body), NOW) == Signal(limited=True, until=None, reason="")


def test_a_refusal_lasts_until_the_later_of_the_empty_buckets_is_full():
    soon, late, latest = (NOW + timedelta(minutes=m) for m in (3, 20, 50))
    headers = {
        "x_ratelimit_requests_remaining": "0", "x_ratelimit_requests_reset": ms(late),
        "x_ratelimit_complexity_remaining": "12", "x_ratelimit_complexity_reset": ms(latest),
        "x_ratelimit_endpoint_requests_remaining": "0", "x_ratelimit_endpoint_requests_reset": ms(soon),
    }  # fmt: skip
    found = read_limits(answer(400, LIMITED, **headers), NOW)
    reason = "the hourly limit of requests and endpoint requests is used up"
    assert found == Signal(limited=True, until=late, reason=reason)


def test_a_reset_that_is_over_by_our_clock_is_no_leave_to_call_at_once():
    headers = {"x_ratelimit_requests_remaining": "0", "x_ratelimit_requests_reset": ms(NOW - timedelta(minutes=3))}
    found = read_limits(answer(400, LIMITED, **headers), NOW)
    assert found == Signal(limited=True, until=None, reason="the hourly limit of requests is used up")


def test_retry_after_holds_where_no_bucket_is_said_to_be_empty():
    found = read_limits(answer(429, LIMITED, retry_after="30"), NOW)
    assert found.until == NOW + timedelta(seconds=30)


def test_a_400_of_another_kind_is_no_limit():
    assert read_limits(answer(400, errors(("bad", {"type": "invalid input"}))), NOW) is QUIET


AUTH = {"type": "authentication error", "code": "AUTHENTICATION_ERROR"}
INTERNAL, FORBIDDEN = {"type": "internal error"}, {"type": "forbidden"}
INVALID = {"type": "invalid input", "code": "INVALID_INPUT"}


@pytest.mark.parametrize(
    ("status", "body", "kind", "says"),
    [
        (200, errors(("Authentication required", AUTH)), AuthError, "Linear refused our credentials"),
        (400, errors(("Authentication required", AUTH)), AuthError, "Authentication required"),
        (200, errors(("Entity not found: Issue", INVALID)), NotFoundError, "Entity not found: Issue"),
        (200, errors(("Internal server error", INTERNAL)), VendorUnavailableError, "could not answer in full"),
        (200, errors(("timed out", {"type": "lock timeout"})), VendorUnavailableError, "timed out"),
        (200, errors(("nope", FORBIDDEN)), RejectedError, "lacks the permission"),
        (200, errors(("Argument Validation Error", INVALID)), RejectedError, "the request was refused"),
        (400, errors(("Cannot query field 'progress'", {"type": "graphql error"})), RejectedError, "Cannot query"),
        (400, errors(("Internal server error", INTERNAL)), RejectedError, "the request was refused"),
        (200, errors(("odd", None)), RejectedError, "odd"),
        (200, errors(("Internal server error", INTERNAL), data={"a": {"nodes": []}}), VendorUnavailableError, "full"),
        (200, errors(("bad", INVALID), data={"a": {"nodes": []}}), RejectedError, "bad"),
    ],
)  # fmt: skip
def test_errors_are_told_by_their_type(status, body, kind, says):
    found = failed("linear-acme", CALL, answer(status, body))
    assert type(found) is kind
    assert str(found).startswith("linear-acme: ")
    assert says in str(found)


@pytest.mark.parametrize(("told", "status"), [(FORBIDDEN, 403), (INVALID, 400)])
def test_a_refusal_carries_the_status_that_it_stands_for(told, status):
    found = failed("linear-acme", CALL, answer(200, errors(("no", told))))
    assert isinstance(found, RejectedError)
    assert found.status == status


@pytest.mark.parametrize(
    "body",
    [
        {"data": {"issues": {"nodes": []}}},
        errors(("Entity not found: Project", INVALID), data={"issues": {"nodes": [{"project": None}]}}),
        errors(("You may not see this", FORBIDDEN), data={"issues": {"nodes": [{"project": None}]}}),
        {"data": {"issues": {"nodes": [{"title": 'the "errors" of others'}]}}},
    ],
)
def test_data_passes_and_so_does_null_for_what_we_may_not_see(body):
    assert failed("linear-acme", CALL, answer(200, body)) is None


def test_a_long_reason_is_cut():
    found = failed("linear-acme", CALL, answer(200, errors(("x" * 5000, INVALID))))
    assert len(str(found)) < 400
