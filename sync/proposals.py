"""What is not counted and why, and which links would mend it, each with the line to paste.

Pure: items, hits and links come in, the lists of `coverage` go out; a proposal is never applied here.
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from domain.okr import Initiative, KeyResult, Objective, Status
from domain.rules import MappingRule
from domain.work import Category, Level, Link, WorkItem
from domain.workspace import Workspace

Row = dict[str, object]
"""One row of the coverage document, as JSON"""

MOST = 50
LEAST_SHARED = 3
"""items with a label that must count for an initiative before the label says anything"""
LEAST_LIFT = 1.5
"""how much more often than chance they must (1 is chance)"""
LEAST_CONFIDENCE = 0.5
"""share of the linked items with a label that must count for one initiative"""
LEAST_SIMILAR = 0.6
"""titles below this are not similar (0…1)"""
CONTAINED = 0.75
"""similarity of a title that holds every word of an initiative's"""
STOP_WORDS = frozenset({
    "a", "an", "and", "as", "at", "be", "by", "for", "from", "in", "into", "is", "it", "its", "of", "on", "or", "our",
    "that", "the", "this", "to", "we", "with", "your", "all", "new", "add", "make", "der", "die", "das", "den", "dem",
    "des", "ein", "eine", "einer", "und", "oder", "im", "am", "auf", "aus", "bei", "mit", "von", "vom", "zu", "zum",
    "zur", "für", "ist", "wir",
})  # fmt: skip
SIZES = ((0.0, "0"), (2.0, "up to 2"), (5.0, "up to 5"), (8.0, "up to 8"))
"""upper ends of the groups by estimate, in points"""

MENTION = re.compile(r"\w(?:[\w./#:-]*\w)?")
PART = re.compile(r"[/:#.]")
WORD = re.compile(r"\w+")
PLAIN = re.compile(r"[A-Za-z_][\w.-]*")
NO_WORDS = frozenset({"null", "true", "false"})


# --- what is not counted


def unlinked_work(items: Iterable[WorkItem]) -> Row:
    """Return how much work no initiative counts: ``epics`` (and above), ``items``, and both by project, team, size.

    Canceled and deleted items are left out.
    """
    by_project: Counter[tuple[tuple[str, ...], bool]] = Counter()
    by_team: Counter[tuple[tuple[str, ...], bool]] = Counter()
    by_size: Counter[tuple[tuple[str, ...], bool]] = Counter()
    for item in items:
        if counts(item):
            epic = item.level in (Level.EPIC, Level.INITIATIVE)
            by_project[(item.connection, item.project), epic] += 1
            by_team[(item.team or "",), epic] += 1
            by_size[(size_group(item.estimate),), epic] += 1
    return {
        "epics": sum(count for (_, epic), count in by_team.items() if epic),
        "items": sum(count for (_, epic), count in by_team.items() if not epic),
        "by_project": grouped(by_project, ("connection", "project")),
        "by_team": grouped(by_team, ("team",)),
        "by_size": grouped(by_size, ("size",)),
    }


def counts(item: WorkItem) -> bool:
    """Whether an item is work that somebody could want to see linked."""
    return item.category is not Category.CANCELED and not item.deleted


def size_group(estimate: float | None) -> str:
    """Return the group that an estimate belongs to."""
    if estimate is None:
        return "not estimated"
    return next((name for upper, name in SIZES if estimate <= upper), f"over {SIZES[-1][0]:g}")


def grouped(found: Mapping[tuple[tuple[str, ...], bool], int], names: Sequence[str]) -> list[Row]:
    """Return the rows of a count by group, the largest first."""
    rows: dict[tuple[str, ...], list[int]] = {}
    for (group, epic), count in found.items():
        rows.setdefault(group, [0, 0])[0 if epic else 1] += count
    ranked = sorted(rows.items(), key=lambda row: (-row[1][1], -row[1][0], row[0]))
    return [{**dict(zip(names, group, strict=True)), "epics": many[0], "items": many[1]} for group, many in ranked]


def dead_rules(rules: Iterable[MappingRule], hits: Mapping[str, int]) -> list[Row]:
    """Return the rules that gave no item a link or a dimension; `hits` counts by name what they gave."""
    return [{"rule": rule.name, "file": rule.file, "line": rule.line} for rule in rules if not hits.get(rule.name)]


