# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a report goes on the control node, and the one that was there before."""

from __future__ import annotations

import json
import os
import typing as t

from ..module_utils.model.errors import InputError, Problem
from ..module_utils.wire.durable import replacing
from .report_document import VERSION
from .report_html import render
from .report_texts import json_of, junit_of, markdown_of, prometheus_of

if t.TYPE_CHECKING:
    from collections.abc import Callable, Mapping

#: Each form of a report: the file's name in a folder, and who writes it.
FORMS: t.Final[Mapping[str, tuple[str, Callable[[Mapping[str, t.Any]], str]]]] = {
    "html": ("report.html", render),
    "json": ("report.json", json_of),
    "markdown": ("report.md", markdown_of),
    "junit": ("report.junit.xml", junit_of),
    "prometheus": ("report.prom", prometheus_of),
}


def read_dest(dest: object, *, place: Callable[[str], str]) -> dict[str, str]:
    """Return the file of each form that is wanted: all in a folder, or those that ``dest`` maps to a file each.

    ``place`` returns where a path is that starts at the playbook.

    Raises:
        InputError: neither of both, or a form that there is not.
    """
    if isinstance(dest, str) and dest and not dest.lstrip().startswith("{"):
        folder = place(dest)
        return {form: os.path.join(folder, name) for form, (name, _write) in FORMS.items()}
    if not isinstance(dest, dict) or not dest:
        raise InputError.of([Problem("dest", "it must be a folder, or a file for each form", "write dest: report")])
    unknown = sorted(str(form) for form in dest if form not in FORMS)
    empty = sorted(str(form) for form in dest if not dest[form])
    problems = [Problem(f"dest.{form}", "there is no such form", f"use one of {', '.join(FORMS)}") for form in unknown]
    problems += [Problem(f"dest.{form}", "it names no file", "name one, or leave the form out") for form in empty]
    if problems:
        raise InputError.of(problems)
    return {str(form): place(str(path)) for form, path in dest.items()}


def read_previous(path: str) -> dict[str, t.Any] | None:
    """Return the report that ``path`` holds, None where there is none.

    Raises:
        InputError: report-unreadable, it is something else, or cannot be read.
    """
    try:
        with open(path, encoding="utf-8") as file:
            document = json.load(file)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _unreadable(path, error.strerror or "") from error
    except ValueError as error:
        raise _unreadable(path, str(error)) from error
    parts = {"hosts", "images", "totals", "history", "made_at", "root"}
    if not isinstance(document, dict) or document.get("version") != VERSION or not parts <= set(document):
        raise _unreadable(path, f"it is no report of version {VERSION}")
    return document


def write_file(path: str, text: str) -> None:
    """Put ``text`` at ``path`` in one step; folders are made as needed, and others may read it.

    Raises:
        InputError: report-unwritable.
    """
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with replacing(path, mode=0o644) as file:
            file.write(text.encode("utf-8", "replace"))  # hosts may say half a character
    except OSError as error:
        raise InputError(
            f"The report {path} cannot be written",
            code="report-unwritable",
            why=error.strerror or str(error),
            fix="name a place in dest that the user who runs Ansible may write to",
            subject="dest",
        ) from error


def _unreadable(path: str, why: str) -> InputError:
    return InputError(
        f"The earlier report {path} cannot be read",
        code="report-unreadable",
        why=why,
        fix="name another place in dest, or remove the file: the history of earlier runs begins anew then",
        subject="dest",
    )
