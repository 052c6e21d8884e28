# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whole images are held against their config in every form that engines give them out in."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
import typing as t

import pytest
from ansible_collections.fleet.images.plugins.module_utils.model.digest import Digest
from ansible_collections.fleet.images.plugins.module_utils.model.host import Identity
from ansible_collections.fleet.images.plugins.module_utils.stores.rehash import Damage
from ansible_collections.fleet.images.plugins.module_utils.stores.rehash_archive import archive_damages
from ansible_collections.fleet.images.tests.support.images import Blob, MadeImage, make_image
from hypothesis import given
from hypothesis import strategies as st

IMAGE = make_image({"a": b"1"}, layers=3)
IDENTITY = Identity(config_digest=Digest.parse(IMAGE.config.digest))
CONFIG = f"{Digest.of(IMAGE.config.data).encoded}.json"
Files = dict[str, bytes]


def plain(image: MadeImage) -> list[bytes]:
    return [gzip.decompress(layer.data) for layer in image.layers]


def blob_path(data: bytes) -> str:
    return f"blobs/sha256/{Digest.of(data).encoded}"


def saved_by_docker() -> Files:
    """Return what the classic store of Docker 20.10 gives out."""
    layers = {f"{at}/layer.tar": layer for at, layer in enumerate(plain(IMAGE))}
    row = {"Config": CONFIG, "RepoTags": None, "Layers": list(layers)}
    return {CONFIG: IMAGE.config.data, **layers, "manifest.json": json.dumps([row]).encode()}


def saved_as_blobs(*, compressed: bool) -> Files:
    """Return what newer Dockers give out: both forms in one, layers as their store has them."""
    layers = [layer.data for layer in IMAGE.layers] if compressed else plain(IMAGE)
    files = {blob_path(data): data for data in (IMAGE.config.data, *layers)}
    row = {"Config": blob_path(IMAGE.config.data), "Layers": [blob_path(data) for data in layers]}
    return {**files, "manifest.json": json.dumps([row]).encode(), "index.json": b"{}"}


def saved_as_layout() -> Files:
    """Return what podman gives out."""
    layers = [Blob("application/vnd.oci.image.layer.v1.tar", data) for data in plain(IMAGE)]
    document = json.loads(IMAGE.manifest.data)
    document["layers"] = [layer.descriptor for layer in layers]
    manifest = Blob(document["mediaType"], json.dumps(document).encode())
    index = {"schemaVersion": 2, "manifests": [manifest.descriptor]}
    files = {blob_path(blob.data): blob.data for blob in (*layers, manifest, IMAGE.config)}
    return {"oci-layout": b'{"imageLayoutVersion": "1.0.0"}', **files, "index.json": json.dumps(index).encode()}


FORMS = {
    "docker": saved_by_docker(),
    "docker-blobs": saved_as_blobs(compressed=False),
    "docker-compressed": saved_as_blobs(compressed=True),
    "layout": saved_as_layout(),
}


def packed(files: Files, *, links: t.Mapping[str, str] | None = None) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        for name, target in (links or {}).items():
            member = tarfile.TarInfo(name)
            member.type, member.linkname = tarfile.SYMTYPE, target
            archive.addfile(member)
    return buffer.getvalue()


class Trickle(io.BytesIO):
    """An answer that comes in small pieces."""

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(min(size or 1, 700) if size and size > 0 else size)


def check(files: Files, *, identity: Identity = IDENTITY, links: t.Mapping[str, str] | None = None) -> list[Damage]:
    return archive_damages(Trickle(packed(files, links=links)), identity)


def flip(content: bytes, at: int) -> bytes:
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]


@pytest.mark.parametrize("form", FORMS)
def test_a_whole_image_has_no_damage(form: str) -> None:
    assert check(FORMS[form]) == []


@pytest.mark.parametrize("form", FORMS)
@given(data=st.data())
def test_whatever_bit_of_config_or_layers_flips_its_part_is_named(form: str, data: st.DataObject) -> None:
    files = FORMS[form]
    own = [name for name, content in files.items() if content == IMAGE.config.data or len(content) > 10_000]
    own += [blob_path(layer.data) for layer in IMAGE.layers if blob_path(layer.data) in files]
    name = data.draw(st.sampled_from(own))
    at = data.draw(st.integers(0, len(files[name]) - 1))
    (damage,) = check({**files, name: flip(files[name], at)})
    is_config = files[name] == IMAGE.config.data
    assert (damage.part == "config") if is_config else damage.part.startswith("layer ")
    assert damage.expected == str(Digest.of(files[name]))
    assert damage.found == str(Digest.of(flip(files[name], at)))


@pytest.mark.parametrize("form", FORMS)
def test_a_layer_that_is_not_there_is_named(form: str) -> None:
    files = FORMS[form]
    last = IMAGE.layers[2].data if form == "docker-compressed" else plain(IMAGE)[2]
    (damage,) = check({name: content for name, content in files.items() if content != last})
    assert (damage.part, damage.found, damage.why) == ("layer 3 of 3", "", "it is not there")


def test_layers_in_another_order_are_not_the_image() -> None:
    row = json.loads(FORMS["docker"]["manifest.json"])[0]
    row["Layers"].reverse()
    found = check({**FORMS["docker"], "manifest.json": json.dumps([row]).encode()})
    assert [damage.part for damage in found] == ["layer 1 of 3", "layer 3 of 3"]


def test_links_to_layers_are_followed() -> None:
    layers = {f"{at}.tar": layer for at, layer in enumerate(plain(IMAGE))}
    links = {f"{at}/layer.tar": f"../{at}.tar" for at in range(3)}
    row = {"Config": CONFIG, "Layers": list(links)}
    files = {**layers, CONFIG: IMAGE.config.data, "manifest.json": json.dumps([row]).encode()}
    assert check(files, links=links) == []
    assert [damage.part for damage in check({**files, "1.tar": b"x"}, links=links)] == ["layer 2 of 3"]
    circle = {"0/layer.tar": "../1/layer.tar", "1/layer.tar": "../0/layer.tar", "2/layer.tar": "../2.tar"}
    assert [damage.part for damage in check(files, links=circle)] == ["layer 1 of 3", "layer 2 of 3"]


def test_an_image_with_another_config_is_another_image() -> None:
    other = Digest.of(b"other")
    (damage,) = check(FORMS["docker"], identity=Identity(config_digest=other))
    assert damage == Damage("config", str(other), IMAGE.config.digest)


@pytest.mark.parametrize(
    "changes",
    [
        {"manifest.json": b"[]"},
        {"manifest.json": b"{"},
        {"manifest.json": json.dumps([{"Config": CONFIG, "Layers": []}]).encode()},
    ],
)
def test_documents_that_tell_of_no_image_are_damage_of_the_whole(changes: Files) -> None:
    (damage,) = check({**FORMS["docker"], **changes})
    assert (damage.part, damage.expected, bool(damage.why)) == ("image", IMAGE.config.digest, True)


@pytest.mark.parametrize("cut", [0, 100, 5000])
def test_an_archive_that_ends_early_is_damage(cut: int) -> None:
    (damage,) = archive_damages(io.BytesIO(packed(FORMS["docker"])[:cut]), IDENTITY)
    assert damage.part in ("image", "config")
    assert damage.why
