# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""ADD of an archive: whose the files in it are then, by the native builder and by both of Docker's."""

from __future__ import annotations

import io
import json
import tarfile
import typing as t

import pytest
from ansible_collections.fleet.images.plugins.module_utils.build.base import BuildSpec
from ansible_collections.fleet.images.plugins.module_utils.model.build_order import BuildOrder
from ansible_collections.fleet.images.tests.integration.built_images import HERE, native
from ansible_collections.fleet.images.tests.support.build_contexts import context_of
from ansible_collections.fleet.images.tests.support.docker_engine import builds_of, engine_at
from ansible_collections.fleet.images.tests.support.dockerd import Dockerd, start_dockerd

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: An entry of a layer: its kind, its owner and group, and what it is a link to.
Row = tuple[bytes, int, int, str]
#: A name, its kind, its owner, and what it is a link to; ``implied`` is in the archive by what lies in it alone.
MEMBERS = (
    ("own", tarfile.DIRTYPE, 1000, ""),
    ("own/file", tarfile.REGTYPE, 1001, ""),
    ("own/link", tarfile.SYMTYPE, 1002, "file"),
    ("own/twin", tarfile.LNKTYPE, 1001, "own/file"),
    ("implied/file", tarfile.REGTYPE, 1003, ""),
    ("of-root", tarfile.REGTYPE, 0, ""),
)
ORDER = BuildOrder("Dockerfile", network="none")


def archive() -> bytes:
    """Return a tar of MEMBERS, whose groups are one more than their owners."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, kind, owner, link in MEMBERS:
            info = tarfile.TarInfo(name)
            info.type, info.uid, info.gid, info.mode, info.linkname = kind, owner, owner + 1, 0o755, link
            tar.addfile(info)
    return buffer.getvalue()


def rows(layer: t.IO[bytes] | None) -> dict[str, Row]:
    with tarfile.open(fileobj=layer) as tar:
        return {info.name: (info.type, info.uid, info.gid, info.linkname) for info in tar}


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dockerd]:
    with start_dockerd(tmp_path_factory.mktemp("docker")) as daemon:
        yield daemon


def by_docker(daemon: Dockerd, dockerfile: str, *, builder: str) -> dict[str, Row]:
    """Return what is in the one layer that a builder of Docker makes."""
    engine = engine_at(daemon.address)
    order = ORDER._replace(needs_buildkit=builder == "BuildKit")
    built = builds_of(engine).build(order, context=context_of({"Dockerfile": dockerfile, "x.tar": archive()}))
    engine.close()
    assert built.builder == builder
    with tarfile.open(fileobj=io.BytesIO(daemon.cli("save", str(built.identity.config_digest)))) as saved:
        (image,) = json.load(t.cast("t.IO[bytes]", saved.extractfile("manifest.json")))
        (layer,) = image["Layers"]
        return rows(saved.extractfile(layer))


@pytest.mark.parametrize("flag", ["", "--chown=3:4"])
def test_files_of_an_archive_keep_their_owners(daemon: Dockerd, tmp_path: Path, flag: str) -> None:
    dockerfile = f"FROM scratch\nADD {flag} x.tar /made/below/\n"
    (tmp_path / "x.tar").write_bytes(archive())
    store, manifest = native(tmp_path / "store", BuildSpec(str(tmp_path), HERE, dockerfile_inline=dockerfile))
    own = rows(io.BytesIO(store.open(manifest.layers[0]).read(1 << 20)))
    classic = by_docker(daemon, dockerfile, builder="classic builder")
    assert own == by_docker(daemon, dockerfile, builder="BuildKit")
    # The folders on the way are the one thing in which Docker's builders differ.
    made = {"made": own.pop("made"), "made/below": own.pop("made/below")}
    assert {row[1:3] for row in made.values()} == {(3, 4) if flag else (0, 0)}
    assert own == {name: row for name, row in classic.items() if name not in made}
    assert own["made/below/own/file"][1:3] == (1001, 1002)
