# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Builds as tasks see them: options to a build, the key of its inputs, and the image it gives."""

from __future__ import annotations

import os
import re
import typing as t

from ..model.errors import ImagesError, InputError, NotFoundError, raise_problems
from ..model.host import Identity
from ..model.reference import Reference, parse_reference
from ..plan.questions import build_cause

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from ..build.base import Base, BaseImage, BuildSpec
    from ..build.loading import Build
    from ..model.digest import Digest
    from ..model.host import LocalImage, Observed
    from ..model.platform import Platform
    from ..plan.desired import Desired, DesiredBuild, DesiredImage
    from .session import Session


class Prepared(t.NamedTuple):
    """A build whose input is known to be good, and its bases as its key was made with; none when no build is due."""

    build: Build
    bases: Mapping[Base, BaseImage]


def with_keys(desired: Desired, *, observed: Observed, session: Session) -> Desired:
    """Return ``desired`` with the key of each build's inputs. Reads contexts, and asks registries for bases' digests.

    Raises:
        ImagesError: the input of a build is bad, or a base cannot be had. With several such builds all are told.
    """
    problems: dict[str, ImagesError] = {}
    images: list[DesiredImage] = []
    for item in desired.images:
        if item.build is None:
            images.append(item)
            continue
        try:
            images.append(_with_key(item, item.build, observed=observed, session=session))
        except ImagesError as error:
            problems[item.path] = error
    raise_problems(problems)
    return desired._replace(images=tuple(images))


def carry_out(spec: object, *, session: Session) -> Identity:
    """Build the image that a plan's build action holds, into the session's content store, and return its identity.

    Raises:
        ImagesError: layers of a base cannot be fetched, the context changed meanwhile, or a step fails.
    """
    from ..build.native import build_image

    if not isinstance(spec, Prepared):
        raise TypeError("a build action holds what with_keys prepared")
    content = session.content()
    # Beside the blobs there is room for a layer; the system's folder for temporary files may be memory.
    manifest = build_image(spec.build, bases=spec.bases, sink=content, work_folder=content.scratch())
    return Identity(manifest.descriptor.digest, manifest.config.digest)


def _with_key(item: DesiredImage, wanted: DesiredBuild, *, observed: Observed, session: Session) -> DesiredImage:
    from ..build.inputs import KEY_LABEL
    from ..build.loading import load_build

    options = t.cast("Mapping[str, t.Any]", wanted.spec)
    build = load_build(_build_spec(options, item.platform or _portable(observed.platform)))
    for warning in build.warnings:
        session.warn(f"{item.path}: {warning}")
    digests = {base: _base_digest(base, options, observed=observed, session=session) for base in build.bases}
    name = item.wanted
    image = observed.by_name.get(name) if isinstance(name, Reference) else None
    label = image.labels.get(KEY_LABEL, "") if image is not None else ""
    # Only bases whose layers were read tell whether they have triggers, so the label is asked before a key is made.
    key = label if label and build.is_current(label, digests) else build.inputs_key(digests).key
    keyed = wanted._replace(key=key, key_label=KEY_LABEL)
    # Opened now and not when it is built: a base that does not exist for the platform is told by check mode, too.
    bases = {
        base: _base_image(base, digest, observed=observed, session=session)
        for base, digest in (digests if build_cause(keyed, image) else {}).items()
    }
    return item._replace(build=keyed._replace(spec=Prepared(build, bases)))


def _build_spec(options: Mapping[str, t.Any], platform: Platform) -> BuildSpec:
    from ..build.base import BuildSpec

    return BuildSpec(
        context=options["path"] or "",
        platform=platform,
        dockerfile=options["dockerfile"] or "Dockerfile",
        dockerfile_inline=options["dockerfile_inline"] or "",
        args={str(name): _text(value) for name, value in (options["args"] or {}).items()},
        target=options["target"] or "",
        labels={str(name): _text(value) for name, value in (options["labels"] or {}).items()},
        source_date_epoch=_source_date_epoch(),
    )


def _portable(platform: Platform) -> Platform:
    """Return the host's platform without its processor's level: what is built there is no other image for that."""
    return platform._replace(variant="") if platform.architecture == "amd64" else platform


def _source_date_epoch() -> int:
    """Return SOURCE_DATE_EPOCH of the environment, 0 when it is not set.

    Raises:
        InputError: it is not a number of seconds.
    """
    text = os.environ.get("SOURCE_DATE_EPOCH", "").strip() or "0"
    if not re.fullmatch("[0-9]{1,12}", text):
        raise InputError(
            f"SOURCE_DATE_EPOCH is {text!r}",
            code="bad-source-date-epoch",
            fix="set it to seconds since 1970, or do not set it",
            subject="SOURCE_DATE_EPOCH",
        )
    return int(text)


def _text(value: object) -> str:
    """Return an arg's or label's value as YAML's writer meant it: true, not True."""
    return str(value).lower() if isinstance(value, bool) else str(value if value is not None else "")


def _base_digest(base: Base, options: Mapping[str, t.Any], *, observed: Observed, session: Session) -> Digest:
    """Return what ``base`` means: on the host unless ``pull`` asks for the registry's word, else at its registry."""
    reference = parse_reference(base.reference, session.defaults._replace(tag="latest"))
    image = None if options["pull"] else _local_base(reference, base, observed=observed)
    if image is not None and image.identity.digest is not None:
        return image.identity.digest
    if reference.digest is not None:
        return reference.digest
    try:
        return session.registry(reference).resolve(reference).digest
    except NotFoundError as error:
        raise NotFoundError(
            f"The base image {base.reference} is neither on the host nor at its registry",
            code="base-not-found",
            why=error.why,
            fix="check the spelling, or build or pull it in an earlier task",
            subject=base.reference,
        ) from error


def _local_base(reference: Reference, base: Base, *, observed: Observed) -> LocalImage | None:
    image = observed.find(reference)
    if image is None or not image.is_complete or (image.platform and not image.platform.satisfies(base.platform)):
        return None
    return image


def _base_image(base: Base, digest: Digest, *, observed: Observed, session: Session) -> BaseImage:
    """Return the base of exactly ``digest``: its tag may have moved since the key was made."""
    from ..build.base import BaseImage
    from ..model.image_config import parse_config
    from ..plan.questions import Question
    from .resolve import resolve_image, stored_manifest

    reference = parse_reference(base.reference, session.defaults._replace(tag="latest"))
    image = _local_base(reference, base, observed=observed)
    if image is not None and image.identity.digest == digest and image.identity.manifest_digest is not None:
        content = session.content()
        manifest = stored_manifest(image.identity.manifest_digest, content=content)
        return BaseImage(digest, manifest, parse_config(content.read(manifest.config)), content)
    pinned = reference.with_digest(digest)
    question = Question((pinned,), base.platform, is_strict=False, known=frozenset())
    resolved = resolve_image(question, registry=session.registry)
    if resolved.manifest is None:
        raise TypeError("a question that knows no digest is answered with a manifest")
    store = session.registry(pinned)
    return BaseImage(digest, resolved.manifest, parse_config(store.read(resolved.manifest.config)), store)
