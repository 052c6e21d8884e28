# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""image_build: built once, announced, lasting; built again when an input differs; pushed and removed."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.fleet.images.tests.support import skopeo
from ansible_collections.fleet.images.tests.support.images import make_image, make_index
from ansible_collections.fleet.images.tests.support.lifecycle import (
    FOREIGN,
    HOST,
    UNMADE,
    Host,
    Repository,
    kinds,
    told,
)

if t.TYPE_CHECKING:
    from pathlib import Path

NAME = "docker.io/team/site:1"


@pytest.fixture
def context(tmp_path: Path) -> Path:
    """Return a folder with a Dockerfile that needs no base image."""
    folder = tmp_path / "context"
    folder.mkdir()
    lines = ["FROM scratch", "ARG MOTTO=none", "COPY page.html /", "LABEL motto=$MOTTO", 'CMD ["/x"]', ""]
    (folder / "Dockerfile").write_text("\n".join(lines))
    (folder / "page.html").write_text("<h1>one</h1>\n")
    return folder


def built(host: Host, **params: t.Any) -> dict[str, t.Any]:
    """Announce, build, and run again; fails unless what was announced was done. Digests are known afterwards only."""
    announced = host.announce("image_build", **params)
    done = host.do("image_build", **params)
    assert kinds(announced) == kinds(done)
    unknown = {"digest": "", "id": ""}
    for result in (announced, done):
        assert [{**row, **unknown} for row in result["images"]] == [{**row, **unknown} for row in announced["images"]]
        assert [{**row, **unknown} for row in result["actions"]] == [{**row, **unknown} for row in announced["actions"]]
    assert announced["diff"] == done["diff"]
    assert (announced["changed"], done["changed"]) == (True, True)
    again = host.rest("image_build", **params)
    assert again["images"][0]["digest"] == done["images"][0]["digest"]
    assert told(host.announce("image_build", **params)) == told(again)
    return done


def test_a_build_goes_from_nothing_through_a_change_to_nothing(host: Host, context: Path) -> None:
    done = built(host, name="team/site:1", path=str(context))
    assert kinds(done) == ["build"]
    first = done["images"][0]["digest"]
    assert host.names() == {NAME: first}
    assert host.skopeo_digest(NAME) == first
    assert skopeo.image_config(f"oci:{host.store}:{NAME}")["config"]["Cmd"] == ["/x"]

    (context / "page.html").write_text("<h1>two</h1>\n")
    done = built(host, name="team/site:1", path=str(context))
    second = done["images"][0]["digest"]
    assert done["actions"][0]["cause"] == "its inputs changed: context: 1 file changed: page.html"
    assert done["actions"][0]["previous_digest"] == first != second
    assert host.skopeo_digest(NAME) == second

    (context / "page.html").write_text("<h1>one</h1>\n")
    assert built(host, name="team/site:1", path=str(context))["images"][0]["digest"] == first

    host.settle("image_rmi", name="team/site:1")
    assert host.names() == {}


def test_every_input_counts_and_nothing_else(host: Host, context: Path) -> None:
    options: dict[str, t.Any] = {"name": "team/site:1", "path": str(context)}
    host.do("image_build", **options)
    (context / ".dockerignore").write_text("notes\n")
    (context / "notes").write_text("not copied")
    (context / "page.html").touch()
    host.rest("image_build", **options)
    seen = set(host.names().values())
    changes: tuple[tuple[dict[str, t.Any], str], ...] = (
        ({"args": {"MOTTO": "more"}}, "arg MOTTO (new)"),
        ({"labels": {"a": "b"}}, "arg MOTTO (gone); label a (new)"),
        ({"platform": FOREIGN}, f"label a (gone); platform {HOST} -> {FOREIGN}"),
    )
    for change, cause in changes:
        done = host.do("image_build", **options, **change)
        assert done["actions"][0]["cause"] == f"its inputs changed: {cause}"
        seen |= set(host.names().values())
        host.rest("image_build", **options, **change)
    assert len(seen) == 4
    host.rest("image_build", **options, rebuild="never")
    assert kinds(host.do("image_build", **options, platform=FOREIGN, rebuild="always")) == ["build"]


def test_a_build_in_the_list_is_tagged_and_pushed(host: Host, repository: Repository, context: Path) -> None:
    item = {
        "image": f"{repository}:built",
        "build": {"path": str(context)},
        "tags": ["local/site:1"],
        "push": True,
    }
    announced = host.announce("image_state", images=[item])
    assert repository.digest("built") == ""
    done = host.do("image_state", images=[item])
    assert kinds(announced) == kinds(done) == ["build", "tag", "push"]
    digest = repository.digest("built")
    assert host.names() == {f"{repository}:built": digest, "docker.io/local/site:1": digest}
    assert skopeo.manifest_digest(f"docker://{repository}:built") == digest
    host.rest("image_state", images=[item])

    host.settle("image_state", images=[], unlisted="remove")
    assert host.names() == {}


def test_a_base_image_that_moved_at_its_registry_means_a_new_build(
    host: Host, repository: Repository, context: Path
) -> None:
    old = repository.push("base", make_image({"base": b"old"}, platform=HOST))
    (context / "Dockerfile").write_text(f"FROM {repository}:base\nCOPY page.html /\n")
    options: dict[str, t.Any] = {"name": "team/site:1", "path": str(context), "pull": True}
    first = built(host, **options)["images"][0]["digest"]
    new = repository.push("base", make_image({"base": b"new"}, platform=HOST))
    done = built(host, **options)
    assert old != new
    assert done["actions"][0]["cause"] == (
        f"its inputs changed: base {repository}:base {old[:19]}… -> {new[:19]}…"
    )
    assert done["images"][0]["digest"] != first


def test_a_base_image_of_another_platform_is_an_error_that_lists_those_there_are(
    host: Host, repository: Repository, context: Path
) -> None:
    repository.push("base", make_index([make_image({"p": b"1"}, platform=name) for name in (HOST, FOREIGN)]))
    (context / "Dockerfile").write_text(f"FROM {repository}:base\nCOPY page.html /\n")
    error = host.refuse("image_build", name="team/site:1", path=str(context), platform=UNMADE)
    assert error["code"] == "platform-missing"
    assert HOST in error["why"]
    assert FOREIGN in error["why"]
    done = host.do("image_build", name="team/site:1", path=str(context), platform=FOREIGN)
    assert skopeo.image_config(f"oci:{host.store}:{NAME}")["architecture"] == FOREIGN.partition("/")[2]
    assert done["changed"]


def test_without_buildah_a_build_that_needs_run_is_refused_with_its_line(host: Host, context: Path) -> None:
    (context / "Dockerfile").write_text("FROM scratch\nCOPY page.html /\nRUN make all\n")
    host = host._replace(environment={**host.environment, "PATH": str(host.store.parent)})  # no buildah there
    error = host.refuse("image_build", name="team/site:1", path=str(context))
    assert (error["class"], error["code"]) == ("UnsupportedError", "build-needs-run")
    assert "RUN make all" in error["msg"]
    assert not host.store.exists()


def test_a_dockerfile_of_the_task_needs_no_folder_unless_it_copies(host: Host) -> None:
    built(host, name="team/site:1", dockerfile_inline="FROM scratch\nLABEL a=b\n")
    error = host.refuse("image_build", name="team/site:2", dockerfile_inline="FROM scratch\nCOPY page.html /\n")
    assert error["code"] == "copy-source-missing"
    assert "page.html" in error["msg"]
