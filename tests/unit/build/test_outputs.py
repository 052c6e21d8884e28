# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Images in files and folders: the same bytes for the same image, in one step, and never over what is not ours."""

from __future__ import annotations

import contextlib
import io
import json
import os
import resource
import signal
import tarfile
import tempfile
import typing as t
from pathlib import Path

import pytest
from ansible_collections.fleet.images.plugins.module_utils.build.base import BaseImage
from ansible_collections.fleet.images.plugins.module_utils.build.image_archives import (
    ImageArchive,
    identity_of,
    image_in,
)
from ansible_collections.fleet.images.plugins.module_utils.build.outputs import write_output, written
from ansible_collections.fleet.images.plugins.module_utils.model.descriptor import Descriptor
from ansible_collections.fleet.images.plugins.module_utils.model.digest import Digest
from ansible_collections.fleet.images.plugins.module_utils.model.errors import (
    ConflictError,
    ImagesError,
    InputError,
    IntegrityError,
    PeerError,
)
from ansible_collections.fleet.images.plugins.module_utils.model.image_config import parse_config
from ansible_collections.fleet.images.plugins.module_utils.model.index import Index
from ansible_collections.fleet.images.plugins.module_utils.model.manifest import parse_manifest
from ansible_collections.fleet.images.plugins.module_utils.model.media_types import OCI_INDEX
from ansible_collections.fleet.images.plugins.module_utils.model.output import Output, Written
from ansible_collections.fleet.images.tests.support.file_trees import archive_tree, folder_tree
from ansible_collections.fleet.images.tests.support.skopeo import raw_manifest

if t.TYPE_CHECKING:
    from ansible_collections.fleet.images.plugins.module_utils.model.output import Form
    from ansible_collections.fleet.images.plugins.module_utils.wire.streams import ReadStream
    from ansible_collections.fleet.images.tests.unit.build.conftest import Workshop

NAME = "docker.io/team/app:1"
FORMS: tuple[Form, ...] = ("oci", "docker", "tar", "local")


