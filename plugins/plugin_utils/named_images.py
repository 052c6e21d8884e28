# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names of images as filters and lookups get them, and the digests that these names have at their registries."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleFilterError
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ..module_utils.model.errors import ImagesError, InputError, Problem, raise_problems
from ..module_utils.model.reference import parse_reference
from ..module_utils.task.options import COMMON, NAMING, REGISTRY
from ..module_utils.task.reader import Reader
from ..module_utils.task.session import naming_defaults

if t.TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ..module_utils.model.platform import Platform
    from ..module_utils.model.reference import Reference
    from ..module_utils.stores.registries import Registries
    from ..module_utils.task.options import Spec

#: What the lookup takes beside names. What a tag means, no mirror is asked.
LOOKUP: t.Final = {
    **NAMING,
    **{name: row for name, row in REGISTRY.items() if name != "mirrors"},
    "platform": {"type": "str", "aliases": ["arch"]},
}


def read_name(name: object, *, defaults: Mapping[str, t.Any], plugin: str) -> Reference:
    """Return the reference that ``name``, the input of the filter ``plugin``, spells.

    Raises:
        AnsibleFilterError: it is no name of an image, or ``defaults`` are not those of the naming options.
    """
    try:
        params = _checked(defaults, NAMING)
        if not isinstance(name, str):
            raise InputError.of([Problem("", "the name of an image must be a text")])
        return parse_reference(name, naming_defaults(params))
    except InputError as error:
        raise AnsibleFilterError(f"{plugin}: {error}") from error


def digests_of(
    names: Sequence[object], options: Mapping[str, t.Any], *, beside: Callable[[str], str]
) -> tuple[list[str], list[str]]:
    """Return the digest that each name has at its registry, and what registries want people to read.

    ``options`` are those of ``LOOKUP``; ``beside`` returns where a path is that is relative to the playbook.

    Raises:
        ImagesError: a name or an option is wrong, a registry cannot be asked, or there is no such image; of several
            problems all are told.
    """
    from ..module_utils.task.registries import check_served, credentials_of, open_registries
    from ..module_utils.task.resolve import in_parallel

    params = _checked(options, LOOKUP)
    for key in ("auth_file", "registry_ca_path"):
        params[key] = beside(params[key]) if params[key] else None
    reader = Reader(params)
    asked = [reader.names(t.cast("str", name), f"term {at}") for at, name in enumerate(names, 1)]
    platform = reader.platform(params["platform"], "platform")
    reader.finish()
    served = {name.registry for each in asked for name in each}
    if params["username"]:
        check_served(served)
    with open_registries(params, credentials=credentials_of(params, served=served)) as registries:
        answers = in_parallel(
            list(dict.fromkeys(asked)),
            lambda each: _digest(each, platform=platform, registries=registries),
            parallel=params["parallel"],
        )
        raise_problems({str(each[0]): got for each, got in answers.items() if isinstance(got, ImagesError)})
        return [str(answers[each]) for each in asked], registries.warnings


def _checked(options: Mapping[str, t.Any], spec: Spec) -> dict[str, t.Any]:
    """Return ``options`` with the defaults of all common options, each of its type.

    Raises:
        InputError: one is not in ``spec``, or not of its type.
    """
    everything = ArgumentSpecValidator(COMMON).validate({}).validated_parameters
    result = ArgumentSpecValidator(spec).validate(dict(options))
    if result.error_messages:
        raise InputError.of([Problem("", message) for message in result.error_messages])
    return {**everything, **result.validated_parameters}


def _digest(names: tuple[Reference, ...], *, platform: Platform | None, registries: Registries) -> str:
    """Return the digest of the first of ``names`` that exists; with ``platform`` that of its image for it."""
    from ..module_utils.model.errors import NotFoundError
    from ..module_utils.plan.questions import Question
    from ..module_utils.task.resolve import resolve_image

    if platform is not None:
        question = Question(names, platform, is_strict=True, known=frozenset())
        return str(resolve_image(question, registry=registries.store).identity.manifest_digest)
    missing: NotFoundError | None = None
    for name in names:
        try:
            return str(registries.store(name).resolve(name).digest)
        except NotFoundError as error:
            missing = missing or error
    raise missing or TypeError("a name means at least one reference")
