"""What is wrong in a file is told with its file, line, key, what was expected and the nearest valid name."""

from __future__ import annotations

from pathlib import Path

import pytest

from config.workspace import check, load
from domain.errors import ConfigError

JIRA = """\
connections:
  jira-main:
    type: jira
    url: https://acme.atlassian.net
    auth: {email: bot@acme.com, token: "${env:T}"}
    scope: {projects: [PAY]}
"""
OBJECTIVE = """\
objectives:
  - id: O1
    title: One
    key_results:
      - {id: KR1, title: First, metric: {kind: binary}}
"""


def told(problems, severity: str = "error") -> list[tuple[int, str, str, str | None]]:
    return [(each.line, each.key, each.message, each.nearest) for each in problems if each.severity == severity]


# The lines count from the `version: 1`, `workspace: acme` that `read` puts before the text.
CASES = {
    "unknown top key": (
        "conections: {}",
        3,
        "conections",
        "Unknown key 'conections' in the workspace file",
        "connections",
    ),
    "unknown key of a key result": (
        "objectives: [{id: O, title: t, key_results: [{id: K, title: t, metrics: {}}]}]",
        3,
        "objectives[0].key_results[0].metrics",
        "Unknown key 'metrics' in a key result. Valid: id, title, owner",
        "metric",
    ),
    "a kind of metric": (
        OBJECTIVE.replace("binary", "numbr"),
        7,
        "objectives[0].key_results[0].metric.kind",
        "Expected one of number, at_least, at_most, maintain, binary, milestones, found 'numbr'.",
        "number",
    ),
    "missing title": ("objectives:\n  - id: O1", 4, "objectives[0]", "The key 'title' is missing here: a title.", None),
    "empty title": (
        "objectives:\n  - id: O1\n    title:",
        5,
        "objectives[0].title",
        "Expected a title, found nothing.",
        None,
    ),
    "list where a mapping is": ("teams: [a]", 3, "teams", "Expected a mapping from", None),
    "word where a list is": ("mapping: rule", 3, "mapping", "Expected a list; in it", None),
    "quoted number": (
        'initiatives: [{id: I, title: t, planned_weeks: "3"}]',
        3,
        "initiatives[0].planned_weeks",
        "Expected a number of at least 0, found a quoted text. Remove the quotes.",
        None,
    ),
    "no number": (
        "initiatives: [{id: I, title: t, planned_weeks: .nan}]",
        3,
        "initiatives[0].planned_weeks",
        "Expected a number of at least 0, found '.nan'.",
        None,
    ),
    "yes is no boolean": (
        "policies: {top_down: yes}",
        3,
        "policies.top_down",
        "Expected true or false, found 'yes'.",
        None,
    ),
    "no such day": (
        "timeframes:\n  Q: {start: 2026-02-30, end: 2026-03-01}",
        4,
        "timeframes.Q.start",
        "Expected a date like 2026-12-31, found '2026-02-30'.",
        None,
    ),
    "timezone": (
        "timezone: Europe/Berlni",
        3,
        "timezone",
        "Unknown time zone 'Europe/Berlni'. Expected an IANA name",
        None,
    ),
    "id used twice": (
        OBJECTIVE + "initiatives:\n  - {id: KR1, title: t}",
        9,
        "initiatives[0].id",
        "keyrail.yaml:7 (objectives[0].key_results[0].id); it may stand once.",
        None,
    ),
    "contributes to nothing known": (
        OBJECTIVE + "initiatives: [{id: I, title: t, contributes: [{to: KR11}]}]",
        8,
        "initiatives[0].contributes[0].to",
        "There is no key result 'KR11' in the file.",
        "KR1",
    ),
    "contributes to an objective": (
        OBJECTIVE + "initiatives: [{id: I, title: t, contributes: O1}]",
        8,
        "initiatives[0].contributes",
        "'O1' is an objective, expected a key result.",
        None,
    ),
    "contributes twice to one": (
        OBJECTIVE + "initiatives: [{id: I, title: t, contributes: [KR1, KR1]}]",
        8,
        "initiatives[0].contributes",
        "'KR1' stands here twice. Keep one entry.",
        None,
    ),
    "share 0": (
        OBJECTIVE + "initiatives: [{id: I, title: t, contributes: [{to: KR1, share: 0}]}]",
        8,
        "initiatives[0].contributes[0].share",
        "Expected a number above 0 and of at most 1, found '0'.",
        None,
    ),
    "share above 1": (
        OBJECTIVE + "initiatives: [{id: I, title: t, contributes: [{to: KR1, share: 1.2}]}]",
        8,
        "initiatives[0].contributes[0].share",
        "Expected a number above 0 and of at most 1, found '1.2'.",
        None,
    ),
    "unknown parent": (
        "objectives: [{id: O1, title: t, parent: Top-1}, {id: Top-2, title: t}]",
        3,
        "objectives[0].parent",
        "There is no objective 'Top-1' in the file.",
        "Top-2",
    ),
    "unknown timeframe": (
        "timeframes: {2026-Q4: {start: 2026-10-01, end: 2026-12-31}}\n"
        "objectives: [{id: O1, title: t, timeframe: 2026-Q5}]",
        4,
        "objectives[0].timeframe",
        "There is no timeframe '2026-Q5' in the file.",
        "2026-Q4",
    ),
    "circle of objectives": (
        "objectives:\n  - {id: A, title: t, parent: B}\n  - {id: B, title: t, parent: A}",
        4,
        "objectives[0].parent",
        "The parents of this objective go round: A -> B -> A. Remove one of them.",
        None,
    ),
    "its own parent": (
        "objectives:\n  - {id: A, title: t, parent: A}",
        4,
        "objectives[0].parent",
        "The parents of this objective go round: A -> A.",
        None,
    ),
    "circle of timeframes": (
        "timeframes:\n"
        "  A: {start: 2026-01-01, end: 2026-01-02, parent: B}\n"
        "  B: {start: 2026-01-01, end: 2026-01-02, parent: A}",
        4,
        "timeframes.A.parent",
        "The parents of this timeframe go round: A -> B -> A.",
        None,
    ),
    "timeframe ends before it starts": (
        "timeframes:\n  Q: {start: 2026-03-01, end: 2026-02-01}",
        4,
        "timeframes.Q.end",
        "end 2026-02-01 is before start 2026-03-01.",
        None,
    ),
    "initiative due before it starts": (
        "initiatives: [{id: I, title: t, start: 2026-03-01, due: 2026-02-01}]",
        3,
        "initiatives[0].due",
        "due 2026-02-01 is before start 2026-03-01.",
        None,
    ),
    "key result after its timeframe": (
        "timeframes: {Q: {start: 2026-01-01, end: 2026-03-31}}\n"
        "objectives: [{id: O, title: t, timeframe: Q, key_results: [{id: K, title: t, start: 2026-05-01}]}]",
        4,
        "objectives[0].key_results[0].id",
        "K would end on 2026-03-31, before it starts on 2026-05-01.",
        None,
    ),
    "unknown team": (
        "teams: {Payments: {}}\ninitiatives: [{id: I, title: t, team: Payment}]",
        4,
        "initiatives[0].team",
        "There is no team 'Payment' in the file.",
        "Payments",
    ),
    "capacity of an unknown timeframe": (
        "teams: {Payments: {capacity_weeks: {Q9: 3}}}",
        3,
        "teams.Payments.capacity_weeks.Q9",
        "There is no timeframe 'Q9' in the file.",
        None,
    ),
    "work of an unknown connection": (
        JIRA + "initiatives: [{id: I, title: t, work: {connection: jira-mian, keys: PAY-1}}]",
        9,
        "initiatives[0].work.connection",
        "There is no connection 'jira-mian' in the file.",
        "jira-main",
    ),
    "work without keys": (
        JIRA + "initiatives: [{id: I, title: t, work: {connection: jira-main}}]",
        9,
        "initiatives[0].work",
        "Expected keys or projects: which items of the connection are meant?",
        None,
    ),
    "mirror of an unknown connection": (
        JIRA + "mirrors:\n  - [jira-main:PAY-1, github:a/b#1]",
        10,
        "mirrors[0][1]",
        "There is no connection 'github' in the file.",
        None,
    ),
    "mirror of one": (JIRA + "mirrors: [[jira-main:PAY-1]]", 9, "mirrors[0]", "Expected at least two items", None),
    "rule's connection": (
        JIRA + "dimensions: {d: {}}\nmapping: [{name: r, when: {connection: jira}, set: {d: x}}]",
        10,
        "mapping[0].when.connection",
        "There is no connection 'jira' in the file.",
        "jira-main",
    ),
    "rule's initiative": (
        "initiatives: [{id: I1, title: t}]\nmapping: [{name: r, when: {type: Bug}, initiative: I2}]",
        4,
        "mapping[0].initiative",
        "There is no initiative 'I2' in the file.",
        None,
    ),
    "rule that does nothing": (
        "mapping: [{name: r, when: {type: Bug}}]",
        3,
        "mapping[0]",
        "The rule does nothing",
        None,
    ),
    "rule's name used twice": (
        "dimensions: {d: {}}\nmapping:\n  - {name: r, when: {type: Bug}, set: {d: x}}\n"
        "  - {name: r, when: {type: Epic}, set: {d: x}}",
        6,
        "mapping[1].name",
        "The rule 'r' is already used at",
        None,
    ),
    "unknown group of a pattern": (
        'mapping: [{name: r, when: {labels: {matches: "okr/(?P<ini>.+)"}}, initiative: "{init}"}]',
        3,
        "mapping[0].initiative",
        "'{init}' is no named group of the rule's patterns. Valid: ini.",
        "ini",
    ),
    "create: false": (
        "mapping: [{name: r, when: {type: Bug}, initiative: {create: false}}]",
        3,
        "mapping[0].initiative.create",
        "Expected true; or the id of an initiative in place of this mapping.",
        None,
    ),
    "unknown matcher field": (
        "dimensions: {d: {}}\nmapping: [{name: r, when: {label: okr}, set: {d: x}}]",
        4,
        "mapping[0].when.label",
        "Unknown field 'label' of a work item. Valid: connection, tracker, level",
        "labels",
    ),
    "unknown field of the parent": (
        "dimensions: {d: {}}\nmapping: [{name: r, when: {any: [{parent.titel: x}]}, set: {d: x}}]",
        4,
        "mapping[0].when.any[0].parent.titel",
        "Unknown field 'parent.titel' of a work item.",
        "parent.title",
    ),
    "unknown operator": (
        "dimensions: {d: {}}\nmapping: [{name: r, when: {title: {match: x}}, set: {d: x}}]",
        4,
        "mapping[0].when.title.match",
        "Unknown operator 'match'. Valid: matches, glob, gt, gte, lt, lte, exists, not",
        "matches",
    ),
    "unknown level": (
        "dimensions: {d: {}}\nmapping: [{name: r, when: {level: epics}, set: {d: x}}]",
        4,
        "mapping[0].when.level",
        "Expected one of initiative, epic, issue, subtask, found 'epics'.",
        "epic",
    ),
    "no date to compare with": (
        "dimensions: {d: {}}\nmapping: [{name: r, when: {created_at: {gt: soon}}, set: {d: x}}]",
        4,
        "mapping[0].when.created_at.gt",
        "Expected a date like 2026-12-31 or an instant, found 'soon'.",
        None,
    ),
    "look-ahead": (
        'dimensions: {d: {}}\nmapping: [{name: r, when: {title: {matches: "pay(?!ment)"}}, set: {d: x}}]',
        4,
        "mapping[0].when.title.matches",
        "The regular expression uses negative look-ahead (?!…), which RE2 does not have",
        None,
    ),
    "look-behind": (
        'dimensions: {d: {}}\nmapping: [{name: r, when: {title: {matches: "(?<=a)b"}}, set: {d: x}}]',
        4,
        "mapping[0].when.title.matches",
        "The regular expression uses look-behind (?<=…), which RE2 does not have",
        None,
    ),
    "back-reference": (
        "dimensions: {d: {}}\nmapping: [{name: r, when: {title: {matches: '(a)\\1'}}, set: {d: x}}]",
        4,
        "mapping[0].when.title.matches",
        "The regular expression uses the back-reference \\1, which RE2 does not have",
        None,
    ),
    "broken regex": (
        "dimensions: {d: {}}\nmapping: [{name: r, when: {title: {matches: '(a'}}, set: {d: x}}]",
        4,
        "mapping[0].when.title.matches",
        "The regular expression cannot be read: missing )",
        None,
    ),
    "broken jmespath": (
        "dimensions: {d: {}}\nmapping: [{name: r, when: {jmespath: 'a[?'}, set: {d: x}}]",
        4,
        "mapping[0].when.jmespath",
        "The JMESPath expression cannot be read",
        None,
    ),
    "unknown dimension": (
        "dimensions: {product: {}}\nobjectives: [{id: O, title: t, dimensions: {produkt: x}}]",
        4,
        "objectives[0].dimensions.produkt",
        "There is no dimension 'produkt' in the file. Add it under dimensions.",
        "product",
    ),
    "value outside a dimension": (
        "dimensions: {bet: {values: [core, new]}}\ninitiatives: [{id: I, title: t, dimensions: {bet: [core, nwe]}}]",
        4,
        "initiatives[0].dimensions.bet",
        "'nwe' is no value of the dimension bet: core, new.",
        "new",
    ),
    "shares that do not sum to 1": (
        "dimensions: {region: {}}\ninitiatives: [{id: I, title: t, dimensions: {region: {EU: 0.7, US: 0.2}}}]",
        4,
        "initiatives[0].dimensions.region",
        "The shares add up to 0.9; they must add up to 1.",
        None,
    ),
    "targets above 1": (
        "dimensions: {bet: {targets: {a: 0.7, b: 0.5}}}",
        3,
        "dimensions.bet.targets",
        "The targets add up to 1.2; at most 1 can be given out.",
        None,
    ),
    "target of an unknown value": (
        "dimensions: {bet: {values: [a], targets: {b: 0.5}}}",
        3,
        "dimensions.bet.targets",
        "'b' is not among the values: a.",
        None,
    ),
    "direction against the sign": (
        OBJECTIVE.replace("binary", "number, start: 5, target: 3, direction: increase"),
        7,
        "objectives[0].key_results[0].metric.direction",
        "invalid: direction is increase, but from start 5 to target 3 is decrease.",
        None,
    ),
    "number without a target": (
        OBJECTIVE.replace("binary", "number, start: 5"),
        7,
        "objectives[0].key_results[0].metric",
        "The key 'target' is missing here: a metric of kind number needs the value to reach.",
        None,
    ),
    "lo above hi": (
        OBJECTIVE.replace("binary", "maintain, lo: 60, hi: 40"),
        7,
        "objectives[0].key_results[0].metric.lo",
        "lo 60 is above hi 40.",
        None,
    ),
    "maintain without hi": (
        OBJECTIVE.replace("binary", "maintain, lo: 60"),
        7,
        "objectives[0].key_results[0].metric",
        "The key 'hi' is missing here: a metric of kind maintain needs both of its ends.",
        None,
    ),
    "a key of another kind of metric": (
        OBJECTIVE.replace("binary", "binary, target: 3"),
        7,
        "objectives[0].key_results[0].metric.target",
        "Means nothing to a metric of kind binary.",
        None,
    ),
    "milestones without milestones": (
        OBJECTIVE.replace("binary", "milestones"),
        7,
        "objectives[0].key_results[0].metric.milestones",
        "needs a list of milestones whose weights are not all 0.",
        None,
    ),
    "sum without field": (
        OBJECTIVE.replace("{kind: binary}", "{target: 3}, source: {sum: {type: Bug}}"),
        7,
        "objectives[0].key_results[0].source.sum",
        "sum and field belong together",
        None,
    ),
    "count by what payloads hold": (
        OBJECTIVE.replace("{kind: binary}", "{target: 3}, source: {count: {not: {jmespath: a.b}}}"),
        7,
        "objectives[0].key_results[0].source.count",
        "jmespath is not possible here",
        None,
    ),
    "an address that names something twice": (
        OBJECTIVE.replace(
            "{kind: binary}", "{target: 3}, source: {http: {url: 'https://x.example/?a=1&b=2&a=3', jmespath: a}}"
        ),
        7,
        "objectives[0].key_results[0].source.http.url",
        "The query names 'a' twice.",
        None,
    ),
    "http source without https": (
        OBJECTIVE.replace("{kind: binary}", "{target: 3}, source: {http: {url: 'http://x.example/a', jmespath: a}}"),
        7,
        "objectives[0].key_results[0].source.http.url",
        "Expected https, found http for x.example.",
        None,
    ),
    "was names an id in use": (
        OBJECTIVE + "initiatives: [{id: I, title: t, was: KR1}]",
        8,
        "initiatives[0].was",
        "'KR1' is still an id, at",
        None,
    ),
    "closed_on of what is open": (
        "objectives: [{id: O, title: t, key_results: [{id: K, title: t, closed_on: 2026-01-01}]}]",
        3,
        "objectives[0].key_results[0].closed_on",
        "Belongs to status: closed.",
        None,
    ),
    "bands the wrong way round": (
        "policies:\n  health: {on_track: 0.5, at_risk: 0.2}",
        4,
        "policies.health",
        "With bands: gap on_track (0.5) must be below at_risk (0.2)",
        None,
    ),
    "grace of half a day": (
        "policies: {inaccessible_grace: 36h}",
        3,
        "policies.inaccessible_grace",
        "Expected whole days like 14d or 2w, found '36h'.",
        None,
    ),
    "credit": ("policies: {credit: binery}", 3, "policies.credit", "Expected one of binary, linear", "binary"),
    "span": (
        JIRA + "    poll: 5 minutes",
        9,
        "connections.jira-main.poll",
        "Expected a span like 30s, 5m, 24h, 14d or 2w of at least 1s, found '5 minutes'.",
        None,
    ),
    "http": (
        JIRA.replace("https:", "http:"),
        6,
        "connections.jira-main.url",
        "Expected https, found http for acme.atlassian.net. Plain http is for loopback, or with allow_http: true.",
        None,
    ),
    "no url": (
        JIRA.replace("https://acme", "acme"),
        6,
        "connections.jira-main.url",
        "Expected an address like https",
        None,
    ),
    "no type": (
        JIRA.replace("    type: jira\n", ""),
        5,
        "connections.jira-main",
        "The key 'type' is missing here: one of jira, github, linear.",
        None,
    ),
    "type": (JIRA.replace(": jira\n", ": jiira\n"), 5, "connections.jira-main.type", "Expected one of jira", "jira"),
    "a key of another tracker": (
        JIRA + "    epics: {types: [Epic]}",
        9,
        "connections.jira-main.epics",
        "Unknown key 'epics' in a jira connection. Valid: type, url",
        None,
    ),
    "two ways in": (
        JIRA.replace("email: bot@acme.com", 'pat: "${env:P}"'),
        7,
        "connections.jira-main.auth",
        "Expected one way in: {email, token} or {pat} or {oauth} or {password, user}. Found: pat, token.",
        None,
    ),
    "empty scope": (
        JIRA.replace("[PAY]", "[]"),
        8,
        "connections.jira-main.scope",
        "The scope is empty: name at least one under projects or jql.",
        None,
    ),
    "repository without owner": (
        'connections:\n  g: {type: github, auth: {token: "${env:T}"}, scope: {repositories: [api]}}',
        4,
        "connections.g.scope.repositories[0]",
        "Expected a repository as owner/name, found 'api'.",
        None,
    ),
    "label pattern without a group": (
        'connections:\n  g: {type: github, auth: {token: "${env:T}"}, scope: {projects: [a/1]}, estimate: {label: x}}',
        4,
        "connections.g.estimate.label",
        "Expected a regular expression with one group ( ) around the value.",
        None,
    ),
    "status word": (
        JIRA + "    statuses: {Rejected: cancelled}",
        9,
        "connections.jira-main.statuses.Rejected",
        "Expected one of todo, in_progress, review, done, canceled, found 'cancelled'.",
        "canceled",
    ),
    "outlet of another tracker": (
        JIRA + "publish: [{id: p, to: {connection: jira-main, as: status_update}}]",
        9,
        "publish[0].to",
        "jira has no 'status_update'. Valid for jira-main: remote_link, property, field, comment.",
        None,
    ),
    "field outlet without field": (
        JIRA + "publish: [{id: p, to: {connection: jira-main, as: field}}]",
        9,
        "publish[0].to",
        "The key 'field' is missing here: which field is written as field?",
        None,
    ),
    "project field without project": (
        'connections:\n  g: {type: github, auth: {token: "${env:T}"}, scope: {projects: [a/1]}}\n'
        "publish: [{id: p, to: {connection: g, as: project_field, field: OKR}}]",
        5,
        "publish[0].to",
        "The key 'project' is missing here: the field of which project is written?",
        None,
    ),
    "options of a comment": (
        JIRA + "publish: [{id: p, to: {connection: jira-main, as: comment, options: {achieved: Done}}}]",
        9,
        "publish[0].to",
        "'options' means nothing to comment; it belongs to field, project_field, issue_field.",
        None,
    ),
    "options of an unknown health": (
        JIRA + "publish: [{id: p, to: {connection: jira-main, as: field, field: OKR, options: {great: Done}}}]",
        9,
        "publish[0].to.options.great",
        "Expected one of on_track, at_risk, off_track, achieved, missed, not_started, paused, canceled, unknown, found "
        "'great'.",
        None,
    ),
    "unknown place": (
        "publish: [{id: p, to: {slak: x}}]",
        3,
        "publish[0].to.slak",
        "Unknown place 'slak'. Valid: connection, slack, webhook",
        "slack",
    ),
    "untried tool": (
        'publish: [{id: p, to: {goals: {site: acme, email: a@b.c, token: "${env:T}"}}}]',
        3,
        "publish[0].to",
        "Say experimental: true on this row to use it.",
        None,
    ),
    "status updates to followers at any time": (
        'publish: [{id: p, to: {asana: {token: "${env:T}", as: status}}, when: {at_most: 24h}}]',
        3,
        "publish[0].when",
        "goes to all followers of the goal and cannot be changed",
        None,
    ),
    "goals every day": (
        'publish:\n  - id: p\n    to: {goals: {site: acme, email: a@b.c, token: "${env:T}"}}\n    experimental: true\n'
        "    when: {at_most: 24h}",
        7,
        "publish[0].when",
        "Say when: {at_most: 72h} or more",
        None,
    ),
    "slack by hook and bot": (
        'publish: [{id: p, to: {slack: {url: "${env:S}", token: "${env:T}"}}}]',
        3,
        "publish[0].to.slack",
        "Give it the `url` of an incoming webhook, or the `token` of a bot",
        None,
    ),
    "slack bot without a channel": (
        'publish: [{id: p, to: {slack: {token: "${env:T}"}}}]',
        3,
        "publish[0].to.slack",
        "The key 'channel' is missing here",
        None,
    ),
    "threads of a hook": (
        'publish: [{id: p, to: {slack: {url: "${env:S}", threads: true}}}]',
        3,
        "publish[0].to.slack.threads",
        "'threads' belongs to a bot",
        None,
    ),
    "a body that is no JSON": (
        'publish: [{id: p, to: {webhook: {url: https://x.example, body: \'{"a": "{{ title }}"}\'}}}]',
        3,
        "publish[0].to.webhook.body",
        "Values bring their own quotes",
        None,
    ),
    "a body that names nothing": (
        "publish: [{id: p, to: {webhook: {url: https://x.example, body: '{\"a\": {{ titel }}}'}}}]",
        3,
        "publish[0].to.webhook.body",
        "The template names titel",
        None,
    ),
    "a setting that a tool does not have": (
        'publish: [{id: p, to: {asana: {token: "${env:T}", tokn: x}}}]',
        3,
        "publish[0].to.asana.tokn",
        "Valid: url, token, as, allow_private",
        "token",
    ),
    "a site that is none": (
        'publish: [{id: p, experimental: true, to: {goals: {site: "acme.net", email: a@b.c, token: "${env:T}"}}}]',
        3,
        "publish[0].to.goals.site",
        "Expected the name before .atlassian.net",
        None,
    ),
    "cron with four fields": (
        'publish: [{id: p, to: {slack: "${env:S}"}, when: {cron: "0 9 * *"}}]',
        3,
        "publish[0].when.cron",
        "Expected a cron line of 5 fields (minute hour day month weekday), found 4.",
        None,
    ),
    "cron that never comes": (
        'publish: [{id: p, to: {slack: "${env:S}"}, when: {cron: "0 9 31 2 *"}}]',
        3,
        "publish[0].when.cron",
        "'0 9 31 2 *' never comes: no month that it names has such a day.",
        None,
    ),
    "template with single braces": (
        'publish: [{id: p, to: {slack: "${env:S}"}, template: "{title}"}]',
        3,
        "publish[0].template",
        "Names stand in two braces: write {{ title }} in place of {title}.",
        None,
    ),
    "template that names what there is not": (
        'publish: [{id: p, to: {slack: "${env:S}"}, template: "{{ titel }}"}]',
        3,
        "publish[0].template",
        "The template names titel. It may name: workspace, kind, id, title,",
        None,
    ),
    "template that does not end": (
        'publish: [{id: p, to: {slack: "${env:S}"}, template: "{{ title"}]',
        3,
        "publish[0].template",
        "Line 1 of the template: unexpected end of template",
        None,
    ),
    "template that counts on a value": (
        'publish: [{id: p, to: {slack: "${env:S}"}, template: "{{ progress / 2 }}"}]',
        3,
        "publish[0].template",
        "Values may be missing (none): test with `if`.",
        None,
    ),
    "cron weekday": (
        'publish: [{id: p, to: {slack: "${env:S}"}, when: {cron: "0 9 * * MOO"}}]',
        3,
        "publish[0].when.cron",
        "'MOO' is no day of week of a cron line",
        None,
    ),
    "change": (
        'publish: [{id: p, to: {slack: "${env:S}"}, when: {progress: 1%}}]',
        3,
        "publish[0].when.progress",
        "Expected a change like 1pp (one percentage point) or never, found '1%'.",
        None,
    ),
    "never sent": (
        'publish: [{id: p, to: {slack: "${env:S}"}, when: {progress: never, health: never}}]',
        3,
        "publish[0].when",
        "Nothing would ever be sent",
        None,
    ),
    "linked epics without a tracker": (
        'publish: [{id: p, to: {slack: "${env:S}"}, on: linked_epics}]',
        3,
        "publish[0].on",
        "linked_epics are items of a tracker",
        None,
    ),
    "unknown field of a subject": (
        'dimensions: {product: {}}\npublish: [{id: p, to: {slack: "${env:S}"}, only: {prodct: x}}]',
        4,
        "publish[0].only.prodct",
        "Unknown field 'prodct'. Valid: id, kind, title",
        "product",
    ),
    "publish id used twice": (
        'publish:\n  - {id: p, to: {slack: "${env:S}"}}\n  - {id: p, to: {slack: "${env:S}"}}',
        5,
        "publish[1].id",
        "The publish row 'p' is already used at",
        None,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_one_error(read, tmp_path: Path, name: str) -> None:
    text, line, key, message, nearest = CASES[name]
    workspace, problems = read(text)
    errors = [each for each in problems if each.severity == "error"]
    assert workspace is None
    assert len(errors) == 1, errors
    assert (errors[0].file, errors[0].line, errors[0].key) == (str(tmp_path / "keyrail.yaml"), line, key)
    assert message in errors[0].message
    assert errors[0].nearest == nearest


def test_the_nearest_time_zone_is_named(read) -> None:
    _, problems = read("timezone: Europe/Berlni")
    assert "Did you mean 'Europe/Berlin'?" in problems[0].message


def test_all_errors_are_told_at_once(read) -> None:
    text = """\
conections: {}
objectives:
  - id: O1
    titel: One
    timeframe: Q
    key_results:
      - {id: KR1, title: t, weight: -1}
initiatives:
  - {id: I1, title: t, contributes: [{to: KR9}], due: tomorrow}
"""
    _, problems = read(text)
    assert [(each.line, each.key) for each in problems] == [
        (3, "conections"),
        (5, "objectives[0]"),
        (6, "objectives[0].titel"),
        (7, "objectives[0].timeframe"),
        (9, "objectives[0].key_results[0].weight"),
        (11, "initiatives[0].contributes[0].to"),
        (11, "initiatives[0].due"),
    ]


def test_load_raises_with_the_errors_alone(write) -> None:
    path = write({"keyrail.yaml": "version: 2\nworkspace: a b\n" + JIRA})
    with pytest.raises(ConfigError, match="2 errors in the workspace file") as raised:
        load(path, {})
    assert [(each.line, each.key) for each in raised.value.problems] == [(1, "version"), (2, "workspace")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "The file is empty."),
        ("# nothing\n", "The file is empty."),
        ("- a\n", "Expected a mapping with keys such as version"),
        ("timezone: UTC\n", "The key 'version' is missing: 1."),
        ("version: 1\nversion: 1\nworkspace: a\n", "This key stands twice in one mapping; first at"),
        ("a: [1\n", "YAML syntax"),
        ("a: !!python/name:os.system x\n", "Tags ('!…') are not used here"),
        ("a: 1\n---\nb: 1\n", "A second document starts here"),
        ("a: *b\n", "The alias '*b' has no complete anchor"),
        ("a: &a [*a]\n", "The alias '*a' has no complete anchor"),
        ("{[a]: 1}\n", "A key must be a word"),
        ("a: " + "[" * 60 + "]" * 60, "Nested deeper than 40 levels."),
        ('a: "\\ud800\\xZZ"\n', "YAML syntax"),
    ],
)
def test_what_is_no_workspace_file(read, text: str, message: str) -> None:
    workspace, problems = read(text, head=False)
    assert workspace is None
    assert any(message in each.message for each in problems), problems


