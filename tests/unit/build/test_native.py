# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Builds without a daemon, as far as one can tell without another builder."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
import typing as t
from pathlib import Path

import pytest
from ansible_collections.fleet.images.plugins.module_utils.build import native
from ansible_collections.fleet.images.plugins.module_utils.build.base import Base, BuildSpec
from ansible_collections.fleet.images.plugins.module_utils.build.loading import load_build
from ansible_collections.fleet.images.plugins.module_utils.model import media_types
from ansible_collections.fleet.images.plugins.module_utils.model.descriptor import Descriptor
from ansible_collections.fleet.images.plugins.module_utils.model.digest import Digest
from ansible_collections.fleet.images.plugins.module_utils.model.errors import (
    ConflictError,
    InputError,
    IntegrityError,
    PeerError,
    UnsupportedError,
)
from ansible_collections.fleet.images.plugins.module_utils.model.manifest import manifest_json, parse_manifest
from ansible_collections.fleet.images.tests.unit.build.conftest import AMD64, Workshop

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from ansible_collections.fleet.images.plugins.module_utils.model.manifest import Manifest


def write_project(folder: Path, *, umask: int) -> Path:
    """Write the same project as somebody with this umask would check it out."""
    old = os.umask(umask)
    try:
        (folder / "app/empty").mkdir(parents=True)
        (folder / "app/main").write_text("main")
        (folder / "app/main").chmod(0o777 & ~umask)
        (folder / "app/link").symlink_to("main")
        (folder / "data").write_bytes(b"x" * 3_000_000)
        (folder / "Dockerfile").write_text("FROM scratch\nCOPY . /srv/\nWORKDIR /srv/run\nENV A=1\n")
    finally:
        os.umask(old)
    return folder


def test_path_umask_owner_and_times_do_not_change_the_digest(workshop: Workshop, tmp_path: Path) -> None:
    first = write_project(tmp_path / "first", umask=0o022)
    second = write_project(tmp_path / "elsewhere/second", umask=0o077)
    for path in [second, *second.rglob("*")]:
        os.utime(path, (1, 1), follow_symlinks=False)
        if os.geteuid() == 0:
            os.chown(path, 1234, 5678, follow_symlinks=False)
    built = [
        native.build_image(load_build(BuildSpec(str(folder), AMD64)), bases={}, sink=workshop.store)
        for folder in (first, second)
    ]
    assert built[0].descriptor == built[1].descriptor
    assert [layer.media_type for layer in built[0].layers] == [media_types.OCI_LAYER] * 2


def test_building_again_moves_nothing(workshop: Workshop) -> None:
    class CountingStore(type(workshop.store)):  # type: ignore[misc]
        moved = 0

        def write(self, descriptor: Descriptor, open_at: t.Any) -> bool:
            moved = super().write(descriptor, open_at)
            CountingStore.moved += moved
            return bool(moved)

    workshop.store = CountingStore()
    workshop.write({"a": "a"})
    first = workshop.build("FROM scratch\nCOPY a /\n")
    assert CountingStore.moved == 2
    assert workshop.build("FROM scratch\nCOPY a /\n") == first
    assert CountingStore.moved == 2


def test_times_are_those_of_the_source_date_epoch(workshop: Workshop, tar_of: Callable[..., bytes]) -> None:
    old, new = ("old", tarfile.REGTYPE, {"mtime": 5}), ("new", tarfile.REGTYPE, {"mtime": 10**9})
    workshop.write({"a": "a", "x.tar": tar_of(old, new)})
    manifest = workshop.build("FROM scratch\nADD x.tar a /d/\n", source_date_epoch=1000)
    times = {info.name: info.mtime for info in workshop.members(manifest.layers[0])}
    assert times == {"d": 1000, "d/a": 1000, "d/old": 5, "d/new": 1000}
    assert workshop.config(manifest)["created"] == "1970-01-01T00:16:40Z"


def test_history_names_each_instruction_and_marks_those_without_a_layer(workshop: Workshop) -> None:
    workshop.write({"a": "a"})
    config = workshop.config(workshop.build("FROM scratch\nENV A=1 \\\n  B=2\nCOPY a /\nWORKDIR /\nWORKDIR /w\n"))
    assert [(row["created_by"], row.get("empty_layer", False)) for row in config["history"]] == [
        ("ENV A=1   B=2", True),
        ("COPY a /", False),
        ("WORKDIR /", True),
        ("WORKDIR /w", False),
    ]
    assert len(config["rootfs"]["diff_ids"]) == 2


