# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What changed is told by name."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.fleet.images.plugins.module_utils.build.changes import (
    FileChanges,
    file_changes,
    inputs_of,
    what_changed,
)
from ansible_collections.fleet.images.plugins.module_utils.build.context import Row
from ansible_collections.fleet.images.plugins.module_utils.build.inputs import InputsKey
from ansible_collections.fleet.images.plugins.module_utils.model.digest import Digest

if t.TYPE_CHECKING:
    from ansible_collections.fleet.images.tests.unit.build.conftest import Workshop

A, B = str(Digest.of(b"a")), str(Digest.of(b"b"))
BEFORE = {
    "builder": "1",
    "dockerfile": A,
    "context": A,
    "platform": "linux/amd64",
    "target": "",
    "arg:V": A,
    "label:x": A,
    "base:python:3.12": A,
    "secrets": "a",
}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, ""),
        ({"dockerfile": B}, "Dockerfile"),
        ({"context": B}, "context"),
        ({"platform": "linux/arm64"}, "platform linux/amd64 -> linux/arm64"),
        ({"target": "x"}, "target"),
        ({"arg:V": B, "label:x": B}, "arg V; label x"),
        ({"arg:W": B}, "arg W (new)"),
        ({"base:python:3.12": B}, f"base python:3.12 {A[:19]}… -> {B[:19]}…"),
        ({"base:other": B, "dockerfile": B}, f"Dockerfile; base other {B[:19]}… (new)"),
        ({"network": "host"}, "network host (new)"),
        ({"etc-hosts": B, "squash": "true"}, "etc_hosts (new); squash (new)"),
        ({"secrets": "a b"}, "secrets"),
        ({"source-date-epoch": "1"}, "SOURCE_DATE_EPOCH 1 (new)"),
    ],
)
def test_each_field_has_its_words(change: dict[str, str], expected: str) -> None:
    after = {**BEFORE, **change}
    assert what_changed(BEFORE, after) == expected
    assert what_changed(inputs_of(InputsKey("", BEFORE).label), after) == expected


def test_what_is_gone_is_told() -> None:
    assert what_changed(BEFORE, {name: BEFORE[name] for name in BEFORE if ":" not in name}) == (
        "base python:3.12 (gone); arg V (gone); label x (gone)"
    )


def test_nothing_is_told_of_what_is_not_known() -> None:
    assert what_changed({}, BEFORE) == ""
    assert [inputs_of(text) for text in ("", "x", "[]", '{"a": 1}', "null")] == [{}] * 5


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (FileChanges(("src/app.py",)), "context: 1 file changed: src/app.py"),
        (FileChanges(("b",), ("c",), ("a",)), "context: 3 files changed: a (gone), b, c (new)"),
        (FileChanges(tuple("abcdefg")), "context: 7 files changed: a, b, c and 4 more"),
    ],
)
def test_at_most_three_files_are_named(files: FileChanges, expected: str) -> None:
    assert what_changed(BEFORE, {**BEFORE, "context": B}, files=files) == expected


def test_files_are_compared_by_everything_that_counts() -> None:
    before = [Row("d", "dir", 0o755, "", ""), Row("d/f", "file", 0o644, "", "1"), Row("l", "symlink", 0o777, "f", "")]
    before += [Row("m", "file", 0o644, "", "1"), Row("same", "file", 0o644, "", "1"), Row("d-", "dir", 0o755, "", "")]
    after = [Row("l", "symlink", 0o777, "g", ""), Row("m", "file", 0o755, "", "1"), Row("same", "file", 0o644, "", "1")]
    after += [Row("n", "dir", 0o755, "", ""), Row("n/x", "file", 0o644, "", "1"), Row("o", "dir", 0o755, "", "")]
    assert file_changes(before, after) == FileChanges(("l", "m"), ("n/x", "o"), ("d/f", "d-"))


def test_an_image_tells_what_it_was_built_from(workshop: Workshop) -> None:
    workshop.write({"a": "a"})
    text = "FROM scratch\nARG V\nCOPY a /$V\n"
    labels = workshop.config(workshop.build(text, args={"V": "1"}))["config"]["Labels"]
    key = workshop.load(text, args={"V": "1"}).inputs_key({})
    assert labels == {"images.fleet.build.key": key.key, "images.fleet.build.inputs": key.label}
    after = workshop.load(text, args={"V": "2"}).inputs_key({})
    assert what_changed(inputs_of(labels["images.fleet.build.inputs"]), after.fields) == "arg V"
