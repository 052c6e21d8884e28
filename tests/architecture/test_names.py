# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names say what a thing is; some words say only that nobody decided."""

from __future__ import annotations

import ast
import re
from pathlib import PurePosixPath

from ansible_collections.fleet.images.tests.architecture.sources import sources

EMPTY_WORDS = frozenset({"util", "utils", "helper", "helpers", "common", "misc", "manager", "managers", "handler"})
# Docker's own name for the programs that keep credentials.
DOMAIN_WORDS = frozenset({"credential_helpers", "CredentialHelper"})
HEADER = (
    "# Copyright (c) 2026, the fleet.images authors\n"
    "# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)\n"
    "# SPDX-License-Identifier: GPL-3.0-or-later\n"
)


def words(name: str) -> set[str]:
    """Return the words of a snake_case or CamelCase name in lower case."""
    return {word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)}


def is_empty(name: str) -> bool:
    return bool(words(name) & EMPTY_WORDS) and name not in DOMAIN_WORDS


def test_no_file_or_folder_has_an_empty_name() -> None:
    own = {part for file in sources() for part in PurePosixPath(file.name).with_suffix("").parts}
    assert sorted(name for name in own - {"module_utils", "plugin_utils"} if is_empty(name)) == []


def test_no_class_has_an_empty_name() -> None:
    classes = {
        f"{file.name}:{node.lineno} {node.name}"
        for file in sources()
        for node in ast.walk(file.tree)
        if isinstance(node, ast.ClassDef) and is_empty(node.name)
    }
    assert sorted(classes) == []


def test_every_file_starts_with_the_licence() -> None:
    files = [*sources("plugins"), *sources("tests"), *sources("tools")]
    wrong = [f.name for f in files if HEADER not in "\n".join(f.text.splitlines()[:5]) + "\n"]
    assert wrong == []


def test_words_are_found_in_both_spellings() -> None:
    assert words("image_utils") == {"image", "utils"}
    assert words("HTTPHandler") == {"http", "handler"}
    assert is_empty("ImageManager")
    assert not is_empty("credential_helpers")
