"""The sample company on all of its trackers: Jira, GitHub and Linear, built together and served together.

What each of them holds is told by `company`, `github_company` and `linear_company`; nothing of Keyrail runs here.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import date

from app.demo import company, github_company, linear_company
from app.demo import github as github_face
from app.demo import jira as jira_face
from app.demo import linear as linear_face
from app.demo.company import SEED
from app.demo.github_access import SCOPES
from app.demo.github_site import Site as GitHub
from app.demo.linear_site import Site as Linear
from app.demo.site import Site as Jira
from app.web.server import serve


@dataclass(frozen=True, slots=True, kw_only=True)
class Portfolio:
    """The three sites with their addresses on loopback."""

    jira: Jira
    github: GitHub
    linear: Linear
    urls: dict[str, str]

    @property
    def environ(self) -> dict[str, str]:
        """The secrets that the sample workspace file asks for."""
        return {
            "DEMO_JIRA_TOKEN": self.jira.token,
            "DEMO_JIRA_WEBHOOK_SECRET": self.jira.webhook_secret,
            "DEMO_GITHUB_TOKEN": self.github.token,
            "DEMO_GITHUB_WEBHOOK_SECRET": self.github.webhook_secret,
            "DEMO_LINEAR_TOKEN": self.linear.key,
            "DEMO_LINEAR_WEBHOOK_SECRET": self.linear.webhook_secret,
        }


@asynccontextmanager
async def running(today: date, port: int = 0) -> AsyncIterator[Portfolio]:
    """Build the company as it stands on a day and serve it; `port` is of the simulated Jira, 0 takes a free one."""
    jira, github, linear = Jira(), GitHub(), Linear()
    made = company.build(jira, today)
    web = github_company.build(github, today)
    linear_company.build(linear, today)
    async with AsyncExitStack() as stack:
        jira.url = await stack.enter_async_context(serve(jira_face.application(jira), port))
        github.url = await stack.enter_async_context(serve(github_face.application(github)))
        # The web team keeps one story of the Jira in its repository too, and says so there.
        twin = web.items[github_company.PLANS[0].title][0]
        jira.link_out(made.items["I3"][0], twin.url, twin.title)
        jira.changes.clear()
        _administer(jira, github)
        urls = {
            "jira": jira.url,
            "github": github.url,
            "linear": await stack.enter_async_context(serve(linear_face.application(linear))) + "/graphql",
        }
        yield Portfolio(jira=jira, github=github, linear=linear, urls=urls)


def _administer(jira: Jira, github: GitHub) -> None:
    """Let our accounts be those of administrators, so that they can register webhooks."""
    jira.permissions.add("ADMINISTER")
    github.access.add_token(github.token, github.me, scopes=(*SCOPES, "admin:org_hook"))
    for repository in github.repositories.values():
        repository.viewer_permission = "ADMIN"


async def live(portfolio: Portfolio, *, every: float = 2.0, seed: int = SEED) -> AsyncIterator[str]:
    """Say what happens next at one of the trackers, every `every` seconds, without end."""
    chance = random.Random(seed)
    steps: tuple[Callable[[], list[str]], ...] = (
        lambda: [f"{one.issue.key}  {one.said}" for one in company.step(portfolio.jira, chance)],
        lambda: [
            f"{one.issue.repository.name_with_owner}#{one.issue.number}  {one.said}"
            for one in github_company.step(portfolio.github, chance)
            if one.issue is not None
        ],
        lambda: [f"{one.key}  {one.said}" for one in linear_company.step(portfolio.linear, chance)],
    )
    while True:
        await asyncio.sleep(every)
        for said in chance.choices(steps, weights=(3, 2, 2))[0]():
            yield said
