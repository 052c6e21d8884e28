# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Outputs of builds on every engine: announced, written so, at rest; written again when and only when they changed."""

from __future__ import annotations

import json
import os
import shutil
import typing as t

import pytest
from ansible_collections.fleet.images.tests.support.engine_hosts import RootlessPodmanHost, load_archive
from ansible_collections.fleet.images.tests.support.file_trees import archive_tree, base_with_removals, folder_tree
from ansible_collections.fleet.images.tests.support.lifecycle import kinds
from ansible_collections.fleet.images.tests.support.skopeo import copy, image_config, skopeo, umoci_unpack

if t.TYPE_CHECKING:
    from pathlib import Path

    from ansible_collections.fleet.images.tests.support.engine_hosts import EngineHost
    from ansible_collections.fleet.images.tests.support.lifecycle import Repository

NAME = "docker.io/team/app:1"
FORMS = ("oci", "docker", "tar", "local")

#: What each engine's own client loads. Docker 20.10 loads no OCI layouts, and the embedded store has no client.
TAKEN = {"docker": ("docker",), "podman": ("docker", "oci"), "containerd": ("oci",), "layout": ()}


class Written(t.NamedTuple):
    """A build with one output of each form; ``places`` are where these go."""

    params: dict[str, t.Any]
    places: dict[str, Path]

    def state(self) -> dict[str, tuple[int, int]]:
        """Return inode and time of each destination: what is written anew has others."""
        found = {}
        for form, place in self.places.items():
            status = place.lstat()
            found[form] = (status.st_ino, status.st_mtime_ns)
        return found


@pytest.fixture
def case(engine_host: EngineHost, repository: Repository, tmp_path: Path) -> Written:
    """Return a build that copies files of several kinds onto a base with whiteouts."""
    repository.push("base", base_with_removals())
    context, target = tmp_path / "context", tmp_path / "out"
    (context / "app").mkdir(parents=True)
    target.mkdir()
    (context / "app" / "a name with é").write_bytes(b"content")
    (context / "app" / "tool").write_bytes(b"#!/bin/sh\n")
    (context / "app" / "tool").chmod(0o755)
    (context / "app" / "link").symlink_to("tool")
    owner = "0:0" if isinstance(engine_host, RootlessPodmanHost) else "12:34"  # one user is all that has there
    dockerfile = f"FROM {repository}:base\nCOPY --chown={owner} app /srv/app\nWORKDIR /srv/work\n"
    (context / "Dockerfile").write_text(dockerfile, encoding="utf-8")
    names = {"oci": "oci.tar", "docker": "docker.tar", "tar": "root.tar", "local": "root"}
    places = {form: target / names[form] for form in FORMS}
    outputs = [{"type": form, "dest": str(place)} for form, place in places.items()]
    return Written({"name": "team/app:1", "path": str(context), "outputs": outputs}, places)


def build(host: EngineHost, case: Written) -> dict[str, t.Any]:
    """Announce, do, and run again; fails unless what was announced was done, and all is at rest then."""
    announced = host.announce("image_build", **case.params)
    done = host.do("image_build", **case.params)
    unknown = {"digest": "", "id": ""}
    for part in ("images", "actions"):
        first, second = ([{**row, **unknown} for row in result[part]] for result in (announced, done))
        assert first == second
    assert announced["diff"] == done["diff"]
    before = case.state()
    host.rest("image_build", **case.params)
    assert case.state() == before
    return done


def test_an_image_is_written_in_every_form_and_other_tools_read_it(
    engine_host: EngineHost, case: Written, tmp_path: Path, needs: t.Callable[..., None]
) -> None:
    needs("skopeo", "umoci")
    done = build(engine_host, case)
    assert kinds(done) == ["build", "write", "write", "write", "write"]
    assert [(row["type"], row["dest"]) for row in done["actions"][1:]] == [
        (form, str(place)) for form, place in case.places.items()
    ]
    config = engine_host.images()[NAME]
    for transport, form in (("oci-archive", "oci"), ("docker-archive", "docker")):
        raw = skopeo("inspect", "--raw", f"{transport}:{case.places[form]}")
        assert json.loads(raw)["config"]["digest"] == config
        assert image_config(f"{transport}:{case.places[form]}")["config"]["WorkingDir"] == "/srv/work"
    assert NAME in json.loads(skopeo("list-tags", f"docker-archive:{case.places['docker']}"))["Tags"]
    copy(f"oci-archive:{case.places['oci']}", f"oci:{tmp_path}/layout:1")
    unpacked = umoci_unpack(tmp_path / "layout", "1", tmp_path / "bundle")
    theirs = {path: file.without_owner() for path, file in folder_tree(unpacked).items()}
    files = archive_tree(case.places["tar"])
    assert {path: file.without_owner() for path, file in files.items()} == theirs
    assert folder_tree(case.places["local"]) == files
    assert {"etc/kept", "old/new", "srv/app/a name with é", "srv/app/link"} <= set(files)
    assert {"etc/gone", "old/one", "old/two"}.isdisjoint(files)
    owner = (0, 0) if isinstance(engine_host, RootlessPodmanHost) else (12, 34)
    assert files["srv/app/tool"][:3] == ("file", 0o755, owner)


