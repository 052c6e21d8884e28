# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""On Python 3.9 no thread may be the first to import a module of ours."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

from ansible_collections.fleet.images.plugins.module_utils.task import thread_imports
from ansible_collections.fleet.images.tests.support.module import COLLECTIONS

_FLOORS = Path(thread_imports.__file__).parents[1]
_PACKAGE = "ansible_collections.fleet.images.plugins.module_utils"
_FILES = [path for floor in ("stores", "wire", "engines") for path in _FLOORS.glob(f"{floor}/*.py")]
_BY_ONE_THREAD = {
    f"{_PACKAGE}.stores.layout_collect",  # nothing else runs while content is collected
    f"{_PACKAGE}.stores.layout_blobs",  # a part of every layout, and there before the first thread
    f"{_PACKAGE}.stores.containerd_import",  # images are named one after the other
    f"{_PACKAGE}.engines.containerd_details",  # the host is read by one thread
    f"{_PACKAGE}.engines.docker_transfers",  # threads take turns at importing it
    f"{_PACKAGE}.engines.docker_buildkit",  # builds run one after the other
    f"{_PACKAGE}.engines.loading",  # archives are loaded one after the other
    f"{_PACKAGE}.engines.docker_progress",  # with the two that threads take turns at
    f"{_PACKAGE}.engines.podman_names",  # loaded with the engine
}


def _imported_late(path: Path) -> set[str]:
    """Return the modules of ours that functions of the file at ``path`` import."""
    found = set()
    for function in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(function, ast.FunctionDef):
            for node in ast.walk(function):
                if isinstance(node, ast.ImportFrom) and node.level and node.module:
                    folder = f".{path.parent.name}" if node.level == 1 else ""
                    found.add(f"{_PACKAGE}{folder}.{node.module}")
    return found


def test_all_that_threads_would_import_is_imported_before_they_start() -> None:
    late = set().union(*(_imported_late(path) for path in _FILES)) - _BY_ONE_THREAD
    program = f"import sys, {_PACKAGE}.task.thread_imports; print(*sys.modules)"
    environment = {**os.environ, "PYTHONPATH": str(COLLECTIONS)}
    answer = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    assert len(late) > 5
    assert late - set(answer.stdout.split()) == set()
