"""What leaves a tracker, moves in it or gets out of sight: known by webhook where there is one, else by the census."""

import pytest

from app.demo.linear_model import Team
from app.demo.sender import Sending

WAYS = {"webhook": 0.0, "census": 1.0}


@pytest.mark.parametrize("way", WAYS)
async def test_what_is_deleted_moved_and_archived(house, way):
    sites = house.sites
    jira = [await house.open_work("jira", number) for number in range(2)]
    github = [await house.open_work("github", number) for number in range(2)]
    linear = [await house.open_work("linear", number) for number in range(4)]
    elsewhere = next(one.key for one in sites.jira.projects.values() if one.key != jira[1]["project"])
    async with house.serving():
        async with house.sending(Sending(drop=WAYS[way])) as sender:
            sites.jira.delete(house.issue(jira[0]))
            sites.jira.move(house.issue(jira[1]), elsewhere)
            sites.github.delete(house.issue(github[0]))
            moving = house.issue(github[1])
            others = [one for one in sites.github.repositories.values() if one is not moving.repository]
            moved = sites.github.transfer(moving, others[0])
            sites.linear.trash(house.issue(linear[0]))
            team = house.issue(linear[1]).team
            sites.linear.move(house.issue(linear[1]), next(one for one in sites.linear.all(Team) if one is not team))
            house.finish(linear[2])
            sites.linear.archive(house.issue(linear[2]))
            sites.linear.trash(house.issue(linear[3]))
            sites.linear.restore(house.issue(linear[3]))
            await sender.idle()
        if way == "census":
            await house.pull()
            await house.ask("census")
        await house.agrees(past=way == "census")
        items = await house.items()
        for gone in (jira[0], github[0], linear[0]):
            assert items[gone["connection"], gone["id"]]["deleted"]
        assert items["jira-demo", jira[1]["id"]]["key"].startswith(f"{elsewhere}-")
        assert any(one["key"] == moved.key and not one["deleted"] for one in items.values())
        assert items["linear-demo", linear[2]["id"]]["archived"]
        assert not items["linear-demo", linear[3]["id"]]["deleted"]


async def test_what_is_hidden_stays_in_the_numbers_and_comes_back(house):
    project = next(one for one in house.sites.jira.projects.values() if one.key == "MER")
    repository = list(house.sites.github.repositories.values())[-1]
    team = list(house.sites.linear.all(Team))[-1]

    def hide(hidden):
        project.hidden = repository.hidden = team.hidden = hidden
        house.sites.github.version += 1
        house.sites.linear.touch()

    async def out_of_sight():
        items = (await house.items()).values()
        return {one["connection"] for one in items if one["inaccessible"] and not one["deleted"]}

    async with house.serving():
        before = await house.report()
        hide(True)
        await house.ask("census")
        assert await out_of_sight() == {"jira-demo", "github-demo", "linear-demo"}
        now = await house.report()
        assert [one["counts"] for one in now["initiatives"]] == [one["counts"] for one in before["initiatives"]]
        hide(False)
        await house.ask("census")
        assert not await out_of_sight()
        await house.agrees(past=False)