def test_the_engine_takes_its_archives_back(engine_host: EngineHost, case: Written) -> None:
    build(engine_host, case)
    config = engine_host.images()[NAME]
    for form in TAKEN[engine_host.engine]:
        engine_host.do("image_rmi", name="team/app:1")
        assert NAME not in engine_host.images()
        load_archive(engine_host, case.places[form])
        assert engine_host.images()[NAME] == config
        engine_host.rest("image_build", **case.params)


def test_only_what_is_not_as_it_was_written_is_written_again(engine_host: EngineHost, case: Written) -> None:
    build(engine_host, case)
    before = case.state()
    (case.places["local"] / "etc" / "kept").write_bytes(b"another content")
    done = build(engine_host, case)
    assert [(row["type"], row["cause"]) for row in done["actions"]] == [("local", "it changed since it was written")]
    assert (case.places["local"] / "etc" / "kept").read_bytes() == b"2"
    assert {**case.state(), "local": before["local"]} == before
    case.places["docker"].unlink()
    shutil.copyfile(case.places["tar"], case.places["oci"])
    os.truncate(case.places["tar"], 512)
    done = build(engine_host, case)
    assert [(row["type"], row["cause"]) for row in done["actions"]] == [
        ("oci", "not written yet"),
        ("docker", "not written yet"),
        ("tar", "it changed since it was written"),
    ]
    assert os.listdir(case.places["oci"].parent) and not list(case.places["oci"].parent.glob(".*"))


def test_a_changed_input_writes_the_new_image_everywhere(engine_host: EngineHost, case: Written) -> None:
    build(engine_host, case)
    before = archive_tree(case.places["tar"])
    case.params["labels"] = {"version": "2"}
    done = build(engine_host, case)
    assert kinds(done) == ["build", "write", "write", "write", "write"]
    assert {row["cause"] for row in done["actions"][1:]} == {"built in this run"}
    for transport, form in (("oci-archive", "oci"), ("docker-archive", "docker")):
        told = image_config(f"{transport}:{case.places[form]}")["config"]["Labels"]
        assert told["version"] == "2"
    after = archive_tree(case.places["tar"])
    assert {path: file[:4] for path, file in after.items()} == {path: file[:4] for path, file in before.items()}


def test_what_somebody_else_put_there_is_refused_and_kept(engine_host: EngineHost, case: Written) -> None:
    place = case.places["local"]
    place.mkdir()
    (place / "precious").write_bytes(b"1")
    error = engine_host.refuse("image_build", **case.params)
    assert (error["code"], error["subject"]) == ("output-in-the-way", str(place))
    outputs = [{"type": "tar", "dest": str(place / "no" / "folder.tar")}, {"type": "oci", "dest": str(place)}]
    error = engine_host.refuse("image_build", **{**case.params, "outputs": outputs})
    assert error["code"] == "apply-failed"
    assert {row["code"] for row in error["failed"].values()} == {"output-folder-missing", "output-in-the-way"}
    assert (place / "precious").read_bytes() == b"1"
    assert NAME not in engine_host.images()


def test_an_entry_of_a_list_has_outputs_too(engine_host: EngineHost, case: Written) -> None:
    options = {key: value for key, value in case.params.items() if key != "name"}
    images = [{"image": "team/app:1", "build": options}]
    done = engine_host.do("image_state", images=images)
    assert kinds(done) == ["build", "write", "write", "write", "write"]
    engine_host.rest("image_state", images=images, unlisted="remove")


def test_what_is_pulled_instead_of_built_goes_to_the_outputs_that_lack_it(
    engine_host: EngineHost, case: Written, repository: Repository
) -> None:
    case.params["share"] = f"{repository}-builds"
    engine_host.do("image_build", **case.params)
    before = case.state()
    engine_host.do("image_rmi", name="team/app:1")
    case.places["tar"].unlink()
    announced = engine_host.announce("image_build", **case.params)
    done = engine_host.do("image_build", **case.params)
    assert kinds(announced) == kinds(done) == ["pull", "write"]
    assert (done["actions"][1]["type"], done["actions"][1]["cause"]) == ("tar", "not written yet")
    assert {**case.state(), "tar": before["tar"]} == before
    engine_host.rest("image_build", **case.params)
