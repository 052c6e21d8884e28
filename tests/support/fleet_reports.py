# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reports made as the task makes them, and what each of their forms says, read without the code that wrote it."""

from __future__ import annotations

import json
import re
import typing as t
from xml.etree import ElementTree as Xml

from ansible_collections.fleet.images.plugins.plugin_utils.report_run import Reported, checked, report_fleet

#: A host, an image (or nothing, where it concerns the host), and a class.
Found = tuple[str, str, str]

_METRIC = re.compile(r'fleet_images_finding\{host="([^"]*)",image="([^"]*)",class="([^"]*)"\} 1')


def report(hosts: t.Mapping[str, t.Any], **options: t.Any) -> Reported:
    """Return the report over what ``hosts`` returned, in all forms; ``options`` are the task's."""
    params = checked({"hosts": dict(hosts), "dest": "/report", **options})
    return report_fleet(params, made_at="2026-11-21T16:30:00Z", place=str)


def findings(reported: Reported) -> set[Found]:
    """Return what the task's result says is not as it must be."""
    rows = reported.result()["findings"]
    found = {(row["host"], row["image"], row["class"]) for row in rows}
    assert len(found) == len(rows)
    return found


def findings_by_form(reported: Reported) -> dict[str, set[Found]]:
    """Return what each form says; fails if one says something twice."""
    readers: dict[str, t.Callable[[str], list[Found]]] = {
        "html": _html,
        "json": lambda text: _of_document(json.loads(text)),
        "markdown": _markdown,
        "junit": _junit,
        "prometheus": _METRIC.findall,
    }
    told = {form: list(readers[form](reported.texts[path])) for form, path in reported.files.items()}
    for form, rows in told.items():
        assert len(rows) == len(set(rows)), (form, rows)
    return {form: set(rows) for form, rows in told.items()}


def _of_document(report: t.Mapping[str, t.Any]) -> list[Found]:
    found = []
    for host in report["hosts"]:
        if host["error"]:
            found.append((host["host"], "", host["state"]))
        cells = host["cells"].items()
        found += [(host["host"], image, cell["class"]) for image, cell in cells if cell["class"] != "verified"]
        extras = [row for row in host["extra"] if row["drift"]]
        found += [(host["host"], row["name"] or row["digest"], row["class"]) for row in extras]
    return found


def _html(page: str) -> list[Found]:
    """Read what the page's script reads."""
    report = json.loads(page.partition('id="report">')[2].partition("</script>")[0])
    place = report["fields"].index("class")
    for host in report["hosts"]:
        rows = zip(report["images"], host["cells"], strict=True)
        host["cells"] = {image: {"class": report["texts"][row[place]]} for image, row in rows if row}
    return _of_document(report)


def _markdown(text: str) -> list[Found]:
    lines = [line for line in text.partition("## Findings")[2].splitlines() if line.startswith("| ")][2:]
    rows = [[re.sub(r"\\(.)", r"\1", part).strip() for part in line.strip("|").split(" | ")] for line in lines]
    return [(host, image, kind) for host, image, kind, _why in rows]


def _junit(text: str) -> list[Found]:
    found = []
    for case in Xml.fromstring(text).iter("testcase"):
        kinds = [result.get("type", "") for result in case]
        image = "" if kinds in (["failed"], ["unreachable"]) and case.get("name") == "host" else case.get("name", "")
        found += [(case.get("classname", ""), image, kind) for kind in kinds]
    return found
