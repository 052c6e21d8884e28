# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The whole job of image_report: what a task says becomes a report, its files, and a result."""

from __future__ import annotations

import typing as t

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ..module_utils.model.errors import InputError, Problem
from ..module_utils.model.lock import lock_of
from ..module_utils.task.control_options import REPORT
from ..module_utils.task.options import COMMON
from .lock_file import naming_defaults
from .report_document import findings_of, history_of, is_same, make_report
from .report_files import FORMS, read_dest, read_previous, write_file
from .report_wanted import Declared, read_wanted

if t.TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Params = Mapping[str, t.Any]


class Reported(t.NamedTuple):
    """A report and the texts of its files, by path. ``is_changed``: it says something else than the one before."""

    report: dict[str, t.Any]
    files: dict[str, str]
    texts: dict[str, str]
    is_changed: bool

    def result(self) -> dict[str, t.Any]:
        """Return what the task tells."""
        hosts = [{key: host[key] for key in ("host", "state", "root", "error")} for host in self.report["hosts"]]
        findings = [
            {"host": found.host, "image": found.image, "class": found.kind, "why": found.why}
            for found in findings_of(self.report)
        ]
        told = {"root": self.report["root"], "totals": self.report["totals"], "hosts": hosts, "findings": findings}
        return {"changed": self.is_changed, "files": self.files, **told}

    def write(self) -> None:
        """Write all files, each in one step.

        Raises:
            InputError: report-unwritable.
        """
        for path, text in self.texts.items():
            write_file(path, text)


def checked(arguments: Params) -> dict[str, t.Any]:
    """Return the options of the task, each of its type, with defaults.

    Raises:
        InputError: one is unknown, missing or of another type, or nothing is declared.
    """
    result = ArgumentSpecValidator({**COMMON, **REPORT}).validate(dict(arguments))
    problems = [Problem("", message) for message in result.error_messages]
    params: dict[str, t.Any] = result.validated_parameters
    if params.get("images") is None and params.get("from_file") is None:
        problems.append(Problem("images", "one of images and from_file is needed"))
    for host, returned in (params.get("hosts") or {}).items():
        if returned is not None and not isinstance(returned, dict):
            problems.append(Problem(f"hosts.{host}", "it is no result of a task", "map the host to what it registered"))
    if problems:
        raise InputError.of(problems)
    return params


def report_fleet(params: Params, *, made_at: str, place: Callable[[str], str]) -> Reported:
    """Return the report for checked ``params``; ``place`` returns where a path is. Nothing is written yet.

    Raises:
        InputError: names, the lock, what a host returned, or dest is wrong; report-unreadable; as ``sign``.
        ImagesError: as ``sign``.
    """
    images, absent = read_wanted(params["images"] or (), naming_defaults(params))
    lock = lock_of(params["lock"], subject="lock") if params["lock"] else None
    declared = Declared(images, absent, lock, params["unlisted"] == "remove", tuple(params["protect"]))
    files = read_dest(params["dest"], place=place)
    if params["sign_key"] and "json" not in files:
        raise InputError.of([Problem("sign_key", "what is signed is the JSON", "give dest.json, or a folder")])
    previous = read_previous(files["json"]) if "json" in files else None
    history = history_of(previous, keep=params["history"])
    report = make_report(params["hosts"], declared, made_at=made_at, history=history)
    texts = {path: FORMS[form][1](report) for form, path in files.items()}
    if params["sign_key"]:
        from .report_proof import sign

        files["signature"] = f"{files['json']}.sig"
        texts[files["signature"]] = sign(texts[files["json"]].encode(), key=place(params["sign_key"]))
    return Reported(report, files, texts, not is_same(report, previous))
