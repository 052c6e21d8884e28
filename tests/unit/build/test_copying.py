# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""COPY: where sources land, what is made on the way, and what cannot be."""

from __future__ import annotations

import pytest
from ansible_collections.fleet.images.plugins.module_utils.build.copying import (
    CopyError,
    Target,
    copy_into,
    find_sources,
    make_folder,
)
from ansible_collections.fleet.images.plugins.module_utils.build.owners import find_mode, find_owner
from ansible_collections.fleet.images.plugins.module_utils.build.steps import Inline
from ansible_collections.fleet.images.plugins.module_utils.build.tree import Entry, Tree

PASSWD = b"root:x:0:0::/:/bin/sh\nbob:x:7:8::/:/bin/sh\nbroken\n"


def tree_of(*names: str) -> Tree:
    """Make a tree: "d/" is a folder, "l>target" a link, "f" a file."""
    tree = Tree()
    for name in names:
        path, is_link, target = name.partition(">")
        entry = Entry("symlink", 0o777, link_target=target) if is_link else Entry("file", 0o644)
        parts = tuple(path.strip("/").split("/"))
        tree.put(parts, Entry("dir", 0o711, 5, 5) if path.endswith("/") else entry)
    return tree


SOURCE = tree_of("a", "b", "d/", "d/x", "d/sub/y", "e/z", "l>d", "f>a", "w1.t", "w2.t", "[x]", "out>../../a")


@pytest.mark.parametrize(
    ("present", "patterns", "destination", "expected"),
    [
        ((), ["a"], "/n", ["n"]),
        ((), ["a"], "/n/", ["n", "n/a"]),
        ((), ["a"], "/deep/n", ["deep", "deep/n"]),
        (("n/",), ["a"], "/n", ["n/a"]),
        (("n>m", "m/"), ["a"], "/n", ["m/a"]),
        (("n>m", "m"), ["a"], "/n", ["n"]),
        (("n>m", "m/"), ["a"], "/n/k", ["m/k"]),
        ((), ["d"], "/n", ["n", "n/sub", "n/sub/y", "n/x"]),
        (("n/", "n/old"), ["d"], "/n", ["n/sub", "n/sub/y", "n/x"]),
        ((), ["d", "e"], "/n/", ["n", "n/sub", "n/sub/y", "n/x", "n/z"]),
        ((), ["l"], "/n", ["n", "n/sub", "n/sub/y", "n/x"]),
        ((), ["f"], "/n/", ["n", "n/f"]),
        ((), ["l/x"], "/n", ["n"]),
        ((), ["out"], "/n/", ["n", "n/out"]),
        ((), ["*.t"], "/n/", ["n", "n/w1.t", "n/w2.t"]),
        ((), ["w[1].t"], "/n", ["n"]),
        ((), ["\\[x]"], "/n/", ["n", "n/[x]"]),
        ((), ["*/x"], "/n/", ["n", "n/x"]),
        ((), ["./d/../a"], "/", ["a"]),
        (("sub>x", "x/"), ["d"], "/", ["sub", "sub/y", "x"]),
    ],
)
def test_sources_land_as_documented(
    present: tuple[str, ...], patterns: list[str], destination: str, expected: list[str]
) -> None:
    tree = tree_of(*present)
    sources = [source for pattern in patterns for source in find_sources(SOURCE, pattern, outside="it")]
    put = copy_into(tree, sources, target=Target(destination.rstrip("/") or "/", destination.endswith("/")))
    assert sorted("/".join(parts) for parts in put) == expected
    assert all(parts in tree for parts in put)


@pytest.mark.parametrize(
    ("present", "pattern", "destination", "code"),
    [
        (("n",), "d", "/n", "copy-conflict"),
        (("n",), "a", "/n/", "copy-conflict"),
        (("n",), "a", "/n/m", "copy-conflict"),
        ((), "*.t", "/n", "copy-conflict"),
        ((), "none", "/n", "copy-source-missing"),
        ((), "*.none", "/n", "copy-source-missing"),
        ((), "a/b", "/n", "copy-source-missing"),
        ((), "[a", "/n", "copy-source-missing"),
        ((), "..", "/n", "copy-source-outside"),
    ],
)
def test_what_cannot_be_copied_is_told(present: tuple[str, ...], pattern: str, destination: str, code: str) -> None:
    with pytest.raises(CopyError) as caught:
        copy_into(
            tree_of(*present),
            find_sources(SOURCE, pattern, outside="it"),
            target=Target(destination.rstrip("/"), destination.endswith("/")),
        )
    assert caught.value.code == code
    assert caught.value.fix


def test_owner_and_mode_are_forced_on_all_that_is_copied_and_made() -> None:
    tree = Tree()
    target = Target("/made/n", is_folder=True, owner=(7, 8), mode=0o600)
    copy_into(tree, find_sources(SOURCE, "d", outside="it"), target=target)
    rows = {"/".join(parts): (entry.uid, entry.gid, entry.mode) for parts, entry in tree.root.walk()}
    assert rows["made"] == rows["made/n"] == (7, 8, 0o755)
    assert rows["made/n/sub"] == rows["made/n/x"] == (7, 8, 0o600)


def test_a_folder_is_made_where_links_lead() -> None:
    tree = tree_of("l>r", "r/")
    assert make_folder(tree, "/l/n", owner=(1, 2)) == (("r", "n"), {("r", "n")})


@pytest.mark.parametrize(
    ("text", "expected"),
    [("5", (5, 5)), ("5:6", (5, 6)), ("bob", (7, 8)), ("bob:staff", (7, 9)), ("5:staff", (5, 9)), ("bob:", (7, 8))],
)
def test_an_owner_is_found_by_number_or_in_the_files_of_the_image(text: str, expected: tuple[int, int]) -> None:
    tree = Tree()
    tree.put(("etc", "passwd"), Entry("file", 0o644, size=len(PASSWD), content=Inline(PASSWD)))
    tree.put(("etc", "group"), Entry("file", 0o644, size=10, content=Inline(b"staff:x:9:\n")))
    assert find_owner(tree, text) == expected


@pytest.mark.parametrize("text", ["bob", "5:staff", "", "4294967295", "0:4294967295", "9" * 5000])
def test_an_unknown_owner_is_told(text: str) -> None:
    with pytest.raises(CopyError) as caught:
        find_owner(Tree(), text)
    assert caught.value.code == "unknown-owner"


@pytest.mark.parametrize("text", ["u+x", "8", "", "77777", "0b1"])
def test_a_mode_is_octal(text: str) -> None:
    assert find_mode("0755") == 0o755
    with pytest.raises(CopyError):
        find_mode(text)
