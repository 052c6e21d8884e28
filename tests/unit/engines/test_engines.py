# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An engine keeps the protocol: one set of stories over the embedded engine and the one in memory."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from ansible_collections.fleet.images.plugins.module_utils.engines.layout import LayoutEngine
from ansible_collections.fleet.images.plugins.module_utils.model import media_types
from ansible_collections.fleet.images.plugins.module_utils.model.descriptor import Descriptor
from ansible_collections.fleet.images.plugins.module_utils.model.digest import Digest
from ansible_collections.fleet.images.plugins.module_utils.model.errors import NotFoundError
from ansible_collections.fleet.images.plugins.module_utils.model.host import Identity
from ansible_collections.fleet.images.plugins.module_utils.model.manifest import manifest_json
from ansible_collections.fleet.images.plugins.module_utils.model.reference import parse_reference
from ansible_collections.fleet.images.plugins.module_utils.stores.layout import LayoutStore
from ansible_collections.fleet.images.tests.support.images import make_image
from ansible_collections.fleet.images.tests.support.memory_engine import (
    ARM64,
    MemoryEngine,
    descriptor_of,
    opening,
)
from ansible_collections.fleet.images.tests.unit.plan.stories import image, index

if t.TYPE_CHECKING:
    from ansible_collections.fleet.images.plugins.module_utils.engines.base import Engine
    from ansible_collections.fleet.images.plugins.module_utils.stores.base import ContentStore
    from ansible_collections.fleet.images.tests.support.images import MadeImage

ONE, TWO, BOTH = image(1), image(2), index(3)


class Place(t.NamedTuple):
    """An engine and the store that its content is put into."""

    engine: Engine
    content: t.Callable[[], ContentStore]


