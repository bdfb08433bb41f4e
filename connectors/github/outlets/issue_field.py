"""Status updates -> a field that an organization gives its issues: a number, an option, or a text.

Pure: a `Call` is described, never sent. Which field of whose organization was found by `prepare`. GitHub offers this
as a preview.
"""

from __future__ import annotations

from collections.abc import Mapping

from connectors import graphql
from connectors.base import Call, Json, Spot, There
from connectors.github.outlets.fields import Field, field_in, value_of
from connectors.github.outlets.places import issue_of, name_of
from connectors.github.queries import GRAPHQL
from connectors.github.shapes import object_of, objects
from connectors.shapes import load
from connectors.values import as_wanted, of_row
from domain.errors import RejectedError
from domain.facts import StatusUpdate
from domain.workspace import PublishRow

ISSUE_VALUES = """query IssueValues($id:ID!){
  node(id:$id){__typename ... on Issue{id issueFieldValues(first:100){nodes{__typename
    ... on IssueFieldValueCommon{field{... on Node{id}}}
    ... on IssueFieldNumberValue{numberValue:value}
    ... on IssueFieldTextValue{textValue:value}
    ... on IssueFieldSingleSelectValue{name}}}}}
}"""
SET_VALUE = """mutation SetValue($issue:ID!,$fields:[IssueFieldCreateOrUpdateInput!]!){
  setIssueFieldValue(input:{issueId:$issue,issueFields:$fields}){issue{id}}
}"""
DOCUMENTS = (ISSUE_VALUES, SET_VALUE)


def content(update: StatusUpdate, row: PublishRow) -> Mapping[str, Json]:
    """Return what the field says: a number of percent, the name of an option, or a text; None where it is empty."""
    return of_row(update, row)


def render(content: Mapping[str, Json], spot: Spot) -> Call:
    """Return the call that sets the field, or empties it; raise RejectedError for an option that it does not have."""
    field = _field(spot)
    value = value_of(field, content.get("value"), spot)
    if value is None:
        return remove(spot)
    name = {"NUMBER": "numberValue", "SINGLE_SELECT": "singleSelectOptionId"}.get(field.type, "textValue")
    return _set(spot, {"fieldId": field.id, name: value})


def read(spot: Spot) -> Call:
    """Return the call that reads the fields of the issue."""
    return graphql.request(GRAPHQL, ISSUE_VALUES, {"id": issue_of(spot)})


def current(answer: bytes, spot: Spot) -> There | None:
    """Return what the field says now, None under `value` where it is empty; None where the issue is gone."""
    node = object_of(object_of(object_of(load(answer)).get("data")).get("node"))
    if not node:
        return None
    wanted = _field(spot).id
    for told in objects(node.get("issueFieldValues")):
        if object_of(told.get("field")).get("id") == wanted:
            value = next(
                (told[name] for name in ("numberValue", "textValue", "name") if told.get(name) is not None), None
            )
            return There(content={"value": as_wanted(value, spot.row)})
    return There(content={"value": None})


def remove(spot: Spot) -> Call:
    """Return the call that empties the field."""
    return _set(spot, {"fieldId": _field(spot).id, "delete": True})


def _set(spot: Spot, field: dict[str, Json]) -> Call:
    return graphql.request(GRAPHQL, SET_VALUE, {"issue": issue_of(spot), "fields": [field]})


def _field(spot: Spot) -> Field:
    """Return the field of the issue's organization; raise RejectedError where it has none of that name."""
    told = object_of(spot.facts.get("fields")).get(issue_of(spot))
    if not isinstance(told, dict):
        raise RejectedError(
            f"{spot.row.id}: the organization of issue {name_of(spot)} has no issue field "
            f"'{spot.row.to.get('field')}', or our account may not see it. Add it in the "
            "organization's settings, or leave the subject out by `only`."
        )
    return field_in(told)