def dangling(workspace: Workspace, links: Iterable[tuple[str, str, Link]], created: Collection[str] = ()) -> list[Row]:
    """Return the links, given as (item, key, link), whose initiative exists neither in the file nor in a tracker."""
    rows: list[Row] = []
    for item, key, link in links:
        if link.initiative not in workspace.initiatives and link.initiative not in created:
            rows.append(
                {
                    "item": item,
                    "key": key,
                    "initiative": link.initiative,
                    "rule": link.rule,
                    "reason": kind_of(workspace, link.initiative),
                }
            )
    return sorted(rows, key=lambda row: (str(row["initiative"]), str(row["item"])))


def kind_of(workspace: Workspace, id: str) -> str:
    """Say what an id is that is no initiative."""
    if id in workspace.key_results:
        return f"{id} is a key result; link to one of its initiatives"
    if id in workspace.objectives:
        return f"{id} is an objective; link to an initiative below it"
    return f"no initiative is called {id}"


def dangling_contributions(workspace: Workspace, created: Iterable[Initiative]) -> list[Row]:
    """Return what initiatives made by rules contribute to that is no key result."""
    return [
        {"item": made.item, "key": made.id, "initiative": contribution.to, "reason": f"no key result {contribution.to}"}
        for made in created
        for contribution in made.contributes
        if contribution.to not in workspace.key_results
    ]


def missing_work(
    initiatives: Iterable[Initiative],
    has_key: Callable[[str, str], bool],
    has_project: Callable[[str, str], bool],
) -> list[Row]:
    """Return the keys and projects named under `work` that are not in the store; both ask with (connection, name)."""
    return [
        {"initiative": initiative.id, "connection": selector.connection, "key": name, "kind": kind}
        for initiative in initiatives
        for selector in initiative.work
        for kind, names, has in (("key", selector.keys, has_key), ("project", selector.projects, has_project))
        for name in names
        if not has(selector.connection, name)
    ]


def unmapped_statuses(found: Iterable[tuple[str, str, int]]) -> list[Row]:
    """Return (connection, status, items) of statuses without a category as rows, with the line for `statuses`."""
    ranked = sorted(found, key=lambda row: (-row[2], row[0], row[1]))
    return [
        {"connection": connection, "status": status, "items": items, "yaml": f"{scalar(status)}: todo"}
        for connection, status, items in ranked
    ]


# --- proposals


class Evidence(NamedTuple):
    """Why an item may belong to an initiative; `score` 0…1, `certain` where the item itself says so."""

    initiative: str
    score: float
    reason: str
    certain: bool = False


class Proposal(NamedTuple):
    """Evidence with the item that is proposed."""

    item: WorkItem
    evidence: Evidence


def proposals(
    unlinked: Iterable[WorkItem],
    linked: Iterable[tuple[Collection[str], Collection[str]]],
    workspace: Workspace,
    created: Iterable[Initiative] = (),
    most: int = MOST,
) -> list[Row]:
    """Propose links for unlinked items, best first, at most `most`.

    `linked` are (labels, initiatives) of the items that count for something, `created` the initiatives made by
    rules. Evidence: an id or a named key in title or labels; labels shared with linked items; a similar title.
    What speaks for an item speaks for the topmost unlinked item above it, where the others below that do not
    contradict. Rows: {item, key, title, initiative, reason, yaml}; the line goes under `work` of the initiative,
    or under `mapping` where the initiative lives in a tracker.
    """
    items = [item for item in unlinked if counts(item)]
    open_ = [
        initiative
        for initiative in (*workspace.initiatives.values(), *created)
        if initiative.status in (Status.ACTIVE, Status.PAUSED)
    ]
    if not items or not open_:
        return []
    sources = (
        mentions(open_, workspace.key_results, workspace.objectives),
        shared_labels(items, linked, {one.id for one in open_}),
        similar_titles(open_),
    )
    found = {index: best(one for source in sources for one in source(item)) for index, item in enumerate(items)}
    lifted = lift(items, {index: list(evidence) for index, evidence in found.items() if evidence})
    ranked = sorted(lifted, key=rank)[:most]
    return [row_of(one, workspace) for one in ranked]


def rank(proposal: Proposal) -> tuple[float, int, str, str, str]:
    """Return the order of proposals: by score, then from the top of the tree down."""
    item, evidence = proposal
    return -evidence.score, list(Level).index(item.level), item.connection, item.key, evidence.initiative


def row_of(proposal: Proposal, workspace: Workspace) -> Row:
    """Return a proposal as a row."""
    item, evidence = proposal
    return {
        "item": str(item.ref),
        "key": item.key,
        "title": item.title,
        "initiative": evidence.initiative,
        "reason": evidence.reason,
        "yaml": line_for(item, evidence.initiative, workspace),
    }


