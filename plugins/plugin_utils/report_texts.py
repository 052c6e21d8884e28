# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A report as JSON, Markdown, JUnit XML and Prometheus text. All of them tell the same findings."""

from __future__ import annotations

import json
import re
import typing as t
from datetime import datetime

from .report_document import findings_of
from .report_hosts import CLASSES, EXTRA_CLASSES, STATES, is_drift

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from xml.etree.ElementTree import Element

    Report = Mapping[str, t.Any]

# Source: XML 1.0, section 2.2: what no document may hold, escaped or not.
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_MARKS = re.compile(r"([\\`*_{}\[\]<>|#&~!])")


def json_of(report: Report) -> str:
    """Return the document itself: the same report gives the same text."""
    return json.dumps(report, indent=1, sort_keys=True) + "\n"


def markdown_of(report: Report) -> str:
    """Return totals, a table of hosts and a table of findings, for a merge request or a wiki."""
    totals = report["totals"]
    counts = ", ".join(f"{totals[state]} {state}" for state in STATES)
    lines = ["# Images of the fleet", "", f"{report['made_at']}: {totals['hosts']} hosts, {counts}.", ""]
    lines += [f"Root: {_code(report['root'])}", ""] if report["root"] else []
    lines += _table(("Host", "State", "Engine", "Platform", "Verified", "Root"), map(_host_line, report["hosts"]))
    findings = [tuple(map(_plain, finding)) for finding in findings_of(report)]
    lines += ["", "## Findings", ""]
    lines += _table(("Host", "Image", "Class", "Why"), findings) if findings else ["None."]
    return "\n".join(lines) + "\n"


def junit_of(report: Report) -> str:
    """Return a test suite for each host and a test case for each image there, as CI systems show them.

    What drifts is a failure; what cannot be judged, and a host that failed or was not reached, is an error.
    """
    from xml.etree import ElementTree as Xml

    suites = Xml.Element("testsuites", name="fleet.images")
    for host in report["hosts"]:
        suite = Xml.SubElement(
            suites,
            "testsuite",
            name=_xml(host["host"]),
            timestamp=report["made_at"].rstrip("Z"),
            time=str(host["elapsed"]),
        )
        if host["error"] is not None:
            _case(
                suite,
                host["host"],
                name="host",
                kind=host["state"],
                why=f"{host['error']['code']}: {host['error']['msg']}",
            )
        for image, cell in sorted(host["cells"].items()):
            _case(suite, host["host"], name=image, kind=cell["class"], why=cell["why"])
        for extra in filter(is_drift, host["extra"]):
            _case(
                suite,
                host["host"],
                name=extra["name"] or extra["digest"],
                kind=extra["class"],
                why="nobody asked for it",
            )
        for count, tag in (("tests", "testcase"), ("failures", "testcase/failure"), ("errors", "testcase/error")):
            suite.set(count, str(len(suite.findall(tag))))
    for count in ("tests", "failures", "errors"):
        suites.set(count, str(sum(int(suite.get(count) or 0) for suite in suites)))
    Xml.indent(suites)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + Xml.tostring(suites, encoding="unicode") + "\n"


def prometheus_of(report: Report) -> str:
    """Return gauges for the textfile collector of node_exporter. Image and host are labels of findings alone.

    Source: Prometheus text format 0.0.4.
    """
    totals, hosts = report["totals"], report["hosts"]
    extras = [extra["class"] for host in hosts for extra in host["extra"]]
    made_at = datetime.fromisoformat(report["made_at"].replace("Z", "+00:00")).timestamp()
    gauges: tuple[tuple[str, str, list[tuple[dict[str, str], float]]], ...] = (
        ("report_timestamp_seconds", "When the report was made.", [({}, made_at)]),
        ("hosts", "Hosts by state.", [({"state": state}, totals[state]) for state in STATES]),
        ("cells", "Images on hosts by class.", [({"class": kind}, totals["cells"].get(kind, 0)) for kind in CLASSES]),
        (
            "extras",
            "What nobody asked for, by class.",
            [({"class": kind}, extras.count(kind)) for kind in EXTRA_CLASSES],
        ),
        ("bytes", "Bytes of all images of all hosts.", [({}, totals["bytes"])]),
        (
            "host_state",
            "1 for the state that a host is in.",
            [({"host": each["host"], "state": each["state"]}, 1) for each in hosts],
        ),
        (
            "host_elapsed_seconds",
            "How long a host was looked at.",
            [({"host": each["host"]}, each["elapsed"]) for each in hosts],
        ),
        (
            "finding",
            "1 for each thing that is not as it must be.",
            [(_labels(each), 1) for each in findings_of(report)],
        ),
    )
    return "".join(_gauge(name, text=text, samples=samples) for name, text, samples in gauges)


def _host_line(host: Report) -> tuple[str, ...]:
    verified = sum(cell["class"] == "verified" for cell in host["cells"].values())
    told = (host["host"], host["state"], host["engine"], host["platform"], f"{verified}/{len(host['cells'])}")
    return (*map(_plain, told), _code(host["root"][:19]))


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    return [f"| {' | '.join(row)} |" for row in (head, ("---",) * len(head), *rows)]


def _plain(text: object) -> str:
    """Return text that Markdown shows as it is, on one line."""
    return _MARKS.sub(r"\\\1", " ".join(str(text).split()))


def _code(text: str) -> str:
    return f"`{text}`" if text else ""


def _case(suite: Element, host: str, *, name: str, kind: str, why: str) -> None:
    from xml.etree import ElementTree as Xml

    case = Xml.SubElement(suite, "testcase", classname=_xml(host), name=_xml(name))
    if kind != "verified":
        is_error = kind in ("failed", "unreachable")
        Xml.SubElement(case, "error" if is_error else "failure", type=kind, message=_xml(why))


def _xml(text: str) -> str:
    return _NO_XML.sub("\ufffd", text)


def _labels(finding: tuple[str, str, str, str]) -> dict[str, str]:
    return dict(zip(("host", "image", "class"), finding))


def _gauge(name: str, *, text: str, samples: Iterable[tuple[Mapping[str, str], float]]) -> str:
    lines = [f"# HELP fleet_images_{name} {text}", f"# TYPE fleet_images_{name} gauge"]
    for labels, value in samples:
        inner = ",".join(f'{key}="{_label(word)}"' for key, word in labels.items())
        lines.append(f"fleet_images_{name}{{{inner}}} {value}" if inner else f"fleet_images_{name} {value}")
    return "\n".join(lines) + "\n"


def _label(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
