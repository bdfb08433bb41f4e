"""Whatever stands in the file, reading it ends in a workspace or in a ConfigError."""

from __future__ import annotations

import contextlib
import json
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from config.workspace import check, load
from domain.errors import ConfigError

EXAMPLES = Path(__file__).parents[2] / "examples"
TEXTS = [path.read_text(encoding="utf-8") for path in sorted(EXAMPLES.rglob("*.yaml"))]
MARKS = [*"{}[]:,-&*!|>'\"%@`#?\n\t ~<", "<<: *a", "&a ", "*a", "\n  ", "${env:X}", "null", "\x00", "\ufeff", "---\n"]


@st.composite
def mangled(draw: st.DrawFn) -> str:
    """One of the examples with pieces cut out, doubled or put in."""
    text = draw(st.sampled_from(TEXTS))
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, len(text)))
        end = draw(st.integers(at, min(len(text), at + 200)))
        piece = draw(st.one_of(st.just(""), st.sampled_from(MARKS), st.text(max_size=8), st.just(text[at:end] * 2)))
        text = text[:at] + piece + text[end:]
    return text


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6) | st.just("${env:X}"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)
KEYS = [
    "id",
    "title",
    "type",
    "auth",
    "scope",
    "metric",
    "kind",
    "when",
    "to",
    "as",
    "contributes",
    "dimensions",
    "rollup",
]
SECTIONS = ["connections", "mirrors", "timeframes", "dimensions", "teams", "objectives", "initiatives"]
SECTIONS += ["mapping", "policies", "publish", "include"]
plausible = st.recursive(
    json_values,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=12,
)


def survives(text: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "keyrail.yaml"
        path.write_text(text, encoding="utf-8", errors="surrogatepass")
        workspace, problems = check(path, {})
        assert (workspace is None) == any(each.severity == "error" for each in problems)
        with contextlib.suppress(ConfigError):
            load(path, {})
            assert workspace is not None


@given(mangled())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_mangled_examples(text: str) -> None:
    survives(text)


@given(st.dictionaries(st.sampled_from(SECTIONS), plausible, max_size=4))
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_values_in_the_wrong_places(sections: dict[str, object]) -> None:
    survives(json.dumps({"version": 1, "workspace": "a", **sections}))


@given(st.text(max_size=60))
@settings(max_examples=100, deadline=None)
def test_any_text(text: str) -> None:
    survives(text)
