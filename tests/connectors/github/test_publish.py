"""A status update becomes one comment, whole and harmless, and is found again and read back."""

import json
import re
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.base import Call, Reading, Spot, There
from connectors.body import SHAPES
from connectors.github.markdown import escape, unescape
from connectors.github.outlets import OUTLETS
from connectors.github.outlets.comment import ADD_COMMENT, COMMENT, COMMENTS, DELETE_COMMENT, UPDATE_COMMENT
from connectors.github.outlets.text import body_of, marker, said_in
from connectors.words import one_line
from domain.errors import PayloadError, RejectedError
from domain.facts import StatusUpdate
from domain.okr import Health
from domain.workspace import PublishRow

OUTLET = OUTLETS["comment"]
KEY = "keyrail:acme:github-comment:initiative:I1"
ROW = PublishRow(id="github-comment", outlet="github.comment", connection="github-acme")
SPOT = Spot(row=ROW, address="I_7", key=KEY, reading=Reading(facts={}, account="keyrail[bot]", digest="d"))
UPDATE = StatusUpdate(
    workspace="acme",
    kind="initiative",
    id="I1",
    title="One-click pay",
    progress=0.62,
    state="ok",
    health=Health.AT_RISK,
    drivers=("gap 0.2 (e 0.82 - p 0.62)", "2 items wait for others"),
    summary="At risk. 62 % delivered, 82 % expected by today.",
    complete_to=datetime(2026, 11, 24, 10, 42, tzinfo=UTC),
    url="https://keyrail.acme.example/initiatives/I1",
)
BODY = """\
<!-- keyrail:acme:github-comment:initiative:I1 -->

**One-click pay** · 62 % · ▲ At risk

At risk. 62 % delivered, 82 % expected by today.

- gap 0.2 (e 0.82 - p 0.62)
- 2 items wait for others

[Why this number](https://keyrail.acme.example/initiatives/I1)

<sub>Kept up to date by Keyrail · complete to 2026-11-24 10:42 UTC</sub>"""


def call(document: str, *, idempotent: bool = True, **variables: str) -> Call:
    body = {"query": document, "variables": variables}
    writes = "mutation" in body["query"]
    return Call(method="POST", path="/graphql", json=body, idempotent=idempotent, writes=writes)


def comments(*nodes: object, before: str | None = None) -> bytes:
    paging = {"hasPreviousPage": before is not None, "startCursor": before}
    node = {"__typename": "Issue", "id": "I_7", "comments": {"pageInfo": paging, "nodes": list(nodes)}}
    return json.dumps({"data": {"node": node}}).encode()


def comment(id: str, body: str, mine: bool = True) -> dict[str, object]:
    return {"id": id, "body": body, "viewerDidAuthor": mine}


def test_a_comment_says_progress_health_and_why():
    content = OUTLET.content(UPDATE, ROW)
    assert content == {
        "title": "One-click pay",
        "status": "62 % · ▲ At risk",
        "url": "https://keyrail.acme.example/initiatives/I1",
        "summary": {
            "text": "At risk. 62 % delivered, 82 % expected by today.",
            "reasons": ["gap 0.2 (e 0.82 - p 0.62)", "2 items wait for others"],
            "changed": [],
            "complete": "complete to 2026-11-24 10:42 UTC",
        },
    }
    assert body_of(content, KEY) == BODY


def test_a_first_comment_is_written_once_and_then_changed_in_place():
    content = OUTLET.content(UPDATE, ROW)
    assert OUTLET.guarantee == "read_back"
    assert OUTLET.render(content, SPOT) == call(ADD_COMMENT, idempotent=False, subjectId="I_7", body=BODY)
    known = replace(SPOT, id="IC_1")
    assert OUTLET.render(content, known) == call(UPDATE_COMMENT, id="IC_1", body=BODY)
    assert OUTLET.remove(known) == call(DELETE_COMMENT, id="IC_1")


def test_what_is_known_is_little_and_is_said():
    bare = replace(
        UPDATE,
        progress=None,
        state="no_scope",
        health=Health.UNKNOWN,
        drivers=(),
        summary="",
        complete_to=None,
        url=None,
    )
    content = OUTLET.content(bare, ROW)
    assert body_of(content, KEY) == (
        f"{marker(KEY)}\n\n**One-click pay** · Nothing in scope · ? Unknown\n\n<sub>Kept up to date by Keyrail</sub>"
    )
    assert said_in(body_of(content, KEY), KEY) == content


def test_every_health_has_a_shape_of_its_own():
    assert set(SHAPES) == set(Health)
    assert len(set(SHAPES.values())) == len(Health)


def test_an_address_that_cannot_stand_in_a_link_is_left_out():
    for url in ("javascript:alert(1)", "https://x.example/a)b", "https://x.example/a b"):
        assert OUTLET.content(replace(UPDATE, url=url), ROW)["url"] == ""


# --- found again


def test_our_comment_is_read_by_its_id_where_that_is_known():
    known = replace(SPOT, id="IC_1")
    assert OUTLET.read(known) == call(COMMENT, id="IC_1")
    answer = {"data": {"node": {"__typename": "IssueComment", "id": "IC_1", "body": BODY}}}
    there = There(content=OUTLET.content(UPDATE, ROW), id="IC_1")
    assert OUTLET.current(json.dumps(answer).encode(), known) == there


