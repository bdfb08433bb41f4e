"""Every request that is built against Atlassian's own description: known, not deprecated, of the right shape."""

import json
import os
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from jsonschema import Draft4Validator

from connectors.jira import queries
from connectors.jira.queries import CLOUD

IDS = [str(10_000 + n) for n in range(100)]
SINCE = datetime(2026, 11, 20, 10, 0, 59, tzinfo=UTC)
CALLS = {
    "myself": queries.myself(CLOUD),
    "server_info": queries.server_info(CLOUD),
    "issue_fields": queries.issue_fields(CLOUD),
    "issue_types": queries.issue_types(CLOUD),
    "statuses": queries.statuses(CLOUD),
    "projects": queries.projects(CLOUD, 100),
    "permissions": queries.permissions(CLOUD, "PAY", ["BROWSE_PROJECTS", "EDIT_ISSUES"]),
    "boards": queries.boards("PAY"),
    "boards_of_all": queries.boards(""),
    "board_configuration": queries.board_configuration(7),
    "issue": queries.issue(CLOUD, "10001", queries.FIELDS),
    "remote_links": queries.remote_links(CLOUD, "10001"),
    "issue_changelog": queries.issue_changelog(CLOUD, "PAY-1", 100),
    "issue_with_changelog": queries.issue_with_changelog(CLOUD, "10001"),
    "search_ids": queries.search("project = PAY ORDER BY id ASC", ["id"], queries.ID_PAGE),
    "search_next": queries.search("project = PAY", queries.FIELDS, queries.PAGE, token="abc"),
    "search_reconcile": queries.search("id in (1)", queries.FIELDS, 50, reconcile=IDS[:50]),
    "approximate_count": queries.approximate_count("project = PAY"),
    "bulk_fetch": queries.bulk_fetch(IDS, queries.FIELDS),
    "bulk_changelog": queries.bulk_changelog(IDS * 10, ["status", "resolution"], token="abc"),
    "bulk_changelog_all": queries.bulk_changelog(IDS, []),
}


def document(name):
    configured = os.environ.get("KEYRAIL_SHARED")
    root = Path(configured) if configured else Path(__file__).parents[4] / "shared"
    path = root / "schemas" / name
    if not path.exists():
        if configured:
            pytest.fail(f"KEYRAIL_SHARED is set, but {path} is not there")
        pytest.skip("the shared schemas are not here")
    return json.loads(path.read_text(encoding="utf-8"))


def plain(node):
    """Turn OpenAPI 3.0 into JSON Schema."""
    if isinstance(node, list):
        return [plain(item) for item in node]
    if not isinstance(node, dict):
        return node
    out = {key: plain(value) for key, value in node.items() if key not in ("example", "examples")}
    if out.pop("nullable", None) is True and isinstance(out.get("type"), str):
        out["type"] = [out["type"], "null"]
    return out


@pytest.fixture(scope="module")
def platform():
    return document("jira-cloud-v3.openapi.json")


@pytest.fixture(scope="module")
def agile():
    return document("jira-agile.openapi.json")


def operation(spec, call):
    """Find the operation of a call; a path without parameters wins over one with."""
    for template in sorted(spec["paths"], key=lambda path: path.count("{")):
        if re.fullmatch(re.sub(r"\{[^/]+\}", "[^/]+", template), call.path):
            found = spec["paths"][template].get(call.method.lower())
            if found:
                return found
    return None


@pytest.mark.parametrize("name", CALLS)
def test_each_request_is_one_that_atlassian_describes(name, platform, agile):
    call = CALLS[name]
    spec = agile if call.path.startswith("/rest/agile") else platform
    found = operation(spec, call)
    assert found is not None, f"{call.method} {call.path} is unknown"
    assert found.get("deprecated") is not True
    known = {row["name"]: row for row in found.get("parameters", []) if row["in"] == "query"}
    assert set(call.params) <= set(known)
    assert all(row["name"] in call.params for row in known.values() if row.get("required"))
    for parameter, value in call.params.items():
        kind = known[parameter]["schema"].get("type")
        if kind == "integer":
            assert int(value) <= known[parameter]["schema"].get("maximum", 10**9)
    body = found.get("requestBody")
    if call.json is None:
        assert not (body or {}).get("required")
        return
    schema = body["content"]["application/json"]["schema"]
    validator = Draft4Validator({**plain(schema), "components": plain(spec["components"])})
    assert [error.message for error in validator.iter_errors(call.json)] == []


