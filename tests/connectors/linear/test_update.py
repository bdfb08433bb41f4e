"""The update on a project or an initiative: derived id, one a period, and what people changed is seen."""

import json
import uuid
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.base import Answer, Reading, Spot, There
from connectors.linear.outlets import OUTLETS
from connectors.linear.outlets import update as of_period
from connectors.linear.outlets.text import body_of, escape, said_in, unescape
from connectors.words import one_line
from domain.errors import PayloadError, RejectedError
from domain.facts import StatusUpdate
from domain.okr import Health
from domain.workspace import PublishRow

OUTLET = OUTLETS["update"]
KEY = "keyrail:acme:row:initiative:I1:2026-W48"
ROW = PublishRow(id="row", outlet="linear.update", connection="linear-acme")
FACTS = {"kinds": {"p-1": "project", "i-1": "initiative"}, "several": {"Pay": "the project A or the project B"}}
SPOT = Spot(row=ROW, address="p-1", key=KEY, reading=Reading(facts={}, account="a", digest="d"), facts=FACTS)
UPDATE = StatusUpdate(
    workspace="acme",
    kind="initiative",
    id="I1",
    title="One-click pay",
    progress=0.62,
    state="ok",
    health=Health.AT_RISK,
    drivers=("2 items wait", "no release since 3 Nov"),
    summary="At risk.",
    complete_to=datetime(2026, 11, 24, 10, 42, tzinfo=UTC),
    url="https://keyrail.acme.example/initiatives/I1",
    changed=("Progress rose from 60 % to 62 %.",),
)
BODY = r"""**One-click pay** · 62 % · ▲ At risk

At risk.

- 2 items wait
- no release since 3 Nov

Since the last update:

- Progress rose from 60 % to 62 %.

[Why this number](https://keyrail.acme.example/initiatives/I1)

_Kept up to date by Keyrail · complete to 2026-11-24 10:42 UTC_"""


def told(body, health="atRisk", field="projectUpdate", archived=None):
    update = {"id": of_period.id_of(KEY), "body": body, "health": health, "archivedAt": archived}
    return json.dumps({"data": {field: update}}).encode()


def variables(call):
    return call.json["variables"]


def test_the_id_is_a_uuid_of_version_four_and_another_one_in_another_period():
    id = uuid.UUID(of_period.id_of(KEY))
    assert (id.version, id.variant) == (4, uuid.RFC_4122)
    assert of_period.id_of(KEY) == str(id)
    assert of_period.id_of(KEY.replace("W48", "W49")) != str(id)
    assert OUTLET.per_period


@pytest.mark.parametrize(
    ("address", "place", "create", "change"),
    [
        ("p-1", "projectId", of_period.CREATE_PROJECT_UPDATE, of_period.CHANGE_PROJECT_UPDATE),
        ("i-1", "initiativeId", of_period.CREATE_INITIATIVE_UPDATE, of_period.CHANGE_INITIATIVE_UPDATE),
    ],
)
def test_an_update_is_posted_once_then_changed_in_place(address, place, create, change):
    there, id = replace(SPOT, address=address), of_period.id_of(KEY)
    content = OUTLET.content(UPDATE, ROW)
    posted = OUTLET.render(content, there)
    assert (posted.json["query"], posted.idempotent, posted.writes) == (create, False, True)
    assert variables(posted) == {"input": {"id": id, place: address, "body": BODY, "health": "atRisk"}}
    changed = OUTLET.render(content, replace(there, id=id))
    assert (changed.json["query"], changed.idempotent) == (change, True)
    assert variables(changed) == {"id": id, "input": {"body": BODY, "health": "atRisk"}}
    assert variables(OUTLET.read(there)) == variables(OUTLET.remove(there)) == {"id": id}


@pytest.mark.parametrize(
    ("health", "said"),
    [
        (Health.ON_TRACK, "onTrack"),
        (Health.AT_RISK, "atRisk"),
        (Health.OFF_TRACK, "offTrack"),
        (Health.ACHIEVED, "onTrack"),
        (Health.MISSED, "offTrack"),
        (Health.NOT_STARTED, None),
        (Health.PAUSED, None),
        (Health.CANCELED, None),
        (Health.UNKNOWN, None),
    ],
)
@pytest.mark.parametrize("text", [None, "By a template."])
def test_a_health_without_a_word_at_linear_is_never_posted_and_what_linear_puts_there_is_no_change(health, said, text):
    content = OUTLET.content(replace(UPDATE, health=health, text=text), ROW)
    sent = variables(OUTLET.render(content, SPOT))["input"]
    assert sent.get("health") == said
    assert ("health" in sent) is (said is not None)
    # Linear always states one: the one before, where we gave none.
    there = OUTLET.current(told(sent["body"], said or "offTrack"), SPOT)
    assert there == There(content=content, id=of_period.id_of(KEY))