class Place:
    """A destination and its records."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.records = str(folder / "cache" / "ours")

    def output(self, form: Form, name: str = "place") -> Output:
        return Output(form, str(self.folder / name))

    def write(self, form: Form, image: BaseImage, *, name: str = "place") -> Path:
        write_output(self.output(form, name), image, name=NAME, records=self.records)
        return self.folder / name

    def written(self, form: Form, name: str = "place") -> Written | None:
        return written(self.output(form, name), records=self.records)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.fixture
def image(workshop: Workshop) -> BaseImage:
    """Return an image with files, folders, links and owners."""
    workshop.write({"a": "one", "b/c": "two", "b/link": "->c"})
    (workshop.context / "b" / "c").chmod(0o755)
    return workshop.add_base("base", "FROM scratch\nCOPY --chown=3:4 . /app\nCOPY a /a\n")


@pytest.mark.parametrize("form", FORMS)
def test_what_was_written_is_known_again(place: Place, image: BaseImage, form: Form) -> None:
    assert place.written(form) is None
    place.write(form, image)
    there = place.written(form)
    assert there is not None
    assert (there.identity, there.is_intact) == (identity_of(image), True)
    assert there.name == (NAME if form in ("oci", "docker") else "")


@pytest.mark.parametrize("form", ["oci", "docker", "tar"])
def test_the_same_image_gives_the_same_bytes(place: Place, image: BaseImage, form: Form) -> None:
    assert place.write(form, image).read_bytes() == place.write(form, image, name="other").read_bytes()


def test_folder_and_archive_have_the_same_files(place: Place, image: BaseImage) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root gives files away")
    files = archive_tree(place.write("tar", image))
    assert folder_tree(place.write("local", image, name="root")) == files
    assert files["app/b/c"] == ("file", 0o755, (3, 4), b"two", 0)


def test_hard_links_fifos_devices_and_odd_modes_come_out_as_they_went_in(
    place: Place, workshop: Workshop, tmp_path: Path
) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root makes devices")
    with tarfile.open(tmp_path / "context" / "odd.tar", "w") as tar:
        for name, kind, mode in (
            ("locked", tarfile.DIRTYPE, 0o500),
            ("locked/one", tarfile.REGTYPE, 0o4755),
            ("locked/pipe", tarfile.FIFOTYPE, 0o600),
            ("null", tarfile.CHRTYPE, 0o666),
        ):
            info = tarfile.TarInfo(name)
            info.type, info.mode, info.devmajor, info.devminor = kind, mode, 1, 3
            info.size = 3 if kind == tarfile.REGTYPE else 0
            tar.addfile(info, io.BytesIO(b"abc"))
        twin = tarfile.TarInfo("twin")
        twin.type, twin.linkname = tarfile.LNKTYPE, "locked/one"
        tar.addfile(twin)
    image = workshop.add_base("odd", "FROM scratch\nADD odd.tar /\n")
    root = place.write("local", image, name="root")
    assert (root / "twin").stat().st_ino == (root / "locked" / "one").stat().st_ino
    assert oct((root / "twin").stat().st_mode) == "0o104755"
    assert (root / "locked" / "pipe").is_fifo()
    assert (root / "null").is_char_device()
    assert (root / "null").stat().st_rdev == os.makedev(1, 3)
    with tarfile.open(place.write("tar", image)) as tar:
        members = {info.name: info for info in tar}
    assert members["twin"].linkname == "locked/one"
    assert members["null"].ischr()
    assert members["locked"].mode == 0o500


def test_a_user_without_root_owns_the_files_and_can_write_them_again(workshop: Workshop) -> None:
    if os.geteuid() != 0:
        pytest.skip("root becomes that user")
    (workshop.context / "b").mkdir()
    image = workshop.add_base("base", "FROM scratch\nCOPY --chown=3:4 . /app\n")
    with tempfile.TemporaryDirectory(prefix="theirs-") as name:
        folder = Path(name)
        os.chown(folder, 1234, 1234)
        output, records = Output("local", str(folder / "root")), str(folder / "records")
        child = os.fork()
        if child == 0:  # another process, because nobody comes back from being that user
            code = 1
            try:
                os.setgid(1234)
                os.setuid(1234)
                write_output(output, image, name=NAME, records=records)
                (folder / "root" / "app").chmod(0o500)
                write_output(output, image, name=NAME, records=records)
                there = written(output, records=records)
                code = 0 if there is not None and there.is_intact else 2
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert {file.owner for file in folder_tree(folder / "root").values()} == {(1234, 1234)}
        assert sorted(path.name for path in folder.iterdir()) == ["records", "root"]


@pytest.mark.parametrize("form", FORMS)
def test_another_form_at_the_same_place_is_another_thing(place: Place, image: BaseImage, form: Form) -> None:
    place.write(form, image)
    for other in FORMS:
        if other != form:
            with contextlib.suppress(ConflictError):
                assert place.written(other) is None


def test_a_file_in_a_folder_that_changed_makes_it_changed(place: Place, image: BaseImage) -> None:
    root = place.write("local", image)
    status = (root / "a").stat()
    (root / "a").write_bytes(b"two")
    os.utime(root / "a", ns=(status.st_atime_ns, status.st_mtime_ns))
    there = place.written("local")
    assert there is not None
    assert not there.is_intact
    place.write("local", image)
    assert (root / "a").read_bytes() == b"one"
    assert sorted(path.name for path in place.folder.iterdir() if path.name.startswith(".")) == []


def test_a_folder_that_nobody_here_wrote_is_refused_unless_it_is_empty(place: Place, image: BaseImage) -> None:
    (place.folder / "place").mkdir()
    assert place.written("local") is None
    place.write("local", image)
    for name in os.listdir(place.records):
        os.unlink(os.path.join(place.records, name))
    for act in (lambda: place.written("local"), lambda: place.write("local", image)):
        with pytest.raises(ConflictError) as caught:
            act()
        assert caught.value.code == "output-in-the-way"
    assert (place.folder / "place" / "a").read_bytes() == b"one"
    assert sorted(path.name for path in place.folder.iterdir() if path.name.startswith(".")) == []


@pytest.mark.parametrize("form", ["oci", "tar"])
def test_a_folder_where_a_file_is_wanted_is_refused(place: Place, form: Form) -> None:
    (place.folder / "place").mkdir()
    with pytest.raises(ConflictError):
        place.written(form)


def test_a_place_in_no_folder_is_told(place: Place) -> None:
    with pytest.raises(InputError) as caught:
        place.written("oci", "nowhere/app.tar")
    assert caught.value.code == "output-folder-missing"


def test_a_full_disk_leaves_what_was_there(place: Place, image: BaseImage) -> None:
    there = place.write("oci", image)
    before = there.read_bytes()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
            write_output(place.output("oci"), image, name="docker.io/team/app:2", records=place.records)
        except ImagesError as error:
            code = 0 if error.code == "output-unwritable" else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert there.read_bytes() == before
    assert not [name for name in os.listdir(place.folder) if name.endswith(".partial")]


def test_what_a_killed_task_left_is_removed_when_it_is_old(place: Place, image: BaseImage) -> None:
    child = os.fork()
    if child == 0:

        class Killed:
            """A source that never gives a layer: the process ends in the middle."""

            def open(self, descriptor: Descriptor, offset: int = 0) -> ReadStream:
                os._exit(0)

        try:
            place.write("oci", image._replace(source=Killed()))
        finally:
            os._exit(1)
    os.waitpid(child, 0)
    (left,) = (path for path in place.folder.iterdir() if path.name.endswith(".partial"))
    assert place.written("oci") is None
    folder = place.folder / ".place.abcdefgh.partial.old"
    (folder / "below").mkdir(parents=True)
    young = place.folder / ".place.12345678.partial"
    alien = place.folder / ".place.notours.partial"
    for path in (young, alien):
        path.touch()
    for path in (left, folder, alien):
        os.utime(path, (1, 1))
    place.write("oci", image)
    assert sorted(path.name for path in place.folder.iterdir() if path.name.startswith(".")) == [young.name, alien.name]


def test_a_symbolic_link_keeps_leading_to_the_file(place: Place, image: BaseImage) -> None:
    (place.folder / "place").symlink_to("real.tar")
    place.write("tar", image)
    assert (place.folder / "place").is_symlink()
    assert (place.folder / "real.tar").is_file()
    there = place.written("tar")
    assert there is not None and there.is_intact


def test_a_file_keeps_its_mode(place: Place, image: BaseImage) -> None:
    path = place.folder / "place"
    path.touch(0o600)
    place.write("oci", image)
    assert path.stat().st_mode & 0o777 == 0o600


class _Damaged:
    """A source whose blobs lost their first byte."""

    def __init__(self, image: BaseImage) -> None:
        self._image = image

    def open(self, descriptor: Descriptor, offset: int = 0) -> ReadStream:
        stream = self._image.source.open(descriptor, offset)
        with contextlib.closing(stream):
            raw = b"".join(iter(lambda: stream.read(1 << 20), b""))
        return t.cast("ReadStream", io.BytesIO(bytes([raw[0] ^ 1]) + raw[1:]))


@pytest.mark.parametrize("form", FORMS)
def test_damaged_content_is_told_and_written_nowhere(place: Place, image: BaseImage, form: Form) -> None:
    with pytest.raises((IntegrityError, PeerError)) as caught:
        place.write(form, image._replace(source=_Damaged(image)))
    assert caught.value.code == "digest-mismatch"
    assert [path.name for path in place.folder.iterdir() if "place" in path.name] == []


def test_an_archive_that_ends_early_holds_nothing(place: Place, image: BaseImage) -> None:
    path = place.write("oci", image)
    os.truncate(path, path.stat().st_size - 3000)
    assert place.written("oci") is None


@pytest.mark.parametrize("content", [b"", b"no archive at all", bytes(4096)])
def test_a_file_that_is_no_archive_holds_nothing(content: bytes) -> None:
    for is_layout in (True, False):
        assert image_in(io.BytesIO(content), is_layout=is_layout) is None


def test_an_index_is_written_with_all_its_images(place: Place, workshop: Workshop) -> None:
    workshop.write({"a": "one"})
    images = [workshop.add_base(name, f"FROM scratch\nCOPY a /{name}\n") for name in ("one", "two")]
    document = {
        "schemaVersion": 2,
        "mediaType": OCI_INDEX,
        "manifests": [image.manifest.descriptor.to_json() for image in images],
    }
    index = parse_manifest(json.dumps(document).encode())
    assert isinstance(index, Index)
    workshop.store.write(index.descriptor, lambda offset: t.cast("ReadStream", io.BytesIO(index.raw[offset:])))
    output = place.output("oci")
    write_output(output, images[0], name=NAME, records=place.records, index=index)
    there = place.written("oci")
    assert there is not None
    assert there.identity.index_digest == index.descriptor.digest
    assert raw_manifest(f"oci-archive:{output.dest}") == index.raw
    with open(output.dest, "rb") as file:
        archive = ImageArchive(file)
        for image in images:
            found, name = archive.image(identity_of(image))
            assert (found.manifest.raw, name) == (image.manifest.raw, NAME)


def test_what_docker_saves_with_links_between_layers_is_read(place: Place, image: BaseImage) -> None:
    """Docker 20.10 writes a layer that is there already as a symbolic link."""
    stream = image.source.open(image.manifest.layers[0])
    with contextlib.closing(stream):
        raw = b"".join(iter(lambda: stream.read(1 << 20), b""))
    diff_id = str(Digest.of(raw))
    settings = {"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": [diff_id, diff_id]}}
    config = json.dumps(settings).encode()
    rows = [{"Config": "c.json", "RepoTags": ["team/app:1"], "Layers": ["x/layer.tar", "y/layer.tar"]}]
    with tarfile.open(place.folder / "saved.tar", "w") as tar:
        for name, content in (("c.json", config), ("x/layer.tar", raw), ("manifest.json", json.dumps(rows).encode())):
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
        link = tarfile.TarInfo("y/layer.tar")
        link.type, link.linkname = tarfile.SYMTYPE, "../x/layer.tar"
        tar.addfile(link)
    with open(place.folder / "saved.tar", "rb") as file:
        found, name = ImageArchive(file).image()
        assert (found.config.digest, name) == (parse_config(config).digest, "team/app:1")
        again = place.write("docker", found)
    with open(again, "rb") as file:
        assert ImageArchive(file).image()[0].config.raw == config


def test_who_owns_the_folder_above_cannot_lead_the_files_elsewhere(place: Place, image: BaseImage) -> None:
    elsewhere = place.folder / "elsewhere"
    elsewhere.mkdir()

    class Moving:
        """A source that is read while somebody puts a link into the place of the folder that is being filled."""

        def open(self, descriptor: Descriptor, offset: int = 0) -> ReadStream:
            for path in place.folder.glob(".place.*.partial"):
                if not path.is_symlink():
                    path.rename(place.folder / "moved")
                    path.symlink_to(elsewhere)
            return image.source.open(descriptor, offset)

    with pytest.raises(ConflictError) as caught:
        place.write("local", image._replace(source=Moving()))
    assert caught.value.code == "output-in-the-way"
    assert list(elsewhere.iterdir()) == []
    assert not (place.folder / "place").exists()
    assert (place.folder / "moved" / "a").read_text() == "one"
