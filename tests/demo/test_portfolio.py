"""The company on its three trackers at once."""

from datetime import date

import httpx

from app.demo.portfolio import live, running
from config.workspace import load

TODAY = date(2026, 11, 16)


async def test_each_tracker_is_served_and_something_goes_on_at_each_of_them():
    async with running(TODAY) as portfolio:
        assert set(portfolio.urls) == {"jira", "github", "linear"}
        async with httpx.AsyncClient() as client:
            for url in portfolio.urls.values():
                assert (await client.get(url)).status_code < 500
        said = []
        async for change in live(portfolio, every=0):
            said.append(change.split()[0])
            if len(said) == 60:
                break
    assert {key.partition("-")[0] for key in said} >= {"PAY", "CORE", "MOB"}
    assert any(key.startswith("acme/checkout-web#") for key in said)


async def test_one_story_is_kept_in_two_trackers():
    async with running(TODAY) as portfolio:
        linked = [issue for issue in portfolio.jira.issues.values() if issue.remote_links]
        (link,) = (entry["object"] for issue in linked for entry in issue.remote_links.values())
        assert link["url"].startswith(portfolio.urls["github"] + "/acme/checkout-web/issues/")


def test_the_secrets_are_those_that_the_file_asks_for(tmp_path):
    from app.demo.github_site import Site as GitHub
    from app.demo.linear_site import Site as Linear
    from app.demo.portfolio import Portfolio
    from app.demo.site import Site as Jira
    from app.demo.workspace import workspace_text

    urls = {"jira": "http://127.0.0.1:1", "github": "http://127.0.0.1:2", "linear": "http://127.0.0.1:3/graphql"}
    portfolio = Portfolio(jira=Jira(), github=GitHub(), linear=Linear(), urls=urls)
    file = tmp_path / "keyrail.yaml"
    file.write_text(workspace_text(urls, TODAY))
    workspace = load(file, portfolio.environ)
    assert list(workspace.connections) == ["jira-demo", "github-demo", "linear-demo"]
