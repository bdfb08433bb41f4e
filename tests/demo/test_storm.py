"""Everything at random at all three sites: the same seed does the same, and the sites stay whole."""

import time
from collections import Counter
from datetime import date

import pytest

from app.demo.linear_model import Issue as LinearIssue
from app.demo.linear_model import Team
from app.demo.portfolio import running
from app.demo.sender import sending
from app.demo.storm import DEEDS, deeds, reveal, storm

TODAY = date(2026, 11, 16)


async def test_the_same_seed_does_the_same():
    done = []
    for seed in (7, 7, 8):
        async with running(TODAY) as portfolio:
            done.append(await storm(portfolio, 200, seed))
    assert done[0] == done[1] != done[2]
    assert len(done[0]) == 200


async def test_everything_happens():
    async with running(TODAY) as portfolio:
        done = Counter(tuple(said.split(":")[0:1] + said.split()[1:2]) for said in deeds(portfolio, 1500, 1))
    assert set(done) == {(tracker, name) for tracker, names in DEEDS.items() for name in names}


@pytest.mark.parametrize("seed", range(4))
async def test_the_sites_stay_whole(seed):
    async with running(TODAY) as portfolio:
        await storm(portfolio, 500, seed)
        jira, github, linear = portfolio.jira, portfolio.github, portfolio.linear
        for issue in jira.issues.values():
            assert issue.deleted or issue.parent is None or not jira.issues[issue.parent].deleted
        for issue in github.issues():
            assert issue.gone is None
            assert issue.parent is None or issue in issue.parent.children
            assert all(child.parent is issue and child.gone is None for child in issue.children)
        for issue in linear.all(LinearIssue):
            above, seen = issue.parent, set()
            while above is not None:
                assert above.id not in seen
                seen.add(above.id)
                above = above.parent
            assert issue.state.team is issue.team


async def test_what_was_hidden_is_given_back():
    async with running(TODAY) as portfolio:
        await storm(portfolio, 1, 1)
        for project in portfolio.jira.projects.values():
            project.hidden = True
        team = next(iter(portfolio.linear.all(Team)))
        repository = next(iter(portfolio.github.repositories.values()))
        team.hidden = repository.hidden = True
        reveal(portfolio)
        assert not (team.hidden)
        assert not (repository.hidden)
        assert not (any(one.hidden for one in portfolio.jira.projects.values()))


async def test_it_keeps_to_its_rate_and_webhooks_leave_meanwhile():
    nobody = "http://127.0.0.1:9/webhooks/jira"
    async with running(TODAY) as portfolio, sending(portfolio, {"jira": nobody}, scale=0) as sender:
        begun = time.perf_counter()
        await storm(portfolio, 20, 2, rate=100.0)
        assert time.perf_counter() - begun >= 0.2
        assert {one.letter.event for one in sender.ledger.of("jira")} >= {"jira:issue_updated"}
