# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A report: what every host of a fleet holds, compared with what it must hold."""

from __future__ import annotations

import typing as t
from collections import Counter

from ..module_utils.model.errors import ConflictError, InputError, Problem
from .report_hosts import STATES, host_row, is_drift
from .report_proof import seal

if t.TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .report_wanted import Declared

    Report = dict[str, t.Any]

VERSION: t.Final = 1
_SHOWN: t.Final = 10  # findings in the message of a failed task


class Finding(t.NamedTuple):
    """One thing that is not as it must be. ``image`` is empty where it concerns the host."""

    host: str
    image: str
    kind: str
    why: str

    def __str__(self) -> str:
        """Return one line for people."""
        about = f"{self.host}: {self.image or 'host'} {self.kind}"
        return f"{about} ({self.why})" if self.why else about


def make_report(
    results: Mapping[str, Mapping[str, t.Any] | None],
    declared: Declared,
    *,
    made_at: str,
    history: Sequence[t.Any] = (),
) -> Report:
    """Return the report over what each host returned. ``history`` are rows of earlier reports, oldest first.

    Raises:
        InputError: a host returned something else than image_info's result or a failure; all such hosts are told.
    """
    hosts, problems = [], []
    for host in sorted(results):
        try:
            hosts.append(host_row(host, results[host], declared=declared))
        except InputError as error:
            what = f"{error.what}: {error.why}" if error.why else error.what
            problems.append(Problem(f"hosts.{host}", what, "register a task of fleet.images.image_info with detail"))
    if problems:
        raise InputError.of(problems)
    return seal(
        {
            "version": VERSION,
            "made_at": made_at,
            "root": "",
            "images": [image.column for image in declared.images],
            "hosts": hosts,
            "totals": _totals(hosts),
            "history": list(history),
        }
    )


def findings_of(report: Mapping[str, t.Any]) -> list[Finding]:
    """Return everything that is not as it must be, by host and image."""
    found = []
    for host in report["hosts"]:
        if host["error"] is not None:
            found.append(Finding(host["host"], "", host["state"], f"{host['error']['code']}: {host['error']['msg']}"))
        for image, cell in sorted(host["cells"].items()):
            if cell["class"] != "verified":
                found.append(Finding(host["host"], image, cell["class"], cell["why"]))
        for extra in filter(is_drift, host["extra"]):
            why = (
                f"nobody asked for it; in use by {', '.join(extra['used_by'])}"
                if extra["used_by"]
                else "nobody asked for it"
            )
            found.append(Finding(host["host"], extra["name"] or extra["digest"], extra["class"], why))
    return found


def history_of(previous: Mapping[str, t.Any] | None, *, keep: int) -> list[t.Any]:
    """Return the last ``keep`` rows of history, the one of the ``previous`` report among them, oldest first."""
    if previous is None or keep < 1:
        return []
    rows = [*previous["history"], {key: previous[key] for key in ("made_at", "root", "totals")}]
    return rows[-keep:]


def is_same(report: Mapping[str, t.Any], previous: Mapping[str, t.Any] | None) -> bool:
    """Tell whether both reports say the same of the fleet, whenever they were made."""
    return previous is not None and _timeless(report) == _timeless(previous)


def refuse(report: Mapping[str, t.Any], *, fail_on: str) -> None:
    """Do nothing if the fleet is as ``fail_on`` (none, drift, failed) wants it.

    Raises:
        ConflictError: fleet-differs.
    """
    totals = report["totals"]
    bad = {"none": 0, "failed": totals["failed"] + totals["unreachable"], "drift": totals["hosts"] - totals["verified"]}
    if not bad[fail_on]:
        return
    found = [str(finding) for finding in findings_of(report)]
    more = [f"and {len(found) - _SHOWN} more"] if len(found) > _SHOWN else []
    raise ConflictError(
        f"{totals['hosts'] - totals['verified']} of {totals['hosts']} hosts are not as they must be",
        code="fleet-differs",
        why="; ".join([*found[:_SHOWN], *more]),
        fix="run fleet.images.image_state on these hosts with the same images and lock",
        subject="hosts",
    )


def _totals(hosts: Sequence[Mapping[str, t.Any]]) -> Report:
    states = Counter(host["state"] for host in hosts)
    cells = [cell for host in hosts for cell in host["cells"].values()]
    classes = Counter(cell["class"] for cell in cells)
    extras = [extra for host in hosts for extra in host["extra"]]
    size = sum(row["bytes"] for row in (*cells, *extras))
    counted = {state: states[state] for state in STATES}
    return {"hosts": len(hosts), **counted, "cells": dict(sorted(classes.items())), "bytes": size}


def _timeless(report: Mapping[str, t.Any]) -> Report:
    hosts = [{**host, "elapsed": 0} for host in report["hosts"]]
    return {**report, "hosts": hosts, "made_at": "", "history": []}