def test_a_value_of_an_arg_is_in_no_document(workshop: Workshop) -> None:
    manifest = workshop.build("FROM scratch\nARG TOKEN\nCOPY <<'E' /x\nE\n", args={"TOKEN": "s3cret"})
    assert b"s3cret" not in workshop.store.read(manifest.config) + manifest.raw


def test_the_layers_of_a_base_are_kept_and_named_in_the_words_of_oci(workshop: Workshop) -> None:
    workshop.write({"a": "a", "b": "b"})
    base = workshop.add_base("base", "FROM scratch\nCOPY a /bin/a\n")
    packed = gzip.compress(workshop.store.open(base.manifest.layers[0]).read(10**6))
    layer = Descriptor.of(packed, media_types.DOCKER_LAYER_GZIP)
    workshop.store.write(layer, lambda offset: io.BytesIO(packed[offset:]))
    manifest = parse_manifest(manifest_json(base.manifest.config, [layer]))
    workshop.bases[Base("base", AMD64)] = base._replace(manifest=t.cast("Manifest", manifest))
    built = workshop.build("FROM base\nCOPY b /bin/\n")
    assert built.layers[0] == Descriptor(media_types.OCI_LAYER_GZIP, layer.digest, layer.size)
    assert [info.name for info in workshop.members(built.layers[1])] == ["bin", "bin/b"]
    assert workshop.config(built)["rootfs"]["diff_ids"][0] == str(base.config.diff_ids[0])


def test_whiteouts_of_a_base_hide_what_lower_layers_have(workshop: Workshop, tar_of: Callable[..., bytes]) -> None:
    base = workshop.add_base("base", "FROM scratch\nCOPY <<E /d/one\nE\nCOPY <<E /gone\nE\nCOPY <<E /full/x\nE\n")
    top = tar_of(
        ("d/new", tarfile.REGTYPE, {}),
        ("d/.wh.one", tarfile.REGTYPE, {}),
        (".wh.gone", tarfile.REGTYPE, {}),
        ("full/own", tarfile.REGTYPE, {}),
        ("full/.wh..wh..opq", tarfile.REGTYPE, {}),
    )
    layer = Descriptor.of(top, media_types.OCI_LAYER)
    workshop.store.write(layer, lambda offset: io.BytesIO(top[offset:]))
    manifest = parse_manifest(manifest_json(base.manifest.config, [*base.manifest.layers, layer]))
    workshop.bases[Base("base", AMD64)] = base._replace(manifest=t.cast("Manifest", manifest))
    copied = workshop.build("FROM scratch\nCOPY --from=base / /\n")
    assert sorted(workshop.files(copied)) == ["d/new", "full/own"]


def test_a_base_whose_bytes_do_not_match_is_refused(workshop: Workshop) -> None:
    workshop.write({"a": "a"})
    base = workshop.add_base("base", "FROM scratch\nCOPY a /\n")

    class Liar:
        def open(self, descriptor: Descriptor, offset: int = 0) -> t.Any:
            raw = workshop.store.open(descriptor, offset).read(10**6)
            return io.BytesIO(raw.replace(b"a\0\0", b"b\0\0", 1))

    workshop.bases[Base("base", AMD64)] = base._replace(source=Liar())
    with pytest.raises(IntegrityError) as caught:
        workshop.build("FROM scratch\nCOPY --from=base a /\n")
    assert caught.value.code == "digest-mismatch"


def test_a_base_whose_layer_is_no_archive_is_told(workshop: Workshop) -> None:
    base = workshop.add_base("base", "FROM scratch\nCOPY <<E /x\nE\n")
    junk = b"\x1f\x8b\x08 no gzip"
    layer = Descriptor.of(junk, media_types.OCI_LAYER_GZIP)
    workshop.store.write(layer, lambda offset: io.BytesIO(junk[offset:]))
    manifest = parse_manifest(manifest_json(base.manifest.config, [layer]))
    workshop.bases[Base("base", AMD64)] = base._replace(manifest=t.cast("Manifest", manifest))
    with pytest.raises(PeerError) as caught:
        workshop.build("FROM base\nWORKDIR /w\n")
    assert caught.value.code == "bad-layer"