@pytest.fixture(params=["layout", "memory"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "memory":
        engine = MemoryEngine()
        return Place(engine, lambda: engine.content)
    return layout_at(tmp_path / "store")


def layout_at(root: Path) -> Place:
    engine = LayoutEngine(lambda create: LayoutStore(root, create=create), place=str(root))
    return Place(engine, lambda: LayoutStore(root, create=True))


def identity_of(made: MadeImage, chosen_from: str = "") -> Identity:
    return Identity(
        Digest.parse(made.digest),
        Digest.parse(made.config.digest),
        Digest.parse(chosen_from) if chosen_from else None,
    )


def hold(place: Place, made: MadeImage, *names: str, chosen_from: str = "") -> None:
    content = place.content()
    for blob in (made.config, *made.layers):
        content.write(descriptor_of(blob), opening(blob.data))
    content.put_manifest(made.manifest.data, descriptor_of(made.manifest))
    for name in names:
        place.engine.tag(parse_reference(name), identity=identity_of(made, chosen_from), platform=None)


def test_an_empty_host_holds_nothing(place: Place) -> None:
    observed = place.engine.observe()
    assert (observed.images, observed.by_name) == ((), {})
    assert observed.engine == place.engine.name


def test_a_named_image_is_observed_with_all_that_is_known_of_it(place: Place) -> None:
    made = image(1, key="k")
    hold(place, made, "app:1", "r.test/app:2")
    (held,) = place.engine.observe().images
    assert held.id == made.config.digest
    assert held.identity == identity_of(made)
    assert list(map(str, held.names)) == ["docker.io/library/app:1", "r.test/app:2"]
    assert str(held.platform) == "linux/amd64"
    assert held.size == len(made.config.data) + len(made.layers[0].data)
    assert held.labels == {"key": "k"}
    assert held.is_complete


def test_what_is_held_need_not_be_fetched(place: Place) -> None:
    hold(place, ONE, "app:1")
    blobs = {Digest.parse(blob.digest) for blob in (ONE.config, *ONE.layers)}
    assert blobs <= place.engine.observe().blobs


def test_the_index_that_an_image_was_chosen_from_is_kept(place: Place) -> None:
    hold(place, BOTH.images[0], "app:1", chosen_from=BOTH.digest)
    observed = place.engine.observe()
    (held,) = observed.with_digest(Digest.parse(BOTH.digest))
    assert held.identity == identity_of(BOTH.images[0], BOTH.digest)
    assert observed.find(parse_reference(f"app@{BOTH.digest}")) == held


def test_naming_is_idempotent_and_moves_a_name(place: Place) -> None:
    hold(place, ONE, "app:1")
    hold(place, ONE, "app:1")
    hold(place, TWO, "app:1")
    observed = place.engine.observe()
    assert observed.by_name[parse_reference("app:1")].id == TWO.config.digest
    assert [image.names for image in observed.images if image.id == ONE.config.digest] in ([], [()])


def test_a_digest_can_be_a_name(place: Place) -> None:
    name = f"app@{ONE.digest}"
    hold(place, ONE, name)
    assert place.engine.observe().find(parse_reference(name)) is not None


def test_an_image_that_is_not_held_cannot_be_named(place: Place) -> None:
    hold(place, ONE, "app:1")
    with pytest.raises(NotFoundError):
        place.engine.tag(parse_reference("app:2"), identity=identity_of(TWO), platform=None)
    assert list(place.engine.observe().by_name) == [parse_reference("app:1")]


def test_removing_a_name_is_idempotent_and_leaves_the_others(place: Place) -> None:
    hold(place, ONE, "app:1", "app:2")
    place.engine.untag(parse_reference("app:1"))
    place.engine.untag(parse_reference("app:1"))
    place.engine.untag(parse_reference("never:1"))
    assert list(place.engine.observe().by_name) == [parse_reference("app:2")]


def test_removing_a_name_from_an_empty_host_is_fine(place: Place) -> None:
    place.engine.untag(parse_reference("never:1"))


def test_reclaiming_keeps_what_has_a_name(place: Place) -> None:
    hold(place, ONE, "app:1")
    hold(place, TWO, "app:2")
    place.engine.untag(parse_reference("app:2"))
    place.engine.reclaim()
    held = place.engine.observe().by_name[parse_reference("app:1")]
    assert held.is_complete


def test_closing_twice_is_fine(place: Place) -> None:
    place.engine.close()
    place.engine.close()


# --- the embedded engine alone --------------------------------------------------------------------------------------


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def layout(root: Path) -> Place:
    return layout_at(root)


def test_looking_makes_no_store(layout: Place, root: Path) -> None:
    layout.engine.observe()
    layout.engine.untag(parse_reference("app:1"))
    assert not root.exists()


def test_lost_blobs_are_told_and_not_taken_for_held(layout: Place, root: Path) -> None:
    hold(layout, ONE, "app:1")
    lost = ONE.layers[0].digest
    (root / "blobs" / "sha256" / lost[7:]).unlink()
    observed = layout.engine.observe()
    (held,) = observed.images
    assert list(map(str, held.missing)) == [lost]
    assert Digest.parse(lost) not in observed.blobs
    assert held.names == (parse_reference("app:1"),)


def test_an_image_without_its_manifest_is_damaged_and_keeps_its_name(layout: Place, root: Path) -> None:
    hold(layout, ONE, "app:1")
    (root / "blobs" / "sha256" / ONE.digest[7:]).unlink()
    (held,) = layout.engine.observe().images
    assert not held.is_complete
    assert held.names == (parse_reference("app:1"),)
    assert str(held.identity.manifest_digest) == ONE.digest


def test_two_names_with_different_indexes_are_two_images_with_one_id(layout: Place) -> None:
    hold(layout, BOTH.images[0], "app:1", chosen_from=BOTH.digest)
    hold(layout, BOTH.images[0], "app:2")
    observed = layout.engine.observe()
    assert {held.id for held in observed.images} == {BOTH.images[0].config.digest}
    assert observed.by_name[parse_reference("app:1")].identity.index_digest is not None
    assert observed.by_name[parse_reference("app:2")].identity.index_digest is None


def test_an_image_is_described_by_its_config(layout: Place) -> None:
    made = make_image(layers=2, command=["/run"])
    hold(layout, made, "app:1")
    (held,) = layout.engine.observe().images
    description = layout.engine.describe(held)
    assert description.config["Cmd"] == ["/run"]
    assert [step["created_by"] for step in description.history] == ["layer 0", "layer 1"]
    assert list(description.layers) == [layer.digest for layer in made.layers]


def test_content_that_is_no_container_image_is_described_by_its_layers(layout: Place) -> None:
    content = layout.content()
    config, chart = Descriptor.of(b"{}", media_types.EMPTY_JSON), Descriptor.of(b"chart", "application/x-chart")
    for part, raw in ((config, b"{}"), (chart, b"chart")):
        content.write(part, opening(raw))
    manifest = manifest_json(config, [chart])
    descriptor = Descriptor.of(manifest, media_types.OCI_MANIFEST)
    content.put_manifest(manifest, descriptor, reference=parse_reference("chart:1"))
    (held,) = layout.engine.observe().images
    assert layout.engine.describe(held) == ({}, (), (str(chart.digest),))


def test_an_image_that_is_gone_meanwhile_cannot_be_described(layout: Place, root: Path) -> None:
    hold(layout, ONE, "app:1")
    (held,) = layout.engine.observe().images
    layout.engine.untag(parse_reference("app:1"))
    LayoutStore(root).collect(0)
    with pytest.raises(NotFoundError) as caught:
        layout.engine.describe(held)
    assert caught.value.code == "image-not-found"


def test_the_platform_that_the_index_named_is_kept_for_other_tools(layout: Place) -> None:
    hold(layout, BOTH.images[1])
    chosen = identity_of(BOTH.images[1], BOTH.digest)
    layout.engine.tag(parse_reference("app:1"), identity=chosen, platform=ARM64)
    store = layout.content()
    (stored,) = store.names()
    assert stored.descriptor.platform == ARM64