def best(found: Iterable[Evidence]) -> tuple[Evidence, ...]:
    """Return what is certain, the strongest per initiative; else the single strongest guess."""
    strongest: dict[str, Evidence] = {}
    for one in sorted(found, key=lambda one: (-one.score, one.initiative)):
        strongest.setdefault(one.initiative, one)
    certain = tuple(one for one in strongest.values() if one.certain)
    return certain or tuple(strongest.values())[:1]


def lift(items: Sequence[WorkItem], found: Mapping[int, Sequence[Evidence]]) -> list[Proposal]:
    """Move evidence to the topmost unlinked ancestor.

    The ancestor is proposed by its own evidence; else by that below it, where all of it means one initiative
    and either an item names it or at least half of the items below point there. Otherwise items stand alone.
    """
    tops = topmost(items)
    below: dict[int, list[int]] = defaultdict(list)
    for index, top in enumerate(tops):
        if top != index:
            below[top].append(index)
    made: list[Proposal] = []
    for top in dict.fromkeys(tops[index] for index in found):
        own = found.get(top, ())
        made += [Proposal(items[top], one) for one in own]
        speaking = [index for index in below[top] if index in found]
        meant = {one.initiative for index in speaking for one in found[index]}
        if own:
            speaking = [index for index in speaking if {one.initiative for one in found[index]} - {own[0].initiative}]
        elif len(meant) == 1:
            strongest = max((one for index in speaking for one in found[index]), key=lambda one: one.score)
            if strongest.certain or 2 * len(speaking) >= len(below[top]):
                made.append(Proposal(items[top], from_below(strongest, len(speaking), len(below[top]))))
                continue
        for index in speaking:
            made += [Proposal(items[index], one) for one in found[index] if one.certain or not own]
    return made


def from_below(evidence: Evidence, speaking: int, all_: int) -> Evidence:
    """Return evidence as it holds for the item above: a little weaker, and saying where it comes from."""
    reason = f"{speaking} of the {all_} unlinked items below it: {evidence.reason}"
    return Evidence(evidence.initiative, evidence.score * 0.95, reason, evidence.certain)


def topmost(items: Sequence[WorkItem]) -> list[int]:
    """Return for each item the position of its topmost ancestor among them, itself where there is none."""
    at = {(item.connection, item.id): index for index, item in enumerate(items)}
    keys = {(item.connection, item.key): index for index, item in enumerate(items)}
    parents = [
        at.get((item.connection, item.parent_id or ""), keys.get((item.connection, item.parent_key or "")))
        for item in items
    ]
    tops: list[int] = []
    for index in range(len(items)):
        seen = {index}
        top = index
        while (above := parents[top]) is not None and above not in seen:
            seen.add(above)
            top = above
        tops.append(top)
    return tops


Source = Callable[[WorkItem], Iterator[Evidence]]


def mentions(
    initiatives: Sequence[Initiative], key_results: Mapping[str, KeyResult], objectives: Mapping[str, Objective]
) -> Source:
    """Find ids of initiatives, keys of their work, and key results with one initiative, in title and labels."""
    names: dict[str, tuple[str, float, str]] = {}
    serving: dict[str, list[str]] = defaultdict(list)
    for initiative in initiatives:
        for contribution in initiative.contributes:
            serving[contribution.to].append(initiative.id)
        for name in (initiative.id, *initiative.was):
            names.setdefault(name.casefold(), (initiative.id, 0.95, f"names {name}"))
    for initiative in initiatives:
        for key in (key for selector in initiative.work for key in selector.keys):
            names.setdefault(key.casefold(), (initiative.id, 0.85, f"names {key}, which is work of {initiative.id}"))
    for id, key_result in key_results.items():
        if len(serving[id]) == 1:
            for name in (id, *key_result.was):
                said = f"names {name}, which only {serving[id][0]} serves"
                names.setdefault(name.casefold(), (serving[id][0], 0.75, said))
    for id in objectives:
        names.pop(id.casefold(), None)

    def source(item: WorkItem) -> Iterator[Evidence]:
        for label in item.labels:
            for name in mentioned(label):
                if known := names.get(name.casefold()):
                    yield Evidence(known[0], known[1], f"its label '{label}' {known[2]}", True)
        for name in mentioned(item.title):
            if (known := names.get(name.casefold())) and telling(name):
                yield Evidence(known[0], known[1] - 0.05, f"its title {known[2]}", True)

    return source


def mentioned(text: str) -> Iterator[str]:
    """Yield what in a text may be an id: whole tokens, and their parts between ``/ : # .``."""
    for token in MENTION.findall(text):
        yield token
        if PART.search(token):
            yield from (part for part in PART.split(token) if part)


