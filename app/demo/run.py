"""The demo: simulated trackers on loopback, a sample company, and the whole road over real HTTP, in a scratch folder.

Nothing leaves this machine and nothing is kept.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
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
from app.demo.workspace import check_ins, workspace_text
from config.settings import default_database_url
from config.workspace import load
from storage import okrs
from sync import answers, publish
from sync import run as runs
from sync.context import Context, Live, Silent

AGAIN = next_step("demo", "the company goes on working, and you ask it yourself")
"""what to do after ``demo --once``, whose company and workspace file are gone by then"""


async def demo(*, port: int, once: bool, as_json: bool) -> None:
    """Play the demo; without `once` the company goes on working until Ctrl-C."""
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
        names = list(workspace.connections)
        opened = await stack.enter_async_context(open_sources(context, names, secret_key=None, rediscover=True))
        for error in opened.errors.values():
            raise error
        for pulled in await runs.backfill(context, opened.sources):
            if pulled.error is not None:
                raise pulled.error
        sent = await publish.tell(context, opened.sources)
        doc = await answers.show(context, None, "current")
        zone = workspace.timezone
        emit({**doc, "published": sent.document()} if once else doc, as_json, lambda: show(doc, zone=zone, step=""))
        if not as_json:
            emit(sent.document(), False, lambda: Group("", published(sent.document(), step=AGAIN if once else "")))
        if not once:
            tell(f"Ask it yourself, from another terminal: keyrail --workspace {file} explain I1")
            await go_on(replace(context, watcher=Silent()), opened.sources, portfolio, as_json=as_json)


async def go_on(context: Context, sources: Mapping[str, Live], portfolio: Portfolio, *, as_json: bool) -> None:
    """Let the company work, pull what changes, and show what moved."""
    tell("The company goes on working; what it changes is pulled every few seconds. Ctrl-C ends the demo.")
    before = await answers.show(context, None, "current")
    changes = live(portfolio)
    while True:
        for _ in range(3):
            tell(f"  {await anext(changes)}")
        await runs.sync(context, sources)
        sent = await publish.tell(context, sources)
        doc = await answers.show(context, None, "current")
        for line in moved(before, doc, context.zone):
            tell(line)
        if sent.sent:
            tell(f"  {len(sent.sent)} places told")
        if as_json:
            emit(doc, True)
        before = doc
        await asyncio.sleep(0)


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
