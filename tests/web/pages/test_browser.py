"""The dashboard in a real Chromium: pages wide and narrow, light and dark, checked by axe; with script and without."""

import os
import shutil
from importlib import resources
from pathlib import Path

import pytest
import pytest_asyncio

from app.web.server import serve

CHROMIUM = shutil.which("chromium")
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
AXE = resources.files("axe_playwright_python").joinpath("axe.min.js")
PAGES = (
    "/",
    "/objectives/O1",
    "/key-results/KR1",
    "/initiatives/I4",
    "/portfolio",
    "/roadmap",
    "/what-if?drop=I7",
    "/coverage",
    "/sync",
    "/publish?plan=1",
)
PATIENCE = 60_000
"""milliseconds that a busy machine may take"""

pytestmark = [
    pytest.mark.browser,
    pytest.mark.journey,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium"),
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def chromium():
    playwright = pytest.importorskip("playwright.async_api")
    async with playwright.async_playwright() as started:
        browser = await started.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        await browser.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def address(shown):
    """Return where the dashboard is served; what its pages wait for is there."""
    for page in PAGES:
        await shown.page(page)
    async with serve(shown.app) as url:
        yield url.replace("127.0.0.1", "localhost")


@pytest.fixture
def tab(chromium, address):
    """Return what opens a page in a browser of its own; what the browser complains about fails the test."""
    contexts, complaints = [], []

    async def opened(path, *, width=1440, scheme="light", script=True):
        context = await chromium.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, java_script_enabled=script
        )
        contexts.append(context)
        context.set_default_timeout(PATIENCE)
        page = await context.new_page()
        page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        await page.goto(address + path)
        return page

    opened.complaints = complaints
    opened.contexts = contexts
    return opened


@pytest_asyncio.fixture(loop_scope="module", autouse=True)
async def closed(tab):
    yield
    for context in tab.contexts:
        await context.close()
    assert tab.complaints == []


@pytest.mark.parametrize(("width", "scheme"), [(390, "light"), (1440, "dark")])
async def test_every_page(tab, address, width, scheme):
    page = await tab("/", width=width, scheme=scheme)
    found = {}
    for path in PAGES:
        await page.goto(address + path)
        assert await page.evaluate("document.documentElement.scrollWidth") <= width, f"{path} is scrolled sideways"
        await page.evaluate(AXE.read_text(encoding="utf-8"))
        said = await page.evaluate(
            "axe.run({runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']})"
        )
        for one in said["violations"]:
            if one["impact"] in ("serious", "critical"):
                found.setdefault(f"{one['id']}: {one['help']}", []).append((path, one["nodes"][0]["html"][:160]))
    assert found == {}


@pytest.mark.parametrize("width", [640, 1920])
async def test_no_page_is_scrolled_sideways(tab, address, width):
    page = await tab("/", width=width)
    for path in PAGES:
        await page.goto(address + path)
        assert await page.evaluate("document.documentElement.scrollWidth") <= width, path


async def test_without_script(tab):
    page = await tab("/", script=False)
    await page.fill("#q", "payouts")
    await page.click("text=Show >> visible=true")
    assert "q=payouts" in page.url
    assert await page.get_by_role("link", name="KR4").count() > 0
    assert await page.get_by_role("link", name="KR6").count() == 0
    await page.goto(page.url.split("?")[0] + "key-results/KR2")
    await page.click("summary:has-text('As a table')")
    assert await page.get_by_role("columnheader", name="What moved the scope").is_visible()


async def test_choices_apply_at_once(tab):
    page = await tab("/")
    await page.select_option("#health", "off_track")
    await page.wait_for_url("**health=off_track**")
    await page.wait_for_function("!document.querySelector('main').textContent.includes('KR2')")
    assert await page.get_by_role("link", name="Show all").is_visible()


async def test_a_check_in_by_keyboard_shows_on_a_page_that_is_open(tab, shown):
    watching = await tab("/")
    page = await tab("/key-results/KR6")
    await page.focus("#value")
    await page.keyboard.type("104")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Tab")
    await page.focus("#note")
    await page.keyboard.type("A good week")
    await page.keyboard.press("Enter")
    await page.get_by_role("status").get_by_text("Recorded.").wait_for()
    assert await page.get_by_role("cell", name="A good week").is_visible()
    await watching.bring_to_front()
    row = watching.locator("tr", has=watching.get_by_role("link", name="KR6")).first
    await row.get_by_text("80 %").first.wait_for()


async def test_the_way_past_the_head(tab):
    page = await tab("/sync")
    await page.keyboard.press("Tab")
    assert await page.evaluate("document.activeElement.textContent") == "Skip to content"
    await page.keyboard.press("Enter")
    assert await page.evaluate("document.activeElement.id") == "main"


@pytest.mark.skipif("KEYRAIL_WRITE_SCREENSHOTS" not in os.environ, reason="only `make screenshots` draws them")
async def test_screenshots(tab):
    folder = Path(os.environ["KEYRAIL_WRITE_SCREENSHOTS"])
    for name, path, width, scheme in [
        ("overview", "/", 1280, "light"),
        ("key-result", "/key-results/KR1", 1280, "light"),
        ("portfolio", "/portfolio", 1280, "light"),
        ("roadmap", "/roadmap", 1280, "dark"),
        ("phone", "/key-results/KR2", 390, "dark"),
    ]:
        page = await tab(path, width=width, scheme=scheme)
        await page.screenshot(path=folder / f"{name}.png")
