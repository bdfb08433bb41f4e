"""A status update becomes one card on an issue, known by its url, and is found again."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from connectors.base import Call, Reading, Spot, There
from connectors.linear.outlets import OUTLETS
from connectors.linear.outlets.attachment import ATTACH, ATTACHMENTS, DETACH, REATTACH, mark
from domain.errors import PayloadError, RejectedError
from domain.facts import StatusUpdate
from domain.okr import HEALTH_WORDS, Health
from domain.workspace import PublishRow

SAMPLES = Path(__file__).parent / "samples"
CARD = OUTLETS["attachment"]
KEY = "keyrail:acme:linear-card:initiative:I1"
URL = "https://keyrail.acme.example/initiatives/I1?keyrail=acme:linear-card:initiative:I1"
ISSUE = "5b1e0c52-0001-4c1e-9a51-000000000001"
OURS = "a77a0000-0000-4000-8000-000000000009"
ROW = PublishRow(id="linear-card", outlet="linear.attachment", connection="linear-acme")
SPOT = Spot(row=ROW, address=ISSUE, key=KEY, reading=Reading(facts={}, account="a", digest="d"))
UPDATE = StatusUpdate(
    workspace="acme",
    kind="initiative",
    id="I1",
    title="One-click pay",
    progress=0.62,
    state="ok",
    health=Health.ON_TRACK,
    drivers=("85 % likely done by 12 Dec",),
    url="https://keyrail.acme.example/initiatives/I1",
)
SAID = {"title": "One-click pay: 62 % · On track", "summary": "85 % likely done by 12 Dec", "url": URL}
INPUT = {
    "issueId": ISSUE,
    "url": URL,
    "title": "One-click pay: 62 % · On track",
    "subtitle": "85 % likely done by 12 Dec",
    "metadata": {"keyrail": KEY},
}


def call(document: str, variables: dict[str, object]) -> Call:
    body = {"query": document, "variables": variables}
    return Call(method="POST", path="/graphql", json=body, writes="mutation" in document)


def answer(*cards: dict[str, object], **page: object) -> bytes:
    attachments = {"nodes": list(cards), "pageInfo": {"hasNextPage": False, "endCursor": None, **page}}
    return json.dumps({"data": {"issue": {"id": ISSUE, "attachments": attachments}}}).encode()


def test_a_card_says_progress_and_health_and_leads_to_the_explanation():
    assert CARD.content(UPDATE, ROW) == SAID
    assert CARD.render(SAID, SPOT) == call(ATTACH, {"input": INPUT})


def test_our_card_is_looked_for_by_how_its_url_ends():
    assert CARD.read(SPOT) == call(ATTACHMENTS, {"issue": ISSUE, "mark": "?keyrail=acme:linear-card:initiative:I1"})


def test_what_linear_says_after_our_write_is_what_we_would_say():
    found = CARD.current((SAMPLES / "attachments__ours.json").read_bytes(), SPOT)
    assert found == There(content=CARD.content(UPDATE, ROW), id=f"{OURS} {URL}")


def test_a_card_that_is_there_is_written_again_under_its_url_and_removed_by_its_id():
    known = replace(SPOT, id=f"{OURS} {URL}")
    assert CARD.render(SAID, known) == call(ATTACH, {"input": INPUT})
    assert CARD.remove(known) == call(DETACH, {"id": OURS})


def test_after_a_change_of_our_public_address_the_card_at_the_old_one_goes():
    old = URL.replace("keyrail.acme.example", "old.example")
    found = CARD.current(answer({"id": OURS, "title": "t", "subtitle": "s", "url": old}), SPOT)
    assert found == There(content={"title": "t", "summary": "s", "url": old}, id=f"{OURS} {old}")
    assert CARD.render(SAID, replace(SPOT, id=found.id)) == call(REATTACH, {"input": INPUT, "old": OURS})


def test_a_card_that_was_not_looked_up_is_not_removed():
    with pytest.raises(RejectedError, match="linear-card: the card on issue"):
        CARD.remove(SPOT)


def test_a_card_that_a_person_changed_differs():
    found = CARD.current(answer({"id": OURS, "title": "paused by Maria", "subtitle": None, "url": URL}), SPOT)
    assert found.content == {"title": "paused by Maria", "summary": "", "url": URL}


@pytest.mark.parametrize(
    "body",
    [
        answer(),
        answer({"id": "x", "title": "t", "subtitle": None, "url": URL + "0"}),
        answer({"id": "x", "title": "t", "subtitle": None, "url": "https://figma.example/file/1"}),
        b'{"data": {"issue": null}}',
        b'{"data": null}',
        b"[]",
    ],
)
def test_no_card_or_another_is_none_of_ours(body):
    assert CARD.current(body, SPOT) is None


def test_cards_are_read_to_the_end():
    more = CARD.current(answer(hasNextPage=True, endCursor="c1"), SPOT)
    variables = {"issue": ISSUE, "mark": mark(KEY), "after": "c1"}
    assert more == call(ATTACHMENTS, variables)
    with pytest.raises(PayloadError, match="does not say where"):
        CARD.current(answer(hasNextPage=True), SPOT)
    with pytest.raises(PayloadError, match="not JSON"):
        CARD.current(b"<html>", SPOT)


def test_each_target_and_subject_has_a_url_of_its_own_that_none_ends_with():
    rows = [ROW, replace(ROW, id="card"), replace(ROW, id="linear-card:initiative")]
    updates = [replace(UPDATE, id=id) for id in ("I1", "I11", "acme/api#9", "é")]
    urls = [CARD.content(update, row)["url"] for row in rows for update in updates]
    marks = [mark(f"keyrail:acme:{row.id}:initiative:{update.id}") for row in rows for update in updates]
    assert [[url.endswith(one) for one in marks].count(True) for url in urls] == [1] * 12
    assert all(url.isascii() and "#" not in url and " " not in url for url in urls)


def test_without_a_public_address_the_card_leads_nowhere_rather_than_to_a_stranger():
    update = replace(UPDATE, url=None, id="linear-acme:MOB-7")
    url = "https://keyrail.invalid/acme/initiative/linear-acme%3AMOB-7?keyrail=acme:linear-card:initiative:linear-acme:MOB-7"
    assert CARD.content(update, ROW)["url"] == url


@pytest.mark.parametrize("health", list(Health))
def test_each_health_has_its_word(health):
    assert CARD.content(replace(UPDATE, health=health), ROW)["title"] == f"One-click pay: 62 % · {HEALTH_WORDS[health]}"


@pytest.mark.parametrize(
    ("progress", "state", "said"),
    [(0.996, "ok", "99 %"), (0.0, "ok", "0 %"), (1.0, "ok", "100 %"), (None, "no_scope", "Nothing in scope")],
)
def test_nothing_is_never_zero(progress, state, said):
    update = replace(UPDATE, progress=progress, state=state)
    assert CARD.content(update, ROW)["title"] == f"One-click pay: {said} · On track"


def test_a_long_title_is_cut_before_its_number():
    title = CARD.content(replace(UPDATE, title="a" * 400), ROW)["title"]
    assert len(title) == 255
    assert title.endswith("a…: 62 % · On track")


def test_texts_from_trackers_become_one_plain_line():
    update = replace(UPDATE, title="One\r\n click\t\u0000pay\u202e", summary="  a\n\nb  " + "x" * 300)
    content = CARD.content(update, ROW)
    assert content["title"] == "One click pay: 62 % · On track"
    assert content["summary"].startswith("a b x")
    assert len(content["summary"]) == 255


def test_the_summary_is_the_words_of_the_update_else_its_drivers():
    assert CARD.content(replace(UPDATE, summary="In words."), ROW)["summary"] == "In words."
    assert CARD.content(replace(UPDATE, drivers=("a", "b")), ROW)["summary"] == "a; b"


def test_the_class_of_the_outlet_is_keyed():
    assert (CARD.kind, CARD.guarantee) == ("attachment", "keyed")
