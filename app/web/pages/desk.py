"""What every page shares: who asks, about which day, what the store says, and how a template becomes an answer.

What a page says is put together in its own file.
"""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from app.cli.view import words
from app.web.access import Person, require
from app.web.needs import Web
from app.web.pages import phrases
from app.web.pages.memory import Found, Make, Memory
from domain.errors import UsageError
from storage import pasts
from storage.views import Present
from sync import present as presents
from sync import retell
from sync.answers import now_there
from sync.context import Context

Doc = dict[str, Any]  # Any: a JSON document

HERE = Path(__file__).parent.parent
STATIC = HERE / "static"
NAV = (
    ("/", "Overview"),
    ("/portfolio", "Portfolio"),
    ("/roadmap", "Roadmap"),
    ("/what-if", "What-if"),
    ("/coverage", "Coverage"),
    ("/sync", "Sync"),
    ("/publish", "Publish"),
)
PLACES = {"objective": "/objectives/", "key_result": "/key-results/", "initiative": "/initiatives/", "epic": "/items/"}


def address(kind: str, id_: str) -> str:
    """Return the path of the page of an objective, key result, initiative or item."""
    return PLACES.get(kind, "/items/") + quote(id_, safe="")


@dataclass(frozen=True, slots=True)
class Desk:
    """What pages are made with; one for the application."""

    web: Web
    source: Callable[[], Context]
    memory: Memory = field(default_factory=Memory)
    templates: Environment = field(default_factory=lambda: environment())

    async def ask(self, request: Request) -> Ask:
        """Return what a request asks, with the present of the store; raise Denied, or UsageError for a bad day."""
        person = require(request, "read")
        context = self.source()
        there = await now_there(context)
        async with context.store.read() as tx:
            told = await pasts.stamp(tx, context.workspace.digest)
        said = f"{told}/{context.today}/{_print(there)}"
        return Ask(
            desk=self,
            request=request,
            person=person,
            context=context,
            there=there,
            stamp=said,
            day=_day(request, context),
        )


@dataclass(frozen=True, kw_only=True)
class Ask:
    """One request for a page. `day` is the past day that it asks about, None for now; `stamp` what the store is at."""

    desk: Desk
    request: Request
    person: Person
    context: Context
    there: Present
    stamp: str
    day: date | None

    @cached_property
    def now(self) -> datetime:
        """The instant of the request."""
        return self.context.now()

    @property
    def today(self) -> date:
        """The day that the page is about."""
        return self.day or self.context.today

    @property
    def zone(self) -> str:
        """The zone of the workspace."""
        return self.context.workspace.timezone

    def said(self, name: str) -> str:
        """Return a part of the query, empty where it is not there."""
        return self.request.query_params.get(name, "").strip()

    def number(self, name: str, least: int = 1) -> int:
        """Return a number of the query, at least so large; what is none is the least."""
        text = self.said(name)
        return max(int(text), least) if text.isascii() and text.isdigit() and len(text) < 10 else least

    async def report(self, timeframe: str) -> Doc | None:
        """Return the document of `show` for a timeframe on the day asked about; None where it is on its way."""
        if self.day is None:
            return presents.show(self.context.workspace, self.there, None, timeframe=timeframe, now=self.now)
        day = self.day
        found = await self.kept(f"show/{timeframe}/{day}", lambda context: retell.show(context, None, timeframe, day))
        return found.doc if found is not None else None

    async def kept(self, key: str, make: Make, *, lane: str = "pages") -> Found | None:
        """Return a document that takes long to put together, None where it is on its way."""
        name = f"{self.context.workspace.digest}/{key}"
        return await self.desk.memory.get(self.context, name, self.stamp, make, lane=lane)

    def link(self, path: str | None = None, **changes: object) -> str:
        """Return an address with the day that is asked about; without a path this page with its query changed."""
        stated: dict[str, object] = {}
        if path is None:
            stated = dict(self.request.query_params)
            path = self.request.url.path
        elif self.day is not None:
            stated["as-of"] = self.day
        path, _, anchor = path.partition("#")
        kept = {name: value for name, value in {**stated, **changes}.items() if value not in (None, "")}
        query = f"?{urlencode({name.replace('_', '-'): str(value) for name, value in kept.items()})}" if kept else ""
        return f"{path}{query}{'#' if anchor else ''}{anchor}"

    def subject(self, kind: str, id_: str) -> str:
        """Return the address of a subject's page on the day that is asked about."""
        return self.link(address(kind, id_))

    def page(self, template: str, *, title: str, status: int = 200, **values: object) -> Response:
        """Return a page; `values` are what its template speaks of.

        One with a seal in it is not compressed, so that its length tells nothing of the seal.
        """
        text = self.desk.templates.get_template(template).render(
            ask=self,
            title=title,
            nav=NAV,
            today=self.today,
            workspace=self.context.workspace,
            provenance=phrases.provenance(self.there, self.context, self.today if self.day else None, self.now),
            **values,
        )
        headers = {"cache-control": "no-store", "vary": "accept-encoding"}
        if 'name="seal"' in text or "gzip" not in self.request.headers.get("accept-encoding", ""):
            return HTMLResponse(text, status, headers)
        packed = gzip.compress(text.encode(), 5, mtime=0)
        return HTMLResponse(packed, status, {**headers, "content-encoding": "gzip"})

    def waiting(self, title: str, what: str) -> Response:
        """Return the page that stands in for one whose document is on its way; it asks again by itself."""
        return self.page("waiting.html", title=title, what=what)


async def stamp(context: Context) -> tuple[Present, str]:
    """Return the present of a store with the stamp of it: another one after each change that a page could show."""
    there = await now_there(context)
    async with context.store.read() as tx:
        told = await pasts.stamp(tx, context.workspace.digest)
    return there, f"{told}/{context.today}/{_print(there)}"


def environment() -> Environment:
    """Return the templates with their words and charts; what is not there fails, what is said is escaped."""
    found = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters.update(phrases.FILTERS)
    found.globals.update(phrases.CHARTS)
    found.globals.update(HEALTH=words.HEALTH, asset=asset, address=address)
    return found


def asset(name: str, known: dict[str, str] = {}) -> str:  # noqa: B006  # read once for the process
    """Return the address of a file of ours, another one after each change of it."""
    if name not in known:
        known[name] = hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]
    return f"/static/{name}?v={known[name]}"


def _day(request: Request, context: Context) -> date | None:
    text = request.query_params.get("as-of", "").strip()
    if not text:
        return None
    try:
        found = date.fromisoformat(text)
    except ValueError:
        raise UsageError(f"'{text[:40]}' is no day: write as-of as 2026-11-30.") from None
    if found > context.today:
        raise UsageError(f"{found} is in the future: choose today ({context.today}) or a day before it.")
    return found if found < context.today else None


def _print(there: Present) -> str:
    """Return a short print of what people said and what was computed, so that a change of either is seen."""
    spoken: Mapping[str, object] = {
        "check_ins": [(one.key_result, one.as_of, one.value, one.recorded_at) for one in there.check_ins],
        "overrides": [(one.subject, one.health, one.until) for one in there.overrides],
        "day": there.forecast_day,
        "complete": sorted(there.complete_to.items()),
    }
    return hashlib.sha256(repr(sorted(spoken.items())).encode()).hexdigest()[:16]
