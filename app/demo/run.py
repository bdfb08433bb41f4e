"""The demo: simulated trackers on loopback, a sample company, and the whole road over real HTTP, in a scratch folder.

Nothing leaves this machine and nothing is kept.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from rich.console import Group

from app.bootstrap import open_context, open_sources
from app.cli.common import emit, tell
from app.cli.view.plan import published
from app.cli.view.progress import open_progress
from app.cli.view.show import show
from app.cli.view.words import next_step, tracker_name
from app.demo.portfolio import Portfolio, live, running
from app.demo.sender import sending
from app.demo.workspace import check_ins, workspace_text
from app.service import service
from config.settings import default_database_url, read
from config.workspace import load
from storage import okrs
from sync import answers, publish
from sync import run as runs
from sync.context import Context
from sync.outcomes import Sent

AGAIN = next_step("demo", "the company goes on working, and you ask it yourself")
"""what to do after ``demo --once``, whose company and workspace file are gone by then"""


async def demo(*, port: int, once: bool, as_json: bool) -> None:
    """Play the demo; without `once` the company goes on working, under the eyes of the service, until Ctrl-C."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="keyrail-demo-")))
        today = datetime.now(UTC).date()
        portfolio = await stack.enter_async_context(running(today, port))
        file = folder / "keyrail.yaml"
        file.write_text(workspace_text(portfolio.urls, today), encoding="utf-8")
        workspace = load(file, portfolio.environ)
        if not as_json:
            for tracker, url in portfolio.urls.items():
                tell(f"A simulated {tracker_name(tracker)} runs at {url}.")
            tell(f"The workspace file: {file}")
        progress = open_progress(silent=as_json, zone=workspace.timezone)
        stack.enter_context(progress)
        context = await stack.enter_async_context(open_context(workspace, default_database_url(file), progress))
        async with context.store.write() as tx:
            for entry in check_ins(today):
                await okrs.add_check_in(tx, entry)
        sent = await whole_road(context)
        doc = await answers.show(context, None, "current")
        zone = workspace.timezone
        emit({**doc, "published": sent.document()} if once else doc, as_json, lambda: show(doc, zone=zone, step=""))
        if not as_json:
            emit(sent.document(), False, lambda: Group("", published(sent.document(), step=AGAIN if once else "")))
        if not once:
            tell(f"Ask it yourself, from another terminal: keyrail --workspace {file} explain I1")
            await go_on(context, file, portfolio, as_json=as_json)


async def whole_road(context: Context) -> Sent:
    """Pull everything, with its past, compute, and tell the trackers."""
    names = list(context.workspace.connections)
    async with open_sources(context, names, secret_key=None, rediscover=True) as opened:
        for error in opened.errors.values():
            raise error
        for pulled in await runs.backfill(context, opened.sources):
            if pulled.error is not None:
                raise pulled.error
        return await publish.tell(context, opened.sources)


async def go_on(context: Context, file: Path, portfolio: Portfolio, *, as_json: bool) -> None:
    """Let the company work and its trackers send webhooks to the service; show what moves."""
    environ = {**portfolio.environ, "KEYRAIL_WORKSPACE": str(file), "KEYRAIL_PORT": "0"}
    async with service(read(environ), environ) as served, AsyncExitStack() as stack:
        hooks = {one.type: f"{served.url}/webhooks/{name}" for name, one in context.workspace.connections.items()}
        await stack.enter_async_context(sending(portfolio, hooks))
        tell(f"Keyrail serves at {served.url}: what the company does arrives there as webhooks. Ctrl-C ends the demo.")
        tell(f"To look at it in a browser, open this link (it works once): {served.login}")
        before = await answers.show(context, None, "current")
        async for change in live(portfolio):
            tell(f"  {change}")
            doc = await answers.show(context, None, "current")
            for line in moved(before, doc, context.zone):
                tell(line)
            if as_json and doc != before:
                emit(doc, True)
            before = doc


def moved(before: Mapping[str, Any], after: Mapping[str, Any], zone: ZoneInfo) -> list[str]:
    """Say which key results and initiatives moved between two reports."""
    lines = []
    for kind in ("key_results", "initiatives"):
        was = {one["id"]: one for one in before[kind]}
        for one in after[kind]:
            old, new = was.get(one["id"], one)["progress"], one["progress"]
            if old is not None and new is not None and old != new:
                at = datetime.now(zone).strftime("%H:%M:%S")
                lines.append(f"{at}  {one['id']}  {100 * old:.1f} % -> {100 * new:.1f} %  {one['title']}")
    return lines
