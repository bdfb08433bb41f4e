"""A Jira that costs next to nothing: bytes rendered beforehand over HTTP/1.1 keep-alive, latency by timer.

It counts requests and its own CPU and tells both at `/_bench/stats`; the calls under `/_bench` are neither
counted nor delayed. Run: `python -m bench.server --size 10000 [--latency-ms 50]`; it prints its address.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import contextlib
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import formatdate
from typing import Any
from urllib.parse import parse_qs, urlsplit

import orjson

from app.demo import jira_bodies
from app.demo.site import POINTS
from bench.jql import UnknownQuery, positions
from bench.payloads import FIRST_ID, Issues, render, touch

API = "/rest/api/3"
MAX_IDS, MAX_ISSUES = 5000, 100


@dataclass(slots=True)
class Server:
    """The state of the benchmark's server; `latency` is in seconds."""

    issues: Issues
    latency: float
    fixed: dict[str, bytes]
    requests: Counter[str] = field(default_factory=Counter)
    found: dict[str, list[int]] = field(default_factory=dict)
    cpu_before: float = 0.0
    wall_before: float = 0.0

    def reset(self) -> None:
        """Start counting anew."""
        self.requests.clear()
        self.cpu_before, self.wall_before = time.process_time(), time.perf_counter()

    def stats(self) -> dict[str, Any]:
        """Return requests by path, and CPU and wall seconds since the last reset."""
        return {
            "requests": sum(self.requests.values()),
            "by_path": dict(self.requests),
            "cpu": time.process_time() - self.cpu_before,
            "wall": time.perf_counter() - self.wall_before,
        }

    def answer(self, method: str, target: str, body: bytes) -> tuple[int, bytes]:
        """Return status and body of an answer."""
        path = target.partition("?")[0]
        if fixed := self.fixed.get(path):
            return 200, fixed
        match path:
            case "/rest/api/3/issue/bulkfetch":
                asked = orjson.loads(body)
                return self.bulk(asked["issueIdsOrKeys"], self.shapes(asked))
            case "/rest/api/3/search/jql":
                asked = orjson.loads(body) if method == "POST" else _query(target)
                return self.search(asked)
            case "/rest/api/3/search/approximate-count":
                return 200, b'{"count":%d}' % len(self.matching(orjson.loads(body)["jql"]))
            case "/rest/api/3/changelog/bulkfetch":
                return 200, self.changelogs(orjson.loads(body)["issueIdsOrKeys"])
            case _:
                tail = path.removeprefix(f"{API}/issue/")
                place = int(tail) - FIRST_ID if tail.isdigit() else -1
                if 0 <= place < self.issues.size:
                    return 200, self.issues.bodies[place]
        return 404, orjson.dumps({"errorMessages": [f"The benchmark's server has no {method} {path}."], "errors": {}})

    def shapes(self, asked: dict[str, Any]) -> list[bytes]:
        """Return the issues as a request wants them: whole, with the fields that Keyrail asks for, or ids and keys."""
        fields = set(asked.get("fields") or ["id"])
        if fields <= {"id", "key"}:
            return self.issues.ids
        return self.issues.bodies if "*all" in fields else self.issues.asked

    def bulk(self, ids: list[str], source: list[bytes]) -> tuple[int, bytes]:
        """Return up to 100 issues."""
        if len(ids) > MAX_ISSUES:
            return 400, b'{"errorMessages":["The number of issues requested must not exceed 100."],"errors":{}}'
        places = sorted(int(id) - FIRST_ID for id in ids)
        bodies = [source[p] for p in places if 0 <= p < self.issues.size]
        return 200, b'{"issues":[' + b",".join(bodies) + b'],"issueErrors":[]}'

    def search(self, asked: dict[str, Any]) -> tuple[int, bytes]:
        """Return a page: 5,000 where only ids and keys are asked for, else 100 whole issues."""
        source = self.shapes(asked)
        size = min(int(asked.get("maxResults") or 50), MAX_IDS if source is self.issues.ids else MAX_ISSUES)
        token = asked.get("nextPageToken")
        start = int(base64.b64decode(token)) if token else 0
        places = self.matching(asked["jql"])
        page = places[start : start + size]
        last = start + size >= len(places)
        more = b"" if last else b',"nextPageToken":"%s"' % base64.b64encode(b"%d" % (start + size))
        rows = b",".join([source[p] for p in page])
        return 200, b'{"isLast":%s%s,"issues":[' % (b"true" if last else b"false", more) + rows + b"]}"

    def changelogs(self, ids: list[str]) -> bytes:
        """Return one status change for each touched issue, nothing for the others."""
        logs = []
        for id in ids:
            at = self.issues.touched.get(int(id) - FIRST_ID)
            if at is not None:
                item = {
                    "field": "status", "fieldId": "status", "fieldtype": "jira",
                    "from": "10000", "fromString": "To Do", "to": "10002", "toString": "Done",
                }  # fmt: skip
                moment = datetime.fromtimestamp(at / 1000, UTC)
                created = f"{moment:%Y-%m-%dT%H:%M:%S}.{at % 1000:03d}+0000"
                entry = {"id": str(900_000 + int(id)), "created": created, "items": [item]}
                logs.append({"issueId": id, "changeHistories": [entry]})
        return orjson.dumps({"issueChangeLogs": logs, "nextPageToken": None})

    def matching(self, jql: str) -> list[int]:
        """Return the positions that a query finds; each text is worked out once until something is touched."""
        if jql not in self.found:
            self.found[jql] = positions(jql, self.issues)
        return self.found[jql]

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
                touch(self.issues, int(values["count"]), datetime.now(UTC))
                self.found.clear()
        return orjson.dumps(self.stats())


