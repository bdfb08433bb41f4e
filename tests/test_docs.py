"""The documentation is true: commands, options, settings and keys are described, links lead somewhere, examples load.

What the texts say about behaviour is for people to judge; here is only what a machine can compare.
"""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from app.cli import app
from config.matchers import ITEM_FIELDS, OPERATORS
from config.schema import schema
from config.settings import OTHERS, VARIABLES
from config.workspace import load

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
SKIPPED = {"build", "dist"}
EVERYWHERE = {"--help", "--json", "--workspace", "-w"}
"""options that `docs/commands.md` describes once, above its tables"""

FENCE = re.compile(
    r"^(?P<indent> *)(?P<mark>`{3,}|~{3,})(?P<word>\w*)[^\n]*\n(?P<text>.*?)^ *(?P=mark) *$", re.M | re.S
)
LINK = re.compile(r"\[[^\]]*\]\((?P<target>[^)\s]+)\)")
PROMPT = re.compile(r"^(?:\$ )?(?:\.venv/bin/)?(?=keyrail\b)")


def pages() -> list[Path]:
    """Return every Markdown file of the project."""
    tops = [top for top in ROOT.iterdir() if not top.name.startswith(".") and top.name not in SKIPPED]
    found = [path for top in tops for path in ([top] if top.is_file() else top.rglob("*.md")) if path.suffix == ".md"]
    return sorted(found)


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def fences(path: Path) -> list[tuple[str, str]]:
    """Return (language, text) of the fenced blocks of a page, without the indentation of the fence."""
    found = []
    for match in FENCE.finditer(path.read_text(encoding="utf-8")):
        lines = match["text"].splitlines()
        found.append((match["word"], "\n".join(line.removeprefix(match["indent"]) for line in lines) + "\n"))
    return found


def prose(path: Path) -> str:
    """Return a page without its fenced blocks."""
    return FENCE.sub("", path.read_text(encoding="utf-8"))


def words_in_code(path: Path) -> set[str]:
    """Return the words that stand between backticks."""
    return {word for span in re.findall(r"`([^`\n]+)`", prose(path)) for word in re.findall(r"[A-Za-z_][\w-]*", span)}


