"""Each page answers its question, links each number to its explanation, and shows what trackers say as text."""

import re
from datetime import timedelta
from html import unescape

import pytest

pytestmark = pytest.mark.asyncio(loop_scope="module")

PAGES = {
    "/": "Needs a decision",
    "/objectives/O1": "Why this number",
    "/key-results/KR1": "Record check-in",
    "/key-results/KR2": "Done and scope by day",
    "/initiatives/I1": "What is left, and where",
    "/items/PAY-1": "Why this number",
    "/portfolio": "Worth most for the effort",
    "/roadmap": "will likely be done in time",
    "/what-if": "Nothing is stored",
    "/coverage": "linked to no initiative",
    "/sync": "Rate limit left",
    "/publish": "Told",
    "/session": "You are",
}


@pytest.mark.parametrize(("path", "said"), PAGES.items())
async def test_page(shown, path, said):
    text = await shown.page(path)
    assert said in text
    assert text.count("<h1") == 1
    assert "style=" not in text
    assert not re.search(r"\son[a-z]+=", re.sub(r"&[a-z#0-9]+;", "", text.split("<main", 1)[0]))
    assert "<script>" not in text


async def test_every_link_leads_somewhere(shown):
    addresses = set()
    for path in PAGES:
        text = await shown.page(path)
        for address in {unescape(one) for one in re.findall(r'href="([^"]*)"', text)}:
            if address.startswith("#"):
                assert f'id="{address[1:]}"' in text, f"{path} has no place {address}"
            addresses.add(address.partition("#")[0])
    inside = {one for one in addresses if one.startswith("/") and "since=" not in one}
    assert len(inside) > 25
    for address in sorted(inside):
        answer = await shown.client.get(address)
        assert answer.status_code == 200, address


async def test_the_page_asks_for_nothing_that_its_policy_refuses(shown):
    answer = await shown.client.get("/")
    assert "script-src 'self'" in answer.headers["content-security-policy"]
    assert set(re.findall(r'<script[^>]*src="([^"?]*)', answer.text)) == {"/static/htmx.min.js", "/static/live.js"}


async def test_the_first_load_is_small(shown):
    text = await shown.page("/")
    whole = len((await shown.client.get("/")).content)
    sizes = {}
    for one in re.findall(r'(?:href|src)="(/static/[^"]*)"', text):
        answer = await shown.client.get(one, headers={"accept-encoding": "gzip"})
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        sizes[one] = int(answer.headers["content-length"])
    assert len(sizes) == 4
    assert whole + sum(sizes.values()) < 100_000, sizes


async def test_what_a_tracker_says_is_text(shown):
    text = await shown.page("/key-results/KR2?items=2")
    text += await shown.page("/key-results/KR2") + await shown.page("/initiatives/I1")
    assert "&lt;script&gt;alert(1)" in text
    assert "<script>alert" not in text
    assert "<img" not in text
    assert 'onmouseover="' not in text


async def test_numbers_lead_to_their_explanation(shown):
    text = await shown.page("/")
    values = re.findall(r'<a class="value" href="([^"]*)"', text)
    assert len(values) >= 3 + 7 + 9
    assert all(one.endswith("#why") for one in values)


async def test_search_and_filters(shown):
    found = await shown.page("/?q=payouts")
    assert "KR4" in found
    assert "KR6" not in found
    found = await shown.page("/?product=Merchants&health=off_track")
    assert "KR6" in found
    assert "KR2" not in found
    assert "No objectives" not in found
    assert "Show all" in found


async def test_a_past_day_and_days_that_are_none(shown):
    then = shown.context.today - timedelta(days=20)
    text = await shown.page(f"/?as-of={then}")
    assert f"/key-results/KR1?as-of={then}" in unescape(text)
    assert "As it stood at the close of" in text
    text = await shown.page(f"/key-results/KR2?as-of={then}")
    assert "Record check-in" not in text
    answer = await shown.client.get("/?as-of=soon")
    assert answer.status_code == 400
    assert "write as-of as 2026-11-30" in unescape(answer.text)
    answer = await shown.client.get(f"/?as-of={shown.context.today + timedelta(days=1)}")
    assert answer.status_code == 400
    assert "is in the future" in answer.text


async def test_what_is_not_there(shown):
    for path in ("/objectives/O9", "/key-results/O1", "/initiatives/KR1"):
        answer = await shown.client.get(path)
        assert answer.status_code == 404
        assert "There is nothing called" in unescape(answer.text)
    answer = await shown.client.get("/items/PAY-99999")
    assert answer.status_code == 400
    assert "no item has that key" in unescape(answer.text)


async def test_published_addresses_lead_to_their_page(shown):
    answer = await shown.client.get("/key_results/KR1")
    assert answer.headers["location"] == "/key-results/KR1"


async def test_what_if_answers_in_the_words_of_the_command(shown):
    text = await shown.page("/what-if?drop=I7&delay.I1=2&scope.I4=20&throughput.Payments=-20&due.I8=2027-03-01")
    assert "key results would move" in text
    command = "keyrail what-if --drop I7 --delay I1=2w --scope I4=+20% --throughput Payments=-20% --due I8=2027-03-01"
    assert command in unescape(text)
    text = await shown.page("/what-if?due.I8=never")
    assert "expected a date" in text
    text = await shown.page("/what-if?drop=I99")
    assert 'role="alert"' in text
