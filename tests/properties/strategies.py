# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Generated worlds for laws about plans: a host, its registries, and what a playbook wants of them."""

from __future__ import annotations

import typing as t

from ansible_collections.fleet.images.plugins.module_utils.apply.execute import Host, apply_plan
from ansible_collections.fleet.images.plugins.module_utils.apply.transfer import Patience
from ansible_collections.fleet.images.plugins.module_utils.apply.verify import verify
from ansible_collections.fleet.images.plugins.module_utils.model.build_order import Built
from ansible_collections.fleet.images.plugins.module_utils.model.digest import Digest
from ansible_collections.fleet.images.plugins.module_utils.model.errors import PeerError
from ansible_collections.fleet.images.plugins.module_utils.model.host import Container, Identity, Look
from ansible_collections.fleet.images.plugins.module_utils.model.reference import parse_reference
from ansible_collections.fleet.images.plugins.module_utils.plan.planner import plan_images
from ansible_collections.fleet.images.plugins.module_utils.plan.questions import ask, look_for
from ansible_collections.fleet.images.plugins.module_utils.task.desired import read_state
from ansible_collections.fleet.images.plugins.module_utils.task.options import BUILD, COMMON
from ansible_collections.fleet.images.plugins.module_utils.task.resolve import resolve
from ansible_collections.fleet.images.tests.support.images import MadeImage, MadeIndex, make_image, make_index
from ansible_collections.fleet.images.tests.support.memory_daemon import MemoryDaemon
from ansible_collections.fleet.images.tests.support.memory_engine import (
    AMD64,
    ARM64,
    DOCKER,
    EMBEDDED,
    TARGET,
    MemoryContent,
    MemoryEngine,
    MemoryRegistries,
    descriptor_of,
)
from hypothesis import reject
from hypothesis import strategies as st

if t.TYPE_CHECKING:
    from ansible_collections.fleet.images.plugins.module_utils.apply.outcome import Outcome
    from ansible_collections.fleet.images.plugins.module_utils.model.host import Observed
    from ansible_collections.fleet.images.plugins.module_utils.model.platform import Platform
    from ansible_collections.fleet.images.plugins.module_utils.plan.desired import Desired, DesiredImage
    from ansible_collections.fleet.images.plugins.module_utils.plan.plan import Plan
    from ansible_collections.fleet.images.plugins.module_utils.plan.questions import Answers, Questions
    from ansible_collections.fleet.images.plugins.module_utils.task.resolve import OpenRegistry

KEY_LABEL = "key"
KEYS = ("k1", "k2")


def _image(seed: int, architecture: str = "amd64", *, layers: int = 2, key: str = "") -> MadeImage:
    """Return a small image; every one with several layers shares all but the first."""
    labels = {KEY_LABEL: key} if key else None
    return make_image({"seed": b"%d" % seed}, platform=f"linux/{architecture}", layers=layers, labels=labels)


def _images_of(document: MadeImage | MadeIndex) -> tuple[MadeImage, ...]:
    return document.images if isinstance(document, MadeIndex) else (document,)


BUILT = {key: _image(90 + at, key=key) for at, key in enumerate(KEYS)}
_AMD, _ARM = _image(1), _image(1, "arm64")
DOCUMENTS: dict[str, MadeImage | MadeIndex] = {
    "one": _image(2),
    "two": _image(3, layers=3),
    "arm": _image(4, "arm64"),
    "both": make_index([_AMD, _ARM]),
    "both, arm moved": make_index([_AMD, _image(5, "arm64")]),
    "both, moved": make_index([_image(6), _image(6, "arm64")]),
    "arm alone in an index": make_index([_ARM]),
    "an index that is wrong about its image": make_index([_image(7, "arm64")._replace(platform="linux/amd64")]),
    **{f"built {key}": image for key, image in BUILT.items()},
}
PARENTS = tuple(_image(80 + at) for at in range(3))
KINDS = {"docker": DOCKER, "embedded": EMBEDDED, "target": TARGET}
WRONG = DOCUMENTS["an index that is wrong about its image"]
NAMES = ("app:1", "app:2", "tool:1", "team/app:1", "team/tool:2", "r.test/app:1", "r.test/x/y:z")
EXTRA_NAMES = ("app:latest", "app:2", "tool:stable", "r.test/app:1")
PUSHED_NAMES = ("p.test/app:1", "p.test/app:2", "p.test/tool:1")
PATTERNS = ("app:*", "*", "r.test/*", "docker.io/team/*", "nothing")

