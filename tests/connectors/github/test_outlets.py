"""Status of a project, fields of projects and of issues: what is written to GitHub, and that it is read back."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.base import Answer, Reading, Spot, There
from connectors.github.outlets import OUTLETS
from connectors.github.outlets import issue_field as of_issue
from connectors.github.outlets import project_field as of_project
from connectors.github.outlets import status_update as of_status
from connectors.github.outlets.text import marker
from domain.errors import RejectedError
from domain.facts import StatusUpdate
from domain.okr import Health
from domain.workspace import PublishRow

STATUS, PROJECT, ISSUE = OUTLETS["status_update"], OUTLETS["project_field"], OUTLETS["issue_field"]
KEY = "keyrail:acme:row:initiative:I1:2026-W48"
READING = Reading(facts={}, account="keyrail[bot]", digest="d")
UPDATE = StatusUpdate(
    workspace="acme",
    kind="initiative",
    id="I1",
    title="One-click pay",
    progress=0.625,
    state="ok",
    health=Health.AT_RISK,
    drivers=("2 items wait for others",),
    summary="At risk.",
    complete_to=datetime(2026, 11, 24, 10, 42, tzinfo=UTC),
    changed=("Progress rose from 60 % to 62 %.",),
)


def row(outlet, template=None, **to):
    return PublishRow(id="row", outlet=outlet, connection="github-acme", to=to, template=template)


def spot(address, facts=None, id=None, **to):
    return Spot(row=row("x", **to), address=address, key=KEY, reading=READING, id=id, facts=facts or {})


def variables(call):
    return call.json["variables"]


def answer(**node):
    return json.dumps({"data": {"node": node or None}}).encode()


# --- status of a project


@pytest.mark.parametrize(
    ("health", "said"),
    [
        (Health.ON_TRACK, "ON_TRACK"),
        (Health.AT_RISK, "AT_RISK"),
        (Health.OFF_TRACK, "OFF_TRACK"),
        (Health.ACHIEVED, "COMPLETE"),
        (Health.MISSED, "OFF_TRACK"),
        (Health.PAUSED, "INACTIVE"),
        (Health.CANCELED, "INACTIVE"),
        (Health.NOT_STARTED, None),
        (Health.UNKNOWN, None),
    ],
)
def test_a_status_has_githubs_word_of_health_or_none(health, said):
    call = STATUS.render(STATUS.content(replace(UPDATE, health=health), row("s")), spot("PVT_1"))
    assert (call.json["query"], call.idempotent) == (of_status.CREATE_STATUS, False)
    assert variables(call)["status"] == said
    assert variables(call)["project"] == "PVT_1"


def test_a_status_is_changed_in_place_and_says_what_changed():
    call = STATUS.render(STATUS.content(UPDATE, row("s")), spot("PVT_1", id="S_1"))
    assert (call.json["query"], call.idempotent) == (of_status.UPDATE_STATUS, True)
    assert variables(call) == {
        "id": "S_1",
        "status": "AT_RISK",
        "body": f"{marker(KEY)}\n\n**One-click pay** · 62 % · ▲ At risk\n\nAt risk.\n\n- 2 items wait for others\n\n"
        "Since the last update:\n\n- Progress rose from 60 % to 62 %.\n\n"
        "<sub>Kept up to date by Keyrail · complete to 2026-11-24 10:42 UTC</sub>",
    }
    assert STATUS.per_period
    assert variables(STATUS.remove(spot("PVT_1", id="S_1"))) == {"id": "S_1"}


TEXT = st.text(max_size=30) | st.text(alphabet="ab@#-_*.\\&<;>[]()\n·", max_size=30)


@given(title=TEXT, summary=TEXT, changed=st.lists(TEXT, max_size=2), text=st.none() | TEXT)
def test_whatever_a_status_says_is_read_back_as_the_same(title, summary, changed, text):
    update = replace(UPDATE, title=title, summary=summary, changed=tuple(changed), text=text)
    content = STATUS.content(update, row("s"))
    there = spot("PVT_1", id="S_1")
    told = {"id": "S_1", "body": variables(STATUS.render(content, there))["body"], "status": "AT_RISK"}
    assert STATUS.current(answer(**told), there) == There(content=content, id="S_1")


def test_markdown_of_a_template_that_says_so_is_taken_as_it_is():
    update = replace(UPDATE, text="**bold** @maria", markup="markdown")
    assert "**bold** @maria" in variables(STATUS.render(STATUS.content(update, row("s")), spot("P")))["body"]
    plain = replace(update, markup=None)
    assert (
        "\\*\\*bold\\*\\* @&#8203;maria" in variables(STATUS.render(STATUS.content(plain, row("s")), spot("P")))["body"]
    )


def statuses(*nodes, after=None):
    paging = {"hasNextPage": after is not None, "endCursor": after}
    return answer(__typename="ProjectV2", id="PVT_1", statusUpdates={"pageInfo": paging, "nodes": list(nodes)})


def status(id, body, login="keyrail"):
    return {"id": id, "body": body, "status": "AT_RISK", "creator": {"login": login}}


def test_our_status_of_the_period_is_found_by_author_and_marker():
    content = STATUS.content(UPDATE, row("s"))
    body = variables(STATUS.render(content, spot("PVT_1")))["body"]
    before = body.replace("W48", "W47")
    found = STATUS.current(
        statuses(status("S_3", body, "maria"), status("S_2", before), status("S_1", body)), spot("P")
    )
    assert found == There(content=content, id="S_1")
    further = STATUS.current(statuses(status("S_2", before), after="c"), spot("PVT_1"))
    assert variables(further) == {"id": "PVT_1", "after": "c"}
    assert STATUS.current(statuses(status("S_2", before)), spot("PVT_1")) is None
    assert STATUS.current(answer(), spot("PVT_1", id="S_9")) is None
    with pytest.raises(RejectedError, match="of type Issue, and only projects"):
        STATUS.current(answer(__typename="Issue"), spot("I_1"))


def test_the_id_of_a_new_status_is_kept():
    made = b'{"data":{"createProjectV2StatusUpdate":{"statusUpdate":{"id":"S_7"}}}}'
    told = Answer(status=200, headers={}, body=made, sent_at=datetime.now(UTC))
    assert STATUS.sent(told, spot("PVT_1")) == "S_7"
    assert STATUS.sent(replace(told, body=b'{"data":{}}'), spot("PVT_1", id="S_1")) == "S_1"


def test_a_project_that_is_not_there_is_refused_alone():
    assert variables(STATUS.read(spot("PVT_1"))) == {"id": "PVT_1"}
    with pytest.raises(RejectedError, match="no project acme/12, or our account may not see it"):
        STATUS.read(spot("acme/12"))


# --- fields

NUMBER = {"id": "F_1", "name": "OKR", "type": "NUMBER", "options": {}}
LINE = {"id": "F_1", "name": "OKR", "type": "TEXT", "options": {}}
OPTION = {"id": "F_1", "name": "OKR", "type": "SINGLE_SELECT", "options": {"At Risk": "o1", "On Track": "o2"}}
CASES = [
    ("progress", NUMBER, UPDATE, ("number", "numberValue"), 62.5),
    ("health", OPTION, UPDATE, ("singleSelectOptionId", "singleSelectOptionId"), "o1"),
    ("health", LINE, UPDATE, ("text", "textValue"), "At risk"),
    ("text", LINE, UPDATE, ("text", "textValue"), "62 % · At risk"),
    ("text", LINE, replace(UPDATE, text="two of three"), ("text", "textValue"), "two of three"),
]
VALUE = {"NUMBER": "number", "TEXT": "text", "SINGLE_SELECT": "name"}


@pytest.mark.parametrize(("value", "field", "update", "names", "sent"), CASES)
def test_a_field_of_a_project_is_set_and_read_back_as_the_same(value, field, update, names, sent):
    there = spot("I_1", {"project": "PVT_1", "field": field, "items": {"I_1": "PVTI_1"}}, value=value)
    content = PROJECT.content(update, there.row)
    call = PROJECT.render(content, there)
    assert (call.json["query"], call.idempotent) == (of_project.SET_FIELD, True)
    assert variables(call) == {"project": "PVT_1", "item": "PVTI_1", "field": "F_1", "value": {names[0]: sent}}
    assert variables(PROJECT.read(there)) == {"item": "PVTI_1", "name": "OKR"}
    shown = "At Risk" if sent == "o1" else sent
    told = answer(id="PVTI_1", fieldValueByName={VALUE[field["type"]]: shown})
    assert PROJECT.current(told, there) == There(content=content)


@pytest.mark.parametrize(("value", "field", "update", "names", "sent"), CASES)
def test_a_field_of_an_issue_is_set_and_read_back_as_the_same(value, field, update, names, sent):
    there = spot("I_1", {"fields": {"I_1": field}}, value=value)
    content = ISSUE.content(update, there.row)
    call = ISSUE.render(content, there)
    assert (call.json["query"], call.idempotent) == (of_issue.SET_VALUE, True)
    assert variables(call) == {"issue": "I_1", "fields": [{"fieldId": "F_1", names[1]: sent}]}
    shown = "At Risk" if sent == "o1" else sent
    name = {"NUMBER": "numberValue", "TEXT": "textValue"}.get(field["type"], "name")
    other = {"field": {"id": "F_2"}, "numberValue": 7.0}
    told = answer(id="I_1", issueFieldValues={"nodes": [other, {"field": {"id": "F_1"}, name: shown}]})
    assert ISSUE.current(told, there) == There(content=content)
    assert ISSUE.current(answer(id="I_1", issueFieldValues={"nodes": [other]}), there).content == {"value": None}
    assert ISSUE.current(answer(), there) is None


def test_an_unknown_progress_or_an_end_of_the_link_empties_a_field():
    nothing = replace(UPDATE, progress=None)
    there = spot("I_1", {"project": "PVT_1", "field": NUMBER, "items": {"I_1": "PVTI_1"}}, value="progress")
    content = PROJECT.content(nothing, there.row)
    for call in (PROJECT.render(content, there), PROJECT.remove(there)):
        assert call.json["query"] == of_project.CLEAR_FIELD
        assert variables(call) == {"project": "PVT_1", "item": "PVTI_1", "field": "F_1"}
    assert PROJECT.current(answer(id="PVTI_1", fieldValueByName=None), there) == There(content=content)
    assert PROJECT.current(answer(), there) is None
    there = spot("I_1", {"fields": {"I_1": NUMBER}}, value="progress")
    for call in (ISSUE.render(content, there), ISSUE.remove(there)):
        assert variables(call) == {"issue": "I_1", "fields": [{"fieldId": "F_1", "delete": True}]}


def test_what_a_field_cannot_say_is_refused_with_what_to_do():
    there = spot("I_1", {"fields": {"I_1": OPTION}}, value="health", field="OKR")
    with pytest.raises(RejectedError, match="no option 'Off track', only At Risk, On Track"):
        ISSUE.render(ISSUE.content(replace(UPDATE, health=Health.OFF_TRACK), there.row), there)
    there = spot("I_1", {"fields": {"I_1": LINE}}, value="text", field="OKR")
    with pytest.raises(RejectedError, match="one line of at most 1024 characters"):
        ISSUE.render(ISSUE.content(replace(UPDATE, text="a\nb"), there.row), there)
    with pytest.raises(RejectedError, match="organization of issue I_2 has no issue field 'OKR'"):
        ISSUE.render({"value": 1.0}, replace(there, address="I_2"))
    there = spot("I_2", {"project": "PVT_1", "field": NUMBER, "items": {}}, project="acme/12")
    with pytest.raises(RejectedError, match="I_2 is not in the project acme/12"):
        PROJECT.read(there)
    with pytest.raises(RejectedError, match="no issue acme/api#7"):
        ISSUE.read(spot("acme/api#7"))


def test_a_milestone_has_no_fields():
    assert not PROJECT.stands_on("acme/api/milestone/3")
    assert ISSUE.stands_on("acme/api#9")
    assert not STATUS.stands_on("acme/api#9")
