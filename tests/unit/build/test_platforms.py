# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Builds for several platforms: one key for all, in which each input counts for the platforms that it is for."""

from __future__ import annotations

import json
import typing as t

import pytest
from ansible_collections.fleet.images.plugins.module_utils.build.base import BuildSpec
from ansible_collections.fleet.images.plugins.module_utils.build.changes import what_changed
from ansible_collections.fleet.images.plugins.module_utils.build.foreign_steps import refuse_foreign_steps
from ansible_collections.fleet.images.plugins.module_utils.build.loading import load_build
from ansible_collections.fleet.images.plugins.module_utils.build.native import build_image
from ansible_collections.fleet.images.plugins.module_utils.build.platforms import PlatformBuilds, index_of
from ansible_collections.fleet.images.plugins.module_utils.model.errors import UnsupportedError
from ansible_collections.fleet.images.plugins.module_utils.model.index import Index
from ansible_collections.fleet.images.plugins.module_utils.model.manifest import parse_manifest
from ansible_collections.fleet.images.plugins.module_utils.model.platform import Platform
from ansible_collections.fleet.images.tests.unit.build.conftest import AMD64

if t.TYPE_CHECKING:
    from pathlib import Path

    from ansible_collections.fleet.images.tests.unit.build.conftest import Workshop

ARM64, S390X = Platform.of("linux", "arm64"), Platform.of("linux", "s390x")
BY_PLATFORM = "FROM scratch\nARG TARGETARCH\nCOPY all /\nCOPY $TARGETARCH /own\n"
FILES = {"all": "all", "amd64": "one", "arm64": "two", "s390x": "three"}


@pytest.fixture
def cache(tmp_path: Path) -> str:
    return str(tmp_path / "cache")


def load(workshop: Workshop, dockerfile: str, *platforms: Platform, cache_folder: str = "") -> PlatformBuilds:
    context = str(workshop.context)
    specs = [BuildSpec(context, each, dockerfile_inline=dockerfile, cache_folder=cache_folder) for each in platforms]
    first = load_build(specs[0])
    return PlatformBuilds([first, *(load_build(spec, like=first) for spec in specs[1:])])


def test_what_is_the_same_for_all_is_one_field(workshop: Workshop) -> None:
    workshop.write(FILES)
    fields = load(workshop, "FROM scratch\nCOPY all /\n", AMD64, ARM64).inputs_key({}).fields
    alone = workshop.load("FROM scratch\nCOPY all /\n").inputs_key({}).fields
    assert fields == {**alone, "platform": "linux/amd64,linux/arm64"}


def test_what_differs_is_a_field_for_each_platform(workshop: Workshop) -> None:
    workshop.write(FILES)
    before = load(workshop, BY_PLATFORM, AMD64, ARM64).inputs_key({})
    assert {name for name in before.fields if name.startswith("context")} == {
        "context linux/amd64",
        "context linux/arm64",
    }
    workshop.write({"s390x": "other"})
    assert load(workshop, BY_PLATFORM, AMD64, ARM64).inputs_key({}).key == before.key
    workshop.write({"arm64": "other"})
    after = load(workshop, BY_PLATFORM, AMD64, ARM64).inputs_key({})
    assert what_changed(before.fields, after.fields) == "context linux/arm64"


def test_the_order_of_platforms_is_an_input(workshop: Workshop) -> None:
    workshop.write(FILES)
    one, other = (load(workshop, BY_PLATFORM, *each).inputs_key({}) for each in ((AMD64, ARM64), (ARM64, AMD64)))
    assert one.key != other.key
    told = what_changed(one.fields, other.fields)
    assert told == "platform linux/amd64,linux/arm64 -> linux/arm64,linux/amd64"


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ((AMD64,), (AMD64, ARM64), "platform linux/arm64 (new)"),
        ((AMD64, ARM64), (ARM64,), "platform linux/amd64 (gone)"),
        ((AMD64, ARM64), (AMD64, S390X), "platform linux/s390x (new), linux/arm64 (gone)"),
    ],
)
def test_platforms_that_come_and_go_are_named(
    workshop: Workshop, before: tuple[Platform, ...], after: tuple[Platform, ...], told: str
) -> None:
    workshop.write(FILES)
    keys = [load(workshop, "FROM scratch\nCOPY all /\n", *each).inputs_key({}) for each in (before, after)]
    assert what_changed(keys[0].fields, keys[1].fields) == told