_POLICIES = ("missing", "newer", "always", "never", "not_present")
_DOCUMENT_KEYS = st.sampled_from(sorted(DOCUMENTS))


def _stock() -> MemoryContent:
    """Return a store that holds all documents, nameless."""
    stock = MemoryContent()
    for document in DOCUMENTS.values():
        for image in _images_of(document):
            stock.put(image)
        stock.put_manifest(document.manifest.data, descriptor_of(document.manifest))
    return stock


_STOCK = _stock()


class HeldImage(t.NamedTuple):
    """What a name on the host leads to: which image of which document, and whether its index is known."""

    document: str
    at: int
    is_index_known: bool


class World(t.NamedTuple):
    """A world before a task, and the options of that task.

    ``kind`` is that of the engine, see KINDS. ``used`` are names whose images containers use, with whether a container
    holds its image; ``based`` are names whose images were built on a nameless one, those with the same number on one.
    """

    kind: str
    platform: Platform
    held: dict[str, HeldImage]
    lost: tuple[tuple[str, int], ...]
    remotes: dict[str, str]
    params: dict[str, t.Any]
    used: dict[str, bool]
    based: dict[str, int]


class Life:
    """A world that tasks run in."""

    def __init__(self, world: World) -> None:
        self.registries = MemoryRegistries()
        self.engine = (
            MemoryDaemon(self.registries, platform=world.platform)
            if world.kind == "docker"
            else MemoryEngine(world.platform, abilities=KINDS[world.kind])
        )
        for name in (*NAMES, *EXTRA_NAMES):
            self.registries(parse_reference(name)).copy_from(_STOCK)
        for name, key in world.remotes.items():
            self.registries.push(name, DOCUMENTS[key])
        for name, held in world.held.items():
            document = DOCUMENTS[held.document]
            if isinstance(document, MadeIndex):
                image = document.images[held.at % len(document.images)]
                self.engine.hold(image, name, index=document if held.is_index_known else None)
            else:
                self.engine.hold(document, name, is_pulled=held.is_index_known)
        self._use(world)
        for name, at in world.lost if world.kind == "embedded" else ():
            if name in world.held:
                self._lose(world.held[name], at)

    def names(self) -> dict[str, str]:
        """Return every name on the host and at registries (marked so) with its digest, as plans show them."""
        host = {
            str(name): str(image.identity.digest or f"image {image.id}")
            for name, image in self.engine.observe().by_name.items()
        }
        return {**host, **{f"{name} (registry)": digest for name, digest in self.registries.tags().items()}}

    def held(self) -> dict[str, str]:
        """Return the image ID of every name on the host, and the digest of every name at registries, marked so."""
        host = {str(name): image.id for name, image in self.engine.observe().by_name.items()}
        return {**host, **{f"{name} (registry)": digest for name, digest in self.registries.tags().items()}}

    def digests(self, name: str) -> set[str]:
        """Return all that a plan may call what ``name`` holds on the host."""
        image = self.engine.observe().find(parse_reference(name.partition(" ")[0]))
        return {f"image {image.id}", *map(str, image.identity.digests)} if image is not None else set()

    def held_as(self) -> dict[str, str]:
        """Return the image ID of every digest that an image on the host is known by."""
        images = self.engine.observe().images
        return {str(digest): image.id for image in images for digest in image.identity.digests}

    def ids(self) -> set[str]:
        """Return the IDs of all images on the host."""
        return {image.id for image in self.engine.observe(Look(parents=True)).images}

    def observe(self, desired: Desired) -> Observed:
        """Return what a plan for ``desired`` knows of the host."""
        return self.engine.observe(look_for(desired))

    def questions(self, desired: Desired) -> Questions:
        """Return what a plan for ``desired`` must know."""
        return ask(desired, self.observe(desired))

    def answers(self, desired: Desired) -> Answers:
        """Return what the registries say."""
        return resolve(self.questions(desired), registry=t.cast("OpenRegistry", self.registries), parallel=1)

    def plan(self, desired: Desired) -> Plan:
        """Return the plan for ``desired``."""
        return plan_images(desired, self.observe(desired), answers=self.answers(desired))

    def apply(self, plan: Plan) -> Outcome:
        """Carry ``plan`` out and confirm what it promised."""
        daemon = self.engine if isinstance(self.engine, MemoryDaemon) else None
        host = Host(self.engine, lambda: self.engine.content, self._build, daemon)
        patience = Patience(2, lambda failures, elapsed: None)
        outcome = apply_plan(plan, host=host, registry=self.registries, patience=patience)
        try:
            verify(plan, outcome=outcome, observed=self.engine.observe())
        except PeerError as error:
            if error.code == "wrong-platform-delivered":
                reject()
            raise
        return outcome

    def _use(self, world: World) -> None:
        """Let containers use images, and images be built on others."""
        for name, holds in world.used.items():
            if name in world.held:
                image = self.engine.image_id(self.engine.names[parse_reference(name)])
                self.engine.containers[image] = (Container(f"web-{name}", holds), Container("idle", False))
        for name, number in world.based.items() if world.kind == "docker" else ():
            if name in world.held:
                image = self.engine.image_id(self.engine.names[parse_reference(name)])
                parent = self.engine.hold(PARENTS[number]).id
                self.engine.parents[image] = parent
                if number == 1:
                    self.engine.parents[parent] = self.engine.hold(PARENTS[2]).id

    def _build(self, spec: object) -> Built:
        image = BUILT[str(spec)]
        self.engine.content.put(image)
        return Built(Identity(Digest.parse(image.digest), Digest.parse(image.config.digest)), "native")

    def _lose(self, held: HeldImage, at: int) -> None:
        document = DOCUMENTS[held.document]
        image = _images_of(document)[held.at % len(_images_of(document))]
        digests = [image.digest, image.config.digest, *(layer.digest for layer in image.layers)]
        digest = Digest.parse(digests[at % len(digests)])
        if digest in self.engine.content.digests():
            self.engine.content.lose(digest)


