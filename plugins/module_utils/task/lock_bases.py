# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The images that builds start from, told from their Dockerfiles on the control node: contexts need not be there."""

from __future__ import annotations

import typing as t

from ..build.dockerfile_bases import dockerfile_bases
from ..model.errors import ImagesError, InputError, raise_problems
from ..model.platform import Platform
from ..plan.locking import Declared
from .bases import base_reference
from .build_options import build_spec

if t.TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from ..build.base import Base, BuildSpec
    from ..model.reference import Defaults, Reference
    from ..wire.registry_settings import RegistrySettings

    Row = Mapping[str, t.Any]

#: Whose TARGETARCH a FROM may name, where nothing says for which platform: not this machine's, locks are the same.
_ANY = Platform.of("linux", "amd64")


def bases_of(
    builds: Sequence[tuple[str, Row]],
    *,
    made: Collection[Reference],
    platforms: Sequence[Platform],
    defaults: Defaults,
    params: Row,
) -> list[Declared]:
    """Return what the entries in ``builds``, each with its path, start or copy from, less what is ``made`` with them.

    Contexts of git and web servers are fetched, as the options of the task, ``params``, say.

    Raises:
        InputError: dockerfile-missing, dockerfile-syntax, unknown-target.
        ImagesError: a context cannot be fetched. With several such builds all are told.
    """
    problems: dict[str, ImagesError] = {}
    found: list[Declared] = []
    for path, row in builds:
        try:
            bases = _bases(row, platforms=platforms, params=params)
            references = {base_reference(base, defaults): base.reference for base in bases}
        except ImagesError as error:
            problems[path] = _told(error, path)
            continue
        found += (
            Declared(f"{path}.build", text, (reference,))
            for reference, text in references.items()
            if reference.is_pinned or reference not in made
        )
    raise_problems(problems)
    return found


def _bases(row: Row, *, platforms: Sequence[Platform], params: Row) -> list[Base]:
    named = [Platform.parse(text) for text in (row["platform"] or "").split(",") if text.strip()]
    found: dict[Base, None] = {}
    for platform in named or platforms or (_ANY,):
        spec = _with_context(build_spec(row["build"], platform=platform, host=platform, is_native=False), params)
        found.update(dict.fromkeys(dockerfile_bases(spec, machine=platform)))
    return list(found)


def _with_context(spec: BuildSpec, params: Row) -> BuildSpec:
    if ":" not in spec.context:  # as addresses have it, and folders hardly
        return spec
    from .registries import credentials_of, open_registries
    from .remote_contexts import with_fetched

    def settings() -> RegistrySettings:
        with open_registries(params, credentials=credentials_of(params, served=())) as registries:
            return registries.settings

    return with_fetched([spec], settings=settings)[0]


def _told(error: ImagesError, path: str) -> ImagesError:
    if error.code != "dockerfile-missing":
        return error
    return InputError(
        f"{path}: the Dockerfile cannot be read on the control node",
        code="dockerfile-missing",
        why=f"{error.subject}: {error.why}",
        fix="image_lock reads it there, relative to the playbook: put it there, or use dockerfile_inline",
        subject=path,
    )
