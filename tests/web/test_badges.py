"""Badges: what they say, that they are well-formed whatever is said, and who may keep them."""

import xml.etree.ElementTree as ET

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.web import badges
from app.web.access import Access
from app.web.app import application
from app.web.needs import Web
from config.access import Auth
from domain.okr import Health, KeyResult, Metric, Objective, Timeframe
from sync.context import Context
from sync.mapping import compile_mapping
from sync.refresh import rebuild

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
async def client(store, workspace, clock):
    quarter = Timeframe(id="Q4", start=clock().date().replace(month=10, day=1), end=clock().date().replace(month=12))
    acme = workspace(
        timeframes=[quarter],
        objectives=[Objective(id="O1", title='Pay & "go" <now>', timeframe="Q4")],
        key_results=[KeyResult(id="a/b", objective="O1", title="Signups", metric=Metric(start=0.0, target=10.0))],
    )
    context = Context(store=store, workspace=acme, mapper=compile_mapping(acme), now=clock)
    async with store.write() as tx:
        await rebuild(tx, context)
    web = Web(
        version="0", workspace=lambda: acme, arrivals=None, metrics=None, scrape=None, context=lambda: context,
        access=Access(store=store, auth=Auth(badges="public"), now=clock), now=clock,
    )  # fmt: skip
    transport = httpx.ASGITransport(application(web))
    async with httpx.AsyncClient(transport=transport, base_url="http://keyrail.test") as opened:
        yield opened


def texts(answer):
    return [one.text for one in ET.fromstring(answer.text).iter(f"{SVG}text")]


async def test_a_badge_says_title_health_and_progress(client):
    answer = await client.get("/badge/objective/O1.svg")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/svg+xml")
    name, said = texts(answer)
    assert name == 'Pay & "go" <now>'
    assert said[0] in "●▲■✓✕○?"
    root = ET.fromstring(answer.text)
    assert root.attrib["role"] == "img"
    assert root.attrib["aria-label"] == f"{name}: {said}" == root.find(f"{SVG}title").text


async def test_an_id_with_a_slash_and_a_label_of_ones_own(client):
    assert texts(await client.get("/badge/key-result/a/b.svg"))[0] == "Signups"
    assert texts(await client.get("/badge/key-result/a%2Fb.svg?label=%3Cb%3E%00"))[0] == "<b>"


async def test_what_is_not_there_has_a_badge_that_says_so(client):
    for path in ("objective/O9", "colour/O1", "objective/KR1"):
        answer = await client.get(f"/badge/{path}.svg")
        assert (answer.status_code, texts(answer)[1]) == (404, "? not found")


async def test_a_badge_is_sent_again_only_when_it_says_something_else(client):
    answer = await client.get("/badge/objective/O1.svg")
    assert answer.headers["cache-control"] == "public, max-age=120"
    assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
    again = await client.get("/badge/objective/O1.svg", headers={"if-none-match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


@example("\ufffe\x1b\0", "\uffff\u202e", None)
@given(st.text(max_size=100), st.text(max_size=100), st.sampled_from([None, *Health]))
def test_a_picture_is_well_formed_whatever_it_says(label, said, health):
    root = ET.fromstring(badges.draw(label, said, badges.COLOURS.get(health, badges.QUIET)))
    assert len(list(root.iter(f"{SVG}text"))) == 2
    assert {one.tag.removeprefix(SVG) for one in root.iter()} == {"svg", "title", "clipPath", "rect", "g", "text"}


def luminance(colour):
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def test_white_can_be_read_on_every_ground():
    for colour in {*badges.COLOURS.values(), badges.QUIET, badges.LABEL}:
        assert 1.05 / (luminance(colour) + 0.05) >= 5.5
