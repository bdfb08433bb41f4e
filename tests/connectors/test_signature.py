"""Signatures: the vendors' published values hold, and anything near them does not."""

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from connectors.signature import check, fresh, hmac_sha256, same, sign
from domain.errors import SignatureError

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
SECRET = "a secret of ours"
BODY = '{"title":"Übersicht ✓"}'.encode()


def oracle() -> list[dict[str, object]]:
    told = os.environ.get("KEYRAIL_SHARED")
    folder = Path(told) if told else Path(__file__).parents[2].parent / "shared"
    path = folder / "data" / "oracles" / "webhook_signature_vectors.jsonl"
    if not told and not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def accepted(secret: str, body: bytes, received: str | None, prefix: str = "") -> bool:
    try:
        check(secret, body, received, prefix=prefix)
    except SignatureError:
        return False
    return True


@pytest.mark.parametrize("prefix", ["", "sha256="])
def test_what_we_sign_we_accept(prefix):
    assert accepted(SECRET, BODY, sign(SECRET, BODY, prefix=prefix), prefix)


def test_the_value_that_rfc_4231_gives():
    assert hmac_sha256("Jefe", b"what do ya want for nothing?").hex() == (
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    )


@pytest.mark.parametrize(
    "received",
    [
        None,
        "",
        "sha256=",
        "nonsense",
        sign(SECRET, BODY),
        sign(SECRET, BODY, prefix="sha1="),
        "sha256=ü",
        "sha256=\udc80",
    ],
)
def test_what_is_not_the_signature_is_refused(received):
    assert not accepted(SECRET, BODY, received, "sha256=")


def test_one_byte_more_or_another_secret_is_refused():
    good = sign(SECRET, BODY)
    assert not accepted(SECRET, BODY + b" ", good)
    assert not accepted(SECRET + "x", BODY, good)


def test_an_empty_secret_accepts_nothing():
    with pytest.raises(SignatureError, match="No webhook secret"):
        check("", BODY, sign("", BODY))


def test_no_message_shows_the_secret_or_the_signature():
    for received in (None, "wrong", sign(SECRET + "x", BODY)):
        with pytest.raises(SignatureError) as caught:
            check(SECRET, BODY, received)
        assert SECRET not in str(caught.value)
        assert sign(SECRET, BODY) not in str(caught.value)


def test_texts_and_bytes_compare():
    assert same("é", "é".encode())
    assert not same("a", "b")


@pytest.mark.parametrize(("seconds", "is_fresh"), [(0, True), (60, True), (-60, True), (61, False), (-61, False)])
def test_freshness_counts_on_both_sides(seconds, is_fresh):
    assert fresh(NOW + timedelta(seconds=seconds), NOW, timedelta(seconds=60)) is is_fresh


VECTORS = [vector for vector in oracle() if "decide" not in vector]


@pytest.mark.skipif(not VECTORS, reason="no shared data beside the repository")
@pytest.mark.parametrize("vector", VECTORS, ids=lambda v: f"{v['system']}-{v.get('why', 'valid')}"[:60])
def test_the_vendors_own_values(vector):
    prefix = "" if vector["system"] == "linear" else "sha256="
    body = vector["payload"].encode("utf-8")
    assert accepted(vector["secret"], body, vector["expected"], prefix) is vector["valid"]