def test_a_comment_that_is_gone_is_none():
    gone = {"data": {"node": None}, "errors": [{"type": "NOT_FOUND", "path": ["node"]}]}
    assert OUTLET.current(json.dumps(gone).encode(), replace(SPOT, id="IC_1")) is None
    assert OUTLET.current(json.dumps(gone).encode(), SPOT) is None


def test_else_the_newest_that_we_wrote_with_our_marker_is_ours():
    assert OUTLET.read(SPOT) == call(COMMENTS, id="I_7")
    other = marker("keyrail:other:github-comment:initiative:I1")
    found = OUTLET.current(
        comments(
            comment("IC_1", BODY.replace("62", "50")),
            comment("IC_2", BODY),
            comment("IC_3", BODY, mine=False),
            comment("IC_4", f"Somebody quotes {BODY}"),
            comment("IC_5", BODY.replace(marker(KEY), other)),
            before="Y3Vyc29y",
        ),
        SPOT,
    )
    assert found == There(content=OUTLET.content(UPDATE, ROW), id="IC_2")


def test_older_comments_are_asked_for_until_there_are_none():
    first = OUTLET.current(comments(comment("IC_9", "hello"), before="Y3Vyc29y"), SPOT)
    assert first == call(COMMENTS, id="I_7", before="Y3Vyc29y")
    assert OUTLET.current(comments(comment("IC_1", "hello")), SPOT) is None


def test_a_milestone_takes_no_comment():
    with pytest.raises(RejectedError, match="github-comment: I_7 is a Milestone, which takes no comment"):
        OUTLET.current(b'{"data":{"node":{"__typename":"Milestone"}}}', SPOT)


def test_an_answer_that_is_none_is_parked():
    with pytest.raises(PayloadError, match="not JSON"):
        OUTLET.current(b"<html>", SPOT)


@pytest.mark.parametrize(
    "edited",
    [
        BODY.replace("62 % ·", "65 % ·"),
        BODY + "\n\nP.S. not true",
        BODY.replace("\n\n- gap", "\n\nno\n\n- gap"),
        BODY.replace("**One-click pay**", "One-click pay"),
        BODY.replace(marker(KEY), "").strip(),
        BODY.replace(marker(KEY), marker("keyrail:other:t:initiative:I1")),
        "@maria took it over",
        "",
    ],
)
def test_what_a_person_changed_is_never_what_we_said(edited):
    there = OUTLET.current(
        json.dumps({"data": {"node": {"__typename": "IssueComment", "body": edited}}}).encode(),
        replace(SPOT, id="IC_1"),
    )
    assert isinstance(there, There)
    assert there.content != OUTLET.content(UPDATE, ROW)


def test_line_ends_and_outer_space_are_no_change():
    assert said_in(BODY.replace("\n", "\r\n") + "\n", KEY) == OUTLET.content(UPDATE, ROW)


# --- harmless

TEXT = st.text(max_size=40) | st.text(alphabet="ab@#-_*.\\&<;>lt8203 g h:/w1f[]()+=|~`!$\n\u200b", max_size=40)


@given(title=TEXT, summary=TEXT, reasons=st.lists(TEXT, max_size=3))
def test_any_text_is_read_back_as_it_was_said(title, summary, reasons):
    content = OUTLET.content(replace(UPDATE, title=title, summary=summary, drivers=tuple(reasons)), ROW)
    assert said_in(body_of(content, KEY), KEY) == content


@given(text=TEXT)
def test_escaping_can_be_undone(text):
    assert unescape(escape(one_line(text))) == one_line(text)


@pytest.mark.parametrize(
    ("text", "marked"),
    [
        ("ask @maria and @acme/team", "ask @&#8203;maria and @&#8203;acme/team"),
        ("see #12, acme/api#9, GH-7", "see #&#8203;12, acme/api#&#8203;9, GH&#8203;-7"),
        ("https://github.com/acme/api/issues/9", "https:&#8203;//github.com/acme/api/issues/9"),
        ("www.acme.example", "www&#8203;.acme.example"),
        ("6dcb09b5b57875f334f61aebed695e2e4193db5e", "6dcb09&#8203;b5b57875f334f61aebed695e2e4193db5e"),
        ("<img src=x> & co", "&lt;img src=x&gt; &amp; co"),
        ("a *b* _c_ `d` [e](f) ~g~", "a \\*b\\* \\_c\\_ \\`d\\` \\[e\\](f) \\~g\\~"),
        ("1. first", "1\\. first"),
        ("- item", "\\- item"),
        ("# title", "#&#8203; title"),
        ("--> out", "\\--&gt; out"),
    ],
)
def test_nothing_becomes_markup_or_a_link(text, marked):
    assert escape(text) == marked


@given(key=st.text(max_size=30))
def test_no_key_closes_the_marker_early_or_looks_like_another(key):
    told = marker(key)
    assert re.fullmatch(r"<!-- keyrail:[\w.~%:-]* -->", told, re.ASCII)
    assert (marker(KEY) == told) is (key.removeprefix("keyrail:") == KEY.removeprefix("keyrail:"))


def test_a_milestone_has_no_room_for_a_comment():
    assert OUTLETS["comment"].stands_on("acme/api#9")
    assert not OUTLETS["comment"].stands_on("acme/api/milestone/3")
