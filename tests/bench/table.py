# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How figures are shown: a line of the terminal, the table of docs/benchmarks.md, the machine they are from."""

from __future__ import annotations

import datetime
import os
import platform
import re
import subprocess
import typing as t
from pathlib import Path

from ansible_collections.fleet.images.tests.bench.plays import PEERS

if t.TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Entry = Mapping[str, t.Any]

HEADER = (
    f"{'row':<58} {'ours':>8} {'peer':>8} {'unit':<11} {'ratio':>6} {'goal':>5} {'runs':>4}  peer",
    "-" * 130,
)
_BEGIN, _END = "<!-- begin: written by make bench -->", "<!-- end -->"
_PROGRAMS = {
    "docker": ("docker", "version", "--format", "{{.Client.Version}}"),
    "dockerd": ("dockerd", "--version"),
    "podman": ("podman", "--version"),
    "skopeo": ("skopeo", "--version"),
    "buildah": ("buildah", "--version"),
    "docker-registry": ("docker-registry", "--version"),
}


def line(entry: Entry) -> str:
    """Return an entry as a line of the terminal."""
    if "not_run" in entry:
        return f"{entry['name']:<58} not run: {entry['not_run']}"
    figures = f"{entry['ours']:>8} {entry['peer']:>8} {entry['unit']:<11} {entry['ratio']:>6} {entry['goal']:>5}"
    verdict = "" if is_met(entry) else "  BELOW THE GOAL"
    return f"{entry['name']:<58} {figures} {entry['runs']:>4}  {entry['peer_name']}{verdict}"


def is_met(entry: Entry) -> bool:
    """Tell whether the goal of a line that ran is reached."""
    return bool(entry["ratio"] >= entry["goal"])


def markdown(entries: Sequence[Entry], machine: Sequence[str]) -> str:
    """Return the table, and below it what it was measured on."""
    rows = ["| # | work | peer | ours | peer's | ratio | goal | runs |", "|---|---|---|---|---|---|---|---|"]
    for entry in entries:
        number, _colon, name = entry["name"].partition(": ")
        if "not_run" in entry:
            rows.append(f"| {number} | {name} | {entry['peer_name']} | not run: {entry['not_run']} | | | | |")
            continue
        ours, peers = (_figure(entry, *keys) for keys in (("ours", "spread"), ("peer", "peer_spread")))
        ratio = f"**{entry['ratio']:g}**" if entry["goal"] and is_met(entry) else f"{entry['ratio']:g}"
        goal = f"{entry['goal']:g}" if entry["goal"] else "none"
        cells = [number, name, entry["peer_name"], ours, peers, ratio, goal, str(entry["runs"])]
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join([*rows, "", *(f"- {fact}" for fact in machine)])


def write(page: Path, entries: Sequence[Entry], machine: Sequence[str]) -> None:
    """Put the table into a page, in place of the one between its marks. Raises ``ValueError`` if it has no marks."""
    text = page.read_text(encoding="utf-8")
    head, begin, rest = text.partition(_BEGIN)
    _old, end, tail = rest.partition(_END)
    if not begin or not end:
        raise ValueError(f"{page} has no marks for the table")
    page.write_text(f"{head}{begin}\n\n{markdown(entries, machine)}\n\n{end}{tail}", encoding="utf-8")


def machine() -> list[str]:
    """Return what the figures are from: the machine, the versions of all that ran, the day."""
    told = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    model = re.search(r"model name\s*: (.*)", told)
    flags = "with" if re.search(r"\bsha_ni\b", told) else "without"
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1024**3
    name = model[1] if model else platform.processor()
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    return [
        f"{name}, {os.cpu_count()} processors, {flags} SHA instructions, {memory:.0f} GiB; {platform.platform()}",
        f"Python {platform.python_version()}; {'; '.join([*_collections(), *_programs()])}",
        f"{datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d}; load at the end {load}",
    ]


def _figure(entry: Entry, middle: str, spread: str) -> str:
    least, most = entry[spread]
    around = f" ({least:g} to {most:g})" if least != most else ""
    return f"{entry[middle]:g} {entry['unit']}{around}"


def _programs() -> list[str]:
    found = []
    for name, command in _PROGRAMS.items():
        try:
            said = subprocess.run(command, capture_output=True, text=True, check=False).stdout
        except FileNotFoundError:
            continue
        if version := re.search(r"\d+\.\d+[\w.+~-]*", said):
            found.append(f"{name} {version[0]}")
    return found


def _collections() -> list[str]:
    site = next(PEERS.glob("lib/python*/site-packages"), None)
    if site is None:
        return []
    found = [path.stem.replace("_", "-").replace("-core-", "-core ") for path in site.glob("ansible_core-*.dist-info")]
    for name in ("community/docker", "containers/podman"):
        told = (site / "ansible_collections" / name / "MANIFEST.json").read_text(encoding="utf-8")
        version = re.search(r'"version": "([^"]+)"', told)
        found.append(f"{name.replace('/', '.')} {version[1] if version else ''}".strip())
    return found