def test_both_places_of_a_duplicate_key(read, tmp_path: Path) -> None:
    _, problems = read("teams:\n  A: {}\n  B: {}\n  A: {}\n")
    assert told(problems) == [
        (6, "A", f"This key stands twice in one mapping; first at {tmp_path / 'keyrail.yaml'}:4. Keep one.", None)
    ]


def test_aliases_cannot_grow_without_bound(read) -> None:
    text = "a: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
    text += "".join(f"b{i}: &a{i + 1} [{', '.join([f'*a{i}'] * 10)}]\n" for i in range(8))
    _, problems = read(text)
    assert "More than 500000 values once its aliases are written out." in [each.message for each in problems]


def test_a_file_above_the_limit_is_not_read(read) -> None:
    _, problems = read("# " + "x" * 5_000_001)
    assert [each.message for each in problems] == ["The file is above 5 MB. Split it with include."]


def test_not_utf_8(tmp_path: Path) -> None:
    path = tmp_path / "keyrail.yaml"
    path.write_bytes(b"version: 1\nworkspace: caf\xe9\n")
    _, problems = check(path, {})
    assert [(each.line, each.message) for each in problems] == [(2, "Not UTF-8 here. Save the file as UTF-8.")]


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as raised:
        load(tmp_path / "keyrail.yaml", {})
    assert "keyrail init" in raised.value.problems[0].message


