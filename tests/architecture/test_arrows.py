# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Arrows point down only: the picture in docs/architecture.md cannot drift from the code."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.fleet.images.tests.architecture.sources import Import, SourceFile, imports, sources

# Which floors a floor may import, beside itself.
ALLOWED: t.Mapping[str, frozenset[str]] = {
    "model": frozenset(),
    "wire": frozenset({"model"}),
    "stores": frozenset({"model", "wire"}),
    "engines": frozenset({"model", "wire"}),
    "build": frozenset({"model", "wire"}),
    "signatures": frozenset({"model", "wire"}),
    "plan": frozenset({"model"}),
    "apply": frozenset({"model", "plan", "stores", "engines"}),
    "task": frozenset({"model", "wire", "stores", "engines", "build", "signatures", "plan", "apply"}),
    "modules": frozenset({"task"}),
    "doc_fragments": frozenset(),
}
FLOORS = frozenset({"model", "wire", "stores", "engines", "build", "signatures", "plan", "apply", "task"})
# Plugins of the control node see the floors, not modules.
CONTROL_NODE = frozenset({"action", "callback", "lookup", "filter", "test", "plugin_utils"})
KNOWS_ANSIBLE = frozenset({"task", "modules", "doc_fragments"}) | CONTROL_NODE


def all_imports() -> t.Iterator[tuple[SourceFile, Import]]:
    for file in sources():
        for found in imports(file):
            yield file, found


def say(file: SourceFile, found: Import) -> str:
    return f"{file.name}:{found.line} imports {found.target}"


def test_every_file_lies_on_a_floor() -> None:
    strays = [file.name for file in sources() if file.floor not in set(ALLOWED) | CONTROL_NODE]
    assert strays == []


def test_no_floor_imports_a_floor_above_or_beside_it() -> None:
    wrong = []
    for file, found in all_imports():
        if not found.is_ours or found.floor == file.floor:
            continue
        allowed = FLOORS | {"plugin_utils"} if file.floor in CONTROL_NODE else ALLOWED[file.floor]
        if found.floor not in allowed:
            wrong.append(say(file, found))
    assert wrong == []


def test_apply_knows_stores_and_engines_by_their_protocol_only() -> None:
    wrong = [
        say(file, found)
        for file, found in all_imports()
        if file.floor == "apply" and found.floor in ("stores", "engines") and not found.target.endswith(".base")
    ]
    assert wrong == []


def test_only_the_top_knows_ansible() -> None:
    wrong = [
        say(file, found)
        for file, found in all_imports()
        if found.target.split(".")[0] == "ansible" and file.floor not in KNOWS_ANSIBLE
    ]
    assert wrong == []


def test_what_runs_on_targets_takes_only_module_utils_from_ansible() -> None:
    wrong = [
        say(file, found)
        for file, found in all_imports()
        if file.floor in ("task", "modules")
        and found.target.split(".")[0] == "ansible"
        and not found.target.startswith("ansible.module_utils")
    ]
    assert wrong == []


@pytest.mark.parametrize("package", ["requests", "urllib3", "jsonschema", "cryptography"])
def test_heavy_packages_are_imported_where_they_are_needed_and_not_before(package: str) -> None:
    floors = {"requests": {"wire"}, "urllib3": {"wire"}, "jsonschema": CONTROL_NODE, "cryptography": {"signatures"}}
    wrong = [
        say(file, found)
        for file, found in all_imports()
        if found.target.split(".")[0] == package
        and (file.floor not in floors[package] or (found.is_top_level and not found.is_type_only))
    ]
    assert wrong == []


def test_no_name_is_imported_from_a_string_because_it_would_not_be_shipped() -> None:
    wrong = [say(file, found) for file, found in all_imports() if found.target.split(".")[0] in ("importlib", "imp")]
    wrong += [f"{file.name} calls __import__" for file in sources() if "__import__(" in file.text]
    assert wrong == []


def test_module_utils_has_no_package_files() -> None:
    assert [file.name for file in sources() if file.name.endswith("__init__.py")] == []


def test_imports_of_our_own_files_find_them() -> None:
    names = {file.name for file in sources()}
    assert [say(file, found) for file, found in all_imports() if found.is_ours and found.file not in names] == []
