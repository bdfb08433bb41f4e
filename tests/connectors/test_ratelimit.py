"""What headers ask for, and when calls may leave."""

from datetime import UTC, datetime, timedelta

import pytest

from connectors import ratelimit
from connectors.base import Answer
from connectors.ratelimit import ALL, ENDPOINT, QUIET, WRITES, Gate, Signal, backoff, instant, retry_after

NOW = datetime(2026, 11, 20, 10, 30, tzinfo=UTC)
T = NOW.timestamp()
HOUR = "2026-11-20T11:00:00Z"
PLACE = "POST /rest/api/*/issue/bulkfetch"


def jira(status, headers, now):
    return ratelimit.jira(Answer(status=status, headers=headers, body=b"", sent_at=now), now)


def gate(budget: float = 0.5) -> Gate:
    return Gate(budget, {"GET": 100.0, "POST": 100.0, "PUT": 50.0})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-20T11:00:00Z", NOW + timedelta(minutes=30)),
        ("2026-11-20T12:00:00+0100", NOW + timedelta(minutes=30)),
        (str(int(T)), NOW),
        (str(int(T * 1000)), NOW),
        ("soon", None),
        ("nan", None),
        ("", None),
        (None, None),
    ],
)
def test_reset_is_read_in_each_form_vendors_use(text, expected):
    assert instant(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("30", NOW + timedelta(seconds=30)),
        ("Fri, 20 Nov 2026 10:31:00 GMT", NOW + timedelta(minutes=1)),
        ("-5", None),
        ("later", None),
        ("99999999999", NOW + timedelta(days=7)),
    ],
)
def test_retry_after_is_seconds_or_a_date(text, expected):
    assert retry_after({"retry-after": text}, NOW) == expected


@pytest.mark.parametrize(
    ("reason", "scope", "until"),
    [
        ("jira-burst-based", ENDPOINT, NOW + timedelta(seconds=5)),
        ("jira-per-issue-on-write", WRITES, NOW + timedelta(seconds=5)),
        ("jira-quota-global-based", ALL, NOW + timedelta(minutes=30)),
        ("jira-quota-tenant-based", ALL, NOW + timedelta(minutes=30)),
        ("jira-cost-based", ALL, NOW + timedelta(minutes=30)),
        ("", ALL, NOW + timedelta(minutes=30)),
    ],
)
def test_jira_limits_are_told_apart_by_their_reason(reason, scope, until):
    signal = jira(429, {"ratelimit-reason": reason, "retry-after": "5", "x-ratelimit-reset": HOUR}, NOW)
    assert (signal.limited, signal.scope, signal.until) == (True, scope, until)


def test_an_answer_without_limits_says_nothing():
    assert jira(200, {"beta-ratelimit": "x", "content-type": "application/json"}, NOW) is QUIET


def test_data_center_bucket_is_read():
    heads = {
        "x-ratelimit-limit": "100",
        "x-ratelimit-remaining": "20",
        "x-ratelimit-interval-seconds": "10",
        "x-ratelimit-fillrate": "50",
        "retry-after": "0",
    }
    assert jira(200, heads, NOW) == Signal(limit=100.0, remaining=20.0, refill=5.0)


def test_a_burst_is_allowed_and_then_paced_at_the_budget():
    g = gate()
    times = [g.reserve(PLACE, T) - T for _ in range(151)]
    assert times[50] == pytest.approx(0, abs=0.001)
    assert times[100] == pytest.approx(1.0, abs=0.001)
    assert times[150] == pytest.approx(2.0, abs=0.001)


def test_a_vendor_that_counts_by_the_minute_lets_more_leave_at_once():
    g = Gate(0.5, {"POST": 100.0, "WRITE": 1.0}, {"POST": 10.0})
    times = [g.reserve("POST /graphql", T) - T for _ in range(600)]
    assert times[500] == pytest.approx(0, abs=0.001)
    assert times[550] == pytest.approx(1.0, abs=0.001)
    writes = [g.reserve("WRITE /graphql", T) - T for _ in range(3)]
    assert writes == [0, pytest.approx(1.0), pytest.approx(3.0)]


def test_other_endpoints_are_not_slowed_by_a_burst_refusal():
    g = gate()
    g.learn(PLACE, Signal(limited=True, scope=ENDPOINT, until=NOW + timedelta(seconds=4)), NOW)
    assert g.reserve(PLACE, T) == T + 4
    assert g.reserve("GET /rest/api/*/myself", T) == T


def test_a_refused_endpoint_goes_on_at_half_its_pace():
    g = gate()
    g.learn(PLACE, Signal(limited=True, scope=ENDPOINT), NOW, wait=1.0)
    times = [g.reserve(PLACE, T) for _ in range(3)]
    assert [round(t - times[0], 3) for t in times] == [0.0, 0.04, 0.08]