def test_an_id_of_two_files(read, tmp_path: Path) -> None:
    _, problems = read("include: more.yaml\n" + OBJECTIVE, more="initiatives:\n  - {id: O1, title: t}\n")
    [error] = [each for each in problems if each.severity == "error"]
    assert (error.file, error.line, error.key) == (str(tmp_path / "more.yaml"), 2, "initiatives[0].id")
    assert f"already used at {tmp_path / 'keyrail.yaml'}:5 (objectives[0].id)" in error.message


def test_a_setting_of_two_files(read, tmp_path: Path) -> None:
    _, problems = read("include: more.yaml\npolicies: {size: points}\n", more="workspace: b\npolicies: {size: count}\n")
    assert [(Path(each.file).name, each.line, each.key) for each in problems if each.severity == "error"] == [
        ("more.yaml", 1, "workspace"),
        ("more.yaml", 2, "policies.size"),
    ]


def test_errors_name_the_included_file(read, tmp_path: Path) -> None:
    _, problems = read("include: okrs/*.yaml\n", okrs__a="objectives:\n  - {id: A, title: t, owners: x}\n")
    [error] = [each for each in problems if each.severity == "error"]
    assert str(error).startswith(f"{tmp_path / 'okrs' / 'a.yaml'}:2: objectives[0].owners: Unknown key 'owners'")
    assert str(error).endswith("Did you mean 'owner'?")


