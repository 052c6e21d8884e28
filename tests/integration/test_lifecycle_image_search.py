# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""image_search: repositories and tags of a real registry, and nothing is changed by looking."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.fleet.images.tests.support.images import make_image, push
from ansible_collections.fleet.images.tests.support.module import check_then_run, run_module
from ansible_collections.fleet.images.tests.support.registry import Registry, RegistryOptions

if t.TYPE_CHECKING:
    from collections.abc import Callable


def told(params: dict[str, t.Any]) -> dict[str, t.Any]:
    """Return what the module tells, in check mode and for real alike."""
    announced, done = check_then_run("image_search", {"retry": 0, **params})
    assert {**announced, "elapsed": 0} == {**done, "elapsed": 0}
    assert done["changed"] is False
    return done


def names(result: dict[str, t.Any]) -> list[str]:
    """Return the names of all rows."""
    return [row["name"] for row in result["images"]]


def test_repositories_and_tags_are_found_as_the_registry_has_them(
    registry_with: Callable[[RegistryOptions], Registry],
) -> None:
    registry = registry_with(RegistryOptions(users={"ann": "s3cret"}))
    login = {"username": "ann", "password": "s3cret"}
    for path, tag in (("team/web", "1"), ("team/web", "2"), ("team/db", "1"), ("other/webhook", "1")):
        push(registry, path, make_image({"v": tag.encode()}), tag=tag)
    found = told({"term": "web", "registry": registry.host, **login})
    assert (found["registry"], found["complete"]) == (registry.host, True)
    assert sorted(names(found)) == [f"{registry.host}/other/webhook", f"{registry.host}/team/web"]
    assert {(row["description"], row["stars"], row["official"]) for row in found["images"]} == {("", 0, False)}
    assert len(names(told({"default_registry": registry.host, **login}))) == 3
    few = told({"term": f"{registry.host}/team", "limit": 1, **login})
    assert (len(names(few)), few["complete"]) == (1, False)
    tags = told({"term": f"{registry.host}/team/web", "list_tags": True, **login})
    assert tags["images"] == [{"name": f"{registry.host}/team/web", "tag": tag} for tag in ("1", "2")]
    refused = run_module("image_search", {"term": "web", "registry": registry.host, "retry": 0}).result
    assert refused["error"]["class"] == "AuthError"


@pytest.mark.parametrize(
    ("params", "paths"),
    [
        ({}, {"term"}),
        ({"term": "a", "limit": 0}, {"limit"}),
        ({"term": "quay.io/a", "registry": "ghcr.io"}, {"registry"}),
        ({"term": "a", "registry": "quay"}, {"registry"}),
        ({"term": "No Name", "list_tags": True}, {"term"}),
    ],
)
def test_mistakes_are_told_before_anybody_is_asked(params: dict[str, t.Any], paths: set[str]) -> None:
    error = run_module("image_search", params).result["error"]
    assert {problem["path"] for problem in error["problems"]} == paths
