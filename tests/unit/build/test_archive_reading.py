# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Archives of images: what is in them is found, whoever wrote them, and what we write is found again."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import io
import json
import lzma
import re
import tarfile
import typing as t
from pathlib import Path

import pytest
from ansible_collections.fleet.images.plugins.module_utils.build.archive_reading import Archived, read_archive
from ansible_collections.fleet.images.plugins.module_utils.build.archive_writing import Packed, archive_pieces
from ansible_collections.fleet.images.plugins.module_utils.model.errors import (
    ImagesError,
    InputError,
    IntegrityError,
)
from ansible_collections.fleet.images.plugins.module_utils.model.reference import parse_reference
from ansible_collections.fleet.images.tests.support.images import (
    OCI_INDEX,
    MadeImage,
    MadeIndex,
    make_image,
    make_index,
    write_layout,
)

NAME = "docker.io/team/app:1"
ONE = make_image(layers=2, seed=1)
INDEX = make_index([make_image({"arch": name.encode()}, platform=name) for name in ("linux/amd64", "linux/arm64")])


def tar_of(folder: Path) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        tar.add(folder, ".")
    return buffer.getvalue()


def layout(folder: Path, named: t.Mapping[str, MadeImage | MadeIndex]) -> bytes:
    return tar_of(write_layout(folder, named))


def saved(image: MadeImage, names: list[str] | None, *, pack: t.Callable[[bytes], bytes] = gzip.decompress) -> bytes:
    """Return an archive in Docker's form, each gzip layer changed by ``pack``."""
    layers = {f"{at}/layer.tar": pack(blob.data) for at, blob in enumerate(image.layers)}
    rows = [{"Config": "config.json", "RepoTags": names, "Layers": list(layers)}]
    files = {"manifest.json": json.dumps(rows).encode(), "config.json": image.config.data, **layers}
    return tar_with(files)


def tar_with(files: t.Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


class Read(t.NamedTuple):
    """What an archive holds, and the archive that is written of it."""

    images: list[Archived]
    written: bytes

    @property
    def names(self) -> list[tuple[str, ...]]:
        return [tuple(str(name) for name in image.names) for image in self.images]

    @property
    def configs(self) -> list[str]:
        return [str(image.config.digest) for image in self.images]


def read(content: bytes, folder: Path) -> Read:
    path = folder / "images.tar"
    path.write_bytes(content)
    with open(path, "rb") as file:
        reader, opened = read_archive(file, path=str(path), folder=str(folder))
        with contextlib.closing(opened):
            images = reader.archived()
            packed = [
                Packed(
                    image.names,
                    reader.complete(image, folder=str(folder)),
                    image.index_digest,
                    image.document,
                    image.siblings,
                )
                for image in images
            ]
            return Read(images, b"".join(archive_pieces(packed)))


def test_an_image_of_a_layout_has_the_manifest_it_had(tmp_path: Path) -> None:
    found = read(layout(tmp_path / "layout", {NAME: ONE}), tmp_path)
    assert (found.names, found.configs) == ([(NAME,)], [ONE.config.digest])
    assert [str(image.manifest.descriptor.digest) for image in found.images if image.manifest] == [ONE.digest]


@pytest.mark.parametrize("is_packed", [True, False], ids=["gzip", "plain"])
def test_an_image_in_dockers_form_has_its_config_also_where_layers_are_compressed(
    tmp_path: Path, is_packed: bool
) -> None:
    pack = bytes if is_packed else gzip.decompress
    found = read(saved(ONE, [NAME, "team/app:2"], pack=pack), tmp_path)
    assert found.names == [(NAME, "docker.io/team/app:2")]
    again = read(found.written, tmp_path)
    assert again.configs == found.configs == [ONE.config.digest]
    layers = [str(layer.digest) for image in again.images if image.manifest for layer in image.manifest.layers]
    assert (layers == [blob.digest for blob in ONE.layers]) is is_packed


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress], ids=["gzip", "bzip2", "xz"])
def test_an_archive_may_be_compressed_as_a_whole(tmp_path: Path, pack: t.Callable[[bytes], bytes]) -> None:
    plain = saved(ONE, [NAME])
    assert read(pack(plain), tmp_path).written == read(plain, tmp_path).written


def test_what_is_written_of_an_archive_is_the_same_archive_each_time(tmp_path: Path) -> None:
    other = make_image(layers=2, seed=1, labels={"version": "2"})
    first = read(layout(tmp_path / "layout", {NAME: ONE, "docker.io/team/app:2": other}), tmp_path).written
    found = read(first, tmp_path)
    assert found.written == first
    assert found.names == [(NAME,), ("docker.io/team/app:2",)]
    with tarfile.open(fileobj=io.BytesIO(first)) as tar:
        names = tar.getnames()
    assert len(names) == len(set(names))  # what the images share is there once
    assert len([name for name in names if name.startswith("blobs/")]) == 2 * 2 + 2


def test_an_index_stays_whole_and_its_images_know_it(tmp_path: Path) -> None:
    found = read(layout(tmp_path / "layout", {NAME: INDEX}), tmp_path)
    assert found.configs == [image.config.digest for image in INDEX.images]
    assert {str(image.index_digest) for image in found.images} == {INDEX.digest}
    assert [len(image.siblings) for image in found.images] == [1, 1]


