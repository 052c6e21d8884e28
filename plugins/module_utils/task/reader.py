# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Parsing at the door: option texts become values once, and every problem is kept with its path."""

from __future__ import annotations

import typing as t

from ..model.errors import InputError, Problem
from ..model.platform import Platform
from ..model.reference import (
    DOCKER_HUB,
    ImageId,
    Reference,
    candidates,
    check_tag,
    is_registry,
    parse_image,
    parse_reference,
)
from .option_problems import option_problems
from .session import naming_defaults

if t.TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..plan.desired import PullPolicy

# What Ansible takes for true and false, as text: options of type raw keep what the templates gave.
_YES = frozenset({"yes", "on", "true", "1", "y", "t"})
_NO = frozenset({"no", "off", "false", "0", "n", "f", "", "none"})
_NO_TAG = "-"  # no tag that anybody can write


class Reader:
    """Reads option values; a value that cannot be read is told by ``finish``, together with all others."""

    def __init__(self, params: Mapping[str, t.Any]) -> None:
        """Complete short names as the options of the task say, and keep what is wrong with its common options."""
        self.defaults = naming_defaults(params)
        self._problems = option_problems(params)
        try:
            check_tag(self.defaults.tag)
        except InputError as error:
            self._keep(error, "tag" if params.get("tag") else "default_tag")
        if not is_registry(self.defaults.registry):
            what = f"{self.defaults.registry!r} is not a registry host"
            self.problem("default_registry", what, fix="write it like docker.io or registry.example.com:5000")
            self.defaults = self.defaults._replace(registry=DOCKER_HUB)

    def problem(self, path: str, what: str, *, fix: str = "") -> None:
        """Keep one problem; what is wrong for the whole task is told once, however many items it concerns."""
        problem = Problem(path, what, fix)
        if problem not in self._problems:
            self._problems.append(problem)

    def finish(self) -> None:
        """Tell all problems, if there are any.

        Raises:
            InputError: there are.
        """
        if self._problems:
            raise InputError.of(self._problems)

    def names(self, text: str, path: str) -> tuple[Reference, ...]:
        """Return what the name ``text`` may mean, best first; empty when it is no name."""
        if str(text).startswith("sha256:"):
            # The grammar would take it for a repository called sha256.
            self.problem(path, f"{text!r} is an image ID, a name is needed here", fix="write it like redis@sha256:…")
            return ()
        try:
            return tuple(candidates(str(text), self.defaults))
        except InputError as error:
            self._keep(error, path)
            return ()

    def image(self, text: str, path: str) -> tuple[Reference | ImageId, ...]:
        """Return what ``text``, a name or an image ID, may mean; empty when it is neither."""
        try:
            image = parse_image(str(text), self.defaults)
        except InputError as error:
            self._keep(error, path)
            return ()
        if isinstance(image, ImageId):
            return (image,)
        if str(text).startswith("sha256:"):
            self.problem(path, f"{text!r} is no image ID", fix="write 12 to 64 of its digits, 0-9 and a-f, after it")
            return ()
        return self.names(text, path)

    def new_names(self, texts: Sequence[str] | None, path: str) -> tuple[Reference, ...]:
        """Return the names to be given: references without a digest, for a name cannot choose its bytes."""
        found: dict[Reference, None] = {}
        for at, text in enumerate(texts or ()):
            where = f"{path}[{at}]"
            try:
                reference = parse_reference(str(text), self.defaults)
            except InputError as error:
                self._keep(error, where)
                continue
            if reference.is_pinned:
                self.problem(where, f"{text!r} has a digest, a new name has none", fix="leave out '@' and what follows")
            found[reference] = None
        return tuple(found)

    def repository(self, text: str, path: str) -> Reference | None:
        """Return the repository that ``text`` names, without tag and digest; None when it is not one."""
        try:
            reference = parse_reference(str(text), self.defaults._replace(tag=_NO_TAG))
        except InputError as error:
            self._keep(error, path)
            return None
        if reference.is_pinned or reference.tag != _NO_TAG:
            self.problem(path, f"{text!r} is no repository alone", fix="leave out the tag and the digest")
        return reference._replace(tag=None, digest=None)

    def platform(self, text: str | None, path: str) -> Platform | None:
        """Return the platform, None when none is given."""
        try:
            return Platform.parse(text) if text else None
        except InputError as error:
            self._keep(error, path)
            return None

    def platforms(self, text: str | None, path: str) -> tuple[Platform, ...]:
        """Return the platforms that ``text`` lists with commas between, each once; none when none is given."""
        found = (self.platform(part.strip() or text, path) for part in (text.split(",") if text else ()))
        return tuple(dict.fromkeys(platform for platform in found if platform is not None))

    def pushes(self, value: object, path: str, *, own: Sequence[Reference | ImageId]) -> tuple[Reference, ...]:
        """Return where to push: ``value`` is true for the image's ``own`` name, or a list of references."""
        if isinstance(value, (list, tuple)):
            return self.new_names(value, path)
        if is_no(value):
            return ()
        if str(value).lower() not in _YES:
            self.problem(path, f"{value!r} is neither true nor a list of references", fix="write push: true")
        return self.own_name(own, path)

    def own_name(self, own: Sequence[Reference | ImageId], path: str) -> tuple[Reference, ...]:
        """Return the name that an image is pushed to when no other is given; empty when it has none."""
        names = [name.without_digest() for name in own if isinstance(name, Reference)]
        if len(names) > 1:
            meanings = " or ".join(name.familiar for name in names)
            self.problem(path, f"it may go to {meanings}", fix="write the name with its namespace, or list references")
        return tuple(names[:1])

    def _keep(self, error: InputError, path: str) -> None:
        self.problem(path, f"{error.what}: {error.why}" if error.why else error.what, fix=error.fix)


def entries(texts: Sequence[str] | None, option: str) -> list[tuple[str, str]]:
    """Return path and text of each entry of a list; one that stands alone goes by its option."""
    found = list(texts or ())
    return [(option if len(found) == 1 else f"{option}[{at}]", text) for at, text in enumerate(found)]


def is_no(value: object) -> bool:
    """Tell whether ``value`` is what Ansible takes for false, or nothing at all."""
    return str(value).lower() in _NO


def pull_policy(word: str) -> PullPolicy:
    """Return the policy that a choice of ``pull`` means; ``not_present`` is community.docker's word for missing."""
    return t.cast("PullPolicy", "missing" if word == "not_present" else word)
