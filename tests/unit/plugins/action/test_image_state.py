# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""image_state as a task: the control node refuses wrong documents, the host does the rest."""

from __future__ import annotations

import typing as t

from ansible_collections.fleet.images.tests.support.playbook import run_playbook

if t.TYPE_CHECKING:
    from pathlib import Path

# A host that cannot be reached: whoever sends anything there gets "unreachable". The password is kept here, because
# Ansible itself prints lines of the playbook beside an error.
NOWHERE = "far ansible_host=127.0.0.1 ansible_port=1 ansible_connection=ssh secret=s3cret-word\n"
WRONG = [{"image": "redis", "pul": "newer"}, {"image": "redis:8", "pull": "sometimes"}]


def task(name: str, options: t.Mapping[str, t.Any], **keywords: t.Any) -> dict[str, t.Any]:
    """Return a task of image_state with these options."""
    return {"name": name, "fleet.images.image_state": dict(options), **keywords}


def play(*tasks: dict[str, t.Any], **keywords: t.Any) -> list[dict[str, t.Any]]:
    """Return a play of these tasks."""
    return [{"hosts": "all", "gather_facts": False, **keywords, "tasks": list(tasks)}]


def test_a_wrong_document_fails_before_the_host_is_reached_and_tells_all_problems(tmp_path: Path) -> None:
    wrong = task("wrong", {"images": WRONG, "username": "me", "password": "{{ secret }}"}, ignore_errors=True)
    right = task("right", {"images": [{"image": "redis"}], "password": "{{ secret }}"})
    finished = run_playbook(play(wrong, right), tmp_path, inventory=NOWHERE, arguments=["-vvvv"])
    assert finished.of("right").status == "unreachable"
    refused = finished.of("wrong")
    assert refused.status == "ignored"
    assert refused.result["msg"].splitlines() == [
        "2 problems in the input:",
        "  images[0].pul: unknown option. Did you mean pull?",
        "  images[1].pull: 'sometimes' is not one of missing, newer, always, never, not_present.",
    ]
    error = refused.result["error"]
    assert (error["class"], error["code"], error["retryable"]) == ("InputError", "bad-input", False)
    assert error["problems"][0] == {"path": "images[0].pul", "what": "unknown option", "fix": "Did you mean pull?"}
    assert "s3cret-word" not in finished.output


def test_templates_group_defaults_and_async_work_as_with_any_module(tmp_path: Path) -> None:
    defaults = {"group/fleet.images.all": {"engine": "layout", "store": str(tmp_path / "store")}}
    wanted = [{"image": "redis:{{ 3 + 4 }}", "state": "{{ gone }}"}]
    plays = play(
        task("templated", {"images": "{{ wanted }}"}),
        task("in the background", {"images": "{{ wanted }}"}, **{"async": 60, "poll": 1}),
        task("without images", {}),
        module_defaults=defaults,
        vars={"gone": "absent", "wanted": wanted},
    )
    finished = run_playbook(plays, tmp_path / "home", environment={"ANSIBLE_ASYNC_DIR": str(tmp_path / "async")})
    templated = finished.of("templated")
    assert (templated.status, templated.changed) == ("ok", False), finished.output
    assert templated.result["engine"] == "layout"
    assert [row["name"] for row in templated.result["images"]] == ["docker.io/library/redis:7"]
    background = finished.of("in the background")
    assert (background.status, background.changed) == ("ok", False), finished.output
    assert background.result["finished"]
    assert background.result["images"] == templated.result["images"]
    assert finished.of("without images").status == "failed"
    assert "images" in finished.of("without images").result["msg"]


def test_check_mode_and_diff_reach_the_module(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY Dockerfile /\n", encoding="utf-8")
    build = [{"image": "app:1", "build": {"path": str(tmp_path)}}]
    plays = play(task("converge", {"images": build, "engine": "layout", "store": str(tmp_path / "store")}))
    announced = run_playbook(plays, tmp_path / "home", arguments=["--check", "--diff"])
    assert announced.of("converge").changed is True, announced.output
    assert "Plan: 1 to build" in announced.output
    assert not (tmp_path / "store").exists()
    done = run_playbook(plays, tmp_path / "home")
    assert done.of("converge").changed is True, done.output
    assert (tmp_path / "store" / "index.json").exists()