def test_of_an_index_with_one_image_that_one_is_found_without_siblings(tmp_path: Path) -> None:
    folder = write_layout(tmp_path / "layout", {NAME: INDEX})
    gone = INDEX.images[1]
    for digest in (gone.digest, gone.config.digest, *(layer.digest for layer in gone.layers)):
        (folder / "blobs" / "sha256" / digest.partition(":")[2]).unlink(missing_ok=True)
    found = read(tar_of(folder), tmp_path)
    assert found.configs == [INDEX.images[0].config.digest]
    assert found.images[0].siblings == ()
    again = read(found.written, tmp_path)  # stands alone there, and still knows where it is from
    assert str(again.images[0].index_digest) == INDEX.digest
    assert again.images[0].document is not None
    with tarfile.open(fileobj=io.BytesIO(found.written)) as tar:
        file = tar.extractfile("index.json")
        assert file is not None
        entries = json.load(file)["manifests"]
    assert [entry["digest"] for entry in entries] == [INDEX.images[0].digest]


def test_a_tag_alone_is_no_name_and_a_name_without_a_tag_is_latest(tmp_path: Path) -> None:
    assert read(layout(tmp_path / "one", {"latest": ONE}), tmp_path).names == [()]
    found = read(layout(tmp_path / "two", {"docker.io/team/app": ONE}), tmp_path)
    assert found.names == [("docker.io/team/app:latest",)]
    assert read(saved(ONE, None), tmp_path).names == [()]


def test_layers_by_links_are_found(tmp_path: Path) -> None:
    content = saved(ONE, [NAME])
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        files = {info.name: t.cast("t.IO[bytes]", tar.extractfile(info)).read() for info in tar}
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(name.replace("0/layer.tar", "real.tar"))
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
        link = tarfile.TarInfo("0/layer.tar")
        link.type, link.linkname = tarfile.SYMTYPE, "../real.tar"
        tar.addfile(link)
    assert read(buffer.getvalue(), tmp_path).configs == [ONE.config.digest]


def damaged_layout(folder: Path, digest: str, content: bytes) -> bytes:
    write_layout(folder, {NAME: ONE})
    (folder / "blobs" / "sha256" / digest.partition(":")[2]).write_bytes(content)
    return tar_of(folder)


def test_documents_that_are_not_as_promised_are_refused(tmp_path: Path) -> None:
    other = make_image(seed=2)
    for at, (digest, content) in enumerate([(ONE.digest, other.manifest.data), (ONE.config.digest, other.config.data)]):
        with pytest.raises(ImagesError) as caught:
            read(damaged_layout(tmp_path / str(at), digest, content.ljust(len(ONE.config.data))), tmp_path)
        assert caught.value.code in ("digest-mismatch", "bad-image-archive")


def test_layers_that_are_not_as_promised_are_refused_in_every_form(tmp_path: Path) -> None:
    blob = ONE.layers[0]
    wrong = gzip.compress(b"x" * 4096, mtime=0)
    cases = [
        damaged_layout(tmp_path / "one", blob.digest, bytes(len(blob.data))),
        saved(ONE, [NAME], pack=lambda data: bytes(len(gzip.decompress(data)))),
        saved(ONE, [NAME], pack=lambda _data: wrong),
    ]
    for content in cases:
        with pytest.raises(IntegrityError) as caught:
            read(content, tmp_path)
        assert caught.value.code == "digest-mismatch"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "empty file"),
        (b"no archive at all", "tar"),
        (tar_with({"etc/passwd": b"root"}), "it has neither"),
        (tar_with({"manifest.json": b'[{"Config":"c.json","RepoTags":[],"Layers":[]}]'}), "c.json is not there"),
        (tar_with({"manifest.json": b"{}"}), "rows is not a list"),
        (tar_with({"index.json": b"<html>"}), "not JSON"),
        (saved(ONE, [NAME])[:3000], ""),
        (gzip.compress(saved(ONE, [NAME]))[:500], ""),
    ],
    ids=["empty", "text", "files", "without config", "no list", "no document", "cut", "cut gzip"],
)
def test_what_is_no_archive_of_images_is_told_as_such(tmp_path: Path, content: bytes, why: str) -> None:
    with pytest.raises(InputError) as caught:
        read(content, tmp_path)
    assert caught.value.code == "bad-image-archive"
    assert why in caught.value.why
    assert caught.value.subject == str(tmp_path / "images.tar")


def test_a_layer_that_is_missing_is_told_with_the_name_of_its_image(tmp_path: Path) -> None:
    folder = write_layout(tmp_path / "layout", {NAME: ONE})
    (folder / "blobs" / "sha256" / ONE.layers[1].digest.partition(":")[2]).unlink()
    with pytest.raises(InputError, match=re.escape(NAME)):
        read(tar_of(folder), tmp_path)


def test_names_are_those_that_were_asked_for_and_no_more(tmp_path: Path) -> None:
    found = read(saved(ONE, [NAME]), tmp_path)
    assert parse_reference("team/app:1") in found.images[0].names
    document = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []}
    assert read(tar_with({"index.json": json.dumps(document).encode()}), tmp_path).images == []
