# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is wrong with the options of a build is told all at once, with its path and without values of secrets."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.fleet.images.plugins.module_utils.model.reference import Defaults
from ansible_collections.fleet.images.plugins.module_utils.task import options
from ansible_collections.fleet.images.plugins.module_utils.task.build_problems import build_problems
from ansible_collections.fleet.images.tests.unit.task.params import filled

NOTHING = dict.fromkeys(("src", "env", "value"))


def paths(**given: t.Any) -> list[str]:
    """Return where problems are when these options are given beside a path."""
    problems = build_problems(filled(options.BUILD, **{"path": "/x", **given}), path="build.", defaults=Defaults())
    assert all(problem.fix for problem in problems)
    return [problem.path for problem in problems]


def test_good_options_have_no_problem() -> None:
    secrets = [{**NOTHING, "id": "a.b-c_1", "value": ""}, {**NOTHING, "id": "b", "env": "B"}]
    good = {"etc_hosts": {"db": "10.0.0.5", "gate": "host-gateway", "six": "::1"}, "shm_size": "64m"}
    assert paths(**good, secrets=secrets, cache_from=["redis", "r.test:5000/app:1"], network="host") == []


@pytest.mark.parametrize("size", ["much", "0", "-1M", "64 MiX"])
def test_a_size_of_shared_memory_is_a_positive_size(size: str) -> None:
    assert paths(shm_size=size) == ["build.shm_size"]


@pytest.mark.parametrize("hosts", [{"": "10.0.0.5"}, {"a b": "10.0.0.5"}, {"a:b": "1"}, {"db": ""}, {"db": None}])
def test_a_host_has_a_name_and_an_address(hosts: dict[str, str]) -> None:
    assert paths(etc_hosts=hosts) == ["build.etc_hosts"]


@pytest.mark.parametrize("identifier", ["", "../x", "a/b", ".hidden", "a b", "a,src=/etc/shadow", "x" * 129])
def test_an_id_of_a_secret_can_be_a_file_name_and_nothing_else(identifier: str) -> None:
    assert paths(secrets=[{**NOTHING, "id": identifier, "env": "A"}]) == ["build.secrets[0].id"]


def test_a_secret_comes_from_one_place_and_is_there_once() -> None:
    rows = [{**NOTHING, "id": "a"}, {**NOTHING, "id": "b", "env": "B", "src": "/b"}, {**NOTHING, "id": "b", "env": "B"}]
    assert paths(secrets=rows) == ["build.secrets[0]", "build.secrets[1]", "build.secrets[2].id"]


def test_the_value_of_a_secret_is_in_no_problem() -> None:
    rows = [{"id": "a/b", "src": "/a", "env": None, "value": "horse-battery"}]
    problems = build_problems(filled(options.BUILD, path="/x", secrets=rows), path="", defaults=Defaults())
    assert len(problems) == 2
    assert "horse" not in str(problems)


def test_caches_are_names() -> None:
    assert paths(cache_from=["ok", "Not A Name"]) == ["build.cache_from[1]"]
