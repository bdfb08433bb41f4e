"""Limits in every form that GitHub has them, single sign-on, and errors inside answers of status 200."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import httpx
import orjson
import pytest

from connectors.base import Answer, Call
from connectors.github.limits import CursorError, TokenScopeError, denied, failed, hidden_organizations, read_limits
from connectors.graphql import request
from connectors.ratelimit import ALL, ENDPOINT, QUIET, Signal
from domain.errors import AuthError, NotFoundError, RejectedError, VendorUnavailableError

NOW = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
RESET = NOW + timedelta(minutes=20)
LEFT = {
    "x-ratelimit-limit": "5000", "x-ratelimit-remaining": "4000", "x-ratelimit-reset": str(int(RESET.timestamp())),
    "x-ratelimit-resource": "graphql",
}  # fmt: skip
NONE_LEFT = LEFT | {"x-ratelimit-remaining": "0"}
QUERY = request("/graphql", "query Issues{viewer{login}}", {})
MUTATION = request("/graphql", "mutation Add{addComment{subject{id}}}", {}, idempotent=False)


def answer(body, status=200, headers=LEFT):
    return Answer(status=status, headers=headers, body=orjson.dumps(body), sent_at=NOW)


def errors(kind, message="no", **more):
    return {"errors": [{"type": kind, "message": message, **more}]}


WINDOW = Signal(limit=5000, remaining=4000, reset=RESET, pool="graphql")
REFUSED = replace(WINDOW, limited=True, least=60.0)
SHORT, HOURLY = "too many requests in a short time", "the hourly limit of the account is used up"


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (answer({"data": {}}, headers={}), QUIET),
        (answer({"data": {"rateLimit": {"limit": 5000, "cost": 7}}}), replace(WINDOW, cost=7.0)),
        (answer({"data": {"repository": None}, **errors("NOT_FOUND")}), WINDOW),
        (answer({"message": "Resource not accessible"}, 403), WINDOW),
        (answer(None, 304), replace(WINDOW, cost=0.0)),
        (
            answer(errors("RATE_LIMITED"), headers=NONE_LEFT),
            replace(REFUSED, remaining=0.0, scope=ENDPOINT, until=RESET, reason=HOURLY),
        ),
        (
            answer(errors("RATE_LIMIT", "API rate limit already exceeded"), headers=NONE_LEFT),
            replace(REFUSED, remaining=0.0, scope=ENDPOINT, until=RESET, reason=HOURLY),
        ),
        (
            answer({"message": "API rate limit exceeded"}, 403, NONE_LEFT),
            replace(REFUSED, remaining=0.0, scope=ENDPOINT, until=RESET, reason=HOURLY),
        ),
        (
            answer({"message": "You have exceeded a secondary rate limit"}, 403, LEFT | {"retry-after": "30"}),
            replace(REFUSED, scope=ALL, until=NOW + timedelta(seconds=30), reason=SHORT),
        ),
        (
            answer({"message": "You have exceeded a secondary rate limit"}, 403),
            replace(REFUSED, scope=ALL, reason=SHORT),
        ),
        (
            answer({"message": "You have exceeded a secondary rate limit"}, 403, NONE_LEFT),
            replace(REFUSED, remaining=0.0, scope=ALL, until=RESET, reason=SHORT),
        ),
        (answer(errors(None, "You have exceeded a secondary rate limit.")), replace(REFUSED, scope=ALL, reason=SHORT)),
        (answer({"message": "slow down"}, 429), replace(REFUSED, scope=ALL, reason=SHORT)),
    ],
)
def test_limits_are_read_in_each_form(told, expected):
    assert read_limits(told, NOW) == expected


def test_a_reset_is_told_by_our_clock_and_one_that_is_over_is_none():
    behind = NONE_LEFT | {"date": "Fri, 20 Nov 2026 09:58:00 GMT"}
    assert read_limits(answer(errors("RATE_LIMITED"), headers=behind), NOW).until == RESET + timedelta(minutes=2)
    over = NONE_LEFT | {"x-ratelimit-reset": str(int(NOW.timestamp()) - 5)}
    assert read_limits(answer(errors("RATE_LIMITED"), headers=over), NOW).until is None


def test_a_refusal_that_names_no_end_costs_a_minute_that_doubles():
    signal = read_limits(answer({"message": "secondary rate limit"}, 403), NOW)
    assert [signal.patience(refusals) for refusals in (1, 2, 3, 9)] == [60.0, 120.0, 240.0, 900.0]
    assert QUIET.patience(5) == 0.0


@pytest.mark.parametrize("kind", ["secondary_silent", "secondary_ok"])
async def test_secondary_limits_slow_and_never_fail(github, discovered, connection, kind):
    github.repository("api", 1)
    async with discovered(connection, github) as session:
        github.site.faults.add(kind, path="Counts", times=2)
        assert await session.count() == 1
    assert [round(seconds) for seconds in github.slept] == [60, 120]
    assert "too many requests in a short time" in github.waits[0][0]


@pytest.mark.parametrize("reason", ["RATE_LIMITED", "RATE_LIMIT"])
async def test_the_hourly_limit_is_waited_out(github, discovered, connection, reason):
    github.repository("api", 1)
    async with discovered(connection, github) as session:
        github.site.faults.add("rate_limited", path="Counts", reason=reason, retry_after=1200)
        assert await session.count() == 1
    assert 1199 <= sum(github.slept) <= 1202


async def test_no_more_than_the_budget_of_the_points_is_used(github, discovered, connection):
    github.repository("api", 3)
    half = replace(connection, budget=0.004)
    async with discovered(half, github) as session:
        for _ in range(30):
            await session.count()
    assert github.face.points <= 0.004 * 5000 + 2 + 20
    assert github.slept


def test_single_sign_on_is_told_by_a_header():
    asked = {"x-github-sso": "required; url=https://github.com/orgs/acme/sso?authorization_request=s3cret"}
    assert denied(403, asked) == (
        "the organization asks for single sign-on, and the token is not authorised for it. "
        "Authorise it at https://github.com/orgs/acme/sso."
    )
    assert denied(200, asked) is None
    assert denied(403, {}) is None
    partial = {"x-github-sso": "partial-results; organizations=21955855,20582480"}
    assert denied(403, partial) is None
    assert hidden_organizations(answer({}, headers=partial)) == ("21955855", "20582480")
    assert hidden_organizations(answer({}, headers=asked)) == ()


@pytest.mark.parametrize(
    ("has", "accepted", "words"),
    [
        ("read:org", "repo", "It needs repo, and has read:org."),
        ("", "public_repo, repo", "It needs public_repo or repo, and has none."),
        ("read:project", "project", "It needs project, and has read:project."),
        ("repo", "public_repo", None),
        ("admin:org, repo", "read:org", None),
        ("read:org", "", None),
        (None, "repo", None),
    ],
)
def test_a_scope_that_a_call_needs_is_told_by_headers(has, accepted, words):
    told = {"x-accepted-oauth-scopes": accepted} | ({} if has is None else {"x-oauth-scopes": has})
    said = denied(403, told)
    assert said == (words and f"the token lacks a scope. {words} Add it to the token.")
    assert denied(404, told) is None


async def test_a_refusal_of_our_token_names_where_it_comes_from(github, discovered, connection):
    github.repository("api", 1)
    lacks = {"x-oauth-scopes": "read:org", "x-accepted-oauth-scopes": "repo"}
    asks = {"x-github-sso": "required; url=https://github.com/orgs/acme/sso?x=1"}
    saml = {**MISSING, **errors("FORBIDDEN", "x", extensions={"saml_failure": True})}
    async with discovered(connection, github) as session:
        for headers, words in ((lacks, "the token lacks a scope"), (asks, "single sign-on")):
            github.plan("/repos/acme/api", httpx.Response(403, json={"message": "no"}, headers=headers))
            with pytest.raises(AuthError, match=rf"{words}.*Check environment variable GITHUB_TOKEN"):
                await session.client.send(Call(method="GET", path="/repos/acme/api"))
        github.plan("Counts", httpx.Response(200, json=saml))
        with pytest.raises(AuthError, match=r"Configure SSO.*Check environment variable GITHUB_TOKEN"):
            await session.count()


def test_a_scope_that_is_lacking_for_a_part_is_no_partial_answer():
    told = {"data": {"r0": {"id": "R"}, "projects": None}, **errors("INSUFFICIENT_SCOPES", path=["projects"])}
    assert type(failed("github-acme", QUERY, answer(told))) is TokenScopeError


MISSING = {"data": {"repository": None, "rateLimit": {"cost": 1}}}


@pytest.mark.parametrize(
    ("call", "body", "kind", "words"),
    [
        (QUERY, {"data": None, **errors("FORBIDDEN", "by IP allow list")}, RejectedError, "may not do or see"),
        (QUERY, {**MISSING, **errors("FORBIDDEN")}, RejectedError, "may not do or see"),
        (
            QUERY,
            errors("INSUFFICIENT_SCOPES", "The 'items' field requires one of the following scopes: ['read:project']"),
            TokenScopeError,
            "It needs read:project",
        ),
        (QUERY, {**MISSING, **errors("FORBIDDEN", "x", extensions={"saml_failure": True})}, AuthError, "Configure SSO"),
        (QUERY, {"data": None, **errors("NOT_FOUND")}, NotFoundError, "does not exist"),
        (MUTATION, {"data": {"addComment": None}, **errors("NOT_FOUND")}, NotFoundError, "does not exist"),
        (MUTATION, {"data": {"addComment": None}, **errors("FORBIDDEN")}, RejectedError, "permissions of the token"),
        (
            QUERY,
            {"data": {"nodes": [{}, None]}, **errors("RESOURCE_LIMITS_EXCEEDED")},
            VendorUnavailableError,
            "too much at once",
        ),
        (
            QUERY,
            {"data": {"nodes": [{}]}, **errors(None, "Something went wrong while executing your query.")},
            VendorUnavailableError,
            "could not finish",
        ),
        (QUERY, {**MISSING, **errors("INVALID_CURSOR_ARGUMENTS")}, CursorError, "place in a list"),
        (QUERY, errors(None, "Field 'x' doesn't exist on type 'Issue'"), RejectedError, "refused the query"),
    ],
)
def test_errors_inside_an_answer_name_the_connection_and_what_to_do(call, body, kind, words):
    error = failed("github-acme", call, answer(body))
    assert type(error) is kind
    assert str(error).startswith("github-acme: ")
    assert words in str(error)


@pytest.mark.parametrize(
    ("call", "body"),
    [
        (QUERY, {"data": {"viewer": {"login": "errors"}}}),
        (QUERY, {**MISSING, **errors("NOT_FOUND")}),
        (QUERY, {"data": {"nodes": [None]}, **errors("NOT_FOUND", path=["nodes", 0])}),
        (QUERY, {"data": {"r0": {"id": "R"}, "r1": None}, **errors("FORBIDDEN", path=["r1"])}),
        (Call(method="GET", path="/repos/acme/api"), {"errors": [{"message": "of another kind"}]}),
    ],
)
def test_what_is_there_in_part_is_no_error_of_the_call(call, body):
    assert failed("github-acme", call, answer(body)) is None


async def test_a_call_reads_the_statuses_that_it_accepts(github, discovered, connection):
    github.repository("api")
    async with discovered(connection, github) as session:
        github.plan("/repos/acme/api", httpx.Response(301, headers={"location": "https://api.github.com/x"}))
        told = await session.client.send(Call(method="GET", path="/repos/acme/api", accepts=(301,)))
        github.plan("/repos/acme/api", httpx.Response(301, headers={"location": "https://api.github.com/x"}))
        with pytest.raises(RejectedError, match="redirected"):
            await session.client.send(Call(method="GET", path="/repos/acme/api"))
    assert (told.status, told.headers["location"]) == (301, "https://api.github.com/x")
