"""What `check` says about a connection."""

from dataclasses import replace

import httpx
import pytest

from app.demo import github_projects as projects
from connectors.base import Finding
from domain.workspace import Secret


def said(findings, subject):
    return [(one.level, one.message) for one in findings if one.subject == subject]


@pytest.fixture
def probed(github, discovered):
    async def probed(connection, **more):
        async with discovered(connection, github, **more) as session:
            return await session.probe()

    return probed


async def test_a_classic_token_over_one_repository(github, probed, connection):
    github.repository("api", 3)
    github.site.add_issue_field(github.acme, "Effort", "NUMBER")
    found = await probed(replace(connection, budget=0.5))
    assert found == [
        Finding(
            level="ok",
            subject="credentials",
            message="environment variable GITHUB_TOKEN is a classic token of the account keyrail-bot.",
        ),
        Finding(level="ok", subject="permissions", message="Scopes: read:org, read:project, repo."),
        Finding(
            level="ok",
            subject="rate limit",
            message=(
                "4997 of 5000 points and 5000 of 5000 requests left this hour. Keyrail uses at most 50% of the points: "
                "about 41,600 issues an hour with their history."
            ),
        ),
        Finding(level="ok", subject="repository acme/api", message="Visible."),
        Finding(level="ok", subject="scope", message="About 3 issues are in scope."),
        Finding(level="ok", subject="estimate", message="Issue field found: Effort."),
        Finding(level="ok", subject="status", message="Open, closed and why."),
        Finding(level="ok", subject="comments", message="Our account may comment in each repository."),
    ]


async def test_the_scope_is_told_part_by_part(github, probed, connection):
    api = github.repository("api", 1)
    github.site.rename_repository(api, "core")
    github.site.archive_repository(github.repository("old"))
    projects.add_project(github.site, github.acme, "Board")
    scoped = replace(
        connection,
        scope={"repositories": ["acme/api"], "organizations": ["acme"], "projects": ["acme/1"]},
        status={"project_field": "status"},
        estimate={"label": r"size/(\d+)"},
    )
    github.site.add_issue_type(github.acme, "Epic")
    found = await probed(replace(scoped, epics={"types": ["epic", "Theme"]}))
    assert said(found, "epics") == [
        ("warning", "No organization in scope has the issue type 'Theme' of `epics.types`. Check its name.")
    ]
    assert said(found, "repository acme/api") == [
        (
            "warning",
            "It is called acme/core now and is read under that name. Put the new name into `scope`.",
        )
    ]
    assert said(found, "organization acme") == [("ok", "2 repositories are visible to our account.")]
    assert said(found, "project acme/1") == [("ok", "Visible: Board.")]
    assert said(found, "archived") == [("ok", "Archived, and read all the same: acme/old.")]
    assert said(found, "status") == [("ok", "Field 'Status' found in acme/1 with Todo, In Progress, Done.")]
    assert said(found, "estimate") == [("ok", r"From labels like size/(\d+).")]


async def test_what_a_token_lacks_is_a_warning(github, probed, connection):
    github.repository("api")
    github.site.access.add_token("ghp_narrow", github.site.me, scopes=("read:org",))
    found = await probed(replace(connection, auth={"token": Secret("env:T", "ghp_narrow")}, estimate="none"))
    assert said(found, "permissions") == [
        (
            "warning",
            "The token lacks the scope repo or public_repo: private repositories are hidden, and nothing can be "
            "published.",
        )
    ]
    assert said(found, "scope") == [("warning", "No issue is in scope. Check `scope`.")]
    assert said(found, "estimate") == [("ok", "No estimate is wanted; items count as one each.")]


async def test_a_fine_grained_token_cannot_be_asked(github, probed, connection):
    github.repository("api", 1)
    github.site.access.add_token("github_pat_x", github.site.me, scopes=None)
    found = await probed(replace(connection, auth={"token": Secret("env:T", "github_pat_x")}))
    assert "fine-grained token" in said(found, "credentials")[0][1]
    assert said(found, "permissions")[0][0] == "ok"
    assert said(found, "estimate")[0][0] == "warning"


@pytest.mark.parametrize(
    ("permissions", "level", "words"),
    [
        ({"issues": "write"}, "ok", "Issues: write."),
        ({"issues": "read"}, "warning", "To publish comments"),
        ({"metadata": "read"}, "error", "no issue can be read"),
    ],
)
async def test_an_app_is_held_against_its_permissions(github, probed, connection, permissions, level, words):
    github.repository("api", 1)
    registered = github.site.access.add_app(github.site.add_bot("keyrail-acme"))
    github.site.access.permissions = permissions
    key = Secret("env:APP_KEY", registered.private_key)
    app = {"id": registered.id, "installation": registered.installation, "private_key": key}
    found = await probed(replace(connection, auth={"app": app}))
    assert said(found, "permissions")[0][0] == level
    assert words in said(found, "permissions")[0][1]
    assert said(found, "comments")[0][0] == ("ok" if permissions.get("issues") == "write" else "warning")
    assert "a GitHub App of the account keyrail-acme[bot]" in said(found, "credentials")[0][1]


async def test_organizations_behind_single_sign_on_and_little_room_are_told(github, discovered, connection):
    github.repository("api", 1)
    async with discovered(connection, github) as session:
        limits = {"resources": {"graphql": {"limit": 5000, "remaining": 300}, "core": {"limit": 5000, "remaining": 9}}}
        sso = {"x-github-sso": "partial-results; organizations=42"}
        github.plan("/rate_limit", httpx.Response(200, json=limits, headers=sso))
        found = await session.probe()
        github.plan("/rate_limit", httpx.Response(404, json={"message": "Rate limiting is not enabled."}))
        without = await session.probe()
    assert said(found, "rate limit")[0][0] == "warning"
    assert "(ids 42)" in said(found, "single sign-on")[0][1]
    assert said(without, "rate limit") == [("ok", "This server states none.")]


async def test_a_field_that_could_not_be_looked_up_and_repositories_that_give_no_role(github, discovered, connection):
    github.repository("api", 1)
    elsewhere = replace(connection, status={"project_field": "Status"})
    async with discovered(elsewhere, github) as session:
        session.reading.facts["repositories"]["acme/api"]["permission"] = None
        found = await session.probe()
        session.reading.facts["repositories"]["acme/api"] |= {"permission": "READ", "issues": False}
        session.reading.facts["old"] = True
        readers = await session.probe()
    assert said(found, "status")[0] == (
        "warning",
        "Field 'Status' could not be looked up. Put the project into `scope.projects`; see the first items in "
        "`coverage`.",
    )
    assert said(found, "comments")[0][0] == "warning"
    assert "acme/api; that is enough" in said(readers, "comments")[0][1]
    assert said(readers, "issues")[0][0] == "warning"
    assert said(readers, "server")[0][0] == "warning"