def test_the_check_itself_refuses_what_is_wrong(platform):
    old = queries.get(CLOUD, "/search", jql="x")
    assert operation(platform, old)["deprecated"] is True
    schema = operation(platform, CALLS["search_ids"])["requestBody"]["content"]["application/json"]["schema"]
    validator = Draft4Validator({**plain(schema), "components": plain(platform["components"])})
    assert list(validator.iter_errors({"jql": "x", "startAt": 0}))


def test_every_request_of_cloud_is_looked_at():
    built = {
        name
        for name, value in vars(queries).items()
        if callable(value) and getattr(value, "__annotations__", {}).get("return") == "Call"
    }
    asked = {name.removesuffix("_all") for name in CALLS}
    assert built - asked == {"get", "post", "search", "server_search"}


@pytest.mark.parametrize(
    ("build", "what"),
    [
        (lambda: queries.bulk_fetch([*IDS, "1"], ["summary"]), "100 issues"),
        (lambda: queries.search("x", ["id"], 50, reconcile=IDS[:51]), "50 ids"),
        (lambda: queries.bulk_changelog(IDS * 11, []), "1,000 issues"),
        (lambda: queries.bulk_changelog(IDS, [str(n) for n in range(11)]), "10 fields"),
        (lambda: queries.issue(CLOUD, "../user", ["x"]), "not an issue id"),
    ],
)
def test_limits_that_stand_only_in_prose_hold_too(build, what):
    with pytest.raises(ValueError, match=what):
        build()


@pytest.mark.parametrize(
    ("jql", "kept"),
    [
        ("labels = okr ORDER BY created DESC", "labels = okr"),
        ("labels = okr\n  order   by created", "labels = okr"),
        ('summary ~ "order by me" AND labels = okr', 'summary ~ "order by me" AND labels = okr'),
        ("summary ~ 'a \\' order by' order by id", "summary ~ 'a \\' order by'"),
        ("ORDER BY id", ""),
    ],
)
def test_an_order_is_cut_off_and_quoted_text_left_alone(jql, kept):
    assert queries.without_order(jql) == kept


def test_words_are_quoted_so_that_they_stay_words():
    assert queries.quoted('a"b\\c') == '"a\\"b\\\\c"'


def test_the_two_forms_of_a_date():
    ms = queries.since("project = PAY", SINCE, epoch_ms=True, zone="Europe/Berlin")
    assert ms == f"project = PAY AND updated >= {int(SINCE.timestamp() - 59) * 1000} ORDER BY updated ASC, id ASC"
    quoted = queries.since("", SINCE, epoch_ms=False, zone="Europe/Berlin")
    assert quoted == 'updated >= "2026-11-20 11:00" ORDER BY updated ASC, id ASC'


def test_children_on_data_center_hang_in_fields_of_their_own():
    fields = {"epic_link": "customfield_10014", "parent_link": None}
    assert queries.children_jql(["1", "2"], fields, server=False) == "parent in (1, 2)"
    assert queries.children_jql(["1"], fields, server=True) == "(parent in (1) OR cf[10014] in (1))"


def test_a_long_query_goes_to_data_center_as_a_body():
    short = queries.server_search("id in (1)", ["summary"], 10, validate=False)
    assert (short.method, short.params["validateQuery"]) == ("GET", "false")
    long = queries.server_search("x" * 4000, ["summary"], 10, validate=False)
    assert (long.method, long.params, long.json["validateQuery"]) == ("POST", {}, False)
