# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What reading files for images gives, kept with the place where each thing was found."""

from __future__ import annotations

import os
import typing as t

from ..module_utils.model.errors import Problem

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    Item = dict[str, t.Any]


class SourceFile(t.NamedTuple):
    """A file of the control node: where it is, and how the user calls it."""

    path: str
    label: str
    variables: Mapping[str, str] = {}

    def beside(self, name: str) -> SourceFile:
        """Return the file that this one calls ``name``, relative to its own folder."""
        if os.path.isabs(name):
            return self._replace(path=name, label=name)
        label = os.path.normpath(os.path.join(os.path.dirname(self.label), name))
        return self._replace(path=os.path.normpath(os.path.join(os.path.dirname(self.path), name)), label=label)

    def place(self, path: str) -> str:
        """Return ``compose.yaml: services.web.image``."""
        return f"{self.label}: {path}" if path else self.label


class Finding(t.NamedTuple):
    """An entry as ``images[]`` has it, and where it was found."""

    place: str
    item: Item


class Gathered:
    """Grows while files are read; no reader stops at the first problem."""

    def __init__(self) -> None:
        """Start with nothing."""
        self.findings: list[Finding] = []
        self.problems: list[Problem] = []
        self._skipped: dict[tuple[str, str], list[str]] = {}
        self._warnings: list[str] = []

    def found(self, place: str, image: object, *, platform: object = None) -> None:
        """Keep an image, or the problem that what should name one does not."""
        if not isinstance(image, str) or not image:
            self.problem(place, "must be a text that names an image")
        elif platform is not None and not isinstance(platform, str):
            self.problem(place, "has a platform that is no text")
        else:
            self.findings.append(Finding(place, {"image": image, **({"platform": platform} if platform else {})}))

    def problem(self, place: str, what: str, *, fix: str = "") -> None:
        """Keep what is wrong, once."""
        problem = Problem(place, what, fix)
        if problem not in self.problems:
            self.problems.append(problem)

    def skipped(self, file: SourceFile, path: str, *, why: str) -> None:
        """Keep that nothing is taken from ``path`` of this file, which is no mistake."""
        paths = self._skipped.setdefault((file.label, why), [])
        if path not in paths:
            paths.append(path)

    def warn(self, text: str) -> None:
        """Keep what the user should know."""
        self._warnings.append(text)

    @property
    def warnings(self) -> list[str]:
        """What the user should know: for each file and reason one text."""
        told = [f"{label}: {', '.join(paths)}: {why}" for (label, why), paths in self._skipped.items()]
        return self._warnings + told


def read_text(file: SourceFile, gathered: Gathered) -> str | None:
    """Return the text of ``file``; None, and a problem, where it cannot be read."""
    try:
        with open(file.path, encoding="utf-8-sig") as stream:
            text = stream.read()
    except UnicodeDecodeError:
        gathered.problem(file.label, "is no text in UTF-8")
    except OSError as error:
        gathered.problem(
            file.label,
            f"cannot be read: {error.strerror}",
            fix="it is looked for on the control node, beside the playbook and where the role keeps files",
        )
    else:
        if not text.startswith("$ANSIBLE_VAULT;"):
            return text
        gathered.problem(
            file.label, "is encrypted with Ansible Vault", fix="put its images into a variable, in images[]"
        )
    return None
