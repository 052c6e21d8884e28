# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The page says what the report says, fetches nothing, and takes no name for anything but text."""

from __future__ import annotations

import base64
import hashlib
import json
import typing as t
from html.parser import HTMLParser

import pytest
from ansible_collections.fleet.images.plugins.plugin_utils.report_html import SIGNS, render
from ansible_collections.fleet.images.plugins.plugin_utils.report_proof import seal
from ansible_collections.fleet.images.tests.support.report_documents import (
    cell,
    digest_of,
    document,
    host,
    silent_host,
)
from hypothesis import given
from hypothesis import strategies as st

CLASSES = ["verified", "missing", "tag-moved", "digest-differs", "wrong-platform", "in-use-older", "corrupt", "failed"]
HOSTILE = [
    "</script><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '"><a href="https://example.com">',
    "' onmouseover='alert(1)",
    "</style></title><!--",
    "&lt;b&gt;",
    "]]>",
    "${alert(1)} {{ 1 }}",
    "\u2028\u2029",
]
#: Names without what the page replaces.
TURNING = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
NAMES = st.text(st.characters(exclude_categories=["Cc", "Cs"], exclude_characters=TURNING), min_size=1)
#: Elements that are not closed.
VOID = {"meta", "input", "rect"}


class Page(HTMLParser):
    """What a parser sees: elements with their attributes, the grid's rows, and the text of scripts and styles."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.ids: list[str] = []
        self.grid: list[list[str]] = []
        self.texts: dict[str, str] = {}
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
            self.ids.append(dict(attrs).get("id") or "")
        if "grid" in self.ids and tag == "tr":
            self.grid.append([])
        if "grid" in self.ids and tag in ("td", "th"):
            self.grid[-1].append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag
        self.ids.pop()

    def handle_data(self, data: str) -> None:
        where = (self.ids[-1] or self.open[-1]) if self.open else ""
        self.texts[where] = self.texts.get(where, "") + data
        if "grid" in self.ids and {"td", "th"} & set(self.open):
            self.grid[-1][-1] += data

    def document(self) -> dict[str, t.Any]:
        """Return what the page's script reads."""
        found: dict[str, t.Any] = json.loads(self.texts["report"])
        return found

    def cells(self) -> dict[tuple[str, str], str]:
        """Return what the grid says, by host and image."""
        head, *rows = self.grid
        return {(row[0], image): word for row in rows for image, word in zip(head[5:], row[5:], strict=True)}


def fleet(images: t.Sequence[str], hosts: t.Sequence[str], *, history: int = 0) -> dict[str, t.Any]:
    """Return a report in which every host has each image in another class than its neighbour."""
    rows = []
    for at, name in enumerate(hosts):
        kinds = {image: CLASSES[(at + column) % len(CLASSES)] for column, image in enumerate(images)}
        rows.append(host(name, {image: cell(image, kind=kind, why=f"{name}: {kind}") for image, kind in kinds.items()}))
    return seal(document([*rows, silent_host("gone.example.com")], images=list(images), history=history))


def said(report: t.Mapping[str, t.Any]) -> dict[tuple[str, str], str]:
    """Return what the grid must say."""
    return {
        (row["host"], image): SIGNS[row["cells"][image]["class"]][1] + row["cells"][image]["class"]
        if image in row["cells"]
        else "·not known"
        for row in report["hosts"]
        for image in report["images"]
    }


def skeleton(report: t.Mapping[str, t.Any]) -> list[tuple[str, list[str]]]:
    """Return the elements of the page with the names of their attributes."""
    return [(tag, list(attributes)) for tag, attributes in Page(render(report)).elements]


def test_the_grid_says_of_every_host_and_image_what_the_report_says() -> None:
    report = fleet([f"app{number}:1" for number in range(9)], [f"web{number}" for number in range(8)])
    assert Page(render(report)).cells() == said(report)


def test_every_class_has_a_sign_of_its_own_beside_its_colour() -> None:
    assert len({mark for _, mark in SIGNS.values()}) == len(SIGNS)
    page = Page(render(fleet(["a:1"], CLASSES)))
    colours = [row["class"] for tag, row in page.elements if tag == "td" and "cell" in (row.get("class") or "")]
    assert colours == [f"cell {SIGNS[kind][0]}" for kind in CLASSES] + ["cell off"]


def test_details_of_every_cell_and_host_are_in_the_page() -> None:
    report = fleet(["a:1", "b:1"], ["web1", "web2", "web3"])
    extra = {"name": "", "digest": digest_of("x"), "class": "dangling", "used_by": ["c1"], "bytes": 5}
    report["hosts"][1]["extra"] = [extra]
    found = Page(render(report)).document()
    assert found["images"] == report["images"]
    for row, shown in zip(report["hosts"], found["hosts"], strict=True):
        assert {**shown, "cells": row["cells"]} == row
        for image, values in zip(report["images"], shown["cells"], strict=True):
            told = {
                name: value if name == "bytes" else found["texts"][value]
                for name, value in zip(found["fields"], values or (), strict=bool(values))
            }
            wanted = row["cells"].get(image, {})
            assert told == {name: wanted[name] for name in found["fields"] if name in wanted}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_is_text_wherever_it_stands(name: str) -> None:
    def report(word: str) -> dict[str, t.Any]:
        row = cell(word, kind="digest-differs", why=word)
        extra = {"name": word, "digest": word, "class": "extra", "used_by": [word], "bytes": 1}
        bad = silent_host(f"{word} 2", state="failed", msg=word)
        return document([host(word, {word: {**row, "wanted": word, "found": word}}, extra=[extra]), bad], history=2)

    page = Page(render(report(name)))
    assert skeleton(report(name)) == skeleton(report("harmless"))
    assert page.cells() == {(name, name): "≠digest-differs", (f"{name} 2", name): "·not known"}
    assert page.document()["hosts"][1]["error"]["msg"] == name


