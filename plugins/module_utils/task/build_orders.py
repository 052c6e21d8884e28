# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From a build that was read to an order for what builds in containers; secrets are read here, on the target."""

from __future__ import annotations

import os
import typing as t

from ..build.lexer import syntax_of
from ..model.build_order import BuildOrder, Secret
from ..model.errors import ImagesError, InputError, UnsupportedError, raise_problems
from ..model.reference import parse_reference

if t.TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..build.loading import Build
    from ..model.platform import Platform
    from ..model.reference import Defaults

NATIVE = "native"
"""The builder of this collection, which starts no container."""

_SECRET_LIMIT = 500 * 1024  # bytes, as BuildKit has it


class Extras(t.NamedTuple):
    """What an engine is told beside the inputs of a build: it changes how it is built, and not what.

    ``secrets`` are rows of the option. ``platform`` is None when the user named none.
    """

    secrets: tuple[Mapping[str, t.Any], ...] = ()
    cache_from: tuple[str, ...] = ()
    is_cached: bool = True
    platform: Platform | None = None

    @classmethod
    def of(cls, options: Mapping[str, t.Any], *, platform: Platform | None, defaults: Defaults) -> Extras:
        """Return what ``options`` of a build say."""
        cache_from = tuple(str(parse_reference(str(text), defaults)) for text in options["cache_from"] or ())
        return cls(tuple(options["secrets"] or ()), cache_from, not options["nocache"], platform)


def build_order(
    build: Build, extras: Extras, *, labels: Mapping[str, str], secrets: Sequence[Secret]
) -> BuildOrder:
    """Return the order; ``labels`` hold those of the task, and the key."""
    spec = build.spec
    return BuildOrder(
        dockerfile=build.dockerfile_name,
        platform=extras.platform,
        args=spec.args,
        target=spec.target,
        labels=labels,
        network=spec.network,
        squash=spec.squash,
        shm_size=spec.shm_size,
        etc_hosts=spec.etc_hosts,
        cache_from=extras.cache_from,
        syntax=spec.args.get("BUILDKIT_SYNTAX") or syntax_of(build.source.text),
        is_cached=extras.is_cached,
        secrets=tuple(secrets),
        needs_buildkit=needs_buildkit(build),
        has_heredocs=any(step.heredocs for number in build.plan.needed for step in build.plan.stages[number].steps),
    )


def needs_buildkit(build: Build) -> bool:
    """Tell whether a stage that is needed has what Docker's classic builder does not know."""
    steps = (step for number in build.plan.needed for step in build.plan.stages[number].steps)
    return any(
        step.heredocs
        or step.engine_flags
        or not step.is_known
        or (step.name == "RUN" and bool(step.flags))
        or bool({"chmod", "link"} & step.flags.keys())
        for step in steps
    )


def sample_order(build: Build, extras: Extras) -> BuildOrder:
    """Return an order with everything in it but the values of secrets: what a builder lacks can be told from it."""
    secrets = [Secret(row["id"], b"") for row in extras.secrets]
    return build_order(build, extras, labels=build.spec.labels, secrets=secrets)


def native_lacks(order: BuildOrder) -> tuple[str, ...]:
    """Return the fields of ``order`` that mean nothing where no step runs in a container, each with the reason."""
    found = {
        "network": bool(order.network),
        "etc_hosts": bool(order.etc_hosts),
        "shm_size": bool(order.shm_size),
        "secrets": bool(order.secrets),
        "cache_from": bool(order.cache_from),
    }
    lacking = [f"{name}: no step runs in a container here" for name, is_given in found.items() if is_given]
    return (*lacking, *(["squash: each COPY and ADD is a layer, so that hosts share them"] if order.squash else []))


def refuse_lacking(lacking: Sequence[str], *, engine: str, path: str) -> None:
    """Do nothing if nothing is lacking.

    Raises:
        UnsupportedError: build-option-unsupported, which names the options and the engine.
    """
    if lacking:
        names = ", ".join(row.partition(":")[0] for row in lacking)
        raise UnsupportedError(
            f"With engine {engine} this build cannot heed {names}",
            code="build-option-unsupported",
            why="; ".join(lacking),
            fix="leave it out, or build with another engine",
            subject=path,
        )


def read_secrets(rows: Sequence[Mapping[str, t.Any]]) -> tuple[Secret, ...]:
    """Return the secrets of the option ``secrets``, read from files and the environment of this host.

    Raises:
        InputError: secret-missing: one cannot be read. With several such secrets all are told.
    """
    problems: dict[str, ImagesError] = {}
    secrets: list[Secret] = []
    for row in rows:
        try:
            secrets.append(Secret(row["id"], _value(row)))
        except InputError as error:
            problems[row["id"]] = error
    raise_problems(problems)
    return tuple(secrets)


def _value(row: Mapping[str, t.Any]) -> bytes:
    if row["value"] is not None:
        return str(row["value"]).encode()
    if row["env"] is not None:
        value = os.environ.get(row["env"])
        if value is None:
            raise _missing(row["id"], f"the environment of the task has no variable {row['env']} on this host")
        return os.fsencode(value)
    try:
        with open(row["src"], "rb") as stream:
            content = stream.read(_SECRET_LIMIT + 1)
    except OSError as error:
        raise _missing(row["id"], f"{row['src']}: {error.strerror}") from error
    if len(content) > _SECRET_LIMIT:
        raise _missing(row["id"], f"{row['src']} is larger than {_SECRET_LIMIT} bytes")
    return content


def _missing(identifier: str, why: str) -> InputError:
    return InputError(
        f"The secret {identifier} cannot be read",
        code="secret-missing",
        why=why,
        fix="src and env are read on the host that builds: put it there, or give its value",
        subject=identifier,
    )
