# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Typed getters over JSON: what they return, and where they say a fault lies."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.fleet.images.plugins.module_utils.model.digest import Digest
from ansible_collections.fleet.images.plugins.module_utils.model.errors import PeerError
from ansible_collections.fleet.images.plugins.module_utils.model.fields import Fields

DIGEST = Digest.of(b"x")


def fields(**values: t.Any) -> Fields:
    return Fields(values, "manifest of app")


@pytest.mark.parametrize(
    "raw", [b"", b"{", b"\xff", b"<html>", b"[" * 100000, b'{"a": ' + b"9" * 5000 + b"}", b"\xef\xbb\xbf{}"]
)
def test_what_is_no_json_is_the_peers_fault(raw: bytes) -> None:
    with pytest.raises(PeerError) as caught:
        Fields.of_bytes(raw, what="manifest of app")
    assert (caught.value.code, caught.value.subject) == ("not-json", "manifest of app")


@pytest.mark.parametrize("raw", [b"[]", b"null", b"1", b'"text"', b"true"])
def test_the_top_must_be_an_object(raw: bytes) -> None:
    with pytest.raises(PeerError) as caught:
        Fields.of_bytes(raw, what="manifest of app")
    assert (caught.value.code, caught.value.why) == ("wrong-shape", "the top level is not an object")


def test_values_come_back_as_what_they_are() -> None:
    found = fields(a="x", n=7, o={"b": "y"}, l=[{"c": 1}, {}], t=["u", "v"], m={"k": "w"}, d=str(DIGEST))
    assert found.text("a") == found.optional_text("a") == "x"
    assert found.integer("n") == found.size("n") == 7
    assert found.object("o").text("b") == "y"
    assert [row.has("c") for row in found.objects("l")] == [True, False]
    assert found.texts("t") == ["u", "v"]
    assert found.text_map("m") == {"k": "w"}
    assert found.digest("d") == DIGEST
    assert fields(d=[str(DIGEST)]).digests("d") == [DIGEST]


@pytest.mark.parametrize("found", [fields(), fields(a=None)])
def test_missing_and_null_are_the_same(found: Fields) -> None:
    assert not found.has("a")
    assert found.optional_text("a") == ""
    assert found.optional_text("a", default="x") == "x"
    assert found.optional_object("a") is None
    assert found.objects("a") == []
    assert found.texts("a") == []
    assert found.text_map("a") == {}
    with pytest.raises(PeerError) as caught:
        found.text("a")
    assert caught.value.why == "a is missing"


@pytest.mark.parametrize(
    ("read", "path"),
    [
        (lambda: fields(l=[{}, {"d": "x"}]).objects("l")[1].digest("d"), "l[1].d"),
        (lambda: fields(l=[{}, 7]).objects("l"), "l[1]"),
        (lambda: fields(l={}).objects("l"), "l"),
        (lambda: fields(o={"p": {"n": "7"}}).object("o").object("p").integer("n"), "o.p.n"),
        (lambda: fields(t=["a", None]).texts("t"), "t[1]"),
        (lambda: fields(m={"k": 7}).text_map("m"), "m.k"),
        (lambda: fields(m=[]).text_map("m"), "m"),
        (lambda: fields(n=True).integer("n"), "n"),
        (lambda: fields(n=1.0).integer("n"), "n"),
        (lambda: fields(n=-1).size("n"), "n"),
        (lambda: fields(d=["sha256:x"]).digests("d"), "d[0]"),
        (lambda: fields(a=7).optional_text("a"), "a"),
        (lambda: fields(o=[]).optional_object("o"), "o"),
    ],
)
def test_a_fault_is_named_by_its_path(read: t.Callable[[], object], path: str) -> None:
    with pytest.raises(PeerError) as caught:
        read()
    assert (caught.value.code, caught.value.subject) == ("wrong-shape", path)
    assert caught.value.why.startswith(f"{path} ")
    assert caught.value.what == "The manifest of app is malformed"
