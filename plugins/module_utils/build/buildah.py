# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Builds that run containers where no engine does: buildah builds on a storage of its own, upon bases from our stores.

What buildah makes is taken apart again: the layers of bases keep the bytes that registries have for them, and the
config is written without what buildah draws at random, so that the same files give the same image.
"""

from __future__ import annotations

import os
import typing as t

from ..model.reference import Defaults, parse_reference
from ..wire.buildah_log import BuildahLog, release
from ..wire.process import run
from ..wire.time_limit import TimeLimit
from .buildah_image import publish
from .buildah_storage import BuildahStorage

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ..model.build_order import BuildOrder
    from ..model.manifest import Manifest
    from .base import Base, BaseImage, BlobSink
    from .loading import Build

BUILDER = "buildah"
_LOG_PIECE = 64 << 10
_ANSWER_SECONDS = 30.0
_HEREDOCS = (1, 33)


def buildah_is_there() -> bool:
    """Tell whether the program is on PATH."""
    import shutil

    return shutil.which(BUILDER) is not None


def lacks(order: BuildOrder) -> tuple[str, ...]:
    """Return the fields of ``order`` that cannot be heeded, each with the reason.

    buildah is asked for its version only where the order has heredocs.

    Raises:
        NotFoundError: program-missing.
        UnavailableError: program-timeout.
    """
    version = _version() if order.has_heredocs else ""
    return tuple(
        reason
        for is_asked, reason in (
            (order.network not in ("", "host"), "network: steps run in the network of the host"),
            (bool(order.shm_size), "shm_size: steps see the shared memory of the host"),
            (bool(order.cache_from), "cache_from: each build starts without a cache"),
            (
                order.has_heredocs and release(version) < _HEREDOCS,
                f"dockerfile: its heredocs, which buildah knows from 1.33 on, and this is {version}",
            ),
        )
        if is_asked
    )


def _version() -> str:
    """Return the version as buildah tells it: ``buildah version 1.28.2 (image-spec …)``."""
    words = run([BUILDER, "--version"], timeout=_ANSWER_SECONDS).stdout.decode(errors="replace").split()
    return words[2] if len(words) > 2 else "an unknown version"


def build_with_buildah(
    build: Build,
    *,
    order: BuildOrder,
    bases: Mapping[Base, BaseImage],
    sink: BlobSink,
    work_folder: str,
    defaults: Defaults = Defaults(),  # noqa: B008 (immutable)
) -> Manifest:
    """Build ``order``, nothing of which is lacking, and publish the image by digest in ``sink``; return its manifest.

    ``bases`` holds every base of ``build.bases``; layers of theirs that ``sink`` lacks are copied from their source.
    ``defaults`` complete short names. Needs room in ``work_folder`` for the context, the unpacked bases and the result;
    all of it is gone afterwards. Steps run without isolation of their network. Times are no later than the build's
    ``source_date_epoch``: the same steps writing the same bytes give the same manifest.

    Raises:
        PeerError: engine-build-failed: ``what`` names the failing step, ``why`` has its last lines.
        NotFoundError: program-missing.
        UnavailableError: deadline-passed: what it ran was ended.
        ImagesError: as ``Build.context_tar``, reading a base and writing to ``sink``.
    """
    limit = TimeLimit(order.deadline, subject=build.name)
    with BuildahStorage(work_folder, limit=limit) as storage:
        for base, image in bases.items():
            storage.add_base(image, repository=parse_reference(base.reference, defaults).repository)
        digests = {base: image.manifest.descriptor.digest for base, image in bases.items()}
        has_triggers = any(image.config.has_triggers for image in bases.values())
        text = build.pinned_dockerfile(digests, defaults=defaults)
        storage.unpack(build.context_tar(text, has_triggers=has_triggers), dockerfile=build.dockerfile_name)
        image_id = _run(build, order, storage=storage)
        return publish(storage.export(image_id), bases=bases.values(), sink=sink)


def _run(build: Build, order: BuildOrder, *, storage: BuildahStorage) -> str:
    """Run the build; return the ID of the image."""
    log_path = storage.path("log")
    options = [*_options(build, order), *_secrets(order, storage)]
    # Ignore files were heeded before: the empty one is in their place.
    named = ["--file", storage.path("Dockerfile"), "--ignorefile", os.devnull, "--logfile", log_path]
    ended = storage.run("bud", *options, *named, "--iidfile", storage.path("image-id"), storage.path("context"))
    if ended.status == 0:
        with open(storage.path("image-id"), encoding="ascii") as stream:
            return stream.read().strip()
    log = BuildahLog()
    if os.path.exists(log_path):
        with open(log_path, encoding="utf-8", errors="replace", newline="\n") as stream:
            while piece := stream.read(_LOG_PIECE):
                log.feed(piece)
    log.finish()
    said = ended.stderr.decode(errors="replace")
    secrets = [secret.value for secret in order.secrets]
    raise log.failure(BUILDER, said=said, secrets=secrets, subject=build.name)


def _options(build: Build, order: BuildOrder) -> Iterator[str]:
    """Yield the options of ``buildah bud``; its Docker format alone keeps HEALTHCHECK, SHELL and ONBUILD."""
    yield from ("--isolation", "chroot", "--pull-never", "--format", "docker", "--no-cache")
    yield "--identity-label=false"  # buildah's version would change the image
    yield f"--layers={'false' if order.squash else 'true'}"
    yield from ("--timestamp", str(build.spec.source_date_epoch))
    if order.platform is not None:
        yield from ("--platform", str(order.platform))
    if order.target:
        yield from ("--target", order.target)
    for option, values in (("--build-arg", order.args), ("--label", order.labels)):
        for name, value in values.items():
            yield from (option, f"{name}={value}")
    for name, address in order.etc_hosts.items():
        yield from ("--add-host", f"{name}:{address}")


def _secrets(order: BuildOrder, storage: BuildahStorage) -> Iterator[str]:
    for at, secret in enumerate(order.secrets):
        path = storage.path(f"secret-{at}")
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
            stream.write(secret.value)
        yield from ("--secret", f"id={secret.id},src={path}")
