# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Builds that a fleet shares through a registry: one host builds, the others have its bytes."""

from __future__ import annotations

import json
import typing as t

import pytest
from ansible_collections.fleet.images.tests.support.images import make_image
from ansible_collections.fleet.images.tests.support.lifecycle import PATIENT, Host, Repository, kinds
from ansible_collections.fleet.images.tests.support.registry import Registry, RegistryOptions

if t.TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

NAME = "docker.io/team/app:1"


class Order(t.NamedTuple):
    """A build that hosts share: its context, the repository, and the options of ``image_build``."""

    context: Path
    repository: Repository
    params: dict[str, t.Any]

    @property
    def tags(self) -> list[str]:
        """The tags of builds in the repository, claims not counted."""
        tags = self.repository.registry.tags(self.repository.path)
        return [tag for tag in tags if tag.startswith("build-") and not tag.endswith("-claim")]


@pytest.fixture
def order(repository: Repository, tmp_path: Path) -> Order:
    base = make_image({"etc/base": b"base"})
    repository.push("base", base)
    context = tmp_path / "context"
    context.mkdir()
    (context / "Dockerfile").write_text(f"FROM {repository}:base\nARG VERSION\nCOPY app /app\n")
    (context / "app").write_text("one")
    share = f"{repository.registry.host}/{repository.path}"
    return Order(context, repository, {"name": "team/app:1", "path": str(context), "share": share})


def test_what_one_host_built_is_pulled_by_the_next(order: Order, tmp_path: Path) -> None:
    first, second = Host(tmp_path / "first"), Host(tmp_path / "second")
    announced = first.announce("image_build", **order.params)
    done = first.do("image_build", **order.params)
    assert kinds(announced) == kinds(done) == ["build", "push"]
    assert [row["image"] for row in announced["actions"]] == [row["image"] for row in done["actions"]]
    assert [f"{order.repository}:{tag}" for tag in order.tags] == [done["actions"][1]["image"]]
    first.rest("image_build", **order.params)
    (row,) = second.settle("image_build", **order.params)["images"]
    assert (row["action"], row["cause"]) == ("pull", "built before in the fleet (not on the host)")
    assert first.names() == second.names()
    second.rest("image_build", **order.params)


def test_changed_inputs_are_built_and_shared_again_and_those_of_before_are_pulled(order: Order, tmp_path: Path) -> None:
    first, second = Host(tmp_path / "first"), Host(tmp_path / "second")
    first.do("image_build", **order.params)
    former = first.names()
    (order.context / "app").write_text("two")
    done = first.do("image_build", **order.params)
    assert kinds(done) == ["build", "push"]
    assert len(order.tags) == 2
    second.do("image_build", **order.params)
    assert second.names() == first.names() != former
    (order.context / "app").write_text("one")
    (row,) = second.settle("image_build", **order.params)["images"]
    assert row["cause"].startswith("built before in the fleet (its inputs changed: context")
    assert second.names() == former


def test_an_image_of_other_inputs_under_the_tag_is_refused(order: Order, tmp_path: Path) -> None:
    first, second = Host(tmp_path / "first"), Host(tmp_path / "second")
    first.do("image_build", **order.params)
    (tag,) = order.tags
    order.repository.push(tag, make_image({"etc/other": b"other"}))
    told = second.refuse("image_build", **order.params)
    assert told["code"] == "shared-build-wrong"
    assert told["class"] == "IntegrityError"
    assert second.names() == {}


def test_rebuild_always_builds_and_puts_its_result_there(order: Order, tmp_path: Path) -> None:
    host = Host(tmp_path / "host")
    host.do("image_build", **order.params)
    (tag,) = order.tags
    before = order.repository.digest(tag)
    done = host.do("image_build", **order.params, rebuild="always")
    assert kinds(done) == ["build", "push"]
    assert done["actions"][1]["previous_digest"] == before == order.repository.digest(tag)


def test_a_build_upon_one_of_the_same_task_is_told_not_to_be_shared(order: Order, tmp_path: Path) -> None:
    host = Host(tmp_path / "host")
    build = {key: value for key, value in order.params.items() if key != "name"}
    upper = {"dockerfile_inline": "FROM team/app:1\nLABEL upper=1", "share": build["share"]}
    items = [{"image": "team/app:1", "build": build}, {"image": "team/upper:1", "build": upper}]
    done = host.do("image_state", images=items)
    assert kinds(done) == ["build", "push", "build"]
    assert "images[1]: it starts from what this task builds" in json.dumps(done["warnings"])
    host.rest("image_state", images=items)


def test_a_repository_with_a_tag_or_none_at_all_is_no_share(order: Order, tmp_path: Path) -> None:
    for share in ("team/builds:1", "Team/Builds", f"builds@sha256:{'0' * 64}"):
        told = Host(tmp_path / "host").refuse("image_build", **{**order.params, "share": share})
        assert told["code"] == "bad-input"
        assert told["subject"] == "share"


def test_a_share_that_wants_a_log_in_is_told_in_check_mode_too(
    order: Order, registry_with: Callable[[RegistryOptions], Registry], tmp_path: Path
) -> None:
    closed = registry_with(RegistryOptions(users={"reader": "secret"}))
    host = Host(tmp_path / "host")
    told = host.refuse("image_build", **{**order.params, "share": f"{closed.host}/builds"})
    assert told["class"] == "AuthError"
    assert host.names() == {}


def result(process: subprocess.Popen[bytes]) -> dict[str, t.Any]:
    """Wait for a module and return its result; fails if it failed."""
    output, _errors = process.communicate(timeout=300)
    told: dict[str, t.Any] = json.loads(output.splitlines()[-1])
    assert process.returncode == 0, told
    return told


def test_ten_hosts_at_once_do_one_build(order: Order, tmp_path: Path) -> None:
    hosts = [Host(tmp_path / f"host-{number}") for number in range(10)]
    running = [host.start("image_build", **order.params, **PATIENT) for host in hosts]
    done = [result(process) for process in running]
    builders = [action["builder"] for told in done for action in told["actions"] if action["action"] == "build"]
    assert builders.count("native") == 1, builders
    assert set(builders) <= {"native", "another host"}
    assert len({json.dumps(host.names()) for host in hosts}) == 1
    (tag,) = order.tags
    assert {row["digest"] for told in done for row in told["images"]} == {order.repository.digest(tag)}
    for host in hosts[:2]:
        host.rest("image_build", **order.params)