def telling(name: str) -> bool:
    """Whether a word in a title can only be meant as an id: letters with digits, or capitals."""
    has_letter = any(char.isalpha() for char in name)
    return has_letter and (any(char.isdigit() for char in name) or (len(name) > 2 and name.isupper()))


def shared_labels(
    unlinked: Iterable[WorkItem], linked: Iterable[tuple[Collection[str], Collection[str]]], open_: Collection[str]
) -> Source:
    """Find labels that the items of one initiative carry far more often than others do."""
    total, all_with, linked_with = 0, Counter[str](), Counter[str]()
    counted: Counter[str] = Counter()
    together: dict[str, Counter[str]] = defaultdict(Counter)
    for labels, initiatives in linked:
        total += 1
        counted.update(initiatives)
        for label in {label.casefold() for label in labels}:
            all_with[label] += 1
            linked_with[label] += 1
            together[label].update(initiatives)
    for item in unlinked:
        total += 1
        all_with.update({label.casefold() for label in item.labels})
    telling_labels: dict[str, tuple[str, int, float, float]] = {}
    for label, by_initiative in together.items():
        initiative, both = min(by_initiative.items(), key=lambda pair: (-pair[1], pair[0]), default=("", 0))
        if both < LEAST_SHARED or initiative not in open_:
            continue
        confidence = both / linked_with[label]
        lifted = (both / all_with[label]) / (counted[initiative] / total)
        if confidence >= LEAST_CONFIDENCE and lifted >= LEAST_LIFT:
            telling_labels[label] = (initiative, both, confidence, lifted)

    def source(item: WorkItem) -> Iterator[Evidence]:
        for label in item.labels:
            if known := telling_labels.get(label.casefold()):
                initiative, both, confidence, lifted = known
                score = 0.4 + 0.2 * confidence + 0.1 * (1 - 1 / lifted)
                reason = f"shares the label '{label}' with {both} items of {initiative}, {lifted:.1f} times the average"
                yield Evidence(initiative, score, reason)

    return source


def similar_titles(initiatives: Sequence[Initiative]) -> Source:
    """Find initiatives whose title has nearly the same words, by an index from word to initiative."""
    words = [tokens(initiative.title) for initiative in initiatives]
    index: dict[str, list[int]] = defaultdict(list)
    for at, own in enumerate(words):
        for token in own:
            index[token].append(at)

    def source(item: WorkItem) -> Iterator[Evidence]:
        mine = tokens(item.title)
        shared: Counter[int] = Counter()
        for token in mine:
            shared.update(index.get(token, ()))
        for at, both in shared.items():
            if both < 2 and not both == len(mine) == len(words[at]):
                continue
            near = similarity(both, len(mine), len(words[at]))
            if near >= LEAST_SIMILAR:
                initiative = initiatives[at]
                reason = f"its title is like that of {initiative.id}, '{initiative.title}' ({near:.0%} alike)"
                yield Evidence(initiative.id, 0.2 + 0.5 * near, reason)

    return source


def similarity(both: int, mine: int, theirs: int) -> float:
    """Return how alike two sets of words are, 0…1: Dice's coefficient, or that three words and all of theirs occur."""
    contained = CONTAINED if both == theirs and theirs > 2 else 0.0
    return max(2 * both / (mine + theirs), contained)


def tokens(title: str) -> frozenset[str]:
    """Return the words of a title that mean something, without case and plural."""
    return frozenset(
        word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word
        for word in WORD.findall(title.casefold())
        if word not in STOP_WORDS
    )


# --- the line to paste


def line_for(item: WorkItem, initiative: str, workspace: Workspace) -> str:
    """Return the line of YAML that makes the link."""
    connection = scalar(item.connection)
    if initiative not in workspace.initiatives:
        name = scalar(f"link {item.key}")
        return (
            f"- {{name: {name}, when: {{connection: {connection}, key: {scalar(item.key)}}}, "
            f"initiative: {scalar(initiative)}}}"
        )
    if item.tracker == "linear" and item.type.casefold() == "project":
        return f"- {{connection: {connection}, projects: [{scalar(item.title)}]}}"
    return f"- {{connection: {connection}, keys: [{scalar(item.key)}]}}"


def scalar(text: str) -> str:
    """Return a text as a YAML scalar, quoted where it could be read as anything else."""
    plain = PLAIN.fullmatch(text) and text.isascii() and text.casefold() not in NO_WORDS
    return text if plain else json.dumps(text, ensure_ascii=False)
