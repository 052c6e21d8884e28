# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What plan stories are told with: wanted images in few words, and the plan that a host and its registries lead to."""

from __future__ import annotations

import typing as t

from ansible_collections.fleet.images.plugins.module_utils.model.digest import Digest
from ansible_collections.fleet.images.plugins.module_utils.model.platform import Platform
from ansible_collections.fleet.images.plugins.module_utils.model.reference import (
    Defaults,
    ImageId,
    candidates,
    parse_image,
    parse_reference,
)
from ansible_collections.fleet.images.plugins.module_utils.plan.desired import Desired, DesiredBuild, DesiredImage
from ansible_collections.fleet.images.plugins.module_utils.plan.planner import plan_images
from ansible_collections.fleet.images.plugins.module_utils.plan.questions import ask, look_for
from ansible_collections.fleet.images.plugins.module_utils.task.resolve import resolve
from ansible_collections.fleet.images.tests.support.images import MadeImage, MadeIndex, make_image, make_index
from ansible_collections.fleet.images.tests.support.memory_engine import MemoryEngine, MemoryRegistries

if t.TYPE_CHECKING:
    from ansible_collections.fleet.images.plugins.module_utils.plan.desired import InUse, PullPolicy
    from ansible_collections.fleet.images.plugins.module_utils.plan.plan import Plan
    from ansible_collections.fleet.images.plugins.module_utils.task.resolve import OpenRegistry

KEY_LABEL = "key"


class Story:
    """A host and the registries it can reach."""

    def __init__(self) -> None:
        self.host = MemoryEngine()
        self.registries = MemoryRegistries()

    def plan(
        self,
        *wanted: DesiredImage,
        removes_unlisted: bool = False,
        protect: tuple[str, ...] = (),
        in_use: InUse = "fail",
        prunes: bool = True,
    ) -> Plan:
        """Return the plan for ``wanted``; the path of each is its place, as in ``images[0]``."""
        items = tuple(item._replace(path=f"images[{at}]") for at, item in enumerate(wanted))
        desired = Desired(items, removes_unlisted, protect, in_use, prunes)
        observed = self.host.observe(look_for(desired))
        self.registries.requests.clear()
        answers = resolve(ask(desired, observed), registry=t.cast("OpenRegistry", self.registries), parallel=1)
        return plan_images(desired, observed, answers=answers)

    def text(self, *wanted: DesiredImage, removes_unlisted: bool = False, protect: tuple[str, ...] = ()) -> str:
        """Return the text of the plan for ``wanted``."""
        return self.plan(*wanted, removes_unlisted=removes_unlisted, protect=protect).text()

    @property
    def requests(self) -> list[str]:
        """The requests that the last plan cost."""
        return self.registries.requests


def present(
    name: str,
    *,
    pull: PullPolicy = "missing",
    platform: str = "",
    tags: t.Sequence[str] = (),
    push: t.Sequence[str] = (),
    keep: bool = False,
    namespaces: tuple[str, ...] = ("library",),
) -> DesiredImage:
    """Return an image that is wanted under ``name``."""
    return DesiredImage(
        "",
        _meanings(name, namespaces),
        pull=pull,
        platform=Platform.parse(platform) if platform else None,
        tags=tuple(map(parse_reference, tags)),
        keeps_existing_tags=keep,
        push=tuple(map(parse_reference, push)),
    )


def built(
    name: str,
    key: str,
    *,
    rebuild: t.Literal["changed", "always", "never"] = "changed",
    tags: t.Sequence[str] = (),
    push: t.Sequence[str] = (),
) -> DesiredImage:
    """Return an image that is wanted as a build with the inputs ``key``."""
    return present(name, tags=tags, push=push)._replace(build=DesiredBuild(key, KEY_LABEL, key, rebuild))


def absent(name: str, *, namespaces: tuple[str, ...] = ("library",)) -> DesiredImage:
    """Return an image that is wanted gone."""
    return DesiredImage("", _meanings(name, namespaces), is_present=False)


def image(seed: int, *, platform: str = "linux/amd64", key: str = "", layers: int = 1) -> MadeImage:
    """Return a small image; another seed gives other content."""
    labels = {KEY_LABEL: key} if key else None
    return make_image({"seed": b"%d" % seed}, seed=seed, platform=platform, labels=labels, layers=layers)


def index(seed: int, *platforms: str) -> MadeIndex:
    """Return an index over one image for each platform, linux/amd64 and linux/arm64 where none is given."""
    return make_index([image(seed, platform=name) for name in platforms or ("linux/amd64", "linux/arm64")])


def short(of: MadeImage | MadeIndex | str) -> str:
    """Return a digest as plans show it."""
    digest = Digest.parse(of if isinstance(of, str) else of.digest)
    return f"{digest.algorithm}:{digest.short}"


def size(of: MadeImage) -> int:
    """Return the bytes of config and layers."""
    return sum(len(blob.data) for blob in (of.config, *of.layers))


def _meanings(name: str, namespaces: tuple[str, ...]) -> tuple[t.Any, ...]:
    parsed = parse_image(name)
    return (parsed,) if isinstance(parsed, ImageId) else tuple(candidates(name, Defaults(namespaces=namespaces)))


ONE, TWO = image(1), image(2)
BOTH = index(1)
NOTHING = "Nothing to do.\n"
SPACES = ("team", "library")