def test_a_build_that_changes_no_file_reads_no_layer_of_its_base(workshop: Workshop) -> None:
    base = workshop.add_base("base", "FROM scratch\nCOPY <<E /x\nE\n")

    class Closed:
        def open(self, descriptor: Descriptor, offset: int = 0) -> t.Any:
            raise AssertionError("read")

    workshop.bases[Base("base", AMD64)] = base._replace(source=Closed())
    assert workshop.build("FROM base\nENV A=1\nCMD x\n").layers == base.manifest.layers


def test_triggers_of_a_base_run_once_and_make_the_whole_context_count(workshop: Workshop) -> None:
    workshop.write({"a": "a", "other": "o"})
    image = workshop.add_base("base", "FROM scratch\nONBUILD COPY a /triggered\nONBUILD ENV T=1\n")
    child = workshop.build("FROM base\n")
    settings = workshop.config(child)["config"]
    assert workshop.files(child) == {"triggered": "a"}
    assert "T=1" in settings["Env"]
    assert "OnBuild" not in settings
    key, digests = settings["Labels"]["images.fleet.build.key"], {Base("base", AMD64): image.digest}
    assert workshop.load("FROM base\n").is_current(key, digests)
    workshop.write({"other": "changed"})
    assert not workshop.load("FROM base\n").is_current(key, digests)


@pytest.mark.parametrize(
    ("trigger", "error", "code"),
    [
        ("RUN x", UnsupportedError, "build-needs-run"),
        ("COPY --from=image a b", UnsupportedError, "onbuild-copy-from"),
        ("COPY missing b", InputError, "copy-source-missing"),
    ],
)
def test_a_trigger_that_cannot_run_is_told(workshop: Workshop, trigger: str, error: type[Exception], code: str) -> None:
    workshop.add_base("base", f"FROM scratch\nONBUILD {trigger}\n")
    with pytest.raises(error) as caught:
        workshop.build("FROM base\n")
    assert getattr(caught.value, "code", "") == code
    assert "ONBUILD of base" in str(caught.value)


def test_settings_are_inherited_from_base_and_stage(workshop: Workshop) -> None:
    workshop.add_base("base", 'FROM scratch\nENV A=1 B=$A\nLABEL l=base k=1\nENTRYPOINT ["e"]\nCMD c\nUSER u\n')
    built = workshop.build(
        'ARG X=top\nFROM base AS one\nARG X\nENV A=2\nFROM one\nLABEL l=$X m=$A\nENTRYPOINT ["f"]\n',
        labels={"given": "yes"},
    )
    settings = workshop.config(built)["config"]
    assert settings["Env"][-2:] == ["A=2", "B="]
    assert {key: settings["Labels"][key] for key in "lkm"} == {"l": "top", "k": "1", "m": "2"}
    assert settings["Labels"]["given"] == "yes"
    assert settings["Entrypoint"] == ["f"]
    assert "Cmd" not in settings
    assert settings["User"] == "u"


def test_platform_names_are_seen_where_they_are_declared(workshop: Workshop) -> None:
    dockerfile = "FROM scratch\nENV BEFORE=x$TARGETARCH\nARG TARGETARCH TARGETPLATFORM\nENV AFTER=$TARGETPLATFORM\n"
    assert workshop.config(workshop.build(dockerfile))["config"]["Env"][1:] == ["BEFORE=x", "AFTER=linux/amd64"]


def test_ports_are_single_or_ranges_of_a_protocol(workshop: Workshop) -> None:
    manifest = workshop.build("FROM scratch\nARG P=9\nEXPOSE $P 80-82/udp 81/TCP\n")
    assert sorted(workshop.config(manifest)["config"]["ExposedPorts"]) == [
        "80/udp", "81/tcp", "81/udp", "82/udp", "9/tcp"
    ]  # fmt: skip
    with pytest.raises(InputError, match="dockerfile_inline:2: 'http' is no port"):
        workshop.build("FROM scratch\nEXPOSE http\n")


