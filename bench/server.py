"""A tracker that costs next to nothing: bytes rendered beforehand over HTTP/1.1 keep-alive, latency by timer.

It counts requests, their cost and its own CPU and tells all at `/_bench/stats`; the calls under `/_bench` are
neither counted nor delayed. Run: `python -m bench.server --tracker github --size 10000 [--latency-ms 50]`; it prints
its address.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import formatdate
from typing import Any
from urllib.parse import parse_qs, urlsplit

import orjson

from bench import github, jira, linear
from bench.answer import Answer, Tracker, UnknownQuery

TRACKERS: dict[str, Callable[[int], Tracker]] = {
    "jira": jira.prepared,
    "github": github.prepared,
    "linear": linear.prepared,
}


@dataclass(slots=True)
class Server:
    """The state of the benchmark's server; `latency` is in seconds, `refused` is what it could not answer."""

    tracker: Tracker
    latency: float
    requests: Counter[str] = field(default_factory=Counter)
    costs: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    refused: list[str] = field(default_factory=list)
    cpu_before: float = 0.0
    wall_before: float = 0.0

    def reset(self) -> None:
        """Start counting anew."""
        self.requests.clear()
        self.costs.clear()
        self.refused.clear()
        self.cpu_before, self.wall_before = time.process_time(), time.perf_counter()

    def stats(self) -> dict[str, Any]:
        """Return requests and their cost by name, and CPU and wall seconds since the last reset."""
        return {
            "requests": sum(self.requests.values()),
            "by_name": dict(self.requests),
            "cost": sum(self.costs.values()),
            "costs": dict(self.costs),
            "refused": self.refused,
            "cpu": time.process_time() - self.cpu_before,
            "wall": time.perf_counter() - self.wall_before,
        }

    def asked(self, method: str, target: str, body: bytes) -> Answer:
        """Answer a call and count it."""
        try:
            answer = self.tracker.answer(method, target, body)
        except UnknownQuery as error:
            self.refused.append(str(error))
            told = {"errorMessages": [str(error)], "errors": [{"message": str(error)}]}
            answer = Answer(name="refused", status=400, body=orjson.dumps(told))
        self.requests[answer.name] += 1
        if answer.cost:
            self.costs[answer.name] += answer.cost
        return answer

    def control(self, target: str) -> bytes:
        """Run a call of the benchmark's own: stats, reset, latency?ms=, touch?count=."""
        parts = urlsplit(target)
        values = {name: value[0] for name, value in parse_qs(parts.query).items()}
        match parts.path:
            case "/_bench/reset":
                self.reset()
            case "/_bench/latency":
                self.latency = float(values["ms"]) / 1000
            case "/_bench/touch":
                # a sweep may end at the whole second that it began in, by the server's clock
                self.tracker.touch(int(values["count"]), datetime.now(UTC) - timedelta(seconds=10))
        return orjson.dumps(self.stats())


class Protocol(asyncio.Protocol):
    """HTTP/1.1 with keep-alive, no more of it than clients of this benchmark use."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.buffer = b""
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        assert isinstance(transport, asyncio.Transport)
        transport.set_write_buffer_limits(high=4 * 1024 * 1024)
        self.transport = transport

    def connection_lost(self, error: Exception | None) -> None:
        """Forget the way back."""
        self.transport = None

    def data_received(self, data: bytes) -> None:
        """Answer each request that is complete."""
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            head = self.buffer[:end].decode("latin-1")
            lines = head.split("\r\n")
            length = next((int(line[15:]) for line in lines if line[:15].lower() == "content-length:"), 0)
            if len(self.buffer) < end + 4 + length:
                return
            body = self.buffer[end + 4 : end + 4 + length]
            self.buffer = self.buffer[end + 4 + length :]
            method, target, _ = lines[0].split(" ", 2)
            self.respond(method, target, body)

    def respond(self, method: str, target: str, body: bytes) -> None:
        """Write an answer once the latency is over."""
        server = self.server
        if target.startswith("/_bench/"):
            self.write(Answer(name="", body=server.control(target)))
            return
        asyncio.get_running_loop().call_later(server.latency, self.write, server.asked(method, target, body))

    def write(self, answer: Answer) -> None:
        """Write head and body without copying the body."""
        if self.transport is None:
            return
        more = "".join(f"{name}: {value}\r\n" for name, value in answer.headers.items())
        head = (
            f"HTTP/1.1 {answer.status} X\r\nContent-Type: application/json;charset=UTF-8\r\n"
            f"Content-Length: {len(answer.body)}\r\nDate: {formatdate(usegmt=True)}\r\n{more}\r\n"
        )
        self.transport.writelines([head.encode(), answer.body])


def prepared(tracker: str, size: int, latency: float) -> Server:
    """Render everything and return a server that is ready to be asked."""
    server = Server(tracker=TRACKERS[tracker](size), latency=latency)
    server.reset()
    return server


async def listen(server: Server, port: int, ready: Callable[[int], None]) -> None:
    """Serve on 127.0.0.1 until cancelled; `ready` is told the port."""
    loop = asyncio.get_running_loop()
    listener = await loop.create_server(lambda: Protocol(server), "127.0.0.1", port, backlog=256)
    ready(listener.sockets[0].getsockname()[1])
    await listener.serve_forever()


def main() -> None:
    """Serve until the process is ended."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tracker", choices=sorted(TRACKERS), default="jira")
    parser.add_argument("--size", type=int, default=10_000)
    parser.add_argument("--latency-ms", type=float, default=50)
    parser.add_argument("--port", type=int, default=0)
    chosen = parser.parse_args()
    server = prepared(chosen.tracker, chosen.size, chosen.latency_ms / 1000)
    with contextlib.suppress(KeyboardInterrupt, asyncio.CancelledError):
        asyncio.run(listen(server, chosen.port, lambda port: print(f"http://127.0.0.1:{port}", flush=True)))


if __name__ == "__main__":
    main()
