"""Tokens, links and sessions: what opens a door, for how long, and what the store knows of their secrets."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import text

from storage import audit, tokens

NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)


async def made(tx, **said):
    return await tokens.create(
        tx, **{"name": "wall", "role": "read", "by": "ann", "now": NOW, "expires_at": None, **said}
    )


async def test_a_token_is_known_by_its_secret_which_is_not_stored(store):
    async with store.write() as tx:
        token, secret = await made(tx)
        assert secret.startswith("kr_")
        assert await tokens.by_secret(tx, secret, NOW) == token
        assert await tokens.by_secret(tx, secret[:-1], NOW) is None
        (row,) = await tx.execute(text("select * from tokens"))
        assert not any(secret[3:] in str(value) for value in row)


async def test_a_token_opens_nothing_once_it_has_expired_or_is_revoked(store):
    async with store.write() as tx:
        _, short = await made(tx, expires_at=NOW + HOUR)
        assert await tokens.by_secret(tx, short, NOW + HOUR - timedelta(seconds=1))
        assert await tokens.by_secret(tx, short, NOW + HOUR) is None
        token, secret = await made(tx)
        await tokens.revoke(tx, token.id, NOW)
        assert await tokens.by_secret(tx, secret, NOW) is None
        await tokens.revoke(tx, token.id, NOW + HOUR)
        assert [one.revoked_at for one in await tokens.listed(tx) if one.id == token.id] == [NOW]


async def test_a_use_is_noted(store):
    async with store.write() as tx:
        token, _ = await made(tx)
        await tokens.note_use(tx, token.id, NOW + HOUR)
        assert [one.used_at for one in await tokens.listed(tx)] == [NOW + HOUR]


async def test_a_link_works_once_and_for_its_time(store):
    async with store.write() as tx:
        link = await tokens.open_login(tx, "link", name="ann", role="write", now=NOW, expires_at=NOW + HOUR)
        late = await tokens.open_login(tx, "link", name="ann", role="write", now=NOW, expires_at=NOW + HOUR)
        assert await tokens.session(tx, link, NOW) is None
        assert [await tokens.is_link(tx, link, at) for at in (NOW, NOW + HOUR)] == [True, False]
        assert await tokens.use_link(tx, link, NOW) == tokens.Visitor(name="ann", role="write", token=None)
        assert await tokens.use_link(tx, link, NOW) is None
        assert await tokens.use_link(tx, late, NOW + HOUR) is None


async def test_a_session_ends_in_time_and_when_it_is_closed(store):
    async with store.write() as tx:
        said = {"name": "ann", "role": "write", "now": NOW, "expires_at": NOW + HOUR}
        first, second = [await tokens.open_login(tx, "session", **said) for _ in range(2)]
        assert await tokens.use_link(tx, first, NOW) is None
        assert await tokens.session(tx, first, NOW) == tokens.Visitor(name="ann", role="write", token=None)
        assert await tokens.session(tx, first, NOW + HOUR) is None
        await tokens.close_session(tx, first)
        assert await tokens.session(tx, first, NOW) is None
        assert await tokens.session(tx, second, NOW)
        assert await tokens.close_all(tx) == 1
        assert await tokens.session(tx, second, NOW) is None


async def test_a_session_ends_with_the_token_that_opened_it(store):
    async with store.write() as tx:
        for ends in ("expires", "is revoked"):
            token, _ = await made(tx, expires_at=NOW + HOUR)
            session = await tokens.open_login(
                tx, "session", name="ann", role="read", token=token.id, now=NOW, expires_at=NOW + 9 * HOUR
            )
            assert await tokens.session(tx, session, NOW)
            if ends == "expires":
                assert await tokens.session(tx, session, NOW + HOUR) is None
            else:
                await tokens.revoke(tx, token.id, NOW)
                assert await tokens.session(tx, session, NOW) is None


async def test_what_has_ended_is_forgotten(store):
    async with store.write() as tx:
        said = {"name": "ann", "role": "write"}
        await tokens.open_login(tx, "session", **said, now=NOW, expires_at=NOW + HOUR)
        await tokens.open_login(tx, "session", **said, now=NOW + HOUR, expires_at=NOW + 2 * HOUR)
        assert await tx.scalar(text("select count(*) from logins")) == 1


async def test_deeds_are_told_the_latest_first_in_pages(store):
    done = [
        audit.Deed(at=NOW + n * HOUR, by="ann", via="token", action="check-in", subject=f"KR{n}", detail={"value": n})
        for n in range(3)
    ]
    async with store.write() as tx:
        for deed in done:
            await audit.note(tx, deed)
        (third, told), (second, _) = await audit.deeds(tx, limit=2)
        assert told == done[2]
        assert second < third
        assert [deed for _, deed in await audit.deeds(tx, before=second)] == [done[0]]
