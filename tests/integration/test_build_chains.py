# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


"""Builds that start from what the same task builds or pulls."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.fleet.images.tests.support import skopeo
from ansible_collections.fleet.images.tests.support.images import make_image
from ansible_collections.fleet.images.tests.support.lifecycle import HOST, Host, Repository, kinds

if t.TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Return the contexts of a base and of what starts from it."""
    base, top = tmp_path / "base", tmp_path / "top"
    for folder, text in ((base, "FROM scratch\nCOPY base.txt /\n"), (top, "FROM team/base:1\nCOPY top.txt /\n")):
        folder.mkdir()
        (folder / "Dockerfile").write_text(text, encoding="utf-8")
        (folder / f"{folder.name}.txt").write_text(folder.name, encoding="utf-8")
    return base, top


def chain(folders: tuple[Path, Path]) -> list[dict[str, t.Any]]:
    base, top = folders
    return [
        {"image": "team/base:1", "build": {"path": str(base)}},
        {"image": "team/top:1", "build": {"path": str(top)}},
    ]


def run_chain(host: Host, images: list[dict[str, t.Any]]) -> dict[str, t.Any]:
    """Announce, do, and do again; digests of builds are known only afterwards, the rest is announced."""
    announced = host.announce("image_state", images=images)
    done = host.do("image_state", images=images)
    assert kinds(announced) == kinds(done)
    assert [row["cause"] for row in announced["actions"]] == [row["cause"] for row in done["actions"]]
    host.rest("image_state", images=images)
    return done


def layers(host: Host, name: str) -> list[str]:
    return t.cast("list[str]", skopeo.image_config(f"oci:{host.store}:docker.io/{name}")["rootfs"]["diff_ids"])


def test_a_build_starts_from_what_the_item_before_it_builds(host: Host, folders: tuple[Path, Path]) -> None:
    done = run_chain(host, chain(folders))
    assert kinds(done) == ["build", "build"]
    assert done["actions"][1]["needs"] == [1]
    assert layers(host, "team/top:1")[:1] == layers(host, "team/base:1")


def test_a_change_of_the_base_builds_both_and_a_change_above_it_one(host: Host, folders: tuple[Path, Path]) -> None:
    images = chain(folders)
    run_chain(host, images)
    (folders[0] / "base.txt").write_text("other", encoding="utf-8")
    done = run_chain(host, images)
    assert [row["cause"] for row in done["actions"]] == [
        "its inputs changed: context: 1 file changed: base.txt",
        "its base team/base:1 is built in this run",
    ]
    assert layers(host, "team/top:1")[:1] == layers(host, "team/base:1")

    (folders[1] / "top.txt").write_text("other", encoding="utf-8")
    assert [row["image"] for row in run_chain(host, images)["actions"]] == ["docker.io/team/top:1"]


def test_a_build_starts_from_what_the_item_before_it_pulls(
    host: Host, repository: Repository, folders: tuple[Path, Path]
) -> None:
    old = repository.push("base", make_image({"base": b"old"}, platform=HOST))
    (folders[1] / "Dockerfile").write_text(f"FROM {repository}:base\nCOPY top.txt /\n", encoding="utf-8")
    images = [{"image": f"{repository}:base", "pull": "newer"}, chain(folders)[1]]
    assert kinds(run_chain(host, images)) == ["pull", "build"]

    new = repository.push("base", make_image({"base": b"new"}, platform=HOST))
    done = run_chain(host, images)
    assert [(row["action"], row["cause"]) for row in done["actions"]] == [
        ("pull", "the tag moved"),
        ("build", f"its inputs changed: base {repository}:base {old[:19]}… -> {new[:19]}…"),
    ]


def test_what_a_build_starts_from_is_not_removed_as_unlisted(host: Host, folders: tuple[Path, Path]) -> None:
    images = chain(folders)
    run_chain(host, images)
    host.rest("image_state", images=images[1:], unlisted="remove")
    assert set(host.names()) == {"docker.io/team/base:1", "docker.io/team/top:1"}


def test_a_build_that_starts_from_itself_is_refused(host: Host, folders: tuple[Path, Path]) -> None:
    (folders[1] / "Dockerfile").write_text("FROM team/top:1\nCOPY top.txt /\n", encoding="utf-8")
    run_chain(host, [{"image": "team/top:1", "build": {"path": str(folders[0])}}])
    error = host.refuse("image_build", name="team/top:1", path=str(folders[1]))
    assert error["code"] == "build-from-itself"
    assert "pull: true" in error["msg"]
