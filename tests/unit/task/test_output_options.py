# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The option outputs: every problem with its path."""

from __future__ import annotations

import pytest
from ansible_collections.fleet.images.plugins.module_utils.model.errors import InputError
from ansible_collections.fleet.images.plugins.module_utils.model.output import Output
from ansible_collections.fleet.images.plugins.module_utils.task.desired import read_build, read_state
from ansible_collections.fleet.images.tests.unit.task import params


def to(*places: tuple[str, str]) -> list[dict[str, str]]:
    return [{"type": form, "dest": dest} for form, dest in places]


def test_outputs_are_read_with_plain_paths() -> None:
    desired = read_build(params.build("app:1", path="/c", outputs=to(("oci", "/srv//a/../b.tar"), ("local", "/srv/r"))))
    assert desired.images[0].outputs == (Output("oci", "/srv/b.tar"), Output("local", "/srv/r"))


def test_a_place_that_depends_on_where_the_module_runs_is_told() -> None:
    with pytest.raises(InputError) as caught:
        read_build(params.build("app:1", path="/c", outputs=to(("oci", "b.tar"))))
    assert [problem.path for problem in caught.value.problems] == ["outputs[0].dest"]


def test_places_that_several_outputs_want_are_told() -> None:
    first = {"image": "a:1", "build": {"path": "/c", "outputs": to(("local", "/srv/a"), ("tar", "/srv/b.tar"))}}
    second = {"image": "b:1", "build": {"path": "/c", "outputs": to(("oci", "/srv/a/x.tar"), ("oci", "/srv/b.tar"))}}
    with pytest.raises(InputError) as caught:
        read_state(params.state(first, second))
    assert [(problem.path, problem.what) for problem in caught.value.problems] == [
        ("images[1].outputs", "/srv/a/x.tar lies in /srv/a, of images[0]"),
        ("images[1].outputs", "/srv/b.tar is written for images[0] too"),
    ]
