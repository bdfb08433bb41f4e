"""The shape of `publish`: where a rollup is shown, on which address, for whom and when.

Which places there are is declared here; how a place is written to is the connectors' business.
"""

from __future__ import annotations

import re
from typing import Any

from config import nodes, tools
from config.addresses import Address
from config.connections import NAME
from config.cron import cron_problem
from config.jinja import template_problem
from config.matchers import SUBJECTS
from config.nodes import Listing, Node
from config.notes import BAD, Notes, Place, Schema, at, nearest, refuse
from config.scalars import Choice, Define, Flag, Refer, SecretRef, Span, Text
from config.shapes import Here, Key, ListOf, MapOf, Record, Then
from domain.okr import Health
from domain.workspace import PublishRow, PublishWhen

OUTLETS = {
    "jira": ("remote_link", "property", "field", "comment"),
    "github": ("status_update", "project_field", "issue_field", "comment"),
    "linear": ("update", "attachment"),
}
"""What a tracker connection can be written `as`."""

VERIFIED_TOOLS = (
    "okr_tracker",
    "operately",
    "appfire",
    "aha",
    "asana",
    "gitlab",
    "yandex_tracker",
    "hibob",
    "profit",
)
UNVERIFIED_TOOLS = ("goals", "productboard", "clickup", "tability", "workboard", "quantive")
"""OKR tools whose calls are not in their vendor's published documents: they need `experimental: true`."""

TOOLS = (*VERIFIED_TOOLS, *UNVERIFIED_TOOLS)
SENSITIVE = re.compile(r"(^|_)(token|secret|password|pat|pass|credentials?|(api|access|private|secret)_?key)$")
FIELDS = ("field", "project_field", "issue_field")

CHANGE = re.compile(r"(\d+(?:\.\d+)?)\s*(pp)?")


def _step(text: str, node: Node, path: str, notes: Notes) -> Any:
    """Read ``1pp`` as 0.01, ``0.01`` as itself, ``never`` as None."""
    if text == "never":
        return None
    found = CHANGE.fullmatch(text)
    value = float(found[1]) / (100 if found[2] else 1) if found else 0.0
    if not 0 < value <= 1:
        notes.error(at(node, path), f"Expected a change like 1pp (one percentage point) or never, found '{text[:20]}'.")
        return BAD
    return value


def _when(values: dict[str, Any], here: Here) -> PublishWhen:
    """With a cron line nothing else sends, unless it is stated."""
    if "health" in values:
        values["health"] = values["health"] == "change"
    if "cron" in values:
        values = {"progress": None, "health": False, "at_most": None} | values
    when = PublishWhen(**values)
    if when.progress is None and not when.health and when.cron is None:
        here.error("", "Nothing would ever be sent: give it progress, health or cron.")
    return when


WHEN = Record(
    "when",
    {
        "progress": Key(Then(Text("a change like 1pp, or never"), _step), "Send when progress moved this far."),
        "health": Key(Choice(("change", "never")), "Send when health changed."),
        "at_most": Key(Span(), "Not more often than this, like 24h."),
        "cron": Key(Text("a cron line", check=cron_problem), "Send at these times, in the workspace's time zone."),
    },
    _when,
)


class Settings:
    """What another tool needs, by its own names; a key that names a credential takes a reference only."""

    expected = "a mapping with the tool's settings; tokens as references"
    secret = SecretRef()
    text = SecretRef(plain=True)
    address = Address()

    def read(self, node: Node, path: str, notes: Notes, name: str = "") -> Any:
        if isinstance(node, nodes.Mapping):
            inner = {key: self.read(child, f"{path}.{key}", notes, key) for key, child in node.values.items()}
            return BAD if any(value is BAD for value in inner.values()) else inner
        if not name:
            return refuse(node, path, notes, self.expected)
        if isinstance(node, Listing):
            items = [self.read(item, f"{path}[{i}]", notes, name) for i, item in enumerate(node.items)]
            return BAD if any(value is BAD for value in items) else items
        if SENSITIVE.search(name.lower().replace("-", "_")):
            return self.secret.read(node, path, notes)
        return (self.address if name.lower() in ("url", "base_url") else self.text).read(node, path, notes)

    def schema(self) -> Schema:
        return {"type": "object"}


CONNECTION_TO = Record(
    "to",
    {
        "connection": Key(Refer(("connection",), "a connection"), "The tracker to write to.", required=True),
        "as": Key(
            Choice(tuple(dict.fromkeys(kind for kinds in OUTLETS.values() for kind in kinds))),
            "Jira: remote_link, property, field, comment. GitHub: status_update, project_field, issue_field, comment. "
            "Linear: update, attachment.",
            required=True,
        ),
        "field": Key(Text("the name or id of a field"), "With a kind of field: which one."),
        "value": Key(Choice(("progress", "health", "text")), "With a kind of field: what is written."),
        "key": Key(
            Text("a property key"),
            "With property: its key; default keyrail. {subject} in it gives each subject its own.",
        ),
        "options": Key(
            MapOf(Text("the name of an option, or none"), key=Choice(tuple(health.value for health in Health))),
            "With value health: which option stands for which health, none leaves the field empty; else On track …",
        ),
        "project": Key(
            Text("a project as owner/number", r"[^\s/]+/[0-9]+"),
            "With project_field: whose field; with status_update: of the subjects that name none.",
        ),
    },
)