def desired_of(world: World) -> Desired:
    """Return what the options desire.

    Raises:
        InputError: they contradict each other.
    """
    desired = read_state({**{name: row.get("default") for name, row in COMMON.items()}, **world.params})
    return desired._replace(images=tuple(_with_key(item) for item in desired.images))


def _with_key(item: DesiredImage) -> DesiredImage:
    if item.build is None:
        return item
    options = t.cast("dict[str, t.Any]", item.build.spec)
    build = item.build._replace(
        key=options["path"], key_label=KEY_LABEL, spec=options["path"], builder="native"
    )
    return item._replace(build=build)


#: What a build will give is not known when it is planned, so nothing here names its bytes.
_FOREIGN = [document for key, document in DOCUMENTS.items() if not key.startswith("built")]
_IMAGES = [image for document in _FOREIGN for image in _images_of(document)]
_DIGESTS = sorted({document.digest for document in (*_FOREIGN, *_IMAGES)})
_IDS = sorted({image.config.digest[7:cut] for image in _IMAGES for cut in (19, 71)})


def _pinned(name: str, digest: str, keeps_tag: bool) -> str:
    return f"{name}@{digest}" if keeps_tag else f"{name.rpartition(':')[0]}@{digest}"


_PINS = st.builds(_pinned, st.sampled_from(NAMES), st.sampled_from(_DIGESTS), st.booleans())
_BARE: dict[str, t.Any] = dict.fromkeys(("pull", "platform", "tags", "build", "push"))


