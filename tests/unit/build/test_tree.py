# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""File trees: paths stay inside the root, and what is put is what is found."""

from __future__ import annotations

import pytest
from ansible_collections.fleet.images.plugins.module_utils.build.tree import FOLDER, Entry, Tree

FILE = Entry("file", 0o644)


def link(target: str) -> Entry:
    return Entry("symlink", 0o777, link_target=target)


@pytest.fixture
def tree() -> Tree:
    made = Tree()
    made.put(("usr", "bin", "tool"), FILE)
    made.put(("bin",), link("usr/bin"))
    made.put(("abs",), link("/usr"))
    made.put(("up",), link("../../../usr/bin"))
    made.put(("usr", "self"), link("."))
    made.put(("loop",), link("loop"))
    made.put(("broken",), link("nowhere/x"))
    return made


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/usr//bin/./tool", "usr/bin/tool"),
        ("bin/tool", "usr/bin/tool"),
        ("abs/bin/tool", "usr/bin/tool"),
        ("up/tool", "usr/bin/tool"),
        ("usr/self/self/bin", "usr/bin"),
        ("../../bin", "usr/bin"),
        ("bin/../x", "usr/x"),
        ("usr/bin/../../bin/new/deep", "usr/bin/new/deep"),
        ("broken", "nowhere/x"),
        ("loop", "loop"),
        ("loop/x", "loop/x"),
        ("/", ""),
    ],
)
def test_links_are_followed_inside_the_root(tree: Tree, path: str, expected: str) -> None:
    assert "/".join(tree.resolve(path)) == expected


def test_the_last_link_is_kept_when_asked(tree: Tree) -> None:
    assert tree.resolve("bin", follows_last=False) == ("bin",)
    assert tree.resolve("abs/bin", follows_last=False) == ("usr", "bin")


def test_a_folder_over_a_folder_keeps_its_content_and_anything_else_replaces(tree: Tree) -> None:
    tree.put(("usr",), FOLDER._replace(mode=0o700))
    assert ("usr", "bin", "tool") in tree
    tree.put(("usr",), FILE)
    assert ("usr", "bin", "tool") not in tree
    tree.put(("usr",), FOLDER)
    assert ("usr", "bin") not in tree


def test_a_parent_that_is_no_folder_is_replaced_by_one(tree: Tree) -> None:
    tree.put(("bin", "x"), FILE)
    node = tree.find(("bin",))
    assert node is not None
    assert node.entry == FOLDER


def test_a_copy_changes_apart(tree: Tree) -> None:
    twin = tree.copy()
    twin.remove(("usr", "bin", "tool"))
    twin.remove(("not", "there"))
    assert ("usr", "bin", "tool") in tree
    assert ("usr", "bin", "tool") not in twin


def test_a_walk_tells_parents_first_in_order_of_names() -> None:
    tree = Tree()
    for path in ("b", "a/z", "a/b/c"):
        tree.put(tuple(path.split("/")), FILE)
    assert ["/".join(parts) for parts, _ in tree.root.walk()] == ["a", "a/b", "a/b/c", "a/z", "b"]


def test_a_tree_of_any_depth_is_walked_in_order_and_copied() -> None:
    deep, made = ("d",) * 3000, Tree()
    made.put((*deep, "z"), FILE)
    made.put((*deep, "a", "b"), FILE)
    made.put(("c",), FILE)
    paths = [parts for parts, _entry in made.copy().root.walk()]
    assert paths == sorted(paths)
    assert paths[0] == ("c",)
    assert paths[-3:] == [(*deep, "a"), (*deep, "a", "b"), (*deep, "z")]
