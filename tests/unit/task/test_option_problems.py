# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options that all modules have: what cannot be meant is told at once, with its name."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.fleet.images.plugins.module_utils.model.errors import InputError
from ansible_collections.fleet.images.plugins.module_utils.task.desired import read_pull, read_rmi
from ansible_collections.fleet.images.plugins.module_utils.task.option_problems import option_problems
from ansible_collections.fleet.images.tests.unit.task import params


def paths(**given: t.Any) -> list[str]:
    """Return the options that are told to be wrong."""
    return [problem.path for problem in option_problems(params.pull("app", **given))]


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("timeout", 0),
        ("parallel", 0),
        ("parallel", -3),
        ("retry", -1),
        ("retry_delay", -0.5),
        ("retry_delay", float("nan")),
        ("deadline", -1.0),
        ("store", "here/store"),
        ("password", "without-a-user"),
        ("api_version", "new"),
        ("api_version", "1"),
        ("client_cert", "/etc/cert.pem"),
        ("client_key", "/etc/key.pem"),
        ("disk_margin", "much"),
        ("disk_margin", "1 XB"),
    ],
)
def test_what_cannot_be_meant_is_told(option: str, value: object) -> None:
    (problem,) = option_problems(params.pull("app", **{option: value}))
    assert (problem.path, bool(problem.what), bool(problem.fix)) == (option, True, True)
    assert "without-a-user" not in problem.what


def test_what_is_usual_is_fine() -> None:
    assert paths() == []
    assert paths(client_cert="/c", client_key="/k", api_version="1.41", timeout=1, parallel=1, retry=0) == []
    assert paths(retry_delay=0.0, store="/s", username="me", password="pw", disk_margin="0", api_version="auto") == []


def test_all_problems_are_told_at_once_with_those_of_names() -> None:
    options = params.pull(
        "Bad",
        parallel=0,
        retry=-1,
        engine="layout",
        namespace="x",
        disk_margin="?",
        mirrors=[{"registry": "docker.io", "location": "https://cache.test"}],
    )
    with pytest.raises(InputError) as caught:
        read_pull(options)
    found = [problem.path for problem in caught.value.problems]
    assert found == ["namespace", "parallel", "retry", "mirrors[0]", "disk_margin", "name"]


@pytest.mark.parametrize(
    ("engine", "lacking"),
    [
        ("docker", ["executable", "containerd_address", "namespace", "store"]),
        ("podman", ["api_version", "containerd_address", "namespace", "store"]),
        ("containerd", ["docker_host", "api_version"]),
        ("layout", ["docker_host", "api_version", "executable", "containerd_address", "namespace"]),
        ("auto", []),
    ],
)
def test_an_engine_that_is_named_must_have_the_options_of_the_task(engine: str, lacking: list[str]) -> None:
    given = {
        "docker_host": "unix:///run/e.sock",
        "api_version": "1.41",
        "executable": "/usr/bin/it",
        "containerd_address": "/run/c.sock",
        "namespace": "k8s.io",
        "store": "/srv/store",
    }
    assert paths(engine=engine, **given) == lacking


@pytest.mark.parametrize("engine", ["docker", "podman", "containerd", "layout"])
def test_an_empty_text_takes_a_module_default_back(engine: str) -> None:
    assert paths(engine=engine, docker_host="", namespace="", store="", containerd_address="", executable="") == []


def test_the_environment_makes_no_option_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("DOCKER_HOST", "CONTAINER_HOST", "CONTAINERD_NAMESPACE", "CONTAINERD_ADDRESS"):
        monkeypatch.setenv(variable, "somewhere")
    assert paths(engine="layout") == []


@pytest.mark.parametrize(
    ("registry", "location"),
    [
        ("https://docker.io", "cache.test"),
        ("docker.io", "https://cache.test"),
        ("docker.io", "Cache Test"),
        ("", "cache.test"),
        ("docker.io", "index.docker.io"),
        ("ghcr.io/team", "ghcr.io/team/"),
    ],
)
def test_a_bad_mirror_is_told_with_its_place(registry: str, location: str) -> None:
    rows = [{"registry": "quay.io", "location": "cache.test/quay"}, {"registry": registry, "location": location}]
    assert paths(mirrors=rows) == ["mirrors[1]"]


@pytest.mark.parametrize("in_use", ["fail", "skip"])
def test_force_contradicts_what_is_said_of_images_in_use(in_use: str) -> None:
    with pytest.raises(InputError) as caught:
        read_rmi(params.rmi("a:1", force=True, in_use=in_use))
    assert (caught.value.subject, in_use in caught.value.what) == ("force", True)


@pytest.mark.parametrize(
    ("given", "in_use"),
    [
        ({}, "fail"),
        ({"force": True}, "untag"),
        ({"force": True, "in_use": "untag"}, "untag"),
        ({"in_use": "untag"}, "untag"),
        ({"in_use": "skip"}, "skip"),
    ],
)
def test_force_is_another_word_for_untag(given: dict[str, t.Any], in_use: str) -> None:
    assert read_rmi(params.rmi("a:1", **given)).in_use == in_use
