# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import inspect
import json
import subprocess
import sys
import typing as t
import zipfile

import pytest
from ansible_collections.fleet.images.plugins.module_utils.task import compile_once as subject

OURS = "ansible_collections/fleet/images/plugins/module_utils"
TASK = "ansible_collections.fleet.images.plugins.module_utils.task"
#: What a payload has: our packages, some of them loaded before ours, and Ansible's.
FILES = {
    **{f"{'/'.join(OURS.split('/')[:depth])}/__init__.py": "" for depth in range(1, 6)},
    f"{OURS}/task/__init__.py": "",
    f"{OURS}/task/work.py": "from ..model import colour\nfrom ansible.module_utils import basic\n",
    f"{OURS}/model/__init__.py": "NAME = __name__\n",
    f"{OURS}/model/colour.py": "def fail():\n    raise ValueError('blue')\n",
    "ansible/__init__.py": "",
    "ansible/module_utils/__init__.py": "",
    "ansible/module_utils/early.py": "",
    "ansible/module_utils/basic.py": "VALUE = 7\n",
}

PROGRAM = """
import collections, importlib, json, sys, traceback, zipimport

payload, task = sys.argv[1:]
sys.path.insert(0, payload)
import ansible.module_utils.early
compiled = collections.Counter()
def count(event, args):
    if event == "compile" and str(args[1]).startswith(payload):
        compiled[args[1][len(payload) + 1 :]] += 1
importlib.import_module(task + ".compile_once").compile_once()
sys.addaudithook(count)
work = importlib.import_module(task + ".work")
counted = dict(compiled)
ours = {name: module for name, module in sys.modules.items() if getattr(module, "__file__", "").startswith(payload)}
files = {name: module.__file__ for name, module in ours.items()}
try:
    work.colour.fail()
except ValueError:
    told = traceback.format_exc()
try:
    importlib.import_module(task + ".missing")
except ModuleNotFoundError as error:
    missing = error.name
plain = {}
for name, module in ours.items():
    folder = (payload + "/" + name.rpartition(".")[0].replace(".", "/")).rstrip("/")
    plain[name] = zipimport.zipimporter(folder).get_filename(name)
print(json.dumps({"compiled": counted, "files": files, "plain": plain, "told": told, "missing": missing,
                  "value": work.basic.VALUE}))
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> dict[str, t.Any]:
    """Import a payload after ``compile_once``, and tell how that went."""
    payload = tmp_path_factory.mktemp("payload") / "payload.zip"
    with zipfile.ZipFile(payload, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in {**FILES, f"{OURS}/task/compile_once.py": inspect.getsource(subject)}.items():
            archive.writestr(name, text)
    command = [sys.executable, "-c", PROGRAM, str(payload), TASK]
    return t.cast("dict[str, t.Any]", json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout))


def test_each_file_is_compiled_once_also_of_packages_that_were_looked_into_before(run: dict[str, t.Any]) -> None:
    files = ["task/work.py", "model/__init__.py", "model/colour.py"]
    assert run["compiled"] == {**{f"{OURS}/{name}": 1 for name in files}, "ansible/module_utils/basic.py": 1}
    assert run["value"] == 7


def test_modules_are_where_the_importer_of_python_says_they_are(run: dict[str, t.Any]) -> None:
    assert f"{TASK}.work" in run["files"]
    assert run["files"] == run["plain"]


def test_a_traceback_shows_the_source(run: dict[str, t.Any]) -> None:
    assert "raise ValueError('blue')" in run["told"]


def test_what_the_payload_lacks_is_not_found(run: dict[str, t.Any]) -> None:
    assert run["missing"] == f"{TASK}.missing"


def test_outside_of_a_payload_nothing_changes() -> None:
    hooks, finders = list(sys.path_hooks), dict(sys.path_importer_cache)
    subject.compile_once()
    assert sys.path_hooks == hooks
    assert finders.items() <= sys.path_importer_cache.items()