_NAME = st.sampled_from(NAMES)
_TAGS = st.none() | st.lists(st.sampled_from(EXTRA_NAMES), max_size=2)
_PUSHES = st.none() | st.just(True) | st.lists(st.sampled_from(PUSHED_NAMES), max_size=2)
_PULL = st.none() | st.sampled_from(_POLICIES)
_BUILDS = st.fixed_dictionaries(
    {
        **{name: st.just(rules.get("default")) for name, rules in BUILD.items()},
        "path": st.sampled_from(KEYS),
        "rebuild": st.sampled_from(["changed", "changed", "never"]),
    }
)
_PRESENT = st.fixed_dictionaries(
    {
        **{key: st.just(value) for key, value in _BARE.items()},
        "state": st.just("present"),
        "image": st.one_of(_NAME, _NAME, _PINS),
        "tags": _TAGS,
        "push": _PUSHES,
        "pull": _PULL,
        "platform": st.sampled_from([None, None, None, "linux/amd64", "linux/arm64"]),
    }
)
_BUILT = st.fixed_dictionaries(
    {
        **{key: st.just(value) for key, value in _BARE.items()},
        "state": st.just("present"),
        "image": _NAME,
        "tags": _TAGS,
        "push": _PUSHES,
        "build": _BUILDS,
    }
)
_ABSENT = st.fixed_dictionaries(
    {
        **{key: st.just(value) for key, value in _BARE.items()},
        "state": st.just("absent"),
        "image": st.one_of(_NAME, _PINS, st.sampled_from(_IDS)),
    }
)
_PARAMS = st.fixed_dictionaries(
    {
        "default_registry": st.just("docker.io"),
        "default_tag": st.just("latest"),
        "default_namespaces": st.sampled_from([["library"], ["library"], ["team", "library"]]),
        "platform": st.none(),
        "pull": st.sampled_from(_POLICIES[:3]),
        "images": st.lists(st.one_of(_PRESENT, _PRESENT, _PRESENT, _BUILT, _ABSENT), max_size=4),
        "unlisted": st.sampled_from(["keep", "keep", "remove"]),
        "protect": st.lists(st.sampled_from(PATTERNS), max_size=1),
        "in_use": st.sampled_from(["skip", "skip", "untag", "fail"]),
        "prune": st.booleans(),
    }
)
_HELD = st.dictionaries(
    st.sampled_from(sorted({*NAMES, *EXTRA_NAMES, "stray:1", "r.test/stray:2"})),
    st.builds(HeldImage, _DOCUMENT_KEYS, st.integers(0, 1), st.booleans()),
    max_size=5,
)
_LOST = st.lists(st.tuples(_NAME, st.integers(0, 4)), max_size=1).map(tuple)
#: Every name exists at its registry, or nearly every task would end in a problem.
_REMOTES = st.dictionaries(_NAME, _DOCUMENT_KEYS, max_size=4).map(lambda some: {**dict.fromkeys(NAMES, "one"), **some})


_USED = st.dictionaries(st.sampled_from((*NAMES[:4], "stray:1")), st.booleans(), max_size=3)
_BASED = st.dictionaries(st.sampled_from((*NAMES[:3], "stray:1")), st.integers(0, 1), max_size=2)


def worlds(*kinds: str) -> st.SearchStrategy[World]:
    """Return worlds, of all kinds unless told, and a task in each. Many contradict themselves, or cannot be had."""
    kind = st.sampled_from(kinds or sorted(KINDS))
    return st.builds(
        World, kind, st.sampled_from([AMD64, AMD64, ARM64]), _HELD, _LOST, _REMOTES, _PARAMS, _USED, _BASED
    )
