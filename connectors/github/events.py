"""GitHub's webhook events by name: those that change nothing here, with the reason, and how to tell one by its body.

Pure; what becomes of the others is said in `webhook`.
"""

from __future__ import annotations

from collections.abc import Mapping

IGNORED: Mapping[str, str] = {
    "ping": "a greeting: the webhook is set up",
    "meta": "the webhook was removed; deliveries end, polling goes on",
    "label": "a label is read with each of its issues, when that changes; a backfill with --restart reads all",
    "repository": "the next discovery follows a repository that was renamed, moved, archived or deleted",
    "repository_import": "the issues of an imported repository are found by the next sync",
    "organization": "the next discovery follows an organization to its new name",
    "installation": "what the app may see is found by the next discovery",
    "installation_repositories": "what the app may see is found by the next discovery",
    "installation_target": "the next discovery follows an account to its new name",
    "github_app_authorization": "authorizations of the app by people are not used",
    "projects_v2": "a project's own settings are read by the next discovery",
    "projects_v2_status_update": "status updates of projects are not read",
    "issue_field": "issue fields are read again by the next discovery",
    "issue_type": "issue types are read again by the next discovery",
    **dict.fromkeys(
        ("pull_request", "pull_request_review", "pull_request_review_comment", "pull_request_review_thread"),
        "pull requests are not read",
    ),
    **dict.fromkeys(("discussion", "discussion_comment"), "discussions are not read"),
    **dict.fromkeys(
        ("member", "membership", "team", "team_add", "org_block", "public", "star", "watch", "sponsorship", "fork"),
        "people and their access are not read",
    ),
    **dict.fromkeys(
        (
            "push", "create", "delete", "commit_comment", "gollum", "release", "package", "registry_package",
            "page_build", "merge_group", "branch_protection_rule", "branch_protection_configuration", "deploy_key",
        ),
        "code and what is made of it is not read",
    ),
    **dict.fromkeys(
        (
            "check_run", "check_suite", "status", "workflow_dispatch", "workflow_job", "workflow_run",
            "repository_dispatch", "deployment", "deployment_status", "deployment_review",
            "deployment_protection_rule",
        ),
        "builds and deployments are not read",
    ),
    **dict.fromkeys(
        (
            "code_scanning_alert", "dependabot_alert", "repository_advisory", "repository_ruleset",
            "repository_vulnerability_alert", "secret_scanning_alert", "secret_scanning_alert_location",
            "secret_scanning_scan", "security_advisory", "security_and_analysis",
        ),
        "security alerts are not read",
    ),
    **dict.fromkeys(("project", "project_card", "project_column"), "classic projects are not read"),
    **dict.fromkeys(
        ("marketplace_purchase", "personal_access_token_request", "custom_property", "custom_property_values",
         "custom_property_promoted_to_enterprise"),
        "settings of the organization are not read",
    ),
}  # fmt: skip
"""Events that we know and that change nothing here, with the reason.

https://docs.github.com/en/webhooks/webhook-events-and-payloads
"""

SHAPES: tuple[tuple[str, str], ...] = (
    ("zen", "ping"),
    ("hook", "meta"),
    ("projects_v2_item", "projects_v2_item"),
    ("projects_v2_status_update", "projects_v2_status_update"),
    ("projects_v2", "projects_v2"),
    ("sub_issue", "sub_issues"),
    ("parent_issue", "sub_issues"),
    ("blocked_issue", "issue_dependencies"),
    ("blocking_issue", "issue_dependencies"),
    ("blocked_issue_id", "issue_dependencies"),
    ("blocking_issue_id", "issue_dependencies"),
    ("pull_request", "pull_request"),
    ("discussion", "discussion"),
    ("issue", "issues"),
    ("milestone", "milestone"),
    ("label", "label"),
    ("release", "release"),
    ("repositories_added", "installation_repositories"),
    ("check_run", "check_run"),
    ("check_suite", "check_suite"),
    ("workflow_job", "workflow_job"),
    ("workflow_run", "workflow_run"),
    ("deployment", "deployment"),
    ("pusher", "push"),
    ("account", "installation_target"),
)
"""Part of a body -> event, tried in order."""


def event_like(delivery: Mapping[str, object]) -> str | None:
    """Return the event that a body looks like, None where it looks like none; used where no header tells."""
    if "comment" in delivery and "issue" in delivery:
        return "issue_comment"
    for part, event in SHAPES:
        if part in delivery:
            return event
    if "repository" in delivery:
        return "repository"
    if "organization" in delivery:
        return "organization"
    if "installation" in delivery:
        return "installation"
    return "github_app_authorization" if delivery.get("action") == "revoked" else None
