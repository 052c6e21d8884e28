# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names and messages from hosts are text in every form, whatever is in them, and a report is the same for the same."""

from __future__ import annotations

import re
import typing as t
from xml.etree import ElementTree as Xml

import pytest
from ansible_collections.fleet.images.plugins.plugin_utils.report_proof import seal
from ansible_collections.fleet.images.plugins.plugin_utils.report_texts import (
    json_of,
    junit_of,
    markdown_of,
    prometheus_of,
)
from ansible_collections.fleet.images.tests.support.report_documents import cell, document, host, silent_host
from hypothesis import given
from hypothesis import strategies as st

#: Anything but halves of characters: YAML and JSON could not have brought them here.
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
HOSTILE = ['a"} 1\nfleet_images_bytes 0', "| a | b |\n|---|", "</testcase><x>", "`*_[a](b)", "\\", '\\"', "&amp;"]
_SAMPLE = re.compile(r'fleet_images_finding\{host="((?:[^"\\]|\\.)*)",image="((?:[^"\\]|\\.)*)",class="[a-z-]+"\} 1')


def report(name: str, why: str) -> dict[str, t.Any]:
    """Return a report of a host ``name`` whose one image is not right, and of one that failed because of ``why``."""
    bad = cell(name, kind="digest-differs", why=why)
    return seal(document([host(name, {name: bad}), silent_host("gone", state="failed", msg=why)]))


def unescaped(label: str) -> str:
    return re.sub(r"\\(.)", lambda found: "\n" if found[1] == "n" else found[1], label, flags=re.DOTALL)


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_texts_stay_where_they_belong(text: str) -> None:
    check(text, text)


@given(TEXTS, TEXTS)
def test_any_text_stays_where_it_belongs(name: str, why: str) -> None:
    check(name, why)


def check(name: str, why: str) -> None:
    made = report(name, why)
    samples = [line for line in prometheus_of(made).split("\n") if line.startswith("fleet_images_finding{")]
    told = [_SAMPLE.fullmatch(line) for line in samples]
    assert [unescaped(found[1]) for found in told if found] == [name, "gone"]
    cases = list(Xml.fromstring(junit_of(made)).iter("testcase"))
    assert [len(case) for case in cases] == [1, 1]
    rows = markdown_of(made).partition("## Findings")[2].split("\n")
    assert [len(re.findall(r"(?<!\\)\|", row.replace("\\\\", ""))) for row in rows if row.startswith("|")] == [5] * 4
    assert json_of(made) == json_of(report(name, why))


def test_a_fleet_without_findings_says_so() -> None:
    good = seal(document([host("web1", {"app:1": cell("app:1")})]))
    assert markdown_of(good).endswith("## Findings\n\nNone.\n")
    assert "fleet_images_finding{" not in prometheus_of(good)
    suites = Xml.fromstring(junit_of(good))
    assert (suites.get("tests"), suites.get("failures"), suites.get("errors")) == ("1", "0", "0")


def test_hosts_that_fail_are_errors_and_drift_is_failures() -> None:
    suites = Xml.fromstring(junit_of(report("web1", "why")))
    assert (suites.get("tests"), suites.get("failures"), suites.get("errors")) == ("2", "1", "1")
