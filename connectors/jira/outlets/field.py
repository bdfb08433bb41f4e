"""Status updates -> a field of an issue: progress as a number, health by the name of an option, or a line of text.

Pure: a `Call` is described, never sent. Which field it is and what it takes was found by `prepare`.
"""

from __future__ import annotations

from collections.abc import Mapping

from connectors.base import Call, Json, Spot, There
from connectors.jira.outlets import adf
from connectors.jira.outlets.places import is_server, issue_path, object_of
from connectors.shapes import load
from connectors.values import as_wanted, of_row
from domain.errors import RejectedError
from domain.facts import StatusUpdate
from domain.workspace import PublishRow

NUMBER, TEXT, PARAGRAPHS, OPTION = "number", "text", "paragraphs", "option"
"""what a field takes; paragraphs are a document on Cloud, wiki markup on Data Center"""

QUIET = "notifyUsers"
LONGEST = {TEXT: 255, PARAGRAPHS: 32_000}
"""characters that a field of text keeps"""


def content(update: StatusUpdate, row: PublishRow) -> Mapping[str, Json]:
    """Return what the field says: a number of percent, the name of an option, or a text; None where it is empty."""
    return of_row(update, row)


def render(content: Mapping[str, Json], spot: Spot) -> Call:
    """Return the call that sets the field, with no mail to watchers where our account may say so.

    https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issues/#api-rest-api-3-issue-issueidorkey-put
    Raises RejectedError for an option that the field does not have.
    """
    return _set(spot, _vendor_value(content, spot))


def read(spot: Spot) -> Call:
    """Return the call that reads the field alone."""
    return Call(method="GET", path=issue_path(spot), params={"fields": field_of(spot)})


def current(body: bytes, spot: Spot) -> There:
    """Return what the field says now, None under `value` where it is empty; raises PayloadError on what is no JSON."""
    value = object_of(object_of(load(body)).get("fields")).get(field_of(spot))
    if kind_of(spot) == OPTION:
        value = object_of(value).get("value")
    elif isinstance(value, dict):
        value = adf.plain(value)
    return There(content={"value": as_wanted(value, spot.row)})


def remove(spot: Spot) -> Call:
    """Return the call that empties the field."""
    return _set(spot, None)


def _set(spot: Spot, value: Json) -> Call:
    return Call(
        method="PUT",
        path=issue_path(spot),
        params={QUIET: "false"},
        courtesies=(QUIET,),
        json={"fields": {field_of(spot): value}},
    )


def _vendor_value(content: Mapping[str, Json], spot: Spot) -> Json:
    value, kind = content.get("value"), kind_of(spot)
    if value is None or kind == NUMBER:
        return value
    if kind == OPTION:
        return {"value": _option(str(value), spot)}
    text = str(value)
    if len(text) > LONGEST[kind] or (kind == TEXT and "\n" in text):
        raise RejectedError(
            f"{spot.row.id}: the field '{spot.row.to.get('field')}' takes {_room(kind)}; the template gives "
            f"{len(text)} characters. Shorten it, or use a field with several lines."
        )
    return adf.paragraphs(text) if kind == PARAGRAPHS and not is_server(spot) else text


def _room(kind: str) -> str:
    return f"{'one line' if kind == TEXT else 'lines'} of at most {LONGEST[kind]} characters"


def _option(wanted: str, spot: Spot) -> str:
    """Return an option as the field spells it."""
    known = spot.facts.get("options")
    options = [str(one) for one in known] if isinstance(known, list) else [wanted]
    for option in options:
        if option.casefold() == wanted.casefold():
            return option
    raise RejectedError(
        f"{spot.row.id}: the field '{spot.row.to.get('field')}' has no option '{wanted}', only "
        f"{', '.join(options)}. Add it in Jira, or say under `options` of the row which one stands for which health."
    )


def field_of(spot: Spot) -> str:
    """Return the id of the field that `prepare` found."""
    return str(spot.facts["field"])


def kind_of(spot: Spot) -> str:
    """Return what the field takes."""
    return str(spot.facts["takes"])
