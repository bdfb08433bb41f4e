"""Status updates -> a field of an item in a project: progress as a number, health by an option, or a text.

Pure: a `Call` is described, never sent. Project, field, options and items were found by `prepare`.
"""

from __future__ import annotations

from collections.abc import Mapping

from connectors import graphql
from connectors.base import Call, Json, Spot, There
from connectors.github.outlets.fields import field_in, value_of
from connectors.github.outlets.places import issue_of, name_of
from connectors.github.queries import GRAPHQL
from connectors.github.shapes import object_of
from connectors.shapes import load
from connectors.values import as_wanted, of_row
from domain.errors import RejectedError
from domain.facts import StatusUpdate
from domain.workspace import PublishRow

FIELD_VALUE = """query FieldValue($item:ID!,$name:String!){
  node(id:$item){__typename ... on ProjectV2Item{id fieldValueByName(name:$name){__typename
    ... on ProjectV2ItemFieldNumberValue{number}
    ... on ProjectV2ItemFieldTextValue{text}
    ... on ProjectV2ItemFieldSingleSelectValue{name}}}}
}"""
SET_FIELD = """mutation SetField($project:ID!,$item:ID!,$field:ID!,$value:ProjectV2FieldValue!){
  updateProjectV2ItemFieldValue(input:{projectId:$project,itemId:$item,fieldId:$field,value:$value}){
    projectV2Item{id}}
}"""
CLEAR_FIELD = """mutation ClearField($project:ID!,$item:ID!,$field:ID!){
  clearProjectV2ItemFieldValue(input:{projectId:$project,itemId:$item,fieldId:$field}){projectV2Item{id}}
}"""
DOCUMENTS = (FIELD_VALUE, SET_FIELD, CLEAR_FIELD)


def content(update: StatusUpdate, row: PublishRow) -> Mapping[str, Json]:
    """Return what the field says: a number of percent, the name of an option, or a text; None where it is empty."""
    return of_row(update, row)


def render(content: Mapping[str, Json], spot: Spot) -> Call:
    """Return the call that sets the field, or empties it; raise RejectedError for an option that it does not have."""
    where, field = _where(spot), field_in(spot.facts.get("field"))
    value = value_of(field, content.get("value"), spot)
    if value is None:
        return graphql.request(GRAPHQL, CLEAR_FIELD, where)
    name = {"NUMBER": "number", "SINGLE_SELECT": "singleSelectOptionId"}.get(field.type, "text")
    return graphql.request(GRAPHQL, SET_FIELD, {**where, "value": {name: value}})


def read(spot: Spot) -> Call:
    """Return the call that reads the field of the item."""
    name = field_in(spot.facts.get("field")).name
    return graphql.request(GRAPHQL, FIELD_VALUE, {"item": _item(spot), "name": name})


def current(answer: bytes, spot: Spot) -> There | None:
    """Return what the field says now, None under `value` where it is empty; None where the item is gone."""
    node = object_of(object_of(object_of(load(answer)).get("data")).get("node"))
    if not node:
        return None
    told = object_of(node.get("fieldValueByName"))
    value = next((told[name] for name in ("number", "text", "name") if told.get(name) is not None), None)
    return There(content={"value": as_wanted(value, spot.row)})


def remove(spot: Spot) -> Call:
    """Return the call that empties the field."""
    return graphql.request(GRAPHQL, CLEAR_FIELD, _where(spot))


def _where(spot: Spot) -> dict[str, Json]:
    field = field_in(spot.facts.get("field"))
    return {"project": spot.facts.get("project"), "item": _item(spot), "field": field.id}


def _item(spot: Spot) -> str:
    """Return the id of the issue's item in the project; raise RejectedError where it has none."""
    items = object_of(spot.facts.get("items"))
    item = items.get(issue_of(spot))
    if not isinstance(item, str):
        raise RejectedError(
            f"{spot.row.id}: {name_of(spot)} is not in the project {spot.row.to.get('project')}. Add it there, or "
            "leave the subject out by `only`."
        )
    return item
