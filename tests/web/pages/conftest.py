"""The dashboard over the sample company, pulled once from the simulated trackers; each test has a copy of its store."""

import asyncio
import shutil
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from app.bootstrap import open_context
from app.demo.portfolio import running
from app.demo.run import whole_road
from app.demo.workspace import check_ins, workspace_text
from app.web.access import Access
from app.web.app import application
from app.web.metrics import Metrics
from app.web.needs import Web
from config.access import Auth
from config.workspace import load
from domain.workspace import Workspace
from storage import okrs
from storage.engine import Store
from sync.context import Context

EVIL = '<script>alert(1)</script><img src=x onerror=alert(2)>" onmouseover="alert(3)'
"""what somebody may call an issue"""


UNDER_WAY = ("On its way", "on its way", "Load the page again in a moment")
"""how pages say that something is still being put together"""


@dataclass(frozen=True)
class Company:
    """The sample company: its store, its workspace and the day it stands on."""

    store: Path
    workspace: Workspace
    today: date


@pytest.fixture(scope="session")
def company(tmp_path_factory):
    """Pull the company once; one of its issues has a name that means harm."""
    folder = tmp_path_factory.mktemp("company")
    today = datetime.now(UTC).date()

    async def pulled():
        async with running(today) as portfolio:
            portfolio.jira.change(portfolio.jira.find("PAY-28"), summary=EVIL)
            file = folder / "keyrail.yaml"
            file.write_text(workspace_text(portfolio.urls, today), encoding="utf-8")
            workspace = load(file, portfolio.environ)
            async with open_context(workspace, f"sqlite:///{folder}/store.db") as context:
                async with context.store.write() as tx:
                    for entry in check_ins(today):
                        await okrs.add_check_in(tx, entry)
                await whole_road(context)
        return workspace

    return Company(folder / "store.db", asyncio.run(pulled()), today)


@dataclass
class Board:
    """The dashboard as a person sees it who may write; `context` is what its pages are over."""

    client: httpx.AsyncClient
    context: Context
    store: Store
    app: object
    web: Web

    async def page(self, path, status=200):
        """Return the text of a page, once all it waits for is there."""
        async with asyncio.timeout(120):
            while True:
                answer = await self.client.get(path)
                assert answer.status_code == status, answer.text[:2000]
                if not any(said in answer.text for said in UNDER_WAY):
                    return answer.text


@asynccontextmanager
async def opened(workspace, url, auth=None):
    """Open the dashboard over a store."""
    async with open_context(workspace, url) as context:
        web = Web(
            version="0.1.0",
            workspace=lambda: context.workspace,
            arrivals=None,
            metrics=Metrics("0.1.0"),
            scrape=None,
            context=lambda: context,
            access=Access(store=context.store, auth=auth or Auth(mode="none")),
        )
        app = application(web)
        transport = httpx.ASGITransport(app, client=("127.0.0.1", 5000))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost:8080", timeout=60) as client:
            yield Board(client=client, context=context, store=context.store, app=app, web=web)


@pytest.fixture
def open_board():
    """Return what opens the dashboard over a store."""
    return opened


@pytest.fixture
async def board(company, tmp_path):
    """Return the dashboard over a copy of the company."""
    shutil.copy(company.store, tmp_path / "store.db")
    async with opened(company.workspace, f"sqlite:///{tmp_path}/store.db") as one:
        yield one


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shown(company, tmp_path_factory):
    """Return the dashboard over a copy of the company, for tests of a module that only look."""
    file = tmp_path_factory.mktemp("shown") / "store.db"
    shutil.copy(company.store, file)
    async with opened(company.workspace, f"sqlite:///{file}") as one:
        yield one