def _query(target: str) -> dict[str, Any]:
    values = parse_qs(urlsplit(target).query)
    asked: dict[str, Any] = {name: value[0] for name, value in values.items()}
    return asked | {"fields": [part for value in values.get("fields", ()) for part in value.split(",")]}


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
            self.write(200, server.control(target))
            return
        server.requests[target.partition("?")[0]] += 1
        try:
            status, answer = server.answer(method, target, body)
        except UnknownQuery as error:
            status, answer = 400, orjson.dumps({"errorMessages": [str(error)], "errors": {}})
        asyncio.get_running_loop().call_later(server.latency, self.write, status, answer)

    def write(self, status: int, body: bytes) -> None:
        """Write head and body without copying the body."""
        if self.transport is None:
            return
        head = (
            f"HTTP/1.1 {status} X\r\nContent-Type: application/json;charset=UTF-8\r\nContent-Length: {len(body)}\r\n"
            f"Date: {formatdate(usegmt=True)}\r\nX-Seraph-LoginReason: OK\r\n\r\n"
        )
        self.transport.writelines([head.encode(), body])


def fixed_answers(issues: Issues) -> dict[str, bytes]:
    """Render what discovery asks for."""
    site = issues.site
    projects = [jira_bodies.project(site, p, in_list=True) for p in site.projects.values()]
    page = {"self": site.url, "maxResults": 100, "startAt": 0, "total": len(projects), "isLast": True}
    names = ("BROWSE_PROJECTS", "EDIT_ISSUES", "LINK_ISSUES", "ADD_COMMENTS", "ADMINISTER")
    board = {"id": 1, "self": site.url, "name": "Board", "type": "scrum"}
    estimation = {"type": "field", "field": {"fieldId": POINTS, "displayName": "Story point estimate"}}
    answers: dict[str, Any] = {
        f"{API}/myself": jira_bodies.account(site, site.me),
        f"{API}/serverInfo": {
            "baseUrl": site.url, "deploymentType": "Cloud", "version": "1001.0.0-SNAPSHOT",
            "serverTime": jira_bodies.stamp(datetime.now(UTC), site.zone), "serverTitle": "Jira",
        },
        f"{API}/field": jira_bodies.field_list(site),
        f"{API}/issuetype": [jira_bodies.issue_type(site, kind) for kind in site.types.values()],
        f"{API}/status": [jira_bodies.status(site, state) for state in site.statuses.values()],
        f"{API}/project/search": page | {"values": projects},
        f"{API}/mypermissions": {
            "permissions": {n: {"key": n, "name": n, "type": "PROJECT", "havePermission": True} for n in names}
        },
        "/_edge/tenant_info": {"cloudId": site.cloud_id},
        "/rest/agile/1.0/board": page | {"values": [board]},
        "/rest/agile/1.0/board/1/configuration": {"id": 1, "name": "Board", "estimation": estimation},
    }  # fmt: skip
    return {path: orjson.dumps(body) for path, body in answers.items()}


def prepared(size: int, latency: float) -> Server:
    """Render everything and return a server that is ready to be asked."""
    issues = render(size)
    server = Server(issues=issues, latency=latency, fixed=fixed_answers(issues))
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
    parser.add_argument("--size", type=int, default=10_000)
    parser.add_argument("--latency-ms", type=float, default=50)
    parser.add_argument("--port", type=int, default=0)
    chosen = parser.parse_args()
    server = prepared(chosen.size, chosen.latency_ms / 1000)
    with contextlib.suppress(KeyboardInterrupt, asyncio.CancelledError):
        asyncio.run(listen(server, chosen.port, lambda port: print(f"http://127.0.0.1:{port}", flush=True)))


if __name__ == "__main__":
    main()
