# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every step of an image's life, on every engine: announced by check mode, done exactly so, and then at rest.

``EngineHost.settle`` is the contract: check mode changes nothing and says what the run does, byte for byte; the run
does it; the next run changes nothing. What the host holds is read by the engine's own client.
"""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from ansible_collections.fleet.images.tests.support.images import MadeImage, make_image, make_index
from ansible_collections.fleet.images.tests.support.lifecycle import FOREIGN, HOST, UNMADE, Repository, kinds

if t.TYPE_CHECKING:
    from ansible_collections.fleet.images.tests.support.engine_hosts import EngineHost


def sleeper(label: str = "1") -> MadeImage:
    """Return an image that containers can be run from."""
    busybox = Path("/bin/busybox").read_bytes()
    return make_image({"bin/busybox": busybox}, command=["/bin/busybox", "sleep", "1000"], labels={"n": label})


def put(repository: Repository, tag: str, label: str = "") -> MadeImage:
    """Push an image of three layers that differs by ``label`` and return it."""
    image = make_image({"v": (label or tag).encode()}, layers=3)
    repository.push(tag, image)
    return image


def test_a_pull_goes_from_nothing_through_a_moved_tag_to_nothing(
    engine_host: EngineHost, repository: Repository
) -> None:
    name = f"{repository}:1"
    first = put(repository, "1")
    done = engine_host.settle("image_pull", name=name)
    assert kinds(done) == ["pull"]
    assert done["engine"] == engine_host.engine
    assert done["images"][0]["digest"] == first.digest
    assert engine_host.images() == {name: first.config.digest}

    second = put(repository, "1", "2")
    engine_host.rest("image_pull", name=name, pull="missing")
    done = engine_host.settle("image_pull", name=name, pull="newer")
    assert (done["actions"][0]["previous_digest"], done["actions"][0]["digest"]) == (first.digest, second.digest)
    assert engine_host.images() == {name: second.config.digest}
    engine_host.rest("image_pull", name=name, pull="always")

    done = engine_host.settle("image_rmi", name=name)
    assert done["untagged"] == [name]
    assert len(done["deleted"]) == 1
    assert engine_host.images() == {}


def test_a_list_is_converged_in_one_task_and_what_is_not_listed_goes(
    engine_host: EngineHost, repository: Repository
) -> None:
    images = {tag: put(repository, tag) for tag in ("a", "b", "c")}
    items = [{"image": f"{repository}:{tag}", "tags": [f"local/{tag}:now"]} for tag in images]
    done = engine_host.settle("image_state", images=items)
    assert sorted(kinds(done)) == ["pull"] * 3 + ["tag"] * 3
    held = {f"{repository}:{tag}": image.config.digest for tag, image in images.items()}
    local = {f"docker.io/local/{tag}:now": image.config.digest for tag, image in images.items()}
    assert engine_host.images() == {**held, **local}

    moved = put(repository, "a", "moved")
    options: dict[str, t.Any] = {"unlisted": "remove", "protect": ["*:c", "local/c:*"], "pull": "newer"}
    done = engine_host.settle("image_state", images=items[:1], **options)
    assert engine_host.images() == {
        f"{repository}:a": moved.config.digest,
        "docker.io/local/a:now": moved.config.digest,
        f"{repository}:c": images["c"].config.digest,
        "docker.io/local/c:now": images["c"].config.digest,
    }
    assert f"{repository}@{images['b'].digest}" not in engine_host.digests()

    done = engine_host.settle("image_state", images=[], unlisted="remove")
    assert engine_host.images() == {}
    assert engine_host.digests() == set()


def test_all_forms_of_a_pin_mean_the_same_bytes(engine_host: EngineHost, repository: Repository) -> None:
    first, second = put(repository, "1"), put(repository, "2")
    done = engine_host.settle("image_pull", name=f"{repository}:1@{first.digest}")
    assert done["images"][0]["digest"] == first.digest
    assert engine_host.images() == {f"{repository}:1": first.config.digest}
    engine_host.rest("image_pull", name=f"{repository}@{first.digest}")
    engine_host.rest("image_pull", name=f"{repository}:1@{first.digest}", pull="always")

    engine_host.settle("image_pull", name=f"{repository}@{second.digest}")
    assert f"{repository}@{second.digest}" in engine_host.digests()
    engine_host.rest("image_pull", name=f"{repository}@{second.digest}")
    # The tag of a pin is a name only: it may stand for other bytes than at the registry.
    engine_host.settle("image_pull", name=f"{repository}:1@{second.digest}")
    assert engine_host.images() == {f"{repository}:1": second.config.digest}

    found = engine_host.do("image_info", name=[f"{repository}:1@{second.digest}"])
    assert [row["digest"] for row in found["images"]] == [second.digest]
    engine_host.settle("image_rmi", name=f"{repository}:1@{second.digest}")
    assert engine_host.images() == {}


def test_a_pin_of_bytes_that_are_there_by_a_tag_stays_with_them(
    engine_host: EngineHost, repository: Repository
) -> None:
    # What happens to a fleet of one platform when another one's image alone is built anew.
    own, foreign = (make_image({"v": platform.encode()}, platform=platform) for platform in (HOST, FOREIGN))
    repository.push("1", make_index([own, foreign]))
    engine_host.do("image_pull", name=f"{repository}:1")
    moved = repository.push("1", make_index([own, make_image({"v": b"anew"}, platform=FOREIGN)]))
    pinned: dict[str, t.Any] = {"images": [{"image": f"{repository}@{moved}"}], "unlisted": "remove"}
    done = engine_host.settle("image_state", **pinned)
    assert done["images"][0]["digest"] == moved
    assert f"{repository}@{moved}" in engine_host.digests()


def test_of_an_index_the_platform_that_is_wanted_is_taken(engine_host: EngineHost, repository: Repository) -> None:
    name = f"{repository}:1"
    ours, foreign = make_image({"a": b"1"}, platform=HOST), make_image({"a": b"2"}, platform=FOREIGN)
    index = repository.push("1", make_index([foreign, ours]))
    done = engine_host.settle("image_pull", name=name)
    assert done["images"][0]["digest"] == index
    assert engine_host.images() == {name: ours.config.digest}
    engine_host.rest("image_pull", name=name, platform=HOST)
    engine_host.rest("image_pull", name=f"{name}@{index}")

    done = engine_host.settle("image_pull", name=name, platform=FOREIGN)
    assert FOREIGN in done["images"][0]["cause"]
    assert engine_host.images() == {name: foreign.config.digest}
    engine_host.settle("image_pull", name=name, platform=HOST)
    assert engine_host.images() == {name: ours.config.digest}

    error = engine_host.refuse("image_pull", name=name, platform=UNMADE)
    assert error["code"] == "platform-missing"
    assert HOST in error["why"]
    assert FOREIGN in error["why"]


def test_a_platform_that_a_single_image_is_not_for_is_refused(
    engine_host: EngineHost, repository: Repository
) -> None:
    repository.push("1", make_image({"a": b"1"}, platform=HOST))
    error = engine_host.refuse("image_pull", name=f"{repository}:1", platform=FOREIGN)
    assert error["code"] == "platform-missing"
    assert HOST in error["why"]
    engine_host.do("image_pull", name=f"{repository}:1")
    error = engine_host.refuse("image_pull", name=f"{repository}:1", platform=FOREIGN)
    assert error["code"] == "platform-missing"


def test_further_names_are_given_moved_kept_and_removed(engine_host: EngineHost, repository: Repository) -> None:
    first, second = put(repository, "1"), put(repository, "2")
    engine_host.do("image_pull", name=[f"{repository}:1", f"{repository}:2"])
    targets = ["local/app:now", f"{repository.registry.host}/other:now"]
    engine_host.settle("image_tag", name=f"{repository}:1", repository=targets)
    engine_host.rest("image_tag", name=f"{repository}:2", repository=targets, existing_images="keep")
    done = engine_host.settle("image_tag", name=f"{repository}:2", repository=targets[:1])
    assert (done["actions"][0]["previous_digest"], done["actions"][0]["digest"]) == (first.digest, second.digest)
    assert engine_host.images() == {
        f"{repository}:1": first.config.digest,
        f"{repository}:2": second.config.digest,
        "docker.io/local/app:now": second.config.digest,
        targets[1]: first.config.digest,
    }
    error = engine_host.refuse("image_tag", name=f"{repository}:none", repository=["local/app:now"])
    assert error["code"] == "not-on-host"


@pytest.mark.parametrize("form", ["config", "prefix"])
def test_an_id_removes_all_names_of_its_image(engine_host: EngineHost, repository: Repository, form: str) -> None:
    image, other = put(repository, "1"), put(repository, "2")
    items = [{"image": f"{repository}:1", "tags": ["local/a:1", "local/b:1"]}, {"image": f"{repository}:2"}]
    engine_host.do("image_state", images=items)
    found = engine_host.do("image_info", name=[f"{repository}:1"])["images"][0]["id"].rpartition(":")[2]
    done = engine_host.settle("image_rmi", name=found if form == "config" else found[:12])
    assert sorted(done["untagged"]) == sorted([f"{repository}:1", "docker.io/local/a:1", "docker.io/local/b:1"])
    assert [image_id.rpartition(":")[2] for image_id in done["deleted"]] == [found]
    assert engine_host.images() == {f"{repository}:2": other.config.digest}
    assert f"{repository}@{image.digest}" not in engine_host.digests()


def test_a_digest_removes_the_names_of_its_repository(engine_host: EngineHost, repository: Repository) -> None:
    image = put(repository, "1")
    engine_host.do("image_state", images=[{"image": f"{repository}:1", "tags": ["local/a:1", f"{repository}:too"]}])
    engine_host.settle("image_rmi", name=f"{repository}@{image.digest}")
    assert engine_host.images() == {"docker.io/local/a:1": image.config.digest}
    assert f"{repository}@{image.digest}" not in engine_host.digests()


def test_a_name_that_looks_like_an_id_and_one_too_short_remove_nothing(
    engine_host: EngineHost, repository: Repository
) -> None:
    image = put(repository, "1")
    engine_host.do("image_pull", name=f"{repository}:1")
    found = engine_host.do("image_info")["images"][0]["id"].rpartition(":")[2]
    engine_host.rest("image_rmi", name=f"{found[:3]}:v1.2")
    engine_host.rest("image_rmi", name=found[:11])
    engine_host.rest("image_rmi", name=f"{repository}:1@sha256:{'0' * 64}")
    assert engine_host.images() == {f"{repository}:1": image.config.digest}


def test_a_push_is_judged_by_the_registry(engine_host: EngineHost, repository: Repository) -> None:
    first, second = put(repository, "1"), put(repository, "2")
    engine_host.do("image_pull", name=[f"{repository}:1", f"{repository}:2"])
    target = f"{repository}-copy:new"
    copy = Repository(repository.registry, f"{repository.path}-copy")

    announced = engine_host.announce("image_push", name=f"{repository}:1", repository=[target])
    assert kinds(announced) == ["tag", "push"]
    assert copy.digest("new") == ""
    done = engine_host.do("image_push", name=f"{repository}:1", repository=[target])
    assert done["diff"] == announced["diff"]
    assert config_at(copy, "new") == first.config.digest
    assert done["actions"][1]["digest"] == copy.digest("new")
    engine_host.rest("image_push", name=f"{repository}:1", repository=[target])

    # All layers are there already: only the tag moves. The peers report no change here.
    done = engine_host.do("image_push", name=f"{repository}:2", repository=[target])
    assert done["changed"] is True
    assert config_at(copy, "new") == second.config.digest
    engine_host.rest("image_push", name=f"{repository}:2", repository=[target])

    # Somebody else moved it: the host's image goes there again.
    put(copy, "new", "stranger")
    assert engine_host.announce("image_push", name=target)["changed"] is True
    engine_host.do("image_push", name=target)
    assert config_at(copy, "new") == second.config.digest


def test_a_list_may_push_what_it_pulls(engine_host: EngineHost, repository: Repository) -> None:
    image = put(repository, "1")
    copy = Repository(repository.registry, f"{repository.path}-copy")
    items = [{"image": f"{repository}:1", "push": [f"{copy}:a", f"{copy}:b"]}]
    done = engine_host.do("image_state", images=items)
    assert kinds(done) == ["pull", "push", "push"]
    assert config_at(copy, "a") == config_at(copy, "b") == image.config.digest
    assert engine_host.images() == {f"{repository}:1": image.config.digest}
    engine_host.rest("image_state", images=items)


def test_one_image_that_cannot_be_had_stops_the_task_before_any_change(
    engine_host: EngineHost, repository: Repository
) -> None:
    put(repository, "1")
    items = [{"image": f"{repository}:1"}, {"image": f"{repository}:none"}]
    error = engine_host.refuse("image_state", images=items)
    assert error["code"] == "image-not-found"
    assert f"{repository}:none" in error["msg"]


def test_a_failed_pull_keeps_what_succeeded_and_says_what_became_of_each(
    engine_host: EngineHost, repository: Repository
) -> None:
    good, bad = put(repository, "good"), make_image({"v": b"bad"}, layers=4)
    repository.push("bad", bad)
    lost = bad.layers[-1].digest.partition(":")[2]
    data = repository.registry.data / "docker/registry/v2/blobs/sha256" / lost[:2] / lost / "data"
    data.unlink()
    items = [{"image": f"{repository}:good"}, {"image": f"{repository}:bad"}]
    engine_host.announce("image_state", images=items)
    run = engine_host.run("image_state", images=items, parallel=1).result
    assert run["failed"]
    error = run["error"]
    assert f"{repository}:bad" in run["msg"]
    assert [row for row in engine_host.images() if row.endswith(":bad")] == []
    story = {*error["done"], *error["failed"], *error["not_started"]}
    assert {f"pull {repository}:good", f"pull {repository}:bad"} == story

    repository.push("bad", bad)
    engine_host.settle("image_state", images=items)
    assert engine_host.images() == {
        f"{repository}:good": good.config.digest,
        f"{repository}:bad": bad.config.digest,
    }


def config_at(repository: Repository, tag: str) -> str:
    """Return the config digest behind a tag at the registry, as skopeo reads it."""
    import hashlib

    from ansible_collections.fleet.images.tests.support.programs import run

    options = ["--config", "--raw", "--tls-verify=false"]
    return "sha256:" + hashlib.sha256(run(["skopeo", "inspect", *options, f"docker://{repository}:{tag}"])).hexdigest()
