"""What a field of a project or of issues is, and which value of it a content means.

Pure: both kinds have numbers, texts and options with an id each.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from connectors.base import Json, Spot
from connectors.github.shapes import object_of
from domain.errors import ConfigError, RejectedError
from domain.workspace import PublishRow

FITS: Mapping[str, tuple[str, ...]] = {
    "progress": ("NUMBER",),
    "health": ("SINGLE_SELECT", "TEXT"),
    "text": ("TEXT",),
}
"""types of fields, by what a row writes"""

_WORDS = {"NUMBER": "a number field", "SINGLE_SELECT": "a single select field", "TEXT": "a text field"}

LONGEST = 1024
"""characters of a field of text"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A field: `options` are their ids by name."""

    id: str
    name: str
    type: str
    options: Mapping[str, str]


def described(node: Mapping[str, Any]) -> dict[str, Json]:
    """Return what is kept of a field as GitHub tells it."""
    options = {str(one.get("name")): str(one.get("id")) for one in node.get("options") or () if isinstance(one, dict)}
    return {"id": node.get("id"), "name": node.get("name"), "type": node.get("dataType"), "options": options}


def field_in(told: Json) -> Field:
    """Return a field out of what was kept of it."""
    kept = object_of(told)
    options = {str(name): str(id) for name, id in object_of(kept.get("options")).items()}
    return Field(id=str(kept["id"]), name=str(kept["name"]), type=str(kept["type"]), options=options)


def chosen(row: PublishRow, nodes: Iterable[Mapping[str, Any]], place: str) -> dict[str, Json]:
    """Return the field that a row names by name or id; raise ConfigError where there is none or it does not fit."""
    wanted, value = str(row.to.get("field", "")), str(row.to.get("value", "progress"))
    found = [described(node) for node in nodes if node.get("name")]
    for field in found:
        if wanted == field["id"] or wanted.casefold() == str(field["name"]).casefold():
            if field["type"] in FITS[value]:
                return field
            fits = " or ".join(_WORDS[kind] for kind in FITS[value])
            raise ConfigError(
                f"{row.id}: `to.field`: '{field['name']}' of {place} is no field that {value} can be written to. "
                f"Name {fits}."
            )
    near = difflib.get_close_matches(wanted, [str(field["name"]) for field in found], n=3, cutoff=0.5)
    hint = f" Near: {', '.join(near)}." if near else ""
    raise ConfigError(f"{row.id}: `to.field`: {place} has no field '{wanted}', or our account may not see it.{hint}")


def value_of(field: Field, value: Json, spot: Spot) -> Json:
    """Return a value as the field takes it, an option by its id; raise RejectedError where it cannot."""
    if value is None or field.type == "NUMBER":
        return value
    text = str(value)
    if field.type == "SINGLE_SELECT":
        for name, id in field.options.items():
            if name.casefold() == text.casefold():
                return id
        raise RejectedError(
            f"{spot.row.id}: the field '{field.name}' has no option '{text}', only {', '.join(field.options)}. "
            "Add it at GitHub, or say under `options` of the row which one stands for which health."
        )
    if len(text) > LONGEST or "\n" in text:
        raise RejectedError(
            f"{spot.row.id}: the field '{field.name}' takes one line of at most {LONGEST} characters; the template "
            f"gives {len(text)}. Shorten it."
        )
    return text
