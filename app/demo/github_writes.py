"""What can be written to projects and fields of the simulated GitHub: a project's status, values of fields.

Each mutation answers as GitHub's payload of that name. Comments are in `github_graph`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from app.demo.github_boards import Project, ProjectField, ProjectItem, Status
from app.demo.github_projects import delete_status, edit_status, post_status, set_value
from app.demo.github_things import Issue, IssueField
from app.demo.graphql import Refusal, Resolver, Told

if TYPE_CHECKING:
    from app.demo.github_graph import Asking

Input = Mapping[str, Any]
MOST_OF_A_TEXT = 1024


def _node(asking: Asking, kind: type[Any], id: str) -> Any:
    """Return a visible thing of a kind; raise Refusal where the id is of nothing, or of another kind."""
    found = asking.site.node(id)
    if not isinstance(found, kind):
        raise Refusal(f"Could not resolve to a node with the global id of '{id}'", type="NOT_FOUND")
    return found


def _project(asking: Asking, project: Project) -> Project:
    if not project.viewer_can_update:
        login = asking.site.me.login
        raise Refusal(f"{login} does not have permission to update the project {project.id}.", type="FORBIDDEN")
    return project


def _payload(input: Input, **told: Any) -> Told:
    return {"clientMutationId": input.get("clientMutationId"), **told}


def _create_status(_: Any, asking: Asking, input: Input) -> Told:
    project = _project(asking, _node(asking, Project, input["projectId"]))
    status = post_status(asking.site, project, input.get("body"), input.get("status"), by=asking.site.me)
    return _payload(input, statusUpdate=status)


def _update_status(_: Any, asking: Asking, input: Input) -> Told:
    status: Status = _node(asking, Status, input["statusUpdateId"])
    _project(asking, status.project)
    said = {name: input[name] for name in ("body", "status") if name in input}
    edit_status(asking.site, status, **said)
    return _payload(input, statusUpdate=status)


def _delete_status(_: Any, asking: Asking, input: Input) -> Told:
    status: Status = _node(asking, Status, input["statusUpdateId"])
    _project(asking, status.project)
    delete_status(asking.site, status)
    return _payload(input, deletedStatusUpdateId=status.id)


def _place(asking: Asking, input: Input) -> tuple[ProjectItem, ProjectField]:
    project = _project(asking, _node(asking, Project, input["projectId"]))
    item: ProjectItem = _node(asking, ProjectItem, input["itemId"])
    field = next((one for one in project.fields if one.id == input["fieldId"]), None)
    if item.project is not project or field is None:
        raise Refusal("The item or the field does not belong to the project.", type="UNPROCESSABLE")
    return item, field


def _set_field(_: Any, asking: Asking, input: Input) -> Told:
    item, field = _place(asking, input)
    given = {name: value for name, value in input["value"].items() if value is not None}
    names = {"NUMBER": "number", "TEXT": "text", "DATE": "date", "SINGLE_SELECT": "singleSelectOptionId"}
    if list(given) != [names.get(field.data_type)]:
        raise Refusal(f"Did not receive a {field.data_type.lower()} value to update the field.", type="UNPROCESSABLE")
    (content,) = given.values()
    if field.data_type == "SINGLE_SELECT":
        content = next((option.name for option in field.options if option.id == content), None)
        if content is None:
            raise Refusal("The single select option Id does not belong to the field", type="UNPROCESSABLE")
    if isinstance(content, str) and len(content) > MOST_OF_A_TEXT:
        raise Refusal(f"Text is too long (maximum is {MOST_OF_A_TEXT} characters)", type="UNPROCESSABLE")
    set_value(asking.site, item, field.name, content)
    return _payload(input, projectV2Item=item)


def _clear_field(_: Any, asking: Asking, input: Input) -> Told:
    item, field = _place(asking, input)
    set_value(asking.site, item, field.name, None)
    return _payload(input, projectV2Item=item)


def _set_issue_fields(_: Any, asking: Asking, input: Input) -> Told:
    issue: Issue = _node(asking, Issue, input["issueId"])
    if issue.repository.viewer_permission == "READ":
        raise Refusal("Resource not accessible by personal access token", type="FORBIDDEN")
    told: dict[str, Any] = {}
    for given in input["issueFields"]:
        field = next((one for one in issue.repository.owner.issue_fields if one.id == given["fieldId"]), None)
        if field is None:
            raise Refusal(f"Could not resolve to a node with the global id of '{given['fieldId']}'", type="NOT_FOUND")
        told[field.name] = _issue_value(field, given)
    asking.site.change(issue, by=asking.site.me, fields=told)
    return _payload(input, issue=issue, issueFieldValues=list(issue.values.values()))


def _issue_value(field: IssueField, given: Input) -> Any:
    values = {name: value for name, value in given.items() if name != "fieldId" and value is not None}
    names = {"NUMBER": "numberValue", "TEXT": "textValue", "DATE": "dateValue", "SINGLE_SELECT": "singleSelectOptionId"}
    if values == {"delete": True}:
        return None
    if list(values) != [names.get(field.data_type)]:
        raise Refusal(f"Field {field.name} takes exactly one value of its type.", type="UNPROCESSABLE")
    (content,) = values.values()
    if field.data_type != "SINGLE_SELECT":
        return content
    option = next((one for one in field.options if one.id == content), None)
    if option is None:
        raise Refusal(f"Could not resolve to a node with the global id of '{content}'", type="NOT_FOUND")
    return option.name


WRITES: Mapping[str, Resolver] = {
    "Mutation.createProjectV2StatusUpdate": _create_status,
    "Mutation.updateProjectV2StatusUpdate": _update_status,
    "Mutation.deleteProjectV2StatusUpdate": _delete_status,
    "Mutation.updateProjectV2ItemFieldValue": _set_field,
    "Mutation.clearProjectV2ItemFieldValue": _clear_field,
    "Mutation.setIssueFieldValue": _set_issue_fields,
}
"""(nothing, asking, input) by ``Type.field``"""
