"""What a key result or an initiative covers: its initiatives' shares, its dates, its policies.

Facts are measured against a scope here; the numbers themselves are made in `progress`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from hashlib import sha256

from domain.facts import Facts, Flow, Progress
from domain.okr import Initiative, KeyResult, Status
from domain.rules import Policies
from domain.workspace import Workspace
from rollup import progress as sums
from rollup.leaves import Frame, frame
from rollup.parts import FORM, Part, flow_of, progress_of
from rollup.progress import at_baseline, shown, sized, with_flags
from rollup.sizes import Sized
from rollup.tree import Key

NO_INITIATIVES: Mapping[str, Initiative] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What is summed up for a subject.

    `shares` maps initiative id to share, in the order of the file. `start` and `end` are its dates; `due`
    is the day it is to be done by. `end` is None for initiatives, which keep moving after their due date.
    """

    id: str
    shares: Mapping[str, float]
    policies: Policies
    start: date | None
    end: date | None
    due: date | None
    before_start_applies: bool


def all_initiatives(workspace: Workspace, extra: Mapping[str, Initiative] = NO_INITIATIVES) -> dict[str, Initiative]:
    """Return the initiatives of the file, then those that rules created; the file wins over a rule."""
    return {**workspace.initiatives, **{i: v for i, v in extra.items() if i not in workspace.initiatives}}


def contributors(workspace: Workspace, extra: Mapping[str, Initiative] = NO_INITIATIVES) -> dict[str, dict[str, float]]:
    """Return for each key result the initiatives that serve it with their shares, in the order of the file."""
    found: dict[str, dict[str, float]] = {kr: {} for kr in workspace.key_results}
    for initiative in all_initiatives(workspace, extra).values():
        for c in initiative.contributes:
            if c.to in found:
                shares = found[c.to]
                shares[initiative.id] = max(c.share, shares.get(initiative.id, 0.0))
    return found


def period(workspace: Workspace, key_result: KeyResult) -> tuple[date | None, date | None]:
    """Return first and last day of a key result: its own, else its timeframe's, else its objective's.

    A close ends the period on that day.
    """
    objective = workspace.objectives.get(key_result.objective)
    name = key_result.timeframe or (objective.timeframe if objective else None)
    timeframe = workspace.timeframes.get(name) if name else None
    start = key_result.start or (timeframe.start if timeframe else None)
    end = key_result.end or (timeframe.end if timeframe else None)
    closed = key_result.closed_on if key_result.status is Status.CLOSED else None
    if closed is not None and (end is None or closed < end):
        end = closed
    return start, end


def due_of(workspace: Workspace, initiative: Initiative) -> date | None:
    """Return the day an initiative is due: its own, else the latest end of the key results it serves."""
    if initiative.due is not None:
        return initiative.due
    served = (workspace.key_results[c.to] for c in initiative.contributes if c.to in workspace.key_results)
    return max((end for kr in served if (end := period(workspace, kr)[1]) is not None), default=None)


def scope_of(workspace: Workspace, subject: str, extra: Mapping[str, Initiative] = NO_INITIATIVES) -> Scope:
    """Return the scope of a key result or an initiative; raise KeyError for any other id.

    The items of a canceled initiative are left out of the key results it serves.
    """
    return scopes_of(workspace, (subject,), extra)[subject]


def scopes_of(
    workspace: Workspace,
    subjects: Iterable[str],
    extra: Mapping[str, Initiative] = NO_INITIATIVES,
    served: Mapping[str, Mapping[str, float]] | None = None,
) -> dict[str, Scope]:
    """Return the scopes of several subjects, as `scope_of` does each; `served` is what `contributors` answers."""
    initiatives = all_initiatives(workspace, extra)
    served = contributors(workspace, extra) if served is None else served
    return {subject: _scope(workspace, subject, initiatives, served) for subject in subjects}


def _scope(
    workspace: Workspace,
    subject: str,
    initiatives: Mapping[str, Initiative],
    served: Mapping[str, Mapping[str, float]],
) -> Scope:
    if subject in workspace.key_results:
        start, end = period(workspace, workspace.key_results[subject])
        return Scope(
            id=subject,
            shares={i: k for i, k in served[subject].items() if initiatives[i].status is not Status.CANCELED},
            policies=workspace.policies_of(subject),
            start=start,
            end=end,
            due=end,
            before_start_applies=True,
        )
    initiative = initiatives[subject]
    return Scope(
        id=subject,
        shares={subject: 1.0},
        policies=workspace.policies.under(initiative.policies),
        start=initiative.start,
        end=None,
        due=due_of(workspace, initiative),
        before_start_applies=False,
    )


def measure(
    facts: Facts, scope: Scope, *, today: date, baseline_at: date | None = None, late_baseline: bool = False
) -> Progress:
    """Return the delivery progress of a scope, on the basis (current or baseline) that its policies show.

    `baseline_at` is the scope's start where None; `late_baseline` says that the known history begins only
    then. The estimates in `facts` are in the measure that the scope's `size` policy asks for.
    """
    progress, _ = delivered(facts, scope, today=today, baseline_at=baseline_at)
    return with_flags(progress, "late_baseline") if late_baseline else progress


def delivered(facts: Facts, scope: Scope, *, today: date, baseline_at: date | None = None) -> tuple[Progress, Flow]:
    """Return the delivery progress of a scope, as `measure` does, with the flow that forecasts are made of."""
    progress, flow = sums.delivered(facts, scope.shares, terms_of(scope, today), baseline_at or scope.start)
    return shown(progress, scope.policies), flow


def parts(
    facts: Facts, scope: Scope, *, today: date, baseline_at: date | None = None, only: Collection[Key] | None = None
) -> dict[Key, Part]:
    """Return the parts of a scope whose policies are separable: all, or those of the groups `only`."""
    return sums.parts(facts, scope.shares, terms_of(scope, today), baseline_at or scope.start, only)


def combine(total: Part, scope: Scope, *, today: date, baseline_at: date | None = None) -> tuple[Progress, Flow]:
    """Return what `delivered` returns, from the sum of all parts of a scope (`rollup.parts.merge`)."""
    progress = progress_of(total, terms_of(scope, today), baseline_at or scope.start)
    return shown(progress, scope.policies), flow_of(total)


def fingerprint(scope: Scope) -> str:
    """Return what tells whether stored parts of a scope can be added to new ones: all that they depend on but facts."""
    return sha256(f"{FORM} {scope!r}".encode()).hexdigest()


def terms_of(scope: Scope, today: date) -> Frame:
    """Return the terms on which a scope is evaluated."""
    return frame(
        scope.policies, today, start=scope.start, end=scope.end, before_start_applies=scope.before_start_applies
    )


def inspect(facts: Facts, scope: Scope, *, today: date, baseline_at: date | None = None) -> Sized:
    """Return how each item counts in a scope: the rows behind the answer of `measure`, with the same arguments."""
    settled = sized(
        facts,
        scope.shares,
        scope.policies,
        today=today,
        start=scope.start,
        end=scope.end,
        before_start_applies=scope.before_start_applies,
    )
    at = baseline_at or scope.start
    return at_baseline(settled, at) if scope.policies.scope_basis == "baseline" and at is not None else settled