def test_a_quota_pauses_everything_until_its_reset():
    g = gate()
    g.learn(PLACE, jira(429, {"ratelimit-reason": "jira-quota-tenant-based", "x-ratelimit-reset": HOUR}, NOW), NOW)
    assert g.reserve("GET /rest/api/*/myself", T) == T + 1800
    assert g.blocked("PUT /x", write=True) == T + 1800


def test_per_issue_refusals_space_writes_and_leave_reads_alone():
    g = gate()
    g.learn("PUT /issue", Signal(limited=True, scope=WRITES, until=NOW + timedelta(seconds=2)), NOW)
    assert g.reserve("DELETE /issue", T, write=True) == T + 2
    assert g.reserve(PLACE, T) == T


def test_a_refusal_without_a_time_waits_as_told():
    g = gate()
    g.learn(PLACE, Signal(limited=True), NOW, wait=7.0)
    assert g.reserve(PLACE, T) == T + 7


def test_near_the_limit_the_endpoint_slows_down():
    g = gate()
    g.learn(PLACE, jira(200, {"x-ratelimit-nearlimit": "true"}, NOW), NOW)
    times = [g.reserve(PLACE, T) - T for _ in range(2)]
    assert times == [0.0, pytest.approx(1 / 40, abs=0.001)]


def test_pace_recovers_with_good_answers():
    g = gate()
    g.learn(PLACE, Signal(limited=True, scope=ENDPOINT, until=NOW), NOW)
    for _ in range(100):
        g.learn(PLACE, QUIET, NOW)
    assert [g.reserve(PLACE, T) - T for _ in range(50)][-1] == pytest.approx(0, abs=0.001)


def test_own_use_of_a_window_stops_at_the_budget():
    g = gate(budget=0.2)
    answer = Signal(limit=10, remaining=9, reset=NOW + timedelta(minutes=30))
    waits = []
    for _ in range(4):
        waits.append(g.reserve(PLACE, T) - T)
        g.learn(PLACE, answer, NOW)
    assert waits == [0, 0, 1800, 1800]


def test_each_window_of_a_vendor_is_held_by_itself_and_by_what_calls_cost():
    g = gate(budget=0.5)
    answer = Signal(limit=10, remaining=9, reset=NOW + timedelta(minutes=30), pool="points", cost=3)
    waits = []
    for _ in range(3):
        waits.append(g.reserve(PLACE, T) - T)
        g.learn(PLACE, answer, NOW)
    assert waits == [0, 0, 1800]
    assert g.reserve("GET /rest/api/*/myself", T) == T


def test_a_bucket_that_runs_low_is_drawn_at_the_budget_of_its_refill():
    g = gate(budget=0.5)
    g.learn(PLACE, Signal(limit=100, remaining=40, refill=5.0), NOW)
    times = [g.reserve(PLACE, T) for _ in range(2)]
    assert times[1] - times[0] == pytest.approx(0.4, abs=0.001)


def test_what_can_wait_leaves_a_quarter_of_a_window_to_the_others():
    g = gate(budget=1)
    answer = Signal(limit=4, remaining=3, reset=NOW + timedelta(minutes=30), pool="points")
    for _ in range(3):
        assert g.reserve(PLACE, T, aside=True) == T
        g.learn(PLACE, answer, NOW)
    assert g.reserve(PLACE, T, aside=True) == T + 1800
    assert g.reserve(PLACE, T) == T
    g.learn(PLACE, answer, NOW)
    assert g.reserve(PLACE, T) == T + 1800


def test_what_can_wait_leaves_a_quarter_of_a_bucket_to_the_others():
    g = gate(budget=0.4)
    g.learn(PLACE, Signal(limit=100, remaining=69, refill=5.0), NOW)
    waiting = [g.reserve(PLACE, T, aside=True) for _ in range(5)]
    assert waiting[-1] - waiting[0] == pytest.approx(4 / 1.5, abs=0.001)
    assert g.reserve(PLACE, T) == pytest.approx(T, abs=0.2)
    g.learn(PLACE, Signal(limit=100, remaining=100, refill=5.0), NOW)
    again = [g.reserve(PLACE, T + 100, aside=True) for _ in range(2)]
    assert again[1] - again[0] < 1 / 1.5


def test_backoff_doubles_from_two_seconds_to_thirty():
    assert [backoff(attempt, 1.0) for attempt in range(1, 7)] == [2, 4, 8, 16, 30, 30]
    assert backoff(100, 0.7) == pytest.approx(21)
