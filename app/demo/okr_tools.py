"""Simulated OKR tools: okr-tracker, Operately, Appfire OKR, Aha!, Asana Goals and Atlassian Goals.

They refuse what the real ones refuse; people's deeds are plain changes of `Tools`. Nothing of Keyrail is used here.
"""

from __future__ import annotations

import html
import itertools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

Json = dict[str, Any]
Answer = tuple[int, Any]
CLOUD = "11111111-2222-3333-4444-555555555555"


@dataclass(slots=True)
class Tools:
    """All tools in memory, one goal or key result in each. `token` opens all of them."""

    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    token: str = "tool-token"  # noqa: S105 of a simulation
    values: dict[str, Json] = field(default_factory=dict)
    check_ins: list[Json] = field(default_factory=list)
    target: Json = field(default_factory=lambda: {"id": "tgt-1", "from": 10.0, "to": 60.0, "value": 10.0})
    appfire: list[Json] = field(default_factory=list)
    records: dict[str, Json] = field(
        default_factory=lambda: {"ACME-K-1": {"progress": 0.0}, "ACME-G-1": {"progress": 0.0}}
    )
    metric: Json = field(
        default_factory=lambda: {
            "unit": "percentage",
            "precision": 0,
            "progress_source": "manual",
            "initial_number_value": 0.0,
            "target_number_value": 1.0,
            "current_number_value": 0.0,
        }
    )
    statuses: list[Json] = field(default_factory=list)
    updates: list[Json] = field(default_factory=list)
    trouble: list[Response] = field(default_factory=list)
    count: itertools.count[int] = field(default_factory=lambda: itertools.count(1))


Handler = Callable[[Tools, Json, dict[str, str]], Answer]


def application(tools: Tools) -> Starlette:
    """Return all of them as one ASGI application, each below its name."""
    paths: list[tuple[str, str, Handler]] = [
        ("GET", "/tracker/keyres/{id}", _keyres),
        ("PUT", "/tracker/keyres/{id}/values/{date}", _put_value),
        ("GET", "/operately/api/external/v1/goals/get", _goal),
        ("GET", "/operately/api/external/v1/goals/list_check_ins", _check_ins),
        ("POST", "/operately/api/external/v1/goals/create_check_in", _check_in),
        ("POST", "/operately/api/external/v1/goals/delete_check_in", _delete_check_in),
        ("POST", "/appfire/api/v2/api-update/{kind}", _appfire),
        ("GET", "/aha/api/v3/{kind}/{id}", _record),
        ("PATCH", "/aha/api/v3/{kind}/{id}", _patch),
        ("GET", "/asana/api/1.0/users/me", lambda tools, asked, path: (200, {"data": {"name": "Keyrail"}})),
        ("GET", "/asana/api/1.0/goals/{id}", _asana_goal),
        ("POST", "/asana/api/1.0/goals/{id}/setMetricCurrentValue", _set_metric),
        ("GET", "/asana/api/1.0/status_updates", _statuses),
        ("POST", "/asana/api/1.0/status_updates", _post_status),
        ("DELETE", "/asana/api/1.0/status_updates/{id}", _delete_status),
        ("GET", "/goals/_edge/tenant_info", lambda tools, asked, path: (200, {"cloudId": CLOUD})),
        ("POST", "/goals/gateway/api/graphql", _gateway),
    ]
    return Starlette(routes=[Route(path, _route(tools, handler), methods=[verb]) for verb, path, handler in paths])


