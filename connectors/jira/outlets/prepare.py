"""What is read at Jira before anything is written: which field a row means, what it takes, what our account may do.

Nothing is changed there. What is missing is an error, or a finding of `check`, that says what to do.
"""

from __future__ import annotations

import asyncio
import difflib
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from connectors.base import Call, Finding, Json, Reading
from connectors.http import Client
from connectors.jira import queries
from connectors.jira.fields import rows
from connectors.jira.outlets.field import NUMBER, OPTION, PARAGRAPHS, TEXT
from connectors.jira.outlets.places import api_of
from domain.errors import ConfigError, NotFoundError, RejectedError
from domain.workspace import PublishRow

_TYPES = "com.atlassian.jira.plugin.system.customfieldtypes:"
_PROJECTS = 10
"""whose permissions are asked"""

QUIET_PERMISSION = "ADMINISTER_PROJECTS"


async def find_field(client: Client, row: PublishRow, addresses: Sequence[str], reading: Reading) -> Mapping[str, Json]:
    """Return the id of the row's ``field``, what it ``takes`` and, of one with options, its ``options``.

    Raises ConfigError where no field, or more than one, is called so, or where it takes something else.
    """
    raw = await client.json(queries.issue_fields(api_of(reading)))
    field = _chosen(row, rows(raw))
    takes = _takes(field)
    wanted = str(row.to.get("value", "progress"))
    fits = {"progress": (NUMBER,), "health": (OPTION, TEXT, PARAGRAPHS)}.get(wanted, (TEXT, PARAGRAPHS))
    if takes not in fits:
        kinds = {NUMBER: "a number field", OPTION: "a select list with one choice", TEXT: "a text field"}
        needed = " or ".join(kinds[kind] for kind in fits if kind in kinds)
        raise ConfigError(
            f"{row.id}: `to.field`: '{field.get('name')}' ({field['id']}) is no field that {wanted} can be written to. "
            f"Name {needed}."
        )
    found: dict[str, Json] = {"field": str(field["id"]), "takes": takes}
    if takes == OPTION and addresses:
        options = await _options(client, reading, addresses[0], str(field["id"]))
        found |= {"options": options} if options is not None else {}
    return found


def _chosen(row: PublishRow, fields: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    text = str(row.to.get("field", ""))
    named = [one for one in fields if one.get("id") == text]
    named = named or [one for one in fields if text.casefold() in _names(one)]
    if len(named) == 1:
        return named[0]
    if named:
        listed = ", ".join(f"'{one.get('name')}' ({one['id']})" for one in named)
        raise ConfigError(f"{row.id}: `to.field` could mean several fields: {listed}. Give the id of one.")
    names = {str(one.get("name", "")): str(one["id"]) for one in fields if "id" in one}
    near = difflib.get_close_matches(text, names, n=3, cutoff=0.5)
    hint = " Near: " + ", ".join(f"'{name}' ({names[name]})" for name in near) + "." if near else ""
    raise ConfigError(f"{row.id}: `to.field`: no field '{text}' is visible to our account.{hint}")


def _names(field: Mapping[str, Any]) -> set[str]:
    return {str(field.get(key, "")).casefold() for key in ("name", "untranslatedName")} - {""}


def _takes(field: Mapping[str, Any]) -> str | None:
    """Return what a custom field takes; None for those of Jira itself and for what we do not write."""
    schema = field.get("schema")
    told = schema if isinstance(schema, dict) else {}
    if field.get("custom") is not True:
        return None
    match told.get("type"):
        case "number":
            return NUMBER
        case "option":
            return OPTION
        case "string":
            return PARAGRAPHS if told.get("custom") == _TYPES + "textarea" else TEXT
        case _:
            return None


async def _options(client: Client, reading: Reading, address: str, field: str) -> list[Json] | None:
    """Return the options that an issue offers for a field, None where its edit screen does not show the field."""
    path = f"{api_of(reading)}/issue/{quote(address, safe='')}/editmeta"
    try:
        told = await client.json(Call(method="GET", path=path))
    except NotFoundError:
        return None
    fields = told.get("fields") if isinstance(told, dict) else None
    meta = fields.get(field) if isinstance(fields, dict) else None
    allowed = meta.get("allowedValues") if isinstance(meta, dict) else None
    if not isinstance(allowed, list):
        return None
    return [str(one["value"]) for one in allowed if isinstance(one, dict) and "value" in one]


async def may_link(client: Client, row: PublishRow, reading: Reading) -> list[Finding]:
    """Tell whether remote links can be written."""
    return await _permitted(client, row, reading, {"LINK_ISSUES": "links cannot be written"})


async def may_edit(client: Client, row: PublishRow, reading: Reading) -> list[Finding]:
    """Tell whether properties can be written."""
    return await _permitted(client, row, reading, {"EDIT_ISSUES": "properties cannot be written"})


async def may_comment(client: Client, row: PublishRow, reading: Reading) -> list[Finding]:
    """Tell whether comments can be written, changed and taken away."""
    needed = {
        "ADD_COMMENTS": "comments cannot be written",
        "EDIT_OWN_COMMENTS": "the comment cannot be kept up to date",
        "DELETE_OWN_COMMENTS": "the comment stays where an issue is no longer linked",
    }
    return await _permitted(client, row, reading, needed)


async def may_set(client: Client, row: PublishRow, reading: Reading) -> list[Finding]:
    """Tell whether the field is there, takes what the row writes, and can be written without mail to watchers."""
    subject = f"target {row.id}"
    try:
        found = await find_field(client, row, (), reading)
    except (ConfigError, RejectedError) as error:
        return [Finding(level="error", subject=subject, message=str(error))]
    ready = Finding(level="ok", subject=subject, message=f"Writes {row.to.get('value')} to {found['field']}.")
    quiet = {"EDIT_ISSUES": "the field cannot be written", QUIET_PERMISSION: ""}
    return [ready, *await _permitted(client, row, reading, quiet)]


async def _permitted(client: Client, row: PublishRow, reading: Reading, needed: Mapping[str, str]) -> list[Finding]:
    visible = reading.facts.get("scoped_projects") or reading.facts.get("visible_projects")
    keys = [str(key) for key in visible][:_PROJECTS] if isinstance(visible, list) else []
    found = await asyncio.gather(*(_lacking(client, api_of(reading), key, tuple(needed)) for key in keys))
    subject = f"target {row.id}"
    findings = []
    for key, lacking in zip(keys, found, strict=True):
        for name in lacking:
            findings.append(
                Finding(
                    level="warning",
                    subject=subject,
                    message=f"The account lacks {name} in {key}: {needed[name]}. Grant it in the project's permission "
                    "scheme."
                    if needed[name]
                    else f"The account does not administer {key}, so Jira mails watchers of each edit. Make it an "
                    "administrator of the project, or silence `Issue Updated` in its notification scheme.",
                )
            )
    if not findings:
        return [Finding(level="ok", subject=subject, message="The account may write there.")]
    return findings


async def _lacking(client: Client, api: str, key: str, names: Sequence[str]) -> list[str]:
    try:
        told = await client.json(queries.permissions(api, key, names))
    except (NotFoundError, RejectedError):
        return list(names)
    granted = told.get("permissions") if isinstance(told, dict) else None
    have = granted if isinstance(granted, dict) else {}
    return [name for name in names if not (isinstance(have.get(name), dict) and have[name].get("havePermission"))]