@pytest.mark.parametrize(
    "spelled",
    [
        BODY.replace("\n- ", "\n* "),
        BODY.replace("**One-click pay**", "__One-click pay__"),
        BODY.replace("- 2 items wait\n", "+ 2 items wait\n\n"),
        BODY.replace("2026-11-24", r"2026\-11\-24"),
        BODY.replace("_", "*"),
        BODY.replace(
            "(https://keyrail.acme.example/initiatives/I1)", "(<https://keyrail.acme.example/initiatives/I1>)"
        ),
        BODY.replace("\n", "\r\n") + "\n",
    ],
)
def test_another_spelling_of_the_same_text_is_no_change(spelled):
    assert OUTLET.current(told(spelled), SPOT).content == OUTLET.content(UPDATE, ROW)


@pytest.mark.parametrize(
    ("body", "health"),
    [
        (BODY, "onTrack"),
        (BODY.replace("62 % ·", "65 % ·"), "atRisk"),
        (BODY + "\n\nNot true. Maria", "atRisk"),
        (BODY.replace("At risk.\n", "At risk, says Maria.\n"), "atRisk"),
        (BODY.replace("- 2 items wait\n", ""), "atRisk"),
        ("", "atRisk"),
    ],
)
def test_what_a_person_changed_is_never_what_we_said(body, health):
    assert OUTLET.current(told(body, health), SPOT).content != OUTLET.content(UPDATE, ROW)


def test_an_update_that_somebody_archived_is_seen_and_comes_back_when_it_is_given_back():
    there = OUTLET.current(told(BODY, archived="2026-11-24T10:00:00Z"), SPOT)
    assert there.content == {"archived": True}
    back = OUTLET.render(OUTLET.content(UPDATE, ROW), replace(SPOT, id=there.id))
    assert back.json["query"] == of_period.RESTORE_PROJECT_UPDATE
    assert variables(back)["id"] == of_period.id_of(KEY)
    assert OUTLET.current(b'{"data":null,"errors":[{"message":"Entity not found"}]}', SPOT) is None
    with pytest.raises(PayloadError):
        OUTLET.current(b"<html>", SPOT)


TEXT = st.text(max_size=30) | st.text(alphabet="ab@#-_*+.\\<>[]()|~`!:/1w\n·", max_size=30)


@given(title=TEXT, summary=TEXT, drivers=st.lists(TEXT, max_size=3), changed=st.lists(TEXT, max_size=2))
def test_whatever_an_update_says_is_read_back_as_the_same(title, summary, drivers, changed):
    update = replace(UPDATE, title=title, summary=summary, drivers=tuple(drivers), changed=tuple(changed))
    content = OUTLET.content(update, ROW)
    assert OUTLET.current(told(body_of(content)), SPOT).content == content


@given(text=TEXT, markup=st.sampled_from([None, "markdown"]))
def test_whatever_a_template_gives_is_read_back_as_the_same(text, markup):
    content = OUTLET.content(replace(UPDATE, text=text, markup=markup), ROW)
    assert OUTLET.current(told(body_of(content)), SPOT).content == content


@given(text=TEXT)
def test_escaping_can_be_undone(text):
    assert unescape(escape(one_line(text))) == one_line(text)


def test_nothing_becomes_markup_a_link_or_a_mention():
    assert escape("*a* [b](c) @maria https://x.y www.x.y") == (
        "\\*a\\* \\[b\\](c) @\u200bmaria https:\u200b//x.y www\u200b.x.y"
    )
    assert escape("- a") == "\\- a"
    assert escape("1. a") == "1\\. a"
    assert said_in("hello") == {"body": "hello"}


def test_an_answer_that_is_no_success_is_refused():
    good = Answer(
        status=200, headers={}, sent_at=datetime.now(UTC),
        body=b'{"data":{"projectUpdateCreate":{"success":true,"projectUpdate":{"id":"x"}}}}',
    )  # fmt: skip
    assert OUTLET.sent(good, SPOT) == of_period.id_of(KEY)
    for body in (b'{"data":{"projectUpdateCreate":{"success":false}}}', b'{"data":null}', b"{}"):
        with pytest.raises(RejectedError, match="was no success"):
            OUTLET.sent(replace(good, body=body), SPOT)


def test_a_place_that_is_not_there_or_could_be_several_is_refused_alone():
    with pytest.raises(RejectedError, match="no project or initiative 'Payments'"):
        OUTLET.read(replace(SPOT, address="Payments"))
    with pytest.raises(RejectedError, match="'Pay' could be the project A or the project B"):
        OUTLET.render(OUTLET.content(UPDATE, ROW), replace(SPOT, address="Pay"))