class To:
    """The place of a publish row: a connection, Slack, a webhook or another OKR tool by name."""

    expected = "{connection: NAME, as: KIND}, {slack: …}, {webhook: …} or an OKR tool by name"

    def read(self, node: Node, path: str, notes: Notes) -> Any:
        if not isinstance(node, nodes.Mapping):
            return refuse(node, path, notes, self.expected)
        if "connection" in node.values or "as" in node.values:
            return self._connection(node, path, notes)
        if len(node.values) != 1:
            notes.error(at(node, path), f"Expected {self.expected}, found {len(node.values)} keys.")
            return BAD
        [(name, child)] = node.values.items()
        inner, tool = f"{path}.{name}", name.replace("-", "_")
        if tool == "slack":
            address = tools.SLACK.read(child, inner, notes)
        elif tool == "webhook":
            address = tools.WEBHOOK.read(child, inner, notes)
        elif tool in TOOLS:
            address = tools.TOOLS.get(tool, Settings()).read(child, inner, notes)
        else:
            known = ("connection", "slack", "webhook", *TOOLS)
            place = Place(node.file, node.line_of(name), inner)
            notes.error(place, f"Unknown place '{name[:40]}'. Valid: {', '.join(known)}.", nearest(tool, known))
            return BAD
        return address if address is BAD else (tool, None, address)

    def _connection(self, node: nodes.Mapping, path: str, notes: Notes) -> Any:
        values = CONNECTION_TO.read(node, path, notes)
        if values is BAD:
            return BAD
        kind = values.pop("as")
        if kind in FIELDS and "field" not in values:
            notes.error(at(node, path), f"The key 'field' is missing here: which field is written as {kind}?")
            return BAD
        if kind == "project_field" and "project" not in values:
            notes.error(at(node, path), "The key 'project' is missing here: the field of which project is written?")
            return BAD
        if kind in FIELDS:
            values.setdefault("value", "progress")
        elif stray := [key for key in ("field", "value", "options") if key in values]:
            notes.error(at(node, path), f"'{stray[0]}' means nothing to {kind}; it belongs to {', '.join(FIELDS)}.")
            return BAD
        return kind, values.pop("connection"), values

    def schema(self) -> Schema:
        known: Schema = {tool: tools.TOOLS.get(tool, Settings()).schema() for tool in TOOLS}
        others = {"slack": tools.SLACK.schema(), "webhook": tools.WEBHOOK.schema()} | known
        other = {"type": "object", "properties": others, "additionalProperties": False, "maxProperties": 1}
        return {"anyOf": [CONNECTION_TO.schema(), other | {"minProperties": 1}]}


def _row(values: dict[str, Any], here: Here) -> PublishRow:
    kind, connection, address = values.pop("to")
    if kind == "goals":
        values.setdefault("when", PublishWhen(at_most=tools.APART))
    row = PublishRow(outlet=kind, connection=connection, to=address, **values)
    if connection:
        here.notes.places[f"publish:{row.id}"] = here.place("to")
    if kind in UNVERIFIED_TOOLS and not row.experimental:
        here.error(
            "to",
            f"The calls of {kind} are not in its vendor's published documents and were never tried on a live account. "
            "Say experimental: true on this row to use it.",
        )
    if problem := tools.pace_problem(kind, row.to, row.when):
        here.error("when" if "when" in values else "", problem)
    if row.on == "linked_epics" and not connection:
        here.error("on", "linked_epics are items of a tracker: the row needs to: {connection: …}.")
    if row.on == "linked_epics" and row.what == "epics":
        here.error("on", "With what: epics each epic is its own address; say on: subject.")
    return row


ROW_ID = Define("publish row", "publish row", NAME)
ROW = Record(
    "a publish row",
    {
        "id": Key(ROW_ID, "Its id; part of the key of what it writes.", required=True),
        "to": Key(To(), "The place.", required=True),
        "what": Key(Choice(("epics", "initiatives", "key_results", "objectives")), "What is shown."),
        "on": Key(Choice(("linked_epics", "subject")), "The epics linked to it, or its own entry under external."),
        "only": Key(SUBJECTS, "Which of them; the current timeframe's unless said."),
        "when": Key(WHEN, "When it is sent."),
        "mode": Key(Choice(("live", "dry_run")), "dry_run: shows what it would write and sends nothing."),
        "template": Key(Text("a template", check=template_problem), "The text, with {{ name }} placeholders (Jinja2)."),
        "experimental": Key(Flag(), "Allow a place that was never tried on a live account."),
    },
    _row,
)
PUBLISH = ListOf(ROW, single=False)
