"""The operator's choices as values: what the workspace file says once it has been read and found right."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from domain.errors import ConfigError
from domain.okr import Initiative, KeyResult, Objective, Timeframe
from domain.rules import DEFAULT_POLICIES, MappingRule, Matcher, Policies


class Secret:
    """A value that is never shown. `source` (``env:JIRA_TOKEN``, ``file:/run/…``) may be."""

    __slots__ = ("_value", "source")

    def __init__(self, source: str, value: str | None) -> None:
        self.source = source
        self._value = value

    @property
    def missing(self) -> bool:
        """Whether the variable or the file was not there."""
        return not self._value

    def reveal(self, for_what: str = "") -> str:
        """Return the value; raise ConfigError that names the variable or file where it is missing."""
        if not self._value:
            kind, _, name = self.source.partition(":")
            what = f"environment variable {name}" if kind == "env" else f"secret file {name}"
            raise ConfigError(f"{for_what + ': ' if for_what else ''}{what} is not set. Set it and run again.")
        return self._value

    def __repr__(self) -> str:
        return f"Secret({self.source})"

    __str__ = __repr__


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """One configured account of one tracker. Fields that a tracker does not know keep their default.

    `auth` maps ``email``, ``token``, ``pat``, ``client_id`` … to a plain string or a `Secret`; nested
    mappings (``oauth``, ``app``, ``client_credentials``) keep their shape. `scope`, `estimate`, `status`
    and `epics` are as in the file. `statuses` maps the vendor's status word (lower case) to
    ``todo | in_progress | review | done | canceled``; `resolutions` the vendor's resolution (lower case)
    to ``canceled`` or ``done``.
    """

    name: str
    type: str
    url: str
    auth: Mapping[str, object] = field(default_factory=dict)
    allow_http: bool = False
    deployment: str = "auto"
    scope: Mapping[str, object] = field(default_factory=dict)
    levels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    estimate: object = "auto"
    status: object = "auto"
    epics: Mapping[str, object] = field(default_factory=dict)
    fields: Mapping[str, str] = field(default_factory=dict)
    statuses: Mapping[str, str] = field(default_factory=dict)
    resolutions: Mapping[str, str] = field(default_factory=dict)
    poll: timedelta = timedelta(minutes=5)
    census: timedelta = timedelta(hours=24)
    webhook_secret: Secret | None = None
    webhook_url: str | None = None
    budget: float = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Dimension:
    """An axis of the portfolio; `values` empty means any."""

    name: str
    values: tuple[str, ...] = ()
    targets: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Team:
    """A team and its capacity in weeks by timeframe."""

    name: str
    capacity_weeks: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishWhen:
    """When a row is sent: by change of progress (ratio 0…1) or health, at most once per span, or by cron."""

    progress: float | None = 0.01
    health: bool = True
    at_most: timedelta | None = timedelta(hours=24)
    cron: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishRow:
    """One row of `publish`: `outlet` is the kind of place (``jira.remote_link``, ``slack`` …).

    `to` holds the rest of the address as in the file. `only` is a matcher over the subject.
    """

    id: str
    outlet: str
    connection: str | None = None
    to: Mapping[str, object] = field(default_factory=dict)
    what: str = "initiatives"
    on: str = "subject"
    only: Matcher | None = None
    when: PublishWhen = PublishWhen()
    mode: str = "live"
    template: str | None = None
    experimental: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Workspace:
    """The whole file. Order of the mappings is the order of the file. `digest` is the hex SHA-256 of all its text."""

    name: str
    timezone: str
    connections: Mapping[str, Connection] = field(default_factory=dict)
    mirrors: tuple[tuple[tuple[str, str], ...], ...] = ()
    """groups of (connection, key), the leading one first"""
    timeframes: Mapping[str, Timeframe] = field(default_factory=dict)
    dimensions: Mapping[str, Dimension] = field(default_factory=dict)
    teams: Mapping[str, Team] = field(default_factory=dict)
    objectives: Mapping[str, Objective] = field(default_factory=dict)
    key_results: Mapping[str, KeyResult] = field(default_factory=dict)
    initiatives: Mapping[str, Initiative] = field(default_factory=dict)
    rules: tuple[MappingRule, ...] = ()
    policies: Policies = DEFAULT_POLICIES
    publish: tuple[PublishRow, ...] = ()
    files: tuple[str, ...] = ()
    digest: str = ""

    def policies_of(self, subject: str) -> Policies:
        """Policies of an objective, key result (its objective's) or initiative, else the workspace's."""
        if subject in self.key_results:
            subject = self.key_results[subject].objective
        owner = self.objectives.get(subject) or self.initiatives.get(subject)
        return self.policies.under(owner.policies) if owner else self.policies
