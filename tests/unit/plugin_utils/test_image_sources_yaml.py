# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""YAML of other people: versions stay texts, tags and anchors do no harm, and what is wrong is told with its line."""

from __future__ import annotations

import re
import typing as t

import pytest
from ansible_collections.fleet.images.plugins.plugin_utils.image_sources_yaml import documents_of

READ: t.Mapping[str, tuple[str, list[t.Any]]] = {
    "numbers and dates are texts": ("a: [1.10, 012, 2024-13-45, 1e3]", [{"a": ["1.10", "012", "2024-13-45", "1e3"]}]),
    "nothing and switches are what they are": ("a: [null, ~, yes, false]", [{"a": [None, None, True, False]}]),
    "several documents, some of them empty": ("---\na: 1\n---\n# nothing\n---\n- b\n", [{"a": "1"}, ["b"]]),
    "an empty file": ("", []),
    "tags of compose": (
        "a: !reset null\nb: !override [x]\nc: !mine {d: e}\nf: !reset",
        [
            {"a": "null", "b": ["x"], "c": {"d": "e"}, "f": None},
        ],
    ),
    "merged anchors, where an own key goes first": (
        "x-a: &a {image: one, platform: p}\nservices:\n  s: {<<: *a, image: two}\n",
        [{"x-a": {"image": "one", "platform": "p"}, "services": {"s": {"image": "two", "platform": "p"}}}],
    ),
    "a mapping that merges, deeper than the one that merges it": (
        "deep:\n  deeper:\n    a: &a\n      <<: &b {image: one}\n      image: two\ntop: {<<: *a, c: d}\n",
        [{"deep": {"deeper": {"a": {"image": "two"}}}, "top": {"image": "two", "c": "d"}}],
    ),
}
WRONG = {
    "a key twice": ("services:\n  a: {image: x}\n  a: {image: y}\n", "line 3, column 3: the key 'a' comes twice"),
    "a template": ("image: {{ .Values.image }}\n", "line 1, column"),
    "no value": ("a: [\n", "line 2, column 1: "),
    "an alias of nothing": ("a: *b\n", "line 1, column 4: found undefined alias"),
    "a character that is none": ("a: \x00\n", "control characters are not allowed"),
}


@pytest.mark.parametrize(("text", "documents"), READ.values(), ids=READ.keys())
def test_a_file_is_read_as_it_is_meant(text: str, documents: list[t.Any]) -> None:
    assert documents_of(text) == documents


@pytest.mark.parametrize(("text", "told"), WRONG.values(), ids=WRONG.keys())
def test_what_is_no_yaml_is_told_with_its_place(text: str, told: str) -> None:
    with pytest.raises(ValueError, match=re.escape(told)) as caught:
        documents_of(text)
    assert "\n" not in str(caught.value)


def test_json_is_read_as_json() -> None:
    assert documents_of('{"a":\t["b", null]}', is_json=True) == [{"a": ["b", None]}]
    with pytest.raises(ValueError, match="line 1 column 2"):
        documents_of("{", is_json=True)
