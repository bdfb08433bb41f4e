"""What is asked of GitHub, as values."""

import pytest

from connectors.base import Call
from connectors.github import queries
from connectors.github.selection import EVERYTHING, Selection, points_of

OLD = Selection(can=frozenset({"stateReason"}))
ALL = Selection(can=EVERYTHING, projects=True, values=("Status", 'Say "when"'))


def test_what_the_server_lacks_is_not_selected():
    document = queries.listing_document(OLD)
    assert "stateReason" in document
    for name in ("parent{", "issueType{", "issueFieldValues", "projectItems", "blockedBy", "subIssuesSummary"):
        assert name not in document
        assert name in queries.listing_document(ALL)
    assert "status{" not in queries.listing_document(ALL)
    assert "status{id name category}" in queries.listing_document(Selection(can=EVERYTHING | {"status"}))


def test_project_fields_are_asked_for_by_name():
    document = queries.by_ids_document(ALL)
    assert 'value0:fieldValueByName(name:"Status"){...ProjectValue}' in document
    assert 'value1:fieldValueByName(name:"Say \\"when\\""){...ProjectValue}' in document
    assert "projectItems" not in queries.by_ids_document(Selection(can=EVERYTHING))


def test_every_fragment_stands_in_a_document_once():
    document = queries.changed_document(ALL)
    names = [line.split()[1] for line in document.splitlines()[1:]]
    assert names == ["Field", "FieldValue", "Issue", "ProjectField", "ProjectItem", "ProjectValue"]


def test_what_a_query_cost_is_asked_for_first():
    assert queries.listing_document(None).partition("{")[2].lstrip().startswith("rateLimit{cost")


@pytest.mark.parametrize(("selection", "points"), [(OLD, 2), (Selection(can=EVERYTHING), 4), (ALL, 5)])
def test_a_page_of_a_hundred_costs_a_point_a_list(selection, points):
    assert points_of(selection) == points


def test_a_page_is_asked_for_with_what_is_known_alone():
    call = queries.listing(None, "acme/api", "ASC", first=7, attempts=1)
    assert call == Call(
        method="POST",
        path="/graphql",
        json={
            "query": queries.listing_document(None),
            "variables": {"owner": "acme", "name": "api", "first": 7, "direction": "ASC"},
        },
        attempts=1,
    )
    call = queries.listing(None, "acme/api", "DESC", state="OPEN", after="c")
    assert call.json["variables"] == {
        "owner": "acme", "name": "api", "first": 100, "after": "c", "direction": "DESC", "states": ["OPEN"],
    }  # fmt: skip


def test_rest_calls_know_what_they_accept():
    assert queries.issue("/v3", "acme/api", 7) == Call(
        method="GET", path="/v3/repos/acme/api/issues/7", accepts=(301, 404, 410)
    )
    assert queries.issues("", "acme/api", "2026-11-20T09:00:00Z", '"e"') == Call(
        method="GET",
        path="/repos/acme/api/issues",
        params={
            "state": "all", "sort": "updated", "direction": "asc", "per_page": "100", "since": "2026-11-20T09:00:00Z",
        },
        headers={"if-none-match": '"e"'},
        accepts=(301, 304),
    )  # fmt: skip


@pytest.mark.parametrize("name", ["acme", "acme/api/x", "acme/..", "../api", "acme/a b", "acme/", "/api", "acme/é"])
def test_what_is_no_repository_never_becomes_a_path(name):
    with pytest.raises(ValueError, match="not a repository"):
        queries.repository("", name)


def test_no_call_asks_for_more_than_github_answers():
    ids = [str(number) for number in range(101)]
    with pytest.raises(ValueError, match="at most 100 ids"):
        queries.by_ids(ALL, ids)
    with pytest.raises(ValueError, match="at most 50 issues"):
        queries.history(EVERYTHING, ids)
    with pytest.raises(ValueError, match="at most 20 repositories"):
        queries.repositories([f"acme/{id}" for id in ids[:21]])


@pytest.mark.parametrize(
    ("url", "base", "rest"),
    [
        ("https://api.github.com/", "https://api.github.com", ""),
        ("https://git.acme.example/api/v3/", "https://git.acme.example/api", "/v3"),
        ("https://git.acme.example/v3", "https://git.acme.example/v3", ""),
    ],
)
def test_an_enterprise_server_keeps_its_rest_calls_below_v3(url, base, rest):
    assert (queries.base_of(url), queries.rest_of_url(url)) == (base, rest)