def test_files_that_changed_are_named_where_all_platforms_see_them(workshop: Workshop, cache: str) -> None:
    workshop.write(FILES)
    text = "FROM scratch\nCOPY all /\n"
    before = load(workshop, text, AMD64, ARM64, cache_folder=cache).inputs_key({}).fields
    workshop.write({"all": "other, and longer"})
    builds = load(workshop, text, AMD64, ARM64, cache_folder=cache)
    told = what_changed(before, builds.inputs_key({}).fields, files=builds.file_changes(before))
    assert told == "context: 1 file changed: all"


def test_a_key_is_current_until_an_input_changes(workshop: Workshop) -> None:
    workshop.write(FILES)
    key = load(workshop, BY_PLATFORM, AMD64, ARM64).inputs_key({}).key
    assert load(workshop, BY_PLATFORM, AMD64, ARM64).is_current(key, {})
    assert not load(workshop, BY_PLATFORM, AMD64, S390X).is_current(key, {})
    assert not workshop.load(BY_PLATFORM).is_current(key, {})


def test_builds_of_one_context_walk_it_once(workshop: Workshop) -> None:
    workshop.write(FILES)
    one, other = load(workshop, BY_PLATFORM, AMD64, ARM64).builds
    assert one.context is other.context


def test_a_base_of_two_platforms_is_two_bases(workshop: Workshop) -> None:
    builds = load(workshop, "FROM base:1\n", AMD64, ARM64)
    assert [(base.reference, base.platform) for base in builds.bases] == [("base:1", AMD64), ("base:1", ARM64)]


def test_the_index_lists_the_images_in_order_and_can_be_read(workshop: Workshop) -> None:
    workshop.write(FILES)
    builds = load(workshop, BY_PLATFORM, ARM64, AMD64)
    key = builds.inputs_key({})
    images = [
        (build.spec.platform, build_image(build, bases={}, sink=workshop.store, inputs=key)) for build in builds.builds
    ]
    index = index_of(images)
    assert index == index_of(images)
    read = parse_manifest(index.raw)
    assert isinstance(read, Index)
    assert read == index
    assert [entry.platform for entry in read.manifests] == [ARM64, AMD64]
    assert read.choose(AMD64) == read.manifests[1]
    labels = [json.loads(workshop.store.read(image.config))["config"]["Labels"] for _platform, image in images]
    assert {label["images.fleet.build.key"] for label in labels} == {key.key}
    assert len({image.descriptor.digest for _platform, image in images}) == 2


def test_steps_run_for_this_machine_and_what_it_interprets(workshop: Workshop, tmp_path: Path) -> None:
    folder = tmp_path / "binfmt"
    folder.mkdir()
    text = "FROM scratch\nRUN a\n"

    def refuse(platform: Platform, dockerfile: str = text) -> None:
        spec = BuildSpec(str(workshop.context), platform, dockerfile_inline=dockerfile, is_native=False)
        refuse_foreign_steps(load_build(spec), machine=AMD64, folder=str(folder))

    refuse(AMD64)
    refuse(Platform.of("linux", "386"))
    refuse(ARM64, "FROM scratch\nCMD a\n")
    refuse(ARM64, "FROM scratch AS never\nRUN a\nFROM scratch\nCMD a\n")
    with pytest.raises(UnsupportedError) as caught:
        refuse(ARM64)
    assert (caught.value.code, caught.value.subject) == ("platform-cannot-run", "dockerfile_inline:2")
    # As the kernel tells it of qemu-user-static.
    told = (
        "{state}\ninterpreter /usr/libexec/qemu-binfmt/aarch64-binfmt-P\nflags: POCF\noffset 0\n"
        "magic 7f454c460201010000000000000000000200b700\nmask ffffffffffffff00fffffffffffffffffeffffff\n"
    )
    (folder / "status").write_text("enabled\n")
    (folder / "qemu-aarch64").write_text(told.format(state="disabled"))
    with pytest.raises(UnsupportedError):
        refuse(ARM64)
    (folder / "qemu-aarch64").write_text(told.format(state="enabled"))
    refuse(ARM64)
    with pytest.raises(UnsupportedError):
        refuse(S390X)
