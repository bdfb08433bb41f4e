"""Linear's requests as values: GraphQL documents and the `Call`s that carry them.

Pure; what an answer means, and which call comes next, is decided in `client` and its neighbours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from connectors.base import Call, Json
from connectors.graphql import request

PATH = "/graphql"
PAGE, SHORT_PAGE, IDS = 250, 100, 250
"""issues a page, projects or initiatives a page, ids a request; Linear refuses `first` above 250"""
HISTORY_BULK = 50
"""issues whose history one request reads"""
NO_END = 1_000_000_000
"""a number that no issue has"""
ISSUE_POINTS = 37
"""what an issue costs at most by Linear's formula: 0.1 a property, 1 an object, a list its content times `first`"""

OPTIONAL: Mapping[str, tuple[str, ...]] = {"Project": ("identifier", "previousIdentifiers")}
"""Fields that newer schemas have, by type: asked for only where discovery found them."""

SYNCED = """syncedWith {
        id service
        metadata {
          ... on ExternalEntityInfoGithubMetadata { owner repo number }
          ... on ExternalEntityInfoJiraMetadata { issueKey }
        }
      }"""

NESTED: Mapping[tuple[str, str], tuple[int, str, str]] = {
    ("issues", "inverseRelations"): (4, "", "id type issue { id }"),
    ("issues", "attachments"): (
        2,
        'filter: { or: [{ url: { contains: "/issues/" } }, { url: { contains: "/browse/" } }] }',
        "id url",
    ),
    ("projects", "teams"): (4, "", "id key name"),
    ("projects", "initiativeToProjects"): (4, "", "id archivedAt initiative { id slugId name }"),
}
"""(list, list inside its nodes) -> how many come along, its filter, what is read of each; more is read by `rest`."""


def _nested(field: str, name: str) -> str:
    first, chosen, inner = NESTED[field, name]
    arguments = ", ".join(part for part in (f"first: {first}", "includeArchived: true", chosen) if part)
    return f"{name}({arguments}) {{ pageInfo {{ hasNextPage endCursor }} nodes {{ {inner} }} }}"


ISSUE = f"""
      id identifier previousIdentifiers title url estimate priority createdAt updatedAt startedAt completedAt
      canceledAt archivedAt trashed dueDate labelIds
      state {{ id name type }}
      team {{ id key name }}
      assignee {{ id displayName email }}
      project {{ id slugId name }}
      projectMilestone {{ id name }}
      parent {{ id identifier }}
      cycle {{ id number name }}
      {SYNCED}
      {_nested("issues", "inverseRelations")}
      {_nested("issues", "attachments")}
"""

PROJECT = f"""
      id slugId name url health priority createdAt updatedAt startedAt completedAt canceledAt archivedAt trashed
      startDate startDateResolution targetDate targetDateResolution labelIds
      status {{ id name type }}
      lead {{ id displayName email }}
      {_nested("projects", "teams")}
"""

PROJECT_LINKS = _nested("projects", "initiativeToProjects")

INITIATIVE = """
      id slugId name url status health priority createdAt updatedAt startedAt completedAt archivedAt trashed
      targetDate targetDateResolution labelIds
      owner { id displayName email }
      parentInitiative { id slugId name }
"""

ENTRY = """id createdAt
          fromStateId toStateId fromState { id name type } toState { id name type }
          fromEstimate toEstimate fromParentId toParentId fromProjectId toProjectId fromTeamId toTeamId
          fromCycleId toCycleId addedLabelIds removedLabelIds"""


def _listing(
    name: str, field: str, first: int, inner: str, *, variables: str = "", chosen: str = "", order: str = ""
) -> str:
    """Write a document that reads one page of a list; archived rows come along, as everywhere."""
    arguments = ", ".join(
        part
        for part in (
            f"first: {first}",
            "after: $after",
            "includeArchived: true",
            f"orderBy: {order}" if order else "",
            f"filter: {chosen}" if chosen else "",
        )
        if part
    )
    told = ", ".join(part for part in ("$after: String", variables) if part)
    return f"""query {name}({told}) {{
  {field}({arguments}) {{
    pageInfo {{ hasNextPage endCursor }}
    nodes {{ {inner.strip()} }}
  }}
}}"""


_TEAMS, _OF_TEAMS = "$teams: [ID!]!", "{ team: { id: { in: $teams } } }"
_WINDOW, _IN_WINDOW = (
    "$team: ID!, $low: Float!, $high: Float!",
    "{ team: { id: { eq: $team } }, number: { gte: $low, lt: $high } }",
)
_SPAN, _IN_SPAN = (
    "$teams: [ID!]!, $since: DateTimeOrDuration!, $until: DateTimeOrDuration!",
    "{ team: { id: { in: $teams } }, updatedAt: { gte: $since, lt: $until } }",
)
_IDS, _BY_ID = "$ids: [ID!]!", "{ id: { in: $ids } }"
_TOUCHED = "{ accessibleTeams: { some: { id: { in: $teams } } } }"

_ACCOUNT = """viewer { id name displayName email app admin guest }
  organization { id name urlKey }"""
