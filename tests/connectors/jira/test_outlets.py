"""Property, field and kept comment: what is written to Jira, and that it is read back as the same."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.base import Answer, Call, Reading, Spot
from connectors.jira.outlets import OUTLETS, adf, wiki
from domain.errors import PayloadError, RejectedError
from domain.facts import Outlook, StatusUpdate
from domain.okr import Health
from domain.workspace import PublishRow

PROPERTY, FIELD, COMMENT = OUTLETS["property"], OUTLETS["field"], OUTLETS["comment"]
KEY = "keyrail:acme:row:initiative:jira-main:PAY-7"
CLOUD = Reading(facts={"api": "/rest/api/3"}, account="me", digest="d")
SERVER = Reading(facts={"api": "/rest/api/2"}, account="me", digest="d")
UPDATE = StatusUpdate(
    workspace="acme",
    kind="initiative",
    id="jira-main:PAY-7",
    title="One-click pay",
    progress=0.6251,
    state="ok",
    health=Health.AT_RISK,
    drivers=("85 % likely done by 12 Dec", "scope grew by 10 %"),
    summary="At risk: 40 of 64 items.",
    complete_to=datetime(2026, 11, 24, 9, 30, tzinfo=UTC),
    url="https://keyrail.acme.example/initiatives/I1",
    coverage=0.9,
    changed=("Progress rose from 60 % to 62 %.",),
)


def row(outlet, template=None, **to):
    return PublishRow(id="row", outlet=outlet, connection="jira-main", to=to, template=template)


def spot(outlet, reading=CLOUD, id=None, facts=None, **to):
    return Spot(row=row(outlet, **to), address="20012", key=KEY, reading=reading, id=id, facts=facts or {})


def test_a_property_says_numbers_and_words_and_bears_our_key():
    call = PROPERTY.render(PROPERTY.content(UPDATE, row("property")), spot("property"))
    assert (call.method, call.path, call.idempotent) == ("PUT", "/rest/api/3/issue/20012/properties/keyrail", True)
    assert call.json == {
        "marker": KEY,
        "kind": "initiative",
        "id": "jira-main:PAY-7",
        "title": "One-click pay",
        "progress": 0.6251,
        "state": "ok",
        "health": "at_risk",
        "url": "https://keyrail.acme.example/initiatives/I1",
        "summary": {
            "text": "At risk: 40 of 64 items.",
            "reasons": ["85 % likely done by 12 Dec", "scope grew by 10 %"],
            "coverage": 0.9,
            "likely_by": None,
            "probability": None,
            "complete_to": "2026-11-24T09:30:00Z",
        },
    }


def test_a_property_tells_the_forecast():
    outlook = Outlook(p85=datetime(2026, 12, 12, tzinfo=UTC).date(), probability=0.85)
    summary = PROPERTY.content(replace(UPDATE, forecast=outlook), row("property"))["summary"]
    assert (summary["likely_by"], summary["probability"]) == ("2026-12-12", 0.85)


def test_a_property_is_read_back_as_written_and_another_ones_is_told():
    content = PROPERTY.content(UPDATE, row("property"))
    written = PROPERTY.render(content, spot("property")).json
    there = PROPERTY.current(json.dumps({"key": "keyrail", "value": written}).encode(), spot("property"))
    assert (there.content, there.owner) == (content, None)
    other = {**written, "marker": "keyrail:other:row:initiative:I1"}
    there = PROPERTY.current(json.dumps({"key": "keyrail", "value": other}).encode(), spot("property"))
    assert there.owner == "keyrail:other:row:initiative:I1"
    there = PROPERTY.current(b'{"key":"keyrail","value":7}', spot("property"))
    assert (there.content, there.owner) == ({"value": 7}, None)


def test_a_property_stays_within_what_jira_takes():
    long = replace(UPDATE, title="é" * 9999, summary="é" * 9999, text="é" * 9999, drivers=("é" * 9999,) * 99)
    assert len(json.dumps(PROPERTY.render(PROPERTY.content(long, row("property")), spot("property")).json)) < 98_304
    said = json.dumps(PROPERTY.content(long, row("property")), ensure_ascii=False)
    assert len(said) <= 32_768
    with pytest.raises(RejectedError, match="longer than 255"):
        PROPERTY.read(spot("property", key="k" * 256))


def test_subjects_that_share_an_issue_can_have_a_property_each():
    assert PROPERTY.read(spot("property", key="okr.{subject}")) == Call(
        method="GET", path="/rest/api/3/issue/20012/properties/okr.jira-main%3APAY-7"
    )


NUMBER = {"field": "customfield_1", "takes": "number"}
TEXT = {"field": "customfield_1", "takes": "text"}
PARAGRAPHS = {"field": "customfield_1", "takes": "paragraphs"}
OPTION = {"field": "customfield_1", "takes": "option", "options": ["On Track", "At Risk", "Off Track", "Done"]}


@pytest.mark.parametrize(
    ("value", "facts", "update", "sent"),
    [
        ("progress", NUMBER, UPDATE, 62.5),
        ("progress", NUMBER, replace(UPDATE, progress=0.99999), 99.9),
        ("progress", NUMBER, replace(UPDATE, progress=1e-9), 0.1),
        ("progress", NUMBER, replace(UPDATE, progress=1.0), 100.0),
        ("progress", NUMBER, replace(UPDATE, progress=None), None),
        ("health", OPTION, UPDATE, {"value": "At Risk"}),
        ("health", OPTION, replace(UPDATE, health=Health.UNKNOWN), None),
        ("health", TEXT, UPDATE, "At risk"),
        ("text", TEXT, UPDATE, "63 % · At risk"),
        ("text", TEXT, replace(UPDATE, text=" 63 of 100 "), "63 of 100"),
        ("text", PARAGRAPHS, replace(UPDATE, text="a\n\nb"), adf.paragraphs("a\n\nb")),
    ],
)
def test_a_field_is_set_quietly_and_read_back_as_the_same(value, facts, update, sent):
    there = spot("field", facts=facts, field="OKR", value=value)
    content = FIELD.content(update, there.row)
    call = FIELD.render(content, there)
    assert call == Call(
        method="PUT",
        path="/rest/api/3/issue/20012",
        params={"notifyUsers": "false"},
        courtesies=("notifyUsers",),
        json={"fields": {"customfield_1": sent}},
    )
    assert FIELD.read(there).params == {"fields": "customfield_1"}
    body = json.dumps({"id": "20012", "fields": call.json["fields"]}).encode()
    assert FIELD.current(body, there).content == content


def test_a_field_of_lines_is_a_plain_string_on_data_center():
    there = spot("field", SERVER, facts=PARAGRAPHS, field="OKR", value="text")
    content = FIELD.content(replace(UPDATE, text="a\nb"), there.row)
    assert FIELD.render(content, there).json == {"fields": {"customfield_1": "a\nb"}}


def test_an_emptied_field_is_told_apart_from_what_was_written():
    there = spot("field", facts=NUMBER, field="OKR", value="progress")
    assert FIELD.current(b'{"fields":{"customfield_1":null}}', there).content == {"value": None}
    assert FIELD.remove(there).json == {"fields": {"customfield_1": None}}
    with pytest.raises(PayloadError):
        FIELD.current(b"<html>", there)


def test_a_row_says_which_option_stands_for_which_health():
    options = {"achieved": "Done", "paused": "none"}
    there = spot("field", facts=OPTION, field="OKR", value="health", options=options)

    def value(health):
        return FIELD.render(FIELD.content(replace(UPDATE, health=health), there.row), there).json["fields"]

    assert value(Health.ACHIEVED) == {"customfield_1": {"value": "Done"}}
    assert value(Health.PAUSED) == {"customfield_1": None}
    with pytest.raises(RejectedError, match=r"no option 'Missed', only On Track, At Risk, Off Track, Done\. Add it"):
        value(Health.MISSED)


@pytest.mark.parametrize(("text", "facts"), [("x" * 256, TEXT), ("a\nb", TEXT), ("x" * 32_001, PARAGRAPHS)])
def test_a_text_that_a_field_cannot_hold_is_refused_before_jira_does(text, facts):
    there = spot("field", facts=facts, field="OKR", value="text")
    with pytest.raises(RejectedError, match=r"takes (one line|lines) of at most"):
        FIELD.render(FIELD.content(replace(UPDATE, text=text), there.row), there)


def comment_there(reading, content, id="7"):
    """Return what Jira would answer when asked for a comment that says a content."""
    sent = COMMENT.render(content, spot("comment", reading)).json
    author = {"accountId": "me"} if reading is CLOUD else {"key": "me", "name": "bot"}
    return {"id": id, "author": author, **sent}


texts = st.text(st.characters(codec="utf-8"), max_size=40)


@pytest.mark.parametrize("reading", [CLOUD, SERVER])
@given(title=texts, summary=texts, drivers=st.lists(texts, max_size=3), changed=st.lists(texts, max_size=2))
def test_whatever_a_comment_says_is_read_back_as_the_same(reading, title, summary, drivers, changed):
    update = replace(UPDATE, title=title, summary=summary, drivers=tuple(drivers), changed=tuple(changed))
    content = COMMENT.content(update, row("comment"))
    answer = json.dumps(comment_there(reading, content)).encode()
    assert COMMENT.current(answer, spot("comment", reading, id="7")).content == content


@pytest.mark.parametrize("reading", [CLOUD, SERVER])
@given(text=st.text(st.sampled_from("ab *_{}|-\n[]\\"), max_size=40))
def test_whatever_a_template_gives_is_read_back_as_the_same(reading, text):
    content = COMMENT.content(replace(UPDATE, text=text), row("comment", template="x"))
    answer = json.dumps(comment_there(reading, content)).encode()
    assert COMMENT.current(answer, spot("comment", reading, id="7")).content == content


def test_a_comment_is_written_once_then_changed_in_place_without_mail():
    content = COMMENT.content(UPDATE, row("comment"))
    new = COMMENT.render(content, spot("comment"))
    assert (new.method, new.path, new.idempotent) == ("POST", "/rest/api/3/issue/20012/comment", False)
    assert new.json["properties"] == [{"key": "keyrail", "value": {"key": KEY}}]
    changed = COMMENT.render(content, spot("comment", id="7"))
    assert (changed.method, changed.path) == ("PUT", "/rest/api/3/issue/20012/comment/7")
    assert (changed.params, changed.courtesies) == ({"notifyUsers": "false"}, ("notifyUsers",))
    assert COMMENT.remove(spot("comment", id="7")) == Call(method="DELETE", path=changed.path)
    assert COMMENT.sent(Answer(status=201, headers={}, body=b'{"id":"9"}', sent_at=datetime.now(UTC)), spot("c")) == "9"
    with pytest.raises(RejectedError, match="cannot be removed"):
        COMMENT.remove(spot("comment"))


def test_a_comment_of_data_center_begins_with_an_unseen_marker_and_is_markup():
    content = COMMENT.content(replace(UPDATE, title="Pay {color:red}*now* [~maria] http://x.y"), row("comment"))
    assert COMMENT.render(content, spot("comment", SERVER)).json == {
        "body": "{anchor:keyrail.acme%3Arow%3Ainitiative%3Ajira-main%3APAY-7}\n\n"
        r"*Pay \{color:red\}\*now\* \[\~maria\] http\://x.y* · 63 % · ▲ At risk"
        "\n\nAt risk: 40 of 64 items.\n\n"
        r"* 85 % likely done by 12 Dec" + "\n* scope grew by 10 %\n\n"
        "Since the last update:\n\n* Progress rose from 60 % to 62 %.\n\n"
        "[Why this number|https://keyrail.acme.example/initiatives/I1]\n\n"
        r"_Kept up to date by Keyrail · complete to 2026\-11\-24 09:30 UTC_"
    }


@pytest.mark.parametrize("reading", [CLOUD, SERVER])
def test_our_comment_is_found_by_account_and_marker_and_older_ones_are_asked_for(reading):
    content = COMMENT.content(UPDATE, row("comment"))
    ours = comment_there(reading, content)
    forged = {**ours, "author": {"accountId": "maria", "key": "maria"}}
    plain = {**ours, "body": "hello" if reading is SERVER else adf.paragraphs("hello"), "properties": []}
    there = spot("comment", reading)

    def seen(*comments, total=None):
        page = {"startAt": 0, "maxResults": 100, "total": total or len(comments), "comments": list(comments)}
        return COMMENT.current(json.dumps(page).encode(), there)

    assert seen(forged, plain, ours).id == "7"
    assert seen(forged, plain, ours).content == content
    assert seen(forged, plain) is None
    assert seen() is None
    assert COMMENT.read(there).params["orderBy"] == "-created"
    further = seen(forged, plain, total=3)
    assert isinstance(further, Call)
    assert further.params == {**COMMENT.read(there).params, "startAt": "2"}


@pytest.mark.parametrize("reading", [CLOUD, SERVER])
def test_a_comment_that_a_person_changed_differs(reading):
    content = COMMENT.content(UPDATE, row("comment"))
    ours = comment_there(reading, content)
    said = ours["body"]
    if reading is CLOUD:
        ours["body"] = {**said, "content": [*said["content"], *adf.paragraphs("Not true. Maria")["content"]]}
    else:
        ours["body"] = said + "\n\nNot true. Maria"
    found = COMMENT.current(json.dumps(ours).encode(), spot("comment", reading, id="7"))
    assert "Not true. Maria" in found.content["body"]
    assert found.content != content


def test_a_marker_says_whose_a_comment_is():
    for key in (KEY, "keyrail:a b:r:objective:O.1é}", "keyrail:acme:r:k:{x}"):
        assert wiki.owner(wiki.marker(key) + " text") == key
    assert wiki.owner("text " + wiki.marker(KEY)) is None
