"""`keyrail token`: made, listed, revoked, without a workspace file; the secret is seen once."""

import gc
import json

import pytest

from app.cli import app
from app.cli.common import failed
from domain.errors import KeyrailError


@pytest.fixture
def keyrail(tmp_path, sqlite_url, monkeypatch, capsys):
    """Return what runs a command in an empty folder, over a database of its own; what it does to the collector ends."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KEYRAIL_DATABASE_URL", sqlite_url)
    threshold = gc.get_threshold()

    def run(*arguments, code=0):
        try:
            app(arguments, standalone_mode=False)
            ended = 0
        except KeyrailError as error:
            ended = failed(error)
        printed = capsys.readouterr()
        assert ended == code, printed.err
        return printed

    yield run
    gc.unfreeze()
    gc.set_threshold(*threshold)


def test_a_token_is_made_listed_and_revoked(keyrail):
    made = keyrail("token", "create", "the wall", "--role", "write", "--expires", "90d")
    secret = made.out.strip()
    assert secret.startswith("kr_")
    assert "the wall may read and write" in made.err
    listed = keyrail("token", "list", "--json").out
    assert secret not in listed
    (token,) = json.loads(listed)["tokens"]
    assert (token["name"], token["role"], token["used_at"], token["revoked_at"]) == ("the wall", "write", None, None)
    assert "the wall" in keyrail("token", "revoke", "the wall").out
    table = keyrail("token", "list").out
    assert token["id"] in table
    assert "revoked" in table
    assert "There is no token 'the wall'" in keyrail("token", "revoke", "the wall", code=2).err
    assert "expected a span" in keyrail("token", "create", "x", "--expires", "soon", code=2).err
