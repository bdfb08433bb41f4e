"""The simulated trackers in a process of their own: ``python -m app.demo.alone``, for tests under fire and benchmarks.

Prints one line of JSON once all are served, and ends on SIGTERM or Ctrl-C::

    {"urls": {"jira": …, "github": …, "linear": …}, "control": "http://127.0.0.1:…", "environ": {…}, "workspace": "…"}

`environ` holds the secrets that the text `workspace`, a workspace file, asks for. The control endpoint, on loopback as
everything here, takes and gives JSON:

==============  =====================================================================================================
GET /ledger     what became of each webhook (`ledger.Ledger.document`); `?brief=1` leaves single deliveries out
POST /hooks     ``{"jira": URL, …}``: register webhooks by hand, for everything, with the site's secret
POST /storm     ``{"steps": 100, "seed": 1, "rate": 20}``: let that happen, answer once it has: ``{"done": […]}``
POST /deed      ``{"tracker": "jira", "deed": "delete", "seed": 1}``: one thing of `storm.DEEDS`
POST /faults    ``{"jira": {"down": "reset"}, "github": {"add": {"kind": "timeout", "times": 3}}, "sending": {…}}``:
                set switches of `faults` and of `sender.Sending`; `add` queues a fault for coming requests
POST /reveal    give back the sight of everything that was hidden
POST /idle      answer once no webhook is on its way any more, ``{"within": SECONDS}`` at most (60): ``{"idle": true}``
==============  =====================================================================================================
"""

from __future__ import annotations

import argparse
import asyncio
import random
import signal
import sys
from collections.abc import Awaitable, Callable
from dataclasses import fields
from datetime import UTC, date, datetime
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.demo.portfolio import Portfolio, running
from app.demo.sender import Sender, register, sending
from app.demo.storm import DEEDS, reveal, storm
from app.demo.workspace import workspace_text
from app.web.server import serve

Asked = dict[str, Any]
Told = dict[str, Any]


def control(portfolio: Portfolio, sender: Sender) -> Starlette:
    """Return the control endpoint of running sites as an ASGI application."""
    sites: dict[str, Any] = {"jira": portfolio.jira, "github": portfolio.github, "linear": portfolio.linear}

    async def hooks(asked: Asked) -> Told:
        for tracker, url in asked.items():
            _known(tracker, sites, "tracker")
            register(portfolio, tracker, url)
        return {}

    async def blow(asked: Asked) -> Told:
        return {"done": await storm(portfolio, int(asked["steps"]), asked.get("seed", 0), asked.get("rate", 0.0))}

    async def deed(asked: Asked) -> Told:
        tracker, name = _known(asked["tracker"], sites, "tracker"), asked["deed"]
        _known(name, DEEDS[tracker], "deed")
        said = DEEDS[tracker][name][1](sites[tracker], random.Random(asked.get("seed", 0)))
        return {"done": [] if said is None else [f"{tracker}: {name} {said}"]}

    async def faults(asked: Asked) -> Told:
        for place, values in asked.items():
            _known(place, {**sites, "sending": None}, "place")
            target = sender.faults if place == "sending" else sites[place].faults
            _set(target, values)
        return {}

    async def show(asked: Asked) -> Told:
        reveal(portfolio)
        return {}

    async def idle(asked: Asked) -> Told:
        try:
            async with asyncio.timeout(asked.get("within", 60)):
                await sender.idle()
        except TimeoutError:
            return {"idle": False}
        return {"idle": True}

    async def ledger(request: Request) -> Response:
        told = sender.ledger.document()
        if request.query_params.get("brief"):
            del told["deliveries"]
        return Response(orjson.dumps(told), media_type="application/json")

    posts = {"/hooks": hooks, "/storm": blow, "/deed": deed, "/faults": faults, "/reveal": show, "/idle": idle}
    routes = [Route(path, _post(answer), methods=["POST"]) for path, answer in posts.items()]
    return Starlette(routes=[Route("/ledger", ledger), *routes])


def _post(answer: Callable[[Asked], Awaitable[Told]]) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        try:
            asked = orjson.loads(await request.body() or b"{}")
            return Response(orjson.dumps(await answer(asked)), media_type="application/json")
        except (KeyError, TypeError, ValueError) as error:
            words = f"missing: {error}" if isinstance(error, KeyError) else str(error)
            return Response(orjson.dumps({"error": words}), 400, media_type="application/json")

    return endpoint


def _known(name: str, names: Any, kind: str) -> str:
    if name not in names:
        raise ValueError(f"There is no {kind} '{name}'; there are {', '.join(names)}.")
    return name


def _set(target: Any, values: Asked) -> None:
    """Set switches, all or none of them; `add` queues a fault."""
    switches = {one.name for one in fields(target)} - {"queue", "queued"}
    for name in values:
        if name != "add" or not hasattr(target, "add"):
            _known(name, sorted(switches), "switch")
    for name, value in values.items():
        if name == "add":
            target.add(**value)
        else:
            # Sets come as lists.
            setattr(target, name, set(value) if isinstance(getattr(target, name), set) else value)


async def run(*, port: int, control_port: int, today: date, scale: float) -> None:
    """Serve the sites and their control until the process is told to end."""
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    async with (
        running(today, port) as portfolio,
        sending(portfolio, scale=scale) as sender,
        serve(control(portfolio, sender), control_port) as address,
    ):
        told = {
            "urls": portfolio.urls,
            "control": address,
            "environ": portfolio.environ,
            "workspace": workspace_text(portfolio.urls, today),
        }
        sys.stdout.write(orjson.dumps(told).decode() + "\n")
        sys.stdout.flush()
        await ended.wait()


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(prog="python -m app.demo.alone", description="The simulated trackers alone.")
    parser.add_argument("--port", type=int, default=0, help="of the simulated Jira; 0 takes a free one")
    parser.add_argument("--control", type=int, default=0, help="port of the control endpoint; 0 takes a free one")
    parser.add_argument("--today", type=date.fromisoformat, help="the day on which the company stands; now if left out")
    parser.add_argument("--scale", type=float, default=1.0, help="stretches the pauses before webhooks are repeated")
    asked = parser.parse_args()
    today = asked.today or datetime.now(UTC).date()
    asyncio.run(run(port=asked.port, control_port=asked.control, today=today, scale=asked.scale))


if __name__ == "__main__":
    main()
