# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A context that is copied as a whole: every builder makes the files of it that buildah's own program makes."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from ansible_collections.fleet.images.tests.contract.build_changes import IN_CONTAINERS, put_base
from ansible_collections.fleet.images.tests.integration.built_images import Buildah, FolderSource
from ansible_collections.fleet.images.tests.support import skopeo
from ansible_collections.fleet.images.tests.support.programs import require

if t.TYPE_CHECKING:
    from ansible_collections.fleet.images.tests.support.engine_hosts import EngineHost
    from ansible_collections.fleet.images.tests.support.lifecycle import Repository

#: What makes each engine's builders take over, and what they are called then.
PLAIN, WITH_MODE, WITH_STEP = (
    "COPY a /copied",
    "COPY --chmod=755 a /copied",
    'RUN ["/bin/busybox", "touch", "/ran"]',
)
BUILDERS = [
    ("docker", PLAIN, "classic builder"),
    ("docker", WITH_MODE, "BuildKit"),
    ("podman", PLAIN, "podman"),
    ("layout", PLAIN, "native"),
    ("layout", WITH_STEP, "buildah"),
]
IGNORES = {
    "no ignore file": {},
    "a name": {".dockerignore": "notes\n*.log\n"},
    "with exceptions": {".dockerignore": "*.log\n!keep.log\nd/*.tmp\n"},
    "podman's name": {".containerignore": "notes\n", ".dockerignore": "nothing\n"},
}
#: Docker's classic builder hides a Dockerfile by this file alone: where it ignores no name, it gets a line more.
CHANGED = {
    "with exceptions": b"*.log\n!keep.log\nd/*.tmp\n\n.fleet-images.Dockerfile\n",
    "podman's name": b"notes\n",
}
FILES = {"a": "a", "keep.log": "k", "d/one.tmp": "1", "d/two": "2", "notes": "n", ".hidden/file": "h"}


def write_context(folder: Path, *, ignores: t.Mapping[str, str], dockerfile: str) -> Path:
    for name, text in {**FILES, **ignores, "Dockerfile": dockerfile}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)
    (folder / "link").symlink_to("d/two")
    return folder


def copied(folder: Path, *, place: str) -> dict[str, tuple[object, ...]]:
    """Return what lies under ``place`` in the image of a folder; the content of the Dockerfile does not count."""
    rows = {name: row for name, row in FolderSource(folder).read().files.items() if name.startswith(f"{place}/")}
    return {name: row[:-1] if name.endswith("/Dockerfile") else row for name, row in rows.items()}


@pytest.mark.parametrize(("engine_host", "step", "builder"), BUILDERS, indirect=["engine_host"])
@pytest.mark.parametrize("ignores", IGNORES)
def test_a_copy_of_all_takes_what_the_context_has_and_nothing_else(
    engine_host: EngineHost, step: str, builder: str, ignores: str, repository: Repository, tmp_path: Path
) -> None:
    require("buildah", "skopeo")
    put_base(repository)
    steps = "COPY . /all/\nCOPY * /each/\n"
    text = f"FROM {repository}:base\n{steps}{step}\n"
    context = write_context(tmp_path / "ours", ignores=IGNORES[ignores], dockerfile=text)
    name = f"{repository}:built"
    network = {"network": "host"} if engine_host.engine in IN_CONTAINERS else {}
    done = engine_host.do("image_build", name=name, path=str(context), push=True, **network)
    assert done["actions"][0]["builder"] == builder
    skopeo.copy(f"docker://{name}", f"dir:{tmp_path}/built")
    theirs = write_context(tmp_path / "theirs", ignores=IGNORES[ignores], dockerfile=f"FROM scratch\n{steps}")
    (tmp_path / "buildah").mkdir()
    folder = Buildah(tmp_path / "buildah").build(theirs)
    for place in ("all", "each"):
        expected = copied(folder, place=place)
        if builder == "classic builder" and ignores in CHANGED:
            *row, _body = expected[f"{place}/.dockerignore"]
            expected[f"{place}/.dockerignore"] = (*row, CHANGED[ignores])
        assert copied(tmp_path / "built", place=place) == expected