_TEAM = "id key name visibility issueEstimationType retiredAt archivedAt"
VIEWER = f"""query Viewer {{
  {_ACCOUNT}
}}"""
WORKSPACE = f"""query Workspace {{
  {_ACCOUNT}
  teams(first: {PAGE}, includeArchived: true) {{
    pageInfo {{ hasNextPage endCursor }}
    nodes {{ {_TEAM} }}
  }}
}}"""
"""Who we are, and the first page of `TEAMS`."""
SHAPE = """query Shape {
  project: __type(name: "Project") { fields { name } }
}"""
TEAMS = _listing("Teams", "teams", PAGE, _TEAM)
STATES = _listing("WorkflowStates", "workflowStates", PAGE, "id name type")
PROJECT_STATUSES = _listing("ProjectStatuses", "projectStatuses", PAGE, "id name type")
ISSUE_LABELS = _listing("IssueLabels", "issueLabels", PAGE, "id name parent { name }")
PROJECT_LABELS = _listing("ProjectLabels", "projectLabels", PAGE, "id name parent { name }")
INITIATIVE_LABELS = _listing("InitiativeLabels", "initiativeLabels", PAGE, "id name parent { name }")
SIZES = _listing(
    "Sizes",
    "teams",
    SHORT_PAGE,
    "id issueCount(includeArchived: true) issues(first: 1, includeArchived: true) { nodes { number } }",
    variables=_IDS,
    chosen=_BY_ID,
)

LABELS_BY_ID: Mapping[str, str] = {
    "issues": _listing(
        "IssueLabelsById", "issueLabels", PAGE, "id name parent { name }", variables=_IDS, chosen=_BY_ID
    ),
    "projects": _listing(
        "ProjectLabelsById", "projectLabels", PAGE, "id name parent { name }", variables=_IDS, chosen=_BY_ID
    ),
    "initiatives": _listing(
        "InitiativeLabelsById", "initiativeLabels", PAGE, "id name parent { name }", variables=_IDS, chosen=_BY_ID
    ),
}
"""Labels by the list whose nodes carry them."""

ISSUES_IN_WINDOW = _listing("IssuesInWindow", "issues", PAGE, ISSUE, variables=_WINDOW, chosen=_IN_WINDOW)
ISSUES_CHANGED = _listing("IssuesChanged", "issues", PAGE, ISSUE, variables=_SPAN, chosen=_IN_SPAN, order="updatedAt")
ISSUES_BY_ID = _listing("IssuesById", "issues", PAGE, ISSUE, variables=_IDS, chosen=_BY_ID)
INITIATIVES = _listing("Initiatives", "initiatives", SHORT_PAGE, INITIATIVE)
INITIATIVES_SEEN = _listing("InitiativesSeen", "initiatives", 1, "id")
INITIATIVES_BY_ID = _listing("InitiativesById", "initiatives", SHORT_PAGE, INITIATIVE, variables=_IDS, chosen=_BY_ID)

ISSUE_IDS = _listing("IssueIds", "issues", PAGE, "id trashed", variables=_WINDOW, chosen=_IN_WINDOW)

HISTORY = _listing(
    "History",
    "issues",
    HISTORY_BULK,
    f"""id identifier previousIdentifiers team {{ id key }} parent {{ id identifier }} project {{ id slugId }}
      history(first: 30, includeArchived: true) {{
        pageInfo {{ hasNextPage endCursor }}
        nodes {{ {ENTRY} }}
      }}""",
    variables=_IDS,
    chosen=_BY_ID,
)

WEEKS = _listing(
    "Weeks",
    "projects",
    SHORT_PAGE,
    """id createdAt completedAt canceledAt
      issueCountHistory completedIssueCountHistory scopeHistory completedScopeHistory inProgressScopeHistory""",
    variables=_IDS,
    chosen=_BY_ID,
)
"""The weekly sums of projects, apart from what a sweep reads: they are long, and nothing of the present is in them."""


def projects_document(fields: Sequence[str], *, initiatives: bool, by_id: bool) -> str:
    """Write the document for projects: with the optional fields that the schema has, and with links we may see."""
    inner = " ".join([PROJECT, *fields, *([PROJECT_LINKS] if initiatives else [])])
    variables, chosen = (_IDS, _BY_ID) if by_id else (_TEAMS, _TOUCHED)
    return _listing(
        "ProjectsById" if by_id else "Projects", "projects", SHORT_PAGE, inner, variables=variables, chosen=chosen
    )


def rest_document(field: str, name: str) -> str:
    """Write the document that reads on in a list inside one node."""
    if name == "history":
        chosen, inner = "", ENTRY
    else:
        _, chosen, inner = NESTED[field, name]
    arguments = ", ".join(
        part for part in (f"first: {SHORT_PAGE}", "after: $after", "includeArchived: true", chosen) if part
    )
    return f"""query Rest($id: ID!, $after: String) {{
  {field}(first: 1, includeArchived: true, filter: {{ id: {{ eq: $id }} }}) {{
    nodes {{
      id
      {name}({arguments}) {{
        pageInfo {{ hasNextPage endCursor }}
        nodes {{ {inner} }}
      }}
    }}
  }}
}}"""


# --- calls


def ask(document: str, **variables: Json) -> Call:
    """Return the call that carries a document which only reads."""
    return request(PATH, document, variables)


def page(document: str, after: str | None, **variables: Json) -> Call:
    """Return the call for the page of a list after a cursor, the first where there is none."""
    return ask(document, **({"after": after} if after is not None else {}), **variables)


def stamp(ms: float) -> str:
    """Return epoch milliseconds as Linear takes an instant."""
    moment = datetime.fromtimestamp(ms / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
