"""The demo, and the command line as people start it: an interpreter of its own, signals, pipes."""

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "app.cli"]


@pytest.fixture
def start(tmp_path):
    """Start the command line in an empty folder; it is ended with the test."""
    running = []

    def go(*arguments, stdout=subprocess.PIPE):
        process = subprocess.Popen(
            [*COMMAND, *arguments],
            cwd=tmp_path,
            env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONPATH": str(ROOT), "COLUMNS": "80"},
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
        )
        running.append(process)
        return process

    yield go
    for process in running:
        if process.poll() is None:
            process.kill()
        process.communicate()


def test_the_demo_prints_the_tree_and_ends(start, tmp_path):
    process = start("demo", "--once")
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert "Traceback" not in err
    for objective in ("O1  Checkout that nobody notices", "O2  Payouts", "O3  Merchants"):
        assert objective in out
    assert {"On track", "At risk", "Off track"} <= {
        word for word in ("On track", "At risk", "Off track") if word in out
    }
    # The company and its file are gone: what is to be done next needs neither.
    assert out.endswith("\n\n44 sent\n\nNext: keyrail demo · the company goes on working, and you ask it yourself\n")
    assert out.count("Next:") == 1
    for tracker in ("Jira", "GitHub", "Linear"):
        assert f"A simulated {tracker} runs at http://127.0.0.1:" in err
    # Nothing is kept, neither here nor in the scratch folder that it named.
    assert list(tmp_path.iterdir()) == []
    folder = Path(err.split("The workspace file: ")[1].split()[0]).parent
    assert not folder.exists()


def test_the_demo_as_json_is_one_document(start):
    process = start("demo", "--once", "--json")
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    doc = json.loads(out)
    assert [objective["health"] for objective in doc["objectives"]] == ["on_track", "at_risk", "off_track"]
    sent = Counter(one["target"] for one in doc["published"]["sent"])
    assert sent == {"jira-badge": 36, "github-comment": 5, "linear-card": 3}
    # One initiative over three trackers; the story that Jira and GitHub both keep counts once.
    payment_page = next(one for one in doc["initiatives"] if one["id"] == "I3")
    assert sum(payment_page["counts"].values()) == 40 + 45 - 1
    one_click = next(one for one in doc["initiatives"] if one["id"] == "I1")
    assert sum(one_click["counts"].values()) > 70 + 14


def test_the_demo_goes_on_until_it_is_interrupted(start):
    process = start("demo", "--port", "0")
    said = []
    # It lives: changes of the company come in, and Ctrl-C ends it.
    while not any("Ctrl-C ends the demo" in line for line in said):
        line = process.stderr.readline()
        assert line, said
        said.append(line)
    while not said[-1].startswith("  "):
        said.append(process.stderr.readline())
        assert said[-1], said
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert "The demo has ended; nothing of it is kept." in err
    assert "O1  Checkout that nobody notices" in out
    # How to ask is said with the path of the file, without which nothing could be asked.
    assert "Next:" not in out
    assert any(line.startswith("Ask it yourself") and "keyrail --workspace /" in line for line in said)


def test_a_reader_that_goes_away_ends_the_command_quietly(start):
    read, write = os.pipe()
    os.close(read)
    process = start("schema", stdout=write)
    os.close(write)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 1
    assert err == ""


def test_a_full_disk_under_the_output_is_told(start):
    with open("/dev/full", "w") as full:
        process = start("schema", stdout=full)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 1
    assert err == "Error: The system says: No space left on device.\n"
