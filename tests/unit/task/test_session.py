# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A session puts together what the options name, and refuses options that cannot be meant."""

from __future__ import annotations

import contextlib
import threading
import typing as t
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from ansible_collections.fleet.images.plugins.module_utils.model.errors import (
    ConflictError,
    InputError,
    NotFoundError,
)
from ansible_collections.fleet.images.plugins.module_utils.plan.desired import Desired
from ansible_collections.fleet.images.plugins.module_utils.stores import registries
from ansible_collections.fleet.images.plugins.module_utils.task.desired import (
    read_pull,
    read_push,
    read_rmi,
    read_state,
    read_tag,
)
from ansible_collections.fleet.images.plugins.module_utils.task.info import inform, read_names
from ansible_collections.fleet.images.plugins.module_utils.task.run import converge
from ansible_collections.fleet.images.plugins.module_utils.task.session import Session
from ansible_collections.fleet.images.tests.support import images
from ansible_collections.fleet.images.tests.unit.plan.stories import image, index
from ansible_collections.fleet.images.tests.unit.task import params

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from ansible_collections.fleet.images.tests.support.registry import Registry

SECRET = "correct-horse-battery"


def opened(tmp_path: Path, **given: t.Any) -> Session:
    return Session(params.common(engine="layout", store=str(tmp_path / "store"), **given))


def run(options: Mapping[str, t.Any], desired: Desired, *, is_dry: bool = False) -> dict[str, t.Any]:
    """Return the result of one task."""
    session = Session(options)
    try:
        return converge(desired, session=session, builder=None, is_dry=is_dry)[0]
    finally:
        session.close()


def test_no_patience_at_all_is_fine(tmp_path: Path) -> None:
    patience = opened(tmp_path, parallel=1, retry=0, retry_delay=0.0, deadline=0.0).patience()
    assert (patience.parallel, patience.pause(1, 0.0)) == (1, None)


def test_patience_follows_the_options(tmp_path: Path) -> None:
    pause = opened(tmp_path, retry=2, retry_delay=3.0, deadline=10.0).patience().pause
    assert (pause(1, 0.0), pause(2, 0.0), pause(3, 0.0), pause(1, 9.0)) == (3.0, 6.0, None, None)


def test_a_log_in_is_for_one_registry(tmp_path: Path) -> None:
    session = opened(tmp_path, username="me", password=SECRET)
    with pytest.raises(InputError) as caught:
        session.use_registries({"b.test", "a.test"})
    assert caught.value.code == "credentials-for-several-registries"
    assert (caught.value.why, caught.value.subject) == ("a.test, b.test", "username")
    assert SECRET not in str(caught.value.to_json())
    session.use_registries({"a.test"})
    session.use_registries(set())


def test_without_a_log_in_any_number_of_registries_is_fine(tmp_path: Path) -> None:
    opened(tmp_path).use_registries({"a.test", "b.test"})


def test_only_registries_that_are_asked_count_for_a_log_in(tmp_path: Path, registry: Registry) -> None:
    host = registry.host
    login: dict[str, t.Any] = {
        "username": "me", "password": SECRET, "store": str(tmp_path / "store"), "engine": "layout"
    }  # fmt: skip
    images.push(registry, "app", image(1), tag="1")
    pulled = params.state({"image": f"{host}/app:1", "tags": ["app:1"]}, {"image": "old:1", "state": "absent"}, **login)
    assert run(pulled, read_state(pulled))["changed"]
    pushed = params.push("app:1", repository=[f"{host}/copy:1"], **login)
    assert run(pushed, read_push(pushed))["changed"]
    assert registry.digest("copy", "1") == image(1).digest
    several = params.pull(f"{host}/app:1", "other.test/app:1", **login)
    with pytest.raises(InputError):
        run(several, read_pull(several))


def test_closing_twice_is_fine(tmp_path: Path) -> None:
    session = opened(tmp_path)
    assert session.registries is session.registries
    session.close()
    session.close()