def test_a_file_that_includes_itself(read, tmp_path: Path) -> None:
    _, problems = read("include: more.yaml\n", more="include: [keyrail.yaml]\n")
    [error] = [each for each in problems if each.severity == "error"]
    assert (error.file, error.line, error.key) == (str(tmp_path / "more.yaml"), 1, "include[0]")
    assert error.message == ("The file includes itself: keyrail.yaml -> more.yaml -> keyrail.yaml. Remove this entry.")


def test_a_pattern_that_matches_its_own_file(read) -> None:
    workspace, problems = read("include: '*.yaml'\n" + OBJECTIVE, more="dimensions: {d: {}}\n")
    assert workspace is not None, problems
    assert list(workspace.dimensions) == ["d"]


def test_an_included_file_that_is_not_there(read) -> None:
    _, problems = read("include: [gone.yaml, none/*.yaml]\n")
    assert "cannot be read: No such file or directory." in told(problems)[0][2]
    assert told(problems, "warning") == [(3, "include[1]", "No file matches 'none/*.yaml'.", None)]


SECRET = "ghp_0123456789abcdefghij"


@pytest.mark.parametrize(
    ("text", "key"),
    [
        (JIRA.replace("${env:T}", SECRET), "connections.jira-main.auth.token"),
        (JIRA.replace("${env:T}", f"x{SECRET}${{env:T}}"), "connections.jira-main.auth.token"),
        (JIRA.replace("${env:T}", f"${SECRET}"), "connections.jira-main.auth.token"),
        (JIRA.replace('{email: bot@acme.com, token: "${env:T}"}', SECRET), "connections.jira-main.auth"),
        (JIRA.replace('{email: bot@acme.com, token: "${env:T}"}', f"{{{SECRET}}}"), "connections.jira-main.auth"),
        (JIRA.replace('{email: bot@acme.com, token: "${env:T}"}', f"[{SECRET}]"), "connections.jira-main.auth"),
        (JIRA + f"    webhook: {{secret: {SECRET}}}\n", "connections.jira-main.webhook.secret"),
        (JIRA.replace("https://", f"https://bot:{SECRET}@"), "connections.jira-main.url"),
        (f"publish: [{{id: p, to: {{slack: https://hooks.slack.com/{SECRET}}}}}]", "publish[0].to.slack"),
        (
            f"publish: [{{id: p, to: {{webhook: {{url: https://x.example, secret: {SECRET}}}}}}}]",
            "publish[0].to.webhook.secret",
        ),
        (f"publish: [{{id: p, to: {{asana: {{token: {SECRET}}}}}}}]", "publish[0].to.asana.token"),
        (f"publish: [{{id: p, to: {{profit: {{api_token: {SECRET}}}}}}}]", "publish[0].to.profit.api_token"),
        (
            OBJECTIVE.replace(
                "{kind: binary}",
                "{target: 1}, source: {http: {url: https://x.example, jmespath: a, headers: {Authorization: Bearer "
                + SECRET
                + "}}}",
            ),
            "objectives[0].key_results[0].source.http.headers.Authorization",
        ),
    ],
)
def test_a_literal_secret_is_refused_and_not_repeated(read, text: str, key: str) -> None:
    workspace, problems = read(text)
    errors = [each for each in problems if each.severity == "error"]
    assert workspace is None
    assert key in [each.key for each in errors]
    assert not any(SECRET in str(each) for each in problems)


