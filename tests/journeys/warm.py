"""Runs the command line over and over, each time in a process of its own that is forked from a warm one.

Importing costs more than most commands do; a fork has its own arguments, environment, files, limits and
signals, and ends with its own exit code, as if it had been started from nothing.
Orders come as JSON lines: ``{"start": {…}}`` answers ``{"pid"}``, ``{"wait": pid, "seconds"}`` answers ``{"code"}``.
"""

import ctypes
import gc
import json
import os
import resource
import signal
import sys
import time
from importlib import import_module
from pkgutil import walk_packages

PACKAGES = ("app", "config", "connectors", "domain", "rollup", "storage", "sync")


def everything():
    """Import all modules of the product but those that do something when they are imported."""
    for package in PACKAGES:
        for found in walk_packages([package], f"{package}."):
            if not found.name.endswith("__main__") and ".migrations" not in found.name:
                import_module(found.name)


def start(order):
    pid = os.fork()
    if pid:
        return pid
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: a test run that is killed leaves no service behind
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        os.dup2(os.open(order[name], os.O_WRONLY if number else os.O_RDONLY), number)
    os.chdir(order["cwd"])
    os.environ.clear()
    os.environ.update(order["env"])
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if order["largest_file"] is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (order["largest_file"], order["largest_file"]))
    sys.argv = ["keyrail", *order["arguments"]]
    code = 1
    try:
        import_module("app.cli").main()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
    except BaseException:  # noqa: BLE001  # as the interpreter does: told, and 1
        sys.excepthook(*sys.exc_info())
    finally:
        for stream in (sys.stdout, sys.stderr):
            if not stream.closed:
                stream.flush()
        os._exit(code)


def wait(pid, seconds):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.002)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return None


def main():
    everything()
    gc.freeze()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with os.fdopen(os.dup(1), "w") as out:
        for line in sys.stdin:
            order = json.loads(line)
            if "start" in order:
                answer = {"pid": start(order["start"])}
            else:
                answer = {"code": wait(order["wait"], order["seconds"])}
            out.write(json.dumps(answer) + "\n")
            out.flush()


main()
