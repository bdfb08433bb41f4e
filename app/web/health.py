"""How the process is: alive, ready, and in numbers.

What ready means is said by the checks that the application is given; the one of the database is here.
"""

from __future__ import annotations

import asyncio

from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from app.web.needs import Check, Web
from domain.errors import KeyrailError, StorageError
from storage.engine import Store, revision
from storage.revision import REVISION

PATIENCE = 5.0
"""seconds that a check may take"""


async def alive(web: Web, request: Request) -> Response:
    """Answer that the process runs, whatever else is the matter."""
    return JSONResponse({"status": "ok", "version": web.version})


async def ready(web: Web, request: Request) -> Response:
    """Answer 200 where every check passes, else 503 and what is missing."""
    said = dict(zip(web.checks, await asyncio.gather(*map(_missing, web.checks.values())), strict=True))
    missing = {name: reason for name, reason in said.items() if reason}
    checks = {name: reason or "ok" for name, reason in said.items()}
    return JSONResponse({"status": "not ready" if missing else "ready", "checks": checks}, 503 if missing else 200)


async def metrics(web: Web, request: Request) -> Response:
    """Answer in Prometheus's text format."""
    return Response(await web.scrape(), headers={"content-type": CONTENT_TYPE_PLAIN_0_0_4})


async def _missing(check: Check) -> str | None:
    try:
        async with asyncio.timeout(PATIENCE):
            await check()
    except KeyrailError as error:
        return str(error)
    except TimeoutError:
        return f"no answer within {PATIENCE:.0f} seconds"
    except Exception as error:  # noqa: BLE001  # whatever it is, the process is not ready, and must say so
        return f"failed ({type(error).__name__})"
    return None


def database(store: Store) -> Check:
    """Return the check that the database answers."""

    async def check() -> None:
        async with store.read():
            pass

    return check


def migrations(store: Store) -> Check:
    """Return the check that the database's schema is the one that this code needs."""

    async def check() -> None:
        found = await revision(store)
        if found != REVISION:
            advice = "Run: keyrail db upgrade" if found is None or found < REVISION else "Upgrade Keyrail."
            raise StorageError(f"the database is at revision {found}, this Keyrail needs {REVISION}. {advice}")

    return check