def test_a_task_is_told_as_it_will_be_and_as_it_was(tmp_path: Path, registry: Registry) -> None:
    store = tmp_path / "store"
    both = index(7)
    images.push(registry, "app", both, tag="1")
    name = f"{registry.host}/app:1"
    place: dict[str, t.Any] = {"engine": "layout", "store": str(store)}
    options = params.state({"image": name, "tags": ["app:1"], "push": [f"{registry.host}/copy:1"]}, **place)
    dry = run(options, read_state(options), is_dry=True)
    assert not store.exists()
    assert registry.digest("copy", "1") == ""
    real = run(options, read_state(options))
    assert dry == real
    assert real["engine"] == "layout"
    assert [row["action"] for row in real["actions"]] == ["pull", "tag", "push"]
    assert "images" in real and "results" not in real and "items" not in real
    again = run(options, read_state(options))
    assert (again["changed"], again["actions"]) == (False, [])
    gone = params.rmi("app:1", name, **place)
    assert run(gone, read_rmi(gone))["untagged"] == ["docker.io/library/app:1", name]
    assert run(gone, read_rmi(gone))["changed"] is False


@pytest.mark.parametrize("is_dry", [True, False])
def test_too_little_room_is_told_before_anything_is_pulled(tmp_path: Path, registry: Registry, is_dry: bool) -> None:
    images.push(registry, "app", image(1), tag="1")
    place: dict[str, t.Any] = {"engine": "layout", "store": str(tmp_path / "store")}
    options = params.pull(f"{registry.host}/app:1", disk_margin="900P", **place)
    with pytest.raises(ConflictError) as caught:
        run(options, read_pull(options), is_dry=is_dry)
    assert (caught.value.code, caught.value.subject) == ("not-enough-space", str(tmp_path))
    assert not (tmp_path / "store").exists()
    enough = {**options, "disk_margin": "-900P"}
    assert run(enough, read_pull(enough), is_dry=is_dry)["changed"]
    done = {**options, "pull": "missing"}
    if not is_dry:
        assert run(done, read_pull(done))["changed"] is False


def test_mirrors_are_opened_once_for_a_task(tmp_path: Path) -> None:
    session = opened(tmp_path, mirrors=[{"registry": "docker.io", "location": "cache.test/hub"}])
    assert session.mirrors is session.mirrors
    session.close()


def test_naming_what_is_not_there_changes_nothing(tmp_path: Path) -> None:
    options = params.tag("app:1", "app:2", engine="layout", store=str(tmp_path / "store"))
    with pytest.raises(NotFoundError):
        run(options, read_tag(options))
    assert not (tmp_path / "store").exists()


def test_information_tells_what_is_there_what_is_missing_and_what_registries_have(
    tmp_path: Path, registry: Registry
) -> None:
    both = index(8)
    images.push(registry, "app", both, tag="1")
    name = f"{registry.host}/app:1"
    place: dict[str, t.Any] = {"engine": "layout", "store": str(tmp_path / "store")}
    options = params.pull(name, **place)
    run(options, read_pull(options))
    images.push(registry, "app", image(9), tag="1")
    asked = params.info(name, "gone:1", f"{registry.host}/app:2", detail=True, **place)
    session = Session(asked)
    told = inform(read_names(asked), params={**asked, "remote": False}, session=session)
    assert told["missing"] == ["gone:1", f"{registry.host}/app:2"]
    (row,) = told["images"]
    assert (row["digest"], row["names"], row["complete"]) == (both.digest, [name], True)
    assert row["config"]["Cmd"] == ["/bin/sh"]
    names = [row for row in read_names(asked) if row.text != "gone:1"]
    remotes = inform(names, params={**asked, "remote": True}, session=session)["remotes"]
    assert remotes == {name: image(9).digest, f"{registry.host}/app:2": ""}
    session.close()


def test_threads_that_ask_for_registries_first_get_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    both = threading.Barrier(2, timeout=0.3)

    class Slow(registries.Registries):
        def __init__(self, *given: t.Any) -> None:
            with contextlib.suppress(threading.BrokenBarrierError):  # nobody else gets here
                both.wait()
            super().__init__(*given)

    monkeypatch.setattr(registries, "Registries", Slow)
    session = opened(tmp_path)
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda _: session.registries, range(2)))
    assert found[0] is found[1]
    session.close()
