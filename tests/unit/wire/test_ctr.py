# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``ctr``: its tables are read or refused, and its failures told by what can be seen and not by its words."""

from __future__ import annotations

import os
import socket
import stat
import typing as t
from pathlib import Path

import pytest
from ansible_collections.fleet.images.plugins.module_utils.model.digest import Digest
from ansible_collections.fleet.images.plugins.module_utils.model.errors import (
    AuthError,
    InputError,
    NotFoundError,
    PeerError,
    UnavailableError,
)
from ansible_collections.fleet.images.plugins.module_utils.wire.ctr import Ctr
from ansible_collections.fleet.images.plugins.module_utils.wire.ctr_tables import (
    ContainerRow,
    ImageRow,
    container_rows,
    content_root,
    image_rows,
)

if t.TYPE_CHECKING:
    from collections.abc import Iterator

D = "sha256:" + "d8" * 32
BLANK = " "  # rows end with one
OCI = "application/vnd.oci.image.index.v1+json"

#: As versions print it: 1.4 to 1.7 with blanks in sizes; 2.x in its own words for sizes; unknown further columns.
TABLES = {
    "1.6": f"""\
REF                 TYPE{" " * 36}DIGEST{" " * 66}SIZE    PLATFORMS               LABELS{BLANK}
r.test/app:1        {OCI} {D} 1.0 MiB linux/386,linux/amd64   -      {BLANK}
r.test/app:dk       {OCI} {D} 841.0 B linux/amd64             a=b,io.x/y=z,w   {BLANK}
{D[:19]} {OCI} {D} 0.0 B   -                       -      {BLANK}
""",
    "2.x": f"""\
REF                 TYPE{" " * 36}DIGEST{" " * 66}SIZE    PLATFORMS               LABELS
r.test/app:1        {OCI} {D} 1.0MiB  linux/386,linux/amd64   -
r.test/app:dk       {OCI} {D} 841B    linux/amd64             a=b,io.x/y=z,w
{D[:19]} {OCI} {D} 0B      -                       -
""",
}


@pytest.mark.parametrize("version", sorted(TABLES))
def test_the_table_of_images_is_read(version: str) -> None:
    rows = image_rows(TABLES[version].encode())
    assert [row.name for row in rows] == ["r.test/app:1", "r.test/app:dk", D[:19]]
    assert {row.digest for row in rows} == {Digest.parse(D)}
    assert {row.media_type for row in rows} == {OCI}
    assert [dict(row.labels) for row in rows] == [{}, {"a": "b", "io.x/y": "z,w"}, {}]


def test_an_empty_table_has_no_rows() -> None:
    assert image_rows(b"REF TYPE DIGEST SIZE PLATFORMS LABELS \n") == []
    assert container_rows(b"CONTAINER    IMAGE    RUNTIME    \n") == []


@pytest.mark.parametrize(
    "table",
    ["", "NAME DIGEST\n", "REF TYPE DIGEST SIZE\nr.test/a:1 only-a-type\n", "REF TYPE DIGEST\nr.test/a:1 type none\n"],
)
def test_a_table_that_is_not_understood_is_refused(table: str) -> None:
    with pytest.raises(PeerError) as caught:
        image_rows(table.encode())
    assert caught.value.code == "ctr-output"


def test_the_table_of_containers_is_read() -> None:
    table = "CONTAINER    IMAGE           RUNTIME\nbox          r.test/app:1    io.containerd.runc.v2    \n"
    assert container_rows(table.encode()) == [ContainerRow("box", "r.test/app:1")]
    with pytest.raises(PeerError):
        container_rows(b"CONTAINER IMAGE RUNTIME\nalone\n")


def test_the_root_of_the_content_is_found_among_the_plugins() -> None:
    details = (
        b"Type:          io.containerd.snapshotter.v1\nID:            overlayfs\nExports:      \n"
        b"               root      /data/io.containerd.snapshotter.v1.overlayfs\n                            \n"
        b"Type:          io.containerd.content.v1\nID:            content\nExports:      \n"
        b"               root      /data/io.containerd.content.v1.content\n                            \n"
    )
    assert content_root(details) == "/data/io.containerd.content.v1.content"
    assert content_root(b"Type: x\nID:            content\n     \nID: y\nExports:\n    root   /other\n") == ""


@pytest.fixture
def listening(tmp_path: Path) -> Iterator[str]:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "c.sock"))
        server.listen()
        yield str(tmp_path / "c.sock")


def program(folder: Path, text: str) -> str:
    path = folder / "ctr"
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    path.chmod(0o755)
    return str(path)


def ctr(address: str, executable: str = "", *, timeout: float = 20) -> Ctr:
    return Ctr(address, namespace="k8s.io", executable=executable, timeout=timeout)


