"""The house is in order: names that shadow nothing, words at the top of each file, examples that load, locks that hold.

Layers and types are checked by import-linter and mypy, not here.
"""

import ast
import importlib
import re
import sys
import tomllib
from pathlib import Path

import pytest

from config.workspace import load

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PACKAGES = [name.rstrip("*") for name in PROJECT["tool"]["setuptools"]["packages"]["find"]["include"]]
SKIPPED = {"build", "dist", "__pycache__"}
TEXTS = {".md", ".py", ".toml", ".yaml", ".yml", ".json", ".jsonl", ".txt", ".mako", ".lock", ""}
MACHINES = re.compile(r"(?<![\w.-])/(?:home|Users|root|work)/[\w.-]+|\b[A-Z]:\\Users\\")
"""absolute paths that exist on one machine only"""


def files() -> list[Path]:
    """Return the project's own files: nothing hidden, built or installed."""
    tops = [top for top in ROOT.iterdir() if not top.name.startswith(".") and top.name not in SKIPPED]
    tops = [top for top in tops if top.suffix != ".egg-info"]
    found = [path for top in tops for path in ([top] if top.is_file() else top.rglob("*")) if path.is_file()]
    return sorted(path for path in found if not SKIPPED & set(path.relative_to(ROOT).parts))


FILES = files()
MODULES = [path for path in FILES if path.suffix == ".py"]


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("name", PACKAGES)
def test_a_package_is_the_one_of_this_repository(name):
    found = importlib.import_module(name).__file__
    assert found is not None
    assert Path(found) == ROOT / name / "__init__.py"


def test_every_package_is_shipped():
    there = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert there - {"bench"} == set(PACKAGES)


def test_nothing_at_the_top_is_named_after_the_standard_library():
    names = {path.parent.name for path in ROOT.glob("*/__init__.py")} | {path.stem for path in ROOT.glob("*.py")}
    assert not names & sys.stdlib_module_names


def test_tests_are_no_packages():
    assert not [name_of(path) for path in (ROOT / "tests").rglob("__init__.py")]


def test_no_file_names_a_path_of_one_machine():
    found = {}
    for path in FILES:
        if path.suffix in TEXTS and path != Path(__file__):
            hit = MACHINES.search(path.read_text(encoding="utf-8", errors="replace"))
            if hit:
                found[name_of(path)] = hit[0]
    assert not found


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("/home/maria/keyrail", True),
        ("see /root/.cache", True),
        (r"C:\Users\maria", True),
        ("https://acme.example/home/maria", False),
        ("/etc/keyrail/keyrail.yaml", False),
    ],
)
def test_what_a_path_of_one_machine_is(text, is_one):
    assert bool(MACHINES.search(text)) is is_one


@pytest.mark.parametrize("path", sorted(ROOT.glob("examples/*/keyrail.yaml")), ids=name_of)
def test_an_example_loads(path):
    workspace = load(path, {})
    assert workspace.objectives
    assert workspace.connections


def test_there_are_three_examples():
    assert [path.parent.name for path in sorted(ROOT.glob("examples/*/keyrail.yaml"))] == [
        "demo",
        "one-product",
        "portfolio",
    ]


def test_every_module_says_what_lives_in_it():
    silent = [name_of(path) for path in MODULES if not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))]
    assert not silent


def requirements(lock: str) -> list[str]:
    """Return the requirements of a lock file, each as one line."""
    text = (ROOT / lock).read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    return [line for line in "\n".join(lines).replace("\\\n", " ").splitlines() if line.strip()]


LOCKS = ("requirements.lock", "requirements-dev.lock")


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_names_no_index_and_pins_by_hash(lock):
    assert not re.search(r"https?://|--index-url|-i |--find-links", "\n".join(requirements(lock)))
    loose = [one for one in requirements(lock) if not re.match(r"[\w.-]+(\[[\w,-]+\])?==\S+.*--hash=sha256:", one)]
    assert not loose


def folded(requirement: str) -> str:
    """Return the name of a requirement as indexes compare it."""
    name = re.match(r"[\w.-]+", requirement)
    assert name is not None
    return re.sub(r"[-_.]+", "-", name[0]).lower()


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_has_every_dependency(lock):
    stated = list(PROJECT["project"]["dependencies"])
    if lock == "requirements-dev.lock":
        stated += PROJECT["dependency-groups"]["dev"]
    assert {folded(one) for one in stated} <= {folded(one) for one in requirements(lock)}


def drawn() -> set[str]:
    """Return the modules in the tree of `CONTRIBUTING.md`: below each line that begins with a folder, its files."""
    tree = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").partition("## The tree")[2].split("```")[1]
    found: set[str] = set()
    folder = ""
    for line in tree.splitlines():
        head = re.match(r"([\w/]+/)(?:\s|$)", line)
        folder = head[1] if head else folder
        found |= {folder + name for name in re.findall(r"\b\w+\.py\b", line)}
    return found


def test_the_tree_of_the_contributors_guide_is_true():
    there = {
        name_of(path)
        for path in MODULES
        if name_of(path).partition("/")[0] in {*PACKAGES, "bench"}
        and path.name not in ("__init__.py", "__main__.py")
        and "versions" not in path.parts
    }
    assert drawn() == there