def test_missing_secrets_are_warnings(read) -> None:
    workspace, problems = read(JIRA + '    webhook: {secret: "${file:hook.txt}"}\n')
    assert workspace is not None
    assert [(each.line, each.key, each.severity) for each in problems] == [
        (7, "connections.jira-main.auth.token", "warning"),
        (9, "connections.jira-main.webhook.secret", "warning"),
    ]
    assert "environment variable T is not set" in problems[0].message
    assert "The file hook.txt cannot be read" in problems[1].message


def test_a_secret_address_is_checked_without_showing_it(read) -> None:
    text = 'publish: [{id: p, to: {webhook: "${env:HOOK}"}}]'
    _, problems = read(text, environ={"HOOK": "http://internal.example/s3cret"})
    [error] = [each for each in problems if each.severity == "error"]
    assert error.message == "The value of env:HOOK is no address to call. Expected https."


@pytest.mark.parametrize(
    ("text", "key", "message"),
    [
        (
            OBJECTIVE
            + "  - {id: O2, title: t, key_results: [{id: KR2, title: t, metric: {kind: binary}}]}\n"
            + "initiatives: [{id: I, title: t, contributes: [{to: KR1, share: 0.6}, {to: KR2, share: 0.5}]}]",
            "initiatives[0].contributes",
            "over_allocated: the shares stated here add up to 1.1, above 1.",
        ),
        (
            "timeframes: {Q: {start: 2026-01-01, end: 2026-01-02}}\n" + OBJECTIVE,
            "timeframes.Q",
            "No objective uses the timeframe Q.",
        ),
        ("objectives: [{id: O, title: t}]", "objectives[0].id", "O has neither key results nor child objectives"),
        (
            OBJECTIVE.replace(", metric: {kind: binary}", ""),
            "objectives[0].key_results[0].id",
            "KR1 has neither a metric nor an initiative",
        ),
        ("initiatives: [{id: I, title: t}]", "initiatives[0].id", "I contributes to no key result."),
        (
            OBJECTIVE.replace("First,", "First, continues: KR0,"),
            "objectives[0].key_results[0].continues",
            "'KR0' is not in the file",
        ),
        (
            OBJECTIVE.replace("First,", "First, status: closed,"),
            "objectives[0].key_results[0].id",
            "KR1 is closed without closed_on",
        ),
        (OBJECTIVE, "connections", "No connection: there is nothing to read from."),
        (
            "timeframes:\n  Y: {start: 2026-01-01, end: 2026-12-31}\n"
            "  Q: {start: 2026-12-01, end: 2027-01-31, parent: Y}\n"
            + OBJECTIVE.replace("title: One", "title: One\n    timeframe: Q"),
            "timeframes.Q.parent",
            "2026-12-01 to 2027-01-31 is not within Y, 2026-01-01 to 2026-12-31.",
        ),
        (
            'connections:\n  l: {type: linear, auth: {token: "${env:T}"}, scope: {teams: [ENG]}, fields: {a: Area}}\n'
            + OBJECTIVE,
            "connections.l.fields",
            "Linear has no fields of its own",
        ),
        (
            JIRA + OBJECTIVE.replace("First,", "First, external: {jira-mian: PAY-1},"),
            "objectives[0].key_results[0].external",
            "'jira-mian' is neither a connection nor a publish target.",
        ),
    ],
)
def test_warnings(read, text: str, key: str, message: str) -> None:
    workspace, problems = read(text)
    assert workspace is not None, problems
    assert any(each.key == key and message in each.message for each in problems), problems