def test_namespace_and_address_are_handed_on(tmp_path: Path, listening: str) -> None:
    said = ctr("unix://" + listening, program(tmp_path, 'echo "$@"')).run("images", "ls").decode()
    assert said.split() == [f"--address={listening}", "--namespace=k8s.io", "images", "ls"]


def test_a_missing_socket_is_told_before_the_program_runs(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError) as caught:
        ctr(str(tmp_path / "none"), "/nowhere/ctr").run("images", "ls")
    assert caught.value.code == "engine-unreachable"
    assert "systemctl start containerd" in str(caught.value)


def test_a_socket_that_nobody_listens_on_is_unreachable(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "dead.sock"))
    with pytest.raises(UnavailableError) as caught:
        ctr(str(tmp_path / "dead.sock")).images()
    assert caught.value.code == "engine-unreachable"


def test_a_socket_that_this_user_may_not_use_is_a_matter_of_permission(tmp_path: Path, listening: str) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can become somebody else")
    for folder in (tmp_path, *tmp_path.parents):
        if folder != Path("/"):
            folder.chmod(folder.stat().st_mode | stat.S_IXOTH)
    Path(listening).chmod(0o600)
    os.seteuid(65534)
    try:
        with pytest.raises(AuthError) as caught:
            ctr(listening).images()
    finally:
        os.seteuid(0)
    assert caught.value.code == "engine-permission"


def test_a_missing_program_is_told(listening: str) -> None:
    with pytest.raises(NotFoundError) as caught:
        ctr(listening, "no-such-ctr").images()
    assert caught.value.code == "program-missing"


def test_what_the_program_complains_is_the_evidence(tmp_path: Path, listening: str) -> None:
    failing = program(tmp_path, "echo 'ctr: something https://user:secret@r.test/x broke' >&2; exit 1")
    with pytest.raises(PeerError) as caught:
        ctr(listening, failing).images()
    assert caught.value.code == "engine-failed"
    assert "ctr images ls: ctr: something" in caught.value.why
    assert "secret" not in str(caught.value)


def test_a_daemon_that_is_gone_when_the_program_fails_was_lost(tmp_path: Path, listening: str) -> None:
    with pytest.raises(UnavailableError) as caught:
        ctr(listening, program(tmp_path, f"rm {listening}; exit 1")).images()
    assert caught.value.code == "engine-connection-lost"


def test_a_program_that_does_not_end_is_stopped(tmp_path: Path, listening: str) -> None:
    with pytest.raises(UnavailableError) as caught:
        ctr(listening, program(tmp_path, "sleep 60"), timeout=0.2).images()
    assert caught.value.code == "engine-timeout"


def test_input_is_asked_for_piece_by_piece_and_its_failure_ends_the_program(tmp_path: Path, listening: str) -> None:
    pieces = (b"%06d\n" % number for number in range(50_000))
    said = ctr(listening, program(tmp_path, "wc -c")).run("images", "import", "-", stdin=pieces)
    assert int(said) == 7 * 50_000

    def broken() -> Iterator[bytes]:
        yield b"first"
        raise UnavailableError("The disk failed", code="store-io")

    with pytest.raises(UnavailableError) as caught:
        ctr(listening, program(tmp_path, "cat")).run("images", "import", "-", stdin=broken())
    assert caught.value.code == "store-io"


def test_content_is_streamed_and_a_failure_is_told_at_its_end(tmp_path: Path, listening: str) -> None:
    digest = Digest.parse(D)
    stream = ctr(listening, program(tmp_path, "head -c 3000000 /dev/zero")).open(digest)
    assert sum(len(piece) for piece in iter(lambda: stream.read(100_000), b"")) == 3_000_000
    stream.close()
    stream.close()
    half = ctr(listening, program(tmp_path, "echo half; echo 'it broke' >&2; exit 1")).open(digest)
    assert half.read(100) == b"half\n"
    with pytest.raises(PeerError) as caught:
        half.read(100)
    half.close()
    assert caught.value.why == "ctr content get: it broke"


def test_a_stream_that_falls_silent_is_given_up(tmp_path: Path, listening: str) -> None:
    stream = ctr(listening, program(tmp_path, "sleep 60"), timeout=0.2).open(Digest.parse(D))
    with pytest.raises(UnavailableError) as caught:
        stream.read(10)
    assert caught.value.code == "program-timeout"
    assert stream.read(10) == b""
    stream.close()


def test_an_address_that_is_no_path_is_refused() -> None:
    with pytest.raises(InputError) as caught:
        ctr("tcp://127.0.0.1:1")
    assert caught.value.code == "bad-engine-address"


def test_a_name_that_only_looks_like_a_config_is_a_handle_of_nobody() -> None:
    row = ImageRow("sha256:mine", "application/vnd.oci.image.manifest.v1+json", Digest("sha256", "0" * 64), {})
    assert (row.reference, row.config_digest, row.is_handle) == (None, None, True)