def slugs(path: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ +(.+)$", prose(path), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def commands() -> dict[str, Any]:
    """Return every command of the command line by its full name, groups left out."""

    def below(command: Any, name: str) -> Iterator[tuple[str, Any]]:
        inner = getattr(command, "commands", None)
        if inner is None:
            yield name, command
        for word, child in (inner or {}).items():
            yield from below(child, f"{name} {word}".strip())

    return dict(below(typer.main.get_command(app), ""))


def options(command: Any) -> set[str]:
    """Return the options of a command as they are typed."""
    return {typed for one in command.params for typed in (*one.opts, *one.secondary_opts) if typed.startswith("-")}


COMMANDS = commands()


def rows_of(name: str) -> str:
    """Return the rows of `docs/commands.md` that describe a command."""
    text = (DOCS / "commands.md").read_text(encoding="utf-8")
    return "\n".join(re.findall(rf"^\| `{re.escape(name)}(?:`| [^\n]*).*$", text, re.M))


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_a_command_is_described_with_its_options(name):
    described = rows_of(name)
    assert described, f"docs/commands.md has no row for `{name}`"
    told = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", described))
    missing = options(COMMANDS[name]) - EVERYWHERE - told
    assert not missing, f"docs/commands.md does not mention {sorted(missing)} of `{name}`"
    invented = told - options(COMMANDS[name])
    assert not invented, f"docs/commands.md gives `{name}` options that it does not have: {sorted(invented)}"


def test_no_row_describes_a_command_that_is_not_there():
    text = (DOCS / "commands.md").read_text(encoding="utf-8")
    opened = re.findall(r"^\| `([a-z][^`]*)`", text, re.M)
    unknown = [row for row in opened if not any(row == name or row.startswith(f"{name} ") for name in COMMANDS)]
    assert not unknown


def test_options_of_all_commands_are_described_once():
    text = (DOCS / "commands.md").read_text(encoding="utf-8").partition("\n## ")[0]
    assert all(option in text for option in ("--workspace", "`-w`", "--json"))
    assert {"--workspace", "-w"} <= options(typer.main.get_command(app))


def test_every_variable_is_described_and_none_is_invented():
    described = {word for word in words_in_code(DOCS / "operating.md") if re.match("KEYRAIL_[A-Z]", word)}
    assert described == set(VARIABLES)
    for path in pages():
        named = set(re.findall(r"KEYRAIL_[A-Z_]*[A-Z]", path.read_text(encoding="utf-8")))
        assert named <= {*VARIABLES, *OTHERS}, name_of(path)


def keys_of(part: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield (path, key) of each key that a JSON Schema names, whatever stands between."""
    if isinstance(part, list):
        for one in part:
            yield from keys_of(one, path)
    if not isinstance(part, dict):
        return
    for name, inner in part.get("properties", {}).items():
        yield path, name
        yield from keys_of(inner, f"{path}.{name}" if path else name)
    for word in ("anyOf", "allOf", "oneOf", "items", "additionalProperties"):
        yield from keys_of(part.get(word), path)


def test_every_key_of_the_workspace_file_is_described():
    described = set().union(*(words_in_code(DOCS / f"{name}.md") for name in ("workspace-file", "mapping", "outlets")))
    made = schema()
    found = sorted(set(keys_of({word: part for word, part in made.items() if word != "$defs"})))
    assert ("connections", "budget") in found
    missing = [f"{path}.{name}" for path, name in found if name not in described]
    assert not missing, f"not in docs/workspace-file.md: {missing}"


def test_every_word_of_a_matcher_is_described():
    described = words_in_code(DOCS / "mapping.md")
    words = {*ITEM_FIELDS, *OPERATORS, "any", "all", "not", "jmespath", "parent", "fields"}
    assert not words - described


@pytest.mark.parametrize("path", pages(), ids=name_of)
def test_relative_links_lead_somewhere(path):
    broken = []
    for match in LINK.finditer(prose(path)):
        target, _, anchor = match["target"].partition("#")
        if re.match(r"[a-z]+:", target):
            continue
        there = (path.parent / target).resolve() if target else path
        if not there.exists() or (anchor and anchor not in slugs(there)):
            broken.append(match["target"])
    assert not broken


def workspaces() -> list[Any]:
    """Return every whole workspace file that the docs show."""
    return [
        pytest.param(text, id=f"{name_of(path)}-{number}")
        for path in pages()
        for number, (word, text) in enumerate(fences(path))
        if word == "yaml" and text.startswith("version:")
    ]


@pytest.mark.parametrize("text", workspaces())
def test_a_workspace_file_of_the_docs_loads(text, tmp_path):
    file = tmp_path / "keyrail.yaml"
    file.write_text(text, encoding="utf-8")
    assert load(file, {}).name


def test_there_is_a_workspace_file_to_try():
    assert workspaces()


def typed(path: Path) -> list[str]:
    """Return the `keyrail` commands of a page's console and shell blocks."""
    found = []
    for word, text in fences(path):
        if word in ("console", "sh"):
            found += [PROMPT.sub("", line.strip()) for line in text.splitlines() if PROMPT.match(line.strip())]
    return found


def wrong_with(line: str) -> str | None:
    """Return what is wrong with a command line, None if it names an existing command and its options."""
    words = shlex.split(line, comments=True)[1:]
    ends = [at for at, word in enumerate(words) if word in (">", "|", "&&", ";")]
    words = words[: ends[0]] if ends else words
    top = options(typer.main.get_command(app))
    while words and words[0].startswith("-"):
        if words[0] not in top:
            return f"no option {words[0]}"
        words = words[1:] if words[0] == "--help" else words[2:]
    name = next((" ".join(words[:size]) for size in (2, 1) if " ".join(words[:size]) in COMMANDS), None)
    if name is None:
        return f"no command {' '.join(words[:2])}" if words else None
    known = options(COMMANDS[name]) | {"--help"}
    unknown = [word for word in words if word.startswith("-") and word != "-" and word.partition("=")[0] not in known]
    return f"{name} has no option {unknown[0]}" if unknown else None


@pytest.mark.parametrize("path", pages(), ids=name_of)
def test_command_lines_can_be_typed(path):
    wrong = {line: said for line in typed(path) if (said := wrong_with(line)) is not None}
    assert not wrong


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("keyrail show KR2 --json  # as a document", None),
        ("keyrail --workspace x.yaml db prune --older-than 30", None),
        ("keyrail schema > keyrail.schema.json", None),
        ("keyrail shew", "no command shew"),
        ("keyrail show --depth 2", "show has no option --depth"),
        ("keyrail --quiet show", "no option --quiet"),
        ("keyrail db", "no command db"),
    ],
)
def test_a_wrong_command_line_is_noticed(line, said):
    assert wrong_with(line) == said
