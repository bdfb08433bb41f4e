"""What customers meet first: how many items an hour a vendor's published budgets let a connection pull.

Pure: measured costs in, lines of text out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

COST, REQUESTS = "cost", "requests"


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What an account may use in an hour of one thing: of `requests`, or of the vendor's own unit (`cost`)."""

    who: str
    what: str
    unit: str
    an_hour: float


BUDGETS: Mapping[str, tuple[Budget, ...]] = {
    "jira": (
        Budget(who="API token", what=REQUESTS, unit="requests", an_hour=100 * 3600),
        Budget(who="OAuth", what=COST, unit="points", an_hour=65_000),
    ),
    "github": (
        Budget(who="user, or an app of up to 20 repositories", what=COST, unit="points", an_hour=5_000),
        Budget(who="app on Enterprise Cloud", what=COST, unit="points", an_hour=10_000),
        Budget(who="app of many repositories", what=COST, unit="points", an_hour=12_500),
    ),
    "linear": (
        Budget(who="API key", what=REQUESTS, unit="requests", an_hour=2_500),
        Budget(who="API key", what=COST, unit="complexity", an_hour=3_000_000),
        Budget(who="OAuth", what=REQUESTS, unit="requests", an_hour=5_000),
        Budget(who="OAuth", what=COST, unit="complexity", an_hour=2_000_000),
    ),
}
"""Published in autumn 2026. Jira: a burst limit of 100 calls a second for each endpoint, and points for OAuth and apps
alone, one a call and one an object, shared by all sites of an app:
https://developer.atlassian.com/cloud/jira/platform/rate-limiting/
https://docs.github.com/en/graphql/overview/rate-limits-and-query-limits-for-the-graphql-api
https://linear.app/developers/rate-limiting"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pull:
    """What a whole pull of so many items took."""

    items: int
    requests: int
    cost: float

    def of(self, budget: Budget) -> float:
        """Return what it took of the thing that a budget is of."""
        return self.requests if budget.what == REQUESTS else self.cost


def an_hour(pull: Pull, budget: Budget, share: float) -> float:
    """Return how many items an hour a budget allows where `share` of it may be used."""
    return budget.an_hour * share * pull.items / pull.of(budget)


def lines(tracker: str, pull: Pull, share: float) -> Iterator[str]:
    """Yield a line for each way in; the budget that ends first is the one that customers meet."""
    yield f"what customers meet first, at a budget of {share:g} (a pull of {pull.items:,} without history):"
    ways = dict.fromkeys(budget.who for budget in BUDGETS[tracker])
    for who in ways:
        budgets = [budget for budget in BUDGETS[tracker] if budget.who == who]
        first = min(budgets, key=lambda budget: an_hour(pull, budget, share))
        every = ", ".join(
            f"{budget.an_hour:,.0f} {budget.unit}/h -> {an_hour(pull, budget, share):,.0f}" for budget in budgets
        )
        met = f" items an hour, first met: {first.unit}" if len(budgets) > 1 else " items an hour"
        yield f"  {who}: {every}{met}; a pull takes {pull.of(first):,.0f}"
