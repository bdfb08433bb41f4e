"""The application's door over HTTP without a network, on a store of each kind, with a clock moved by hand."""

from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx
import pytest

from app.web.access import Access
from app.web.app import application
from app.web.needs import Web
from config.access import Auth
from storage import tokens
from storage.engine import Store


@dataclass
class Door:
    """The application; `client` is a browser that keeps its cookies."""

    client: httpx.AsyncClient
    store: Store
    clock: object
    access: Access

    async def token(self, **said):
        """Make a token; return it with its secret."""
        async with self.store.write() as tx:
            return await tokens.create(
                tx, **{"name": "ann", "role": "read", "by": "root", "now": self.clock(), "expires_at": None, **said}
            )

    def browser(self, **headers):
        """Return another browser."""
        return httpx.AsyncClient(transport=self.client._transport, base_url=self.client.base_url, headers=headers)


@pytest.fixture
def open_door(store, workspace, clock):
    """Return what opens the application as configured, seen from an address."""

    @asynccontextmanager
    async def opened(auth=None, *, public_url=None, peer=("127.0.0.1", 5000), base="http://localhost:8080"):
        access = Access(store=store, auth=auth or Auth(), public_url=public_url, now=clock)
        acme = workspace()
        web = Web(
            version="0.1.0", workspace=lambda: acme, arrivals=None, metrics=None, scrape=None, access=access, now=clock
        )
        transport = httpx.ASGITransport(application(web), client=peer)
        async with httpx.AsyncClient(transport=transport, base_url=base) as client:
            yield Door(client=client, store=store, clock=clock, access=access)
            for task in list(access.noting):
                await task

    return opened


@pytest.fixture
async def door(open_door):
    async with open_door() as opened:
        yield opened