def test_classes_and_states_that_nobody_knows_are_text_too() -> None:
    report = fleet(["a:1"], ["web1"])
    report["hosts"][0]["state"] = report["hosts"][0]["cells"]["a:1"]["class"] = '"><script>'
    page = Page(render(report))
    assert page.cells()["web1", "a:1"] == '·"><script>'
    assert [tag for tag, _ in page.elements].count("script") == 2


@given(st.lists(NAMES, min_size=2, max_size=2, unique=True))
def test_whatever_a_name_is_the_parser_reads_it_back(names: list[str]) -> None:
    report = fleet([f"{name}!" for name in names], names)
    assert Page(render(report)).cells() == said(report)


def test_what_cannot_be_written_or_shown_does_not_stand_in_the_page() -> None:
    page = render(fleet([f"a\0\x1b[2J\x85{TURNING}:1"], [f"web\udc80{TURNING}1"]))
    read = json.loads(Page(page).texts["report"])
    assert not {*"\0\x1b\x85", *TURNING} & {*page, *read["images"][0], *read["hosts"][0]["host"]}
    assert "<title>Images of the fleet" in page.encode("utf-8").decode()


def test_the_page_fetches_nothing_and_lets_nothing_run_but_its_own_script() -> None:
    page = Page(render(fleet(["a:1"], ["web1"], history=3)))
    attributes = {name for _, row in page.elements for name in row}
    assert not attributes & {"src", "href", "srcset", "action", "style", "data"}
    assert [name for name in attributes if name.startswith("on")] == []
    assert "url(" not in page.texts["style"]
    assert "@import" not in page.texts["style"]
    (policy,) = [row["content"] or "" for _, row in page.elements if row.get("http-equiv") == "Content-Security-Policy"]
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert rules["default-src"] == "'none'"
    for name, text in (("style-src", page.texts["style"]), ("script-src", page.texts["script"])):
        assert rules[name] == f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def test_the_script_asks_for_no_element_that_is_not_there() -> None:
    page = Page(render(fleet(["a:1"], ["web1"])))
    ids = {row["id"] for _, row in page.elements if "id" in row}
    asked = {part.partition('"')[0] for part in page.texts["script"].split('find("')[1:]}
    assert asked
    assert asked <= ids


@pytest.mark.parametrize(
    ("kinds", "colour", "told"),
    [
        (["verified"], "good", "Verified: 1 host"),
        (["verified", "verified"], "good", "Verified: all 2 hosts"),
        (["verified", "missing", "verified"], "warn", "Not verified: 1 of 3 hosts"),
        ([], "good", "There are no hosts"),
    ],
)
def test_the_first_sentence_says_how_many_hosts_are_not_as_they_must_be(
    kinds: list[str], colour: str, told: str
) -> None:
    hosts = [host(f"web{at}", {"a:1": cell("a:1", kind=kind)}) for at, kind in enumerate(kinds)]
    assert f'<p class="verdict {colour}">{told}</p>' in render(seal(document(hosts)))
    if hosts:
        assert '<p class="verdict bad">' in render(seal(document([*hosts, silent_host("gone")])))


def test_each_state_can_be_shown_alone_from_its_number() -> None:
    page = Page(render(fleet(["a:1"], ["web1"])))
    values = [row.get("value") for tag, row in page.elements if tag == "button" and row.get("type") == "button"]
    assert values == ["", "verified", "drift", "failed", "unreachable"]


def test_every_run_has_its_bar_and_its_row() -> None:
    report = fleet(["a:1"], ["web1", "web2"], history=4)
    report["history"][0]["totals"] = {**report["totals"], "verified": 3, "drift": 0, "unreachable": 0}
    text = render(report)
    assert text.count("<g><title>") == 5
    assert "<title>2026-11-01T16:30:00Z: 3 verified, 0 drift, 0 failed, 0 unreachable</title>" in text
    assert '<rect class="good" x="0" y="0.00" width="12" height="96.00"/></g>' in text


def test_there_is_no_chart_of_a_single_run() -> None:
    assert "<svg" not in render(fleet(["a:1"], ["web1"]))


def test_an_empty_fleet_has_a_page() -> None:
    page = Page(render(seal(document([]))))
    assert page.cells() == {}
    assert page.open == []


def test_200_hosts_with_50_images_that_are_all_wrong_in_their_own_way_are_less_than_5_megabytes() -> None:
    images = [f"registry.example.com/team/application-{number}:2026.11.21" for number in range(50)]
    report = fleet(images, [f"web{number}.example.com" for number in range(200)])
    for row in report["hosts"]:
        for image, held in row["cells"].items():
            held["found"] = held["index"] = digest_of(f"{row['host']} {image}")
            held["why"] = f"{image} on {row['host']} is not what the lock says, and this tells why in a sentence"
    assert len(render(report).encode()) < 5_000_000
