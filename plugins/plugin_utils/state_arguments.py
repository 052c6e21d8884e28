# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What image_state gets on a host, of what the task says: files of the control node are read, mistakes are told."""

from __future__ import annotations

import typing as t

from .image_problems import check_images

if t.TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class Prepared(t.NamedTuple):
    """The arguments for the host. ``sources`` tell where files name images, ``warnings`` go to the user."""

    arguments: dict[str, t.Any]
    sources: list[dict[str, t.Any]] | None
    warnings: list[str]

    def told_in(self, answer: dict[str, t.Any]) -> dict[str, t.Any]:
        """Return a result with what was found on the control node."""
        sources = {} if self.sources is None else {"sources": self.sources}
        warnings = {"warnings": [*self.warnings, *answer.get("warnings", ())]} if self.warnings else {}
        return {**answer, **sources, **warnings}


def prepare(args: Mapping[str, t.Any], *, find: Callable[[str], str]) -> Prepared:
    """Return what the host gets; ``find`` returns where a path of the task is on the control node.

    Raises:
        InputError: ``images``, a file of ``from_file``, or the lock is wrong.
        UnsupportedError: jsonschema-missing.
    """
    arguments, sources, warnings = dict(args), None, []
    if args.get("images") is not None:
        check_images(args["images"])
    if args.get("from_file") is not None:
        from .image_sources import images_from_files
        from .lock_file import naming_defaults

        own = list(args.get("images") or ())
        found = images_from_files(args["from_file"], find=find, declared=own, defaults=naming_defaults(args))
        arguments["images"] = [*own, *found.images]
        sources, warnings = found.sources, found.warnings
    if args.get("lock") not in (None, ""):
        from .lock_file import lock_for, naming_defaults

        images = arguments.get("images") or ()
        arguments["lock"] = lock_for(images, lock=args["lock"], find=find, defaults=naming_defaults(args))
    return Prepared(arguments, sources, warnings)
