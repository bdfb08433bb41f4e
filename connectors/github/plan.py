"""What one page needs of the connection and of discovery, looked up once: epics, status, estimate, fields, projects.

Pure; also what stands in for discovery where there was none. No issue is read here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

import re2

from connectors.base import Reading
from connectors.github.shapes import folded
from domain.work import Category
from domain.workspace import Connection

TEMPLATE_WORDS: Mapping[str, Category] = {
    "todo": Category.TODO,
    "in progress": Category.IN_PROGRESS,
    "done": Category.DONE,
}
"""The options of the field Status in GitHub's own project template; they compare without case.

https://docs.github.com/en/issues/planning-and-tracking-with-projects/learning-about-projects/quickstart-for-projects
"""

STATUS_CATEGORIES: Mapping[str, Category] = {
    "backlog": Category.TODO,
    "planned": Category.TODO,
    "started": Category.IN_PROGRESS,
    "completed": Category.DONE,
    "not_planned": Category.CANCELED,
    "duplicate": Category.CANCELED,
}
"""Category of an issue status (preview) -> category."""

ESTIMATE_NAMES = ("effort", "estimate", "story points", "points")
"""Issue fields that hold the estimate under ``estimate: auto``, the first that is a number."""

START_NAMES, DUE_NAMES = ("start date",), ("due date", "target date")
"""Date fields, of the issue or of a project, that say when work starts and when it is due."""

ENDS = frozenset({"done", "canceled"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where a value stands: `kind` is ``none``, ``auto``, ``issue_field``, ``project_field`` or ``label``.

    `name` is the field's, as names compare; `pattern` is compiled RE2 with one group around the value.
    """

    kind: str
    name: str = ""
    pattern: Any = None  # Any: google-re2 has no types

    def in_labels(self, labels: Iterable[str]) -> str | None:
        """Return what the first label that fits says."""
        for label in labels:
            if self.pattern is not None and (found := self.pattern.search(label)):
                return str(found[1]).strip() if found[1] else None
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What one page needs of the connection and the discovery, looked up once.

    `projects` are those of the scope, ``owner/number`` in lower case, the first leads; `project_ids` has the same by
    the ids that discovery found. `meanings` are the operator's categories by status word.
    """

    connection: str
    site: str
    epic_types: frozenset[str]
    with_sub_issues: bool
    milestones: bool
    status: Source
    estimate: Source
    projects: tuple[str, ...]
    project_ids: Mapping[str, str]
    team: str | None
    extra: tuple[tuple[str, str], ...]
    meanings: Mapping[str, str]

    def status_word(self, is_open: bool, word: str | None) -> str:
        """Return the status of an issue that a label or a project gives `word`.

        What is closed keeps a word only where it means an end: closed wins over a word that nobody moved.
        """
        if is_open:
            return word or "open"
        meaning = self.meanings.get(folded(word or "")) or TEMPLATE_WORDS.get(folded(word or ""))
        return word if word and meaning in ENDS else "closed"

    def has_status_history(self) -> bool:
        """Tell whether GitHub keeps the past of the status words: it does of labels and of a project's Status."""
        return self.status.kind == "label" or (self.status.kind == "project_field" and self.status.name == "status")


def plan_of(connection: Connection, reading: Reading) -> Plan:
    """Return the plan of a page."""
    epics = connection.epics
    types = epics.get("types")
    fields = {name: folded(field) for name, field in connection.fields.items()}
    team = fields.pop("team", None)
    site = reading.facts.get("site")
    projects = connection.scope.get("projects")
    return Plan(
        connection=connection.name,
        site=site.rstrip("/") if isinstance(site, str) else site_of(connection.url),
        epic_types=frozenset(folded(str(name)) for name in (types if isinstance(types, (list, tuple)) else ("Epic",))),
        with_sub_issues=epics.get("with_sub_issues", True) is not False,
        milestones=epics.get("milestones") is True,
        status=_source(connection.status),
        estimate=_source(connection.estimate),
        projects=tuple([folded(str(name)) for name in projects]) if isinstance(projects, (list, tuple)) else (),
        project_ids=_project_ids(reading.facts.get("projects")),
        team=team,
        extra=tuple(fields.items()),
        meanings={folded(word): meaning for word, meaning in connection.statuses.items()},
    )


def _project_ids(known: object) -> dict[str, str]:
    """Read ``{"owner/number": {"id": …}}``."""
    told = known.items() if isinstance(known, Mapping) else ()
    return {str(one["id"]): folded(str(key)) for key, one in told if isinstance(one, Mapping) and "id" in one}


def _source(told: object) -> Source:
    if isinstance(told, Mapping):
        for kind, value in told.items():
            if kind == "label":
                return Source(kind=kind, pattern=_compiled(str(value)))
            if kind in ("issue_field", "project_field"):
                return Source(kind=kind, name=folded(str(value)))
    return Source(kind="none" if told == "none" else "auto")


@lru_cache(64)
def _compiled(pattern: str) -> Any:
    """Compile a regular expression, found anywhere and without case, as matchers do."""
    options = re2.Options()
    options.log_errors = False
    options.case_sensitive = False
    return re2.compile(pattern, options)


def site_of(url: str) -> str:
    """Return where people look, by the address of the API: github.com, a data residency or an Enterprise Server."""
    parts = urlsplit(url)
    host = parts.netloc.removeprefix("api.") if parts.hostname and parts.hostname.startswith("api.") else parts.netloc
    return f"{parts.scheme}://{host}" if host else url.rstrip("/")


def defaults(connection: Connection) -> Reading:
    """Return the reading that stands in for discovery: GitHub's own status words, everything else as payloads say."""
    statuses = {word: category.value for word, category in TEMPLATE_WORDS.items()}
    return Reading(facts={"site": site_of(connection.url), "statuses": statuses}, account="", digest="")