def test_heredocs_become_files_and_are_expanded_unless_quoted(workshop: Workshop) -> None:
    built = workshop.build("FROM scratch\nENV A=1\nCOPY <<x <<'y' /d/\n$A \"q\"\nx\n$A\ny\nCOPY <<EOF /named\nz\nEOF\n")
    assert workshop.files(built) == {"d/x": '1 "q"\n', "d/y": "$A\n", "named": "z\n"}


@pytest.mark.parametrize("mode", ["w:", "w:gz", "w:bz2", "w:xz"])
def test_add_unpacks_archives_of_every_compression_and_copy_does_not(
    workshop: Workshop, tar_of: Callable[..., bytes], mode: str
) -> None:
    raw = tar_of(("f", tarfile.REGTYPE, {"body": b"in"}), ("../../up", tarfile.REGTYPE, {"body": b"up"}), mode=mode)
    workshop.write({"any.name": raw, "plain.tar.gz": "no archive"})
    added = workshop.build("FROM scratch\nADD any.name plain.tar.gz /d/\n")
    assert workshop.files(added) == {"d/f": "in", "d/up": "up", "d/plain.tar.gz": "no archive"}
    copied = workshop.build("FROM scratch\nCOPY any.name /d/\n")
    assert [info.size for info in workshop.members(copied.layers[0])] == [0, len(raw)]


def test_hard_links_of_an_archive_stay_links_to_the_first_name(
    workshop: Workshop, tar_of: Callable[..., bytes]
) -> None:
    file, link = ("z", tarfile.REGTYPE, {"body": b"in", "mode": 0o600}), ("a", tarfile.LNKTYPE, {"linkname": "z"})
    workshop.write({"x.tar": tar_of(file, link)})
    built = workshop.build("FROM scratch AS one\nADD x.tar /\nFROM scratch\nCOPY --from=one --chown=3 / /d/\n")
    rows = [(info.name, info.type, info.linkname, info.mode, info.uid) for info in workshop.members(built.layers[0])]
    assert rows[1:] == [("d/a", tarfile.REGTYPE, "", 0o600, 3), ("d/z", tarfile.LNKTYPE, "d/a", 0o600, 3)]


def test_a_damaged_archive_is_told_with_its_line(workshop: Workshop, tar_of: Callable[..., bytes]) -> None:
    raw = tar_of(("f", tarfile.REGTYPE, {"body": os.urandom(100_000)}), mode="w:gz")
    workshop.write({"x.tgz": raw[:50_000]})
    with pytest.raises(InputError) as caught:
        workshop.build("FROM scratch\nADD x.tgz /\n")
    assert caught.value.code == "bad-archive"
    assert caught.value.subject == "dockerfile_inline:2"


@pytest.mark.parametrize(
    "fields",
    [
        {"pax_headers": {"mtime": "inf"}},
        {"pax_headers": {"mtime": "nan"}},
        {"pax_headers": {"uid": "-3"}},
        {"pax_headers": {"gid": "99999999999999999999"}},
        {"pax_headers": {"size": "-3"}},
        {"pax_headers": {"size": "99999999999999"}},
        {"pax_headers": {"path": "a\0b"}},
        {"pax_headers": {"linkpath": "a\0b"}},
    ],
    ids=str,
)
def test_impossible_numbers_and_names_of_an_archive_are_told(
    workshop: Workshop, tar_of: Callable[..., bytes], fields: dict[str, t.Any]
) -> None:
    workshop.write({"x.tar": tar_of(("f", tarfile.REGTYPE, {"body": b"1", **fields}))})
    with pytest.raises(InputError) as caught:
        workshop.build("FROM scratch\nADD x.tar /\n")
    assert caught.value.code == "bad-archive"


def test_a_device_with_a_number_that_no_header_holds_is_told(workshop: Workshop) -> None:
    info = tarfile.TarInfo("f")
    info.type, info.devmajor = tarfile.CHRTYPE, 2**31
    workshop.write({"x.tar": info.tobuf(tarfile.GNU_FORMAT) + bytes(1024)})
    with pytest.raises(InputError) as caught:
        workshop.build("FROM scratch\nADD x.tar /\n")
    assert caught.value.code == "bad-archive"


def test_thousands_of_headers_before_a_member_are_told(workshop: Workshop) -> None:
    info = tarfile.TarInfo("f")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 1
    workshop.write({"x.tar": (info.tobuf(tarfile.GNU_FORMAT) + bytes(512)) * 3000})
    with pytest.raises(InputError) as caught:
        workshop.build("FROM scratch\nADD x.tar /\n")
    assert caught.value.code == "bad-archive"