@pytest.mark.parametrize(
    "text",
    [
        JIRA.replace("https://acme.atlassian.net", "http://127.0.0.1:8080"),
        JIRA.replace("https://acme", "http://acme") + "    allow_http: true\n",
        JIRA.replace("https://acme.atlassian.net", "http://[::1]:80/jira"),
    ],
)
def test_plain_http_where_it_is_allowed(read, text: str) -> None:
    workspace, problems = read(text)
    assert workspace is not None, problems


def test_an_initiative_that_a_rule_creates_may_be_named(read) -> None:
    text = JIRA + "mapping: [{name: r, when: {type: Bug}, initiative: 'jira-main:PAY-1'}]"
    workspace, problems = read(text)
    assert workspace is not None, problems


def test_shares_left_out_never_warn(read) -> None:
    text = (
        OBJECTIVE
        + "  - {id: O2, title: t, key_results: [{id: KR2, title: t, metric: {kind: binary}}]}\n"
        + "initiatives: [{id: I, title: t, contributes: [KR1, KR2]}]"
    )
    _, problems = read(JIRA + text, environ={"T": "x"})
    assert problems == []


@pytest.mark.parametrize("line", ["* * * * *", "*/5 0-6 1,15 JAN-mar mon-FRI", "0 9 * * 7", "59 23 31 12 0"])
def test_cron_lines(read, line: str) -> None:
    workspace, problems = read(f'publish: [{{id: p, to: {{slack: "${{env:S}}"}}, when: {{cron: "{line}"}}}}]')
    assert workspace is not None, problems
