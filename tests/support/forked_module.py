# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run modules by forking a Python that has imported Ansible's and requests' code already: half a second less each.

Each run is a process of its own that reads the collection's sources anew, as with support.module.run_module. What a
module imports of other packages is there before it asks, so what a task imports is no matter for tests run this way.
"""

from __future__ import annotations

import atexit
import functools
import json
import os
import subprocess
import sys
import tempfile
import typing as t
from pathlib import Path

from .module import COLLECTIONS, ModuleRun

# One request a line; the child never returns to the loop: it ends as the module ends, or by SIGALRM after five minutes.
_SERVER = """
import concurrent.futures, http.client, json, os, runpy, signal, sys, tarfile
import ansible.module_utils.basic as basic
import requests, urllib3
sys.dont_write_bytecode, sys.pycache_prefix = False, sys.argv[1]
if hasattr(basic, "_ANSIBLE_PROFILE"):
    basic._ANSIBLE_PROFILE = "legacy"
for line in sys.stdin:
    order = json.loads(line)
    child = os.fork()
    if child:
        status = os.waitpid(child, 0)[1]
        print(os.waitstatus_to_exitcode(status), flush=True)
        continue
    signal.alarm(300)
    for number, path in enumerate((os.devnull, order["output"], order["errors"])):
        handle = os.open(path, os.O_RDWR)
        os.dup2(handle, number)
        os.close(handle)
    os.environ.update(order["environment"])
    basic._ANSIBLE_ARGS = json.dumps({"ANSIBLE_MODULE_ARGS": order["arguments"]}).encode()
    runpy.run_module(order["module"], run_name="__main__", alter_sys=True)
    sys.exit(0)
"""


def run_forked(
    name: str, params: t.Mapping[str, t.Any], *, check: bool = False, environment: t.Mapping[str, str] | None = None
) -> ModuleRun:
    """Run ``plugins/modules/NAME.py`` with ``params`` and ``--diff`` and return its result. Failure is a result.

    Raises ``AssertionError`` with everything the process printed when it gave no JSON result (a traceback, say).
    """
    server = _server()
    if server.stdin is None or server.stdout is None:
        raise TypeError("the server is talked to by pipes")
    with tempfile.NamedTemporaryFile() as output, tempfile.NamedTemporaryFile() as errors:
        order = {
            "module": f"ansible_collections.fleet.images.plugins.modules.{name}",
            "arguments": {**params, "_ansible_check_mode": check, "_ansible_diff": True, "_ansible_no_log": False},
            "environment": dict(environment or {}),
            "output": output.name,
            "errors": errors.name,
        }
        server.stdin.write(json.dumps(order) + "\n")
        server.stdin.flush()
        status = int(server.stdout.readline())
        said, complained = (Path(file.name).read_text(encoding="utf-8", errors="replace") for file in (output, errors))
    try:
        result = json.loads(said.strip().splitlines()[-1])
    except (ValueError, IndexError):
        raise AssertionError(f"{name} gave no result (exit status {status}):\n{said}\n{complained}") from None
    if not isinstance(result, dict):
        raise AssertionError(f"{name} gave {result!r}")
    return ModuleRun(status, result, complained)


@functools.lru_cache(maxsize=1)
def _server() -> subprocess.Popen[str]:
    bytecode = tempfile.TemporaryDirectory(prefix="bytecode-")
    server = subprocess.Popen(
        [sys.executable, "-c", _SERVER, bytecode.name],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(COLLECTIONS), "LC_ALL": "C.UTF-8"},
        text=True,
    )
    atexit.register(_stop, server, bytecode)
    return server


def _stop(server: subprocess.Popen[str], bytecode: tempfile.TemporaryDirectory[str]) -> None:
    if server.stdin is not None and server.stdout is not None:
        server.stdin.close()
        server.wait(20)
        server.stdout.close()
    bytecode.cleanup()