def _route(tools: Tools, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        if tools.trouble:
            return tools.trouble.pop(0)
        proofs = [request.headers.get(name, "") for name in ("authorization", "api-token", "okr-client-secret")]
        proof = next((one for one in proofs if one), "")
        if proof.removeprefix("Bearer ") != tools.token and not proof.startswith("Basic "):
            return JSONResponse({"error": "unauthorized"}, 401)
        body = await request.body()
        asked = {**request.query_params, **(orjson.loads(body) if body else {})}
        status, said = handler(tools, asked, dict(request.path_params))
        return JSONResponse(said, status)

    return answer


def _keyres(tools: Tools, asked: Json, path: dict[str, str]) -> Answer:
    if path["id"] != "kr1":
        return 404, {"message": "Could not find key result"}
    last = max(tools.values.items(), default=None)
    return 200, {"currentValue": 0, **({"lastUpdated": last[1]} if last else {})}


def _put_value(tools: Tools, asked: Json, path: dict[str, str]) -> Answer:
    day = date.fromisoformat(path["date"])
    if day > tools.clock().date() or not isinstance(asked.get("value"), int | float) or asked["value"] < 0:
        return 400, {"message": "bad request"}
    comment = html.escape(str(asked.get("comment") or "").strip()).replace("/", "&#x2F;")
    tools.values[path["date"]] = {"value": asked["value"], "comment": comment}
    return 200, {"message": "ok"}


def _goal(tools: Tools, asked: Json, path: dict[str, str]) -> Answer:
    return (200, {"goal": {"id": asked["id"], "targets": [tools.target]}}) if asked["id"] == "goal-1" else (404, {})


def _check_ins(tools: Tools, asked: Json, path: dict[str, str]) -> Answer:
    return 200, {"check_ins": [one for one in tools.check_ins if one["goal_id"] == asked["goal_id"]]}


def _check_in(tools: Tools, asked: Json, path: dict[str, str]) -> Answer:
    known = {"goal_id", "status", "content", "new_target_values", "send_notifications_to_everyone", "subscriber_ids"}
    values = orjson.loads(asked["new_target_values"])
    if asked["status"] not in ("on_track", "caution", "off_track") or not asked.keys() <= {*known, "post_as_draft"}:
        return 400, {"error": "Bad request"}
    if asked["content"].get("type") != "doc" or any(one["id"] != tools.target["id"] for one in values):
        return 400, {"error": "Bad request"}
    for one in values:
        tools.target["value"] = one["value"]
    made = {
        "id": f"check-in-{next(tools.count)}",
        "goal_id": asked["goal_id"],
        "status": asked["status"],
        "state": "draft" if asked.get("post_as_draft") else "published",
        "message": orjson.dumps(asked["content"]).decode(),
        "inserted_at": f"{tools.clock():%Y-%m-%dT%H:%M:%SZ}-{next(tools.count):06}",
        "notified": asked.get("send_notifications_to_everyone", True),
    }
    tools.check_ins.append(made)
    return 200, {"update": made}


def _delete_check_in(tools: Tools, asked: Json, path: dict[str, str]) -> Answer:
    kept = [one for one in tools.check_ins if one["id"] != asked["id"]]
    found, tools.check_ins[:] = len(kept) < len(tools.check_ins), kept
    return (200, {"success": True}) if found else (404, {"error": "Not found"})


def _appfire(tools: Tools, asked: Json, path: dict[str, str]) -> Answer:
    needed = {"keyResults": {"keyResultId", "newValue"}, "objectives": {"objectiveId"}}[path["kind"]]
    words = ("ON TRACK", "AT RISK", "OFF TRACK", "NOT STARTED")
    if asked.keys() != needed | {"status", "description"} or asked["status"] not in words:
        return 400, {"message": "bad request"}
    tools.appfire.append(asked)
    return 200, {}


RECORDS = {"key_results": "key_result", "goals": "goal"}


def _record(tools: Tools, asked: Json, path: dict[str, str]) -> Answer:
    record = tools.records.get(path["id"])
    return (200, {RECORDS[path["kind"]]: record}) if record is not None else (404, {"error": "not found"})


def _patch(tools: Tools, asked: Json, path: dict[str, str]) -> Answer:
    fields = asked.get(RECORDS[path["kind"]])
    record = tools.records.get(path["id"])
    if record is None or not isinstance(fields, dict) or not isinstance(fields.get("progress"), int | float):
        return 400, {"errors": {"message": "invalid"}}
    record.update({name: value for name, value in fields.items() if name != "status"})
    if "status" in fields:
        record["workflow_status"] = {"id": fields["status"], "name": "…"}
    return 200, {RECORDS[path["kind"]]: record}


def _asana_goal(tools: Tools, asked: Json, path: dict[str, str]) -> Answer:
    return (200, {"data": {"gid": "77", "metric": tools.metric}}) if path["id"] == "77" else (404, {"errors": []})


def _set_metric(tools: Tools, asked: Json, path: dict[str, str]) -> Answer:
    value = asked["data"]["current_number_value"]
    tools.metric["current_number_value"] = round(value, tools.metric["precision"] + 2)
    return 200, {"data": {"gid": "77"}}


def _statuses(tools: Tools, asked: Json, path: dict[str, str]) -> Answer:
    start, limit = int(asked.get("offset", 0)), 2
    listed = [one for one in reversed(tools.statuses) if one["parent"] == asked["parent"]]
    more = {"offset": str(start + limit)} if start + limit < len(listed) else None
    return 200, {"data": listed[start : start + limit], "next_page": more}


def _post_status(tools: Tools, asked: Json, path: dict[str, str]) -> Answer:
    data = asked["data"]
    types = ("on_track", "at_risk", "off_track", "achieved", "partial", "missed", "dropped")
    text = data.get("html_text", "")
    if data["status_type"] not in types or not (text.startswith("<body>") and text.endswith("</body>")):
        return 400, {"errors": [{"message": "status_type or html_text"}]}
    made = {"gid": str(next(tools.count)), **data}
    tools.statuses.append(made)
    return 201, {"data": made}


def _delete_status(tools: Tools, asked: Json, path: dict[str, str]) -> Answer:
    tools.statuses[:] = [one for one in tools.statuses if one["gid"] != path["id"]]
    return 200, {"data": {}}


def _gateway(tools: Tools, asked: Json, path: dict[str, str]) -> Answer:
    variables = asked["variables"]
    if '@optIn(to:"Townsquare")' not in asked["query"]:
        return 200, {"errors": [{"message": "experimental: opt in"}]}
    if "goals_byKey" in asked["query"]:
        id = f"ari:cloud:townsquare:{CLOUD}:goal/1" if variables["key"] == "ACME-1" else None
        return 200, {"data": {"goals_byKey": {"id": id} if id else None}}
    told = variables["input"]
    text = "".join(one["text"] for block in orjson.loads(told["summary"])["content"] for one in block["content"])
    if len(text) > 280:
        failed = {"success": False, "errors": [{"message": "summary too long"}], "update": None}
        return 200, {"data": {"goals_createUpdate": failed}}
    tools.updates.append(told)
    made = {"success": True, "errors": None, "update": {"id": f"update-{next(tools.count)}"}}
    return 200, {"data": {"goals_createUpdate": made}}
