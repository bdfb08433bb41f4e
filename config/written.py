"""Values of the domain as lines of YAML, the way a person would write them into the workspace file.

Only what a generated file needs; reading is done by `shapes` and the grammar.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any

from domain.okr import Metric
from domain.rules import All, Credit, Matcher, Not, Test
from domain.workspace import Secret

PLAIN = re.compile(r"[A-Za-z_][\w@./\-]*( [\w@./\-%]+)*|\d{4}-\d{2}-\d{2}|\d{4}-Q\d")
MEANT_OTHERWISE = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})


def scalar(value: object) -> str:
    """Write one value; a text gets quotes where YAML (1.1 too) could read it as something else."""
    match value:
        case bool():
            return "true" if value else "false"
        case Secret():
            return json.dumps(f"${{{value.source}}}")
        case float():
            return f"{value:.12g}"
        case int():
            return str(value)
        case datetime():
            return json.dumps(value.isoformat())
        case date():
            return value.isoformat()
        case timedelta():
            return span(value)
    text = str(value)
    if PLAIN.fullmatch(text) and text.lower() not in MEANT_OTHERWISE:
        return text
    return json.dumps(text, ensure_ascii=False)


def flow(value: object) -> str:
    """Write a value on one line: ``{kind: number, target: 3}``, ``[EU, US]``."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{scalar(key)}: {flow(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(flow(inner) for inner in value) + "]"
    return scalar(value)


def span(value: timedelta) -> str:
    """Write a span in its largest whole unit: ``14d``, ``36h``, ``5m``."""
    seconds = int(value.total_seconds())
    for unit, length in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds and seconds % length == 0:
            return f"{seconds // length}{unit}"
    return f"{seconds}s"


def matcher(value: Matcher) -> dict[str, Any]:
    """Return a matcher as the mapping that reads back as it."""
    match value:
        case Test(field="raw", op="jmespath"):
            return {"jmespath": value.value}
        case Test(op="in"):
            words = value.value if isinstance(value.value, tuple) else (value.value,)
            return {value.field: [_plain(word) for word in words]}
        case Test():
            return {value.field: {value.op: value.value}}
        case Not():
            return {"not": matcher(value.inner)}
    return {"all" if isinstance(value, All) else "any": [matcher(inner) for inner in value.inner]}


def _plain(word: object) -> object:
    """Return the words of a flag as the flag."""
    return word == "true" if word in ("true", "false") else word


def metric(value: Metric) -> dict[str, Any]:
    """Return a metric without its start and its dated targets: the next period has its own."""
    stated: dict[str, Any] = {"kind": value.kind}
    for name in ("target", "unit", "lo", "hi", "tolerance", "check_in_every"):
        if (each := getattr(value, name)) is not None:
            stated[name] = each
    if value.partial:
        stated["partial"] = True
    ahead = [each for each in value.milestones if each.done is None] or value.milestones
    steps = [{"title": each.title, "weight": each.weight} for each in ahead]
    return stated | ({"milestones": steps} if steps else {})


def source(value: object) -> object:
    """Return the source of a metric's values as the file has it."""
    if not isinstance(value, Mapping):
        return value
    return {name: inner if name in ("http", "field") else matcher(inner) for name, inner in value.items()}


def policies(values: Mapping[str, object]) -> dict[str, Any]:
    """Return stated policies as the file has them: `size_field` back under `size`, days with their unit."""
    stated: dict[str, Any] = {name: value for name, value in values.items() if name != "size_field"}
    if stated.get("size") == "field":
        stated["size"] = {"field": values["size_field"]}
    if isinstance(credit := stated.get("credit"), Credit):
        names = ("todo", "started", "review", "done")
        stated["credit"] = {name: getattr(credit, name) for name in names}
    if "inaccessible_grace" in stated:
        stated["inaccessible_grace"] = f"{stated['inaccessible_grace']}d"
    forecast = stated.get("forecast")
    if isinstance(forecast, Mapping) and "window" in forecast:
        stated["forecast"] = {**forecast, "window": f"{forecast['window']}d"}
    return stated
