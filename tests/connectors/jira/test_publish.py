"""A status update becomes a remote link, whole and recognisable, and is found again."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from connectors.base import Call, Reading, Spot
from connectors.jira.outlets import OUTLETS
from domain.errors import PayloadError
from domain.facts import StatusUpdate
from domain.okr import HEALTH_WORDS, Health
from domain.workspace import PublishRow

SAMPLES = Path(__file__).parent / "samples"
LINK = OUTLETS["remote_link"]
KEY = "keyrail:acme:jira-badge:initiative:I1"
ROW = PublishRow(id="jira-badge", outlet="jira.remote_link", connection="jira-main")
CLOUD = Reading(facts={"api": "/rest/api/3"}, account="a", digest="d")
SPOT = Spot(row=ROW, address="20012", key=KEY, reading=CLOUD)
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


def test_a_link_says_progress_and_health_and_sends_every_field():
    assert LINK.render(LINK.content(UPDATE, ROW), SPOT) == Call(
        method="POST",
        path="/rest/api/3/issue/20012/remotelink",
        idempotent=True,
        json={
            "globalId": KEY,
            "application": {"name": "Keyrail", "type": "io.keyrail"},
            "relationship": "contributes to",
            "object": {
                "url": "https://keyrail.acme.example/initiatives/I1",
                "title": "One-click pay: 62 % · On track",
                "summary": "85 % likely done by 12 Dec",
                "icon": {"title": "Keyrail"},
                "status": {
                    "resolved": False,
                    "icon": {"title": "On track", "link": "https://keyrail.acme.example/initiatives/I1"},
                },
            },
        },
    )


def test_the_link_is_read_and_removed_by_its_key():
    params = {"globalId": KEY}
    path = "/rest/api/3/issue/20012/remotelink"
    assert LINK.read(SPOT) == Call(method="GET", path=path, params=params)
    assert LINK.remove(SPOT) == Call(method="DELETE", path=path, params=params)


def test_data_center_has_version_two_of_the_paths():
    server = Reading(facts={"deployment": "datacenter"}, account="a", digest="d")
    told = Reading(facts={"api": "/rest/api/2"}, account="a", digest="d")
    assert LINK.read(replace(SPOT, address="7", reading=server)).path == "/rest/api/2/issue/7/remotelink"
    assert (
        LINK.render(LINK.content(UPDATE, ROW), replace(SPOT, address="7", reading=told)).path
        == "/rest/api/2/issue/7/remotelink"
    )


def test_an_address_cannot_leave_its_place_in_the_path():
    assert LINK.read(replace(SPOT, address="../7?x")).path == "/rest/api/3/issue/..%2F7%3Fx/remotelink"


def test_what_jira_says_after_our_write_is_what_we_would_say():
    sent = LINK.render(LINK.content(UPDATE, ROW), SPOT).json
    assert LINK.current(json.dumps({"id": 1, "self": "x", **sent}).encode(), SPOT).content == LINK.content(UPDATE, ROW)
    assert LINK.current((SAMPLES / "remotelink__one.json").read_bytes(), SPOT).content == LINK.content(UPDATE, ROW)


def test_a_link_that_a_person_changed_differs():
    found = LINK.current((SAMPLES / "remotelink__overridden.json").read_bytes(), SPOT).content
    assert found == {
        "title": "paused by Maria", "summary": "", "url": "https://keyrail.acme.example/initiatives/I1",
        "resolved": False, "status": None,
    }  # fmt: skip


def test_another_link_or_none_is_not_ours():
    one = (SAMPLES / "remotelink__one.json").read_bytes()
    assert LINK.current(one, replace(SPOT, key=KEY + "2")) is None
    assert LINK.current(b"[" + one + b"]", SPOT).content == LINK.content(UPDATE, ROW)
    assert LINK.current(b"[]", SPOT) is None
    assert LINK.current(b"", SPOT) is None
    with pytest.raises(PayloadError):
        LINK.current(b"<html>", SPOT)


@pytest.mark.parametrize(
    ("progress", "state", "said"),
    [
        (0.625, "ok", "62 %"),
        (0.635, "ok", "64 %"),
        (0.996, "ok", "99 %"),
        (0.003, "ok", "1 %"),
        (0.0, "ok", "0 %"),
        (1.0, "ok", "100 %"),
        (1e-12, "ok", "1 %"),
        (None, "no_data", "No data yet"),
        (None, "no_scope", "Nothing in scope"),
    ],
)
def test_a_number_is_rounded_for_people_and_nothing_is_never_zero(progress, state, said):
    update = replace(UPDATE, progress=progress, state=state)
    assert LINK.content(update, ROW)["title"] == f"One-click pay: {said} · On track"


@pytest.mark.parametrize("health", list(Health))
def test_each_health_has_its_word_and_what_is_over_is_struck_through(health):
    content = LINK.content(replace(UPDATE, health=health), ROW)
    assert content["status"] == HEALTH_WORDS[health]
    assert content["resolved"] is (health in (Health.ACHIEVED, Health.MISSED, Health.CANCELED))


def test_a_long_title_is_cut_before_its_number():
    title = LINK.content(replace(UPDATE, title="a" * 400), ROW)["title"]
    assert len(title) == 255
    assert title.endswith("a…: 62 % · On track")


def test_texts_from_trackers_become_one_plain_line():
    update = replace(UPDATE, title="One\r\n click\t\u0000pay\u202e", summary="  a\n\nb  ")
    content = LINK.content(update, ROW)
    assert (content["title"], content["summary"]) == ("One click pay: 62 % · On track", "a b")


def test_the_summary_is_the_words_of_the_update_else_its_drivers():
    assert LINK.content(replace(UPDATE, summary="In words."), ROW)["summary"] == "In words."
    assert LINK.content(replace(UPDATE, drivers=("a", "b")), ROW)["summary"] == "a; b"
    assert len(LINK.content(replace(UPDATE, summary="x" * 999), ROW)["summary"]) == 255


def test_without_a_public_address_the_link_leads_nowhere_rather_than_to_a_stranger():
    update = replace(UPDATE, url=None, id="jira-main:PAY-7")
    url = "https://keyrail.invalid/acme/initiative/jira-main%3APAY-7"
    assert LINK.content(update, ROW)["url"] == url


def test_the_class_of_the_outlet_is_keyed():
    assert (LINK.kind, LINK.guarantee) == ("remote_link", "keyed")