def test_stages_that_the_target_does_not_need_are_not_looked_at(workshop: Workshop) -> None:
    dockerfile = "FROM missing AS a\nRUN x\nCOPY nothing /\nFROM scratch AS b\nCOPY <<E /b\nE\nFROM b AS c\nRUN y\n"
    build = workshop.load(dockerfile, target="B")
    assert build.bases == ()
    assert list(workshop.files(native.build_image(build, bases={}, sink=workshop.store))) == ["b"]


def test_a_file_that_changes_during_the_build_is_a_conflict(workshop: Workshop) -> None:
    workshop.write({"a": "a"})
    build = workshop.load("FROM scratch\nCOPY a /\n")
    workshop.write({"a": "longer"})
    with pytest.raises(ConflictError) as caught:
        native.build_image(build, bases={}, sink=workshop.store)
    assert caught.value.code == "context-changed"


def test_a_name_that_layers_reserve_is_refused(workshop: Workshop) -> None:
    workshop.write({"d/.wh.x": ""})
    with pytest.raises(UnsupportedError) as caught:
        workshop.build("FROM scratch\nCOPY d /d\n")
    assert caught.value.code == "whiteout-name"


def test_a_base_that_was_not_resolved_is_an_error_before_anything_is_built(workshop: Workshop) -> None:
    with pytest.raises(InputError) as caught:
        workshop.build("FROM some/base\n")
    assert caught.value.code == "bad-build-bases"
    assert "some/base" in str(caught.value)


def test_no_temporary_file_is_left(workshop: Workshop, tmp_path: Path, tar_of: Callable[..., bytes]) -> None:
    work = tmp_path / "work"
    work.mkdir()
    workshop.write({"x.tgz": tar_of(("f", tarfile.REGTYPE, {"body": b"in"}), mode="w:gz")})
    build = workshop.load("FROM scratch\nADD x.tgz /\n")
    native.build_image(build, bases={}, sink=workshop.store, work_folder=str(work))
    assert list(work.iterdir()) == []


def test_the_digest_of_a_layer_is_its_diff_id(workshop: Workshop) -> None:
    built = workshop.build("FROM scratch\nCOPY <<E /x\nE\n")
    raw = workshop.store.open(built.layers[0]).read(10**6)
    assert workshop.config(built)["rootfs"]["diff_ids"] == [str(Digest.of(raw))] == [str(built.layers[0].digest)]


def test_an_owner_is_given_to_the_folder_of_an_archive_and_not_to_what_it_holds(
    workshop: Workshop, tar_of: Callable[..., bytes]
) -> None:
    folder, link = ("d", tarfile.DIRTYPE, {"uid": 9}), ("b", tarfile.LNKTYPE, {"linkname": "d/a"})
    workshop.write({"x.tar": tar_of(folder, ("d/a", tarfile.REGTYPE, {}), link)})
    built = workshop.build("FROM scratch\nADD --chown=3:4 x.tar /new\n")
    assert [(info.name, info.linkname, info.uid, info.gid) for info in workshop.members(built.layers[0])] == [
        ("new", "", 3, 4),
        ("new/b", "", 0, 0),
        ("new/d", "", 9, 0),
        ("new/d/a", "new/b", 0, 0),
    ]


@pytest.mark.parametrize(("user", "owner"), [("5", (5, 5)), ("5:6", (5, 6)), ("unknown", (0, 0))])
def test_a_new_working_folder_belongs_to_the_user(workshop: Workshop, user: str, owner: tuple[int, int]) -> None:
    built = workshop.build(f"FROM scratch\nUSER {user}\nWORKDIR /new\n")
    assert [(info.uid, info.gid) for info in workshop.members(built.layers[0])] == [owner]


def test_the_shell_is_that_of_the_image(workshop: Workshop) -> None:
    built = workshop.build('FROM scratch\nSHELL ["/sh", "-e"]\nCMD run $X\nENTRYPOINT []\n')
    settings = workshop.config(built)["config"]
    assert settings["Cmd"] == ["/sh", "-e", "run $X"]
    assert "Entrypoint" not in settings
