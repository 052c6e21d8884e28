# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is wrong with a document is told completely, with the path and an accepted form."""

from __future__ import annotations

import sys
import typing as t

import pytest
from ansible_collections.fleet.images.plugins.module_utils.model.errors import InputError, UnsupportedError
from ansible_collections.fleet.images.plugins.plugin_utils import image_problems
from ansible_collections.fleet.images.plugins.plugin_utils.image_problems import check_images, problems_of

GOOD: t.Mapping[str, t.Any] = {
    "nothing": [],
    "a name": [{"image": "redis"}],
    "the alias of a name": [{"name": "redis:7"}],
    "every option": [
        {
            "image": "app",
            "state": "present",
            "pull": "not_present",
            "platform": "linux/arm64",
            "tags": ["a", "b"],
            "push": True,
            "build": {"path": "/srv", "args": {"A": 1, "B": None}, "target": 0, "labels": {}, "pull": "yes"},
        }
    ],
    "a list as text, which Ansible splits": [{"image": "app", "tags": "a,b"}],
    "places to push to": [{"image": "app", "push": ["quay.io/a", "quay.io/b"]}],
    "switches as templates give them": [{"image": "app", "push": "True", "build": {"path": "/", "pull": " Off "}}],
    "a switch as a number": [{"image": "app", "build": {"path": "/", "pull": 0}}],
    "nothing where nothing is wanted": [{"image": "a", "platform": None, "tags": None, "build": None, "push": None}],
    "an empty text where nothing is wanted": [{"image": "a", "platform": ""}],
}

BAD: t.Mapping[str, tuple[t.Any, list[str]]] = {
    "an option that is nearly right": (
        [{"image": "a", "pul": 1}],
        ["images[0].pul: unknown option. Did you mean pull?"],
    ),
    "an option nearly an alias": ([{"image": "a", "Arch": 1}], ["images[0].Arch: unknown option. Did you mean arch?"]),
    "an option that is nothing like any": (
        [{"image": "a", "zzz": 1}],
        ["images[0].zzz: unknown option. Known options are image, state, pull, platform, tags, build, push."],
    ),
    "an option below build": (
        [{"image": "a", "build": {"path": "/", "dockerfil": "x"}}],
        ["images[0].build.dockerfil: unknown option. Did you mean dockerfile?"],
    ),
    "another choice": (
        [{"image": "a"}, {"image": "b", "pull": "sometimes"}],
        ["images[1].pull: 'sometimes' is not one of missing, newer, always, never, not_present."],
    ),
    "a choice nearly right": (
        [{"image": "a", "state": "Presnt"}],
        ["images[0].state: 'Presnt' is not one of present, absent. Did you mean present?"],
    ),
    "a switch for a choice": (
        [{"image": "a", "pull": True}],
        ["images[0].pull: true is not one of missing, newer, always, never, not_present."],
    ),
    "an alias is told as it was written": (
        [{"image": "a", "pull_policy": ["newer"]}],
        ["images[0].pull_policy: a list is not one of missing, newer, always, never, not_present."],
    ),
    "no list": ({"image": "a"}, ["images: must be a list of images, not a mapping."]),
    "text for the list": ("redis", ["images: must be a list of images, not a text."]),
    "nothing for the list": (None, ["images: must be a list of images, not nothing."]),
    "text for an entry": (["redis"], ["images[0]: must be a mapping of options, not a text."]),
    "no name": ([{"state": "absent"}], ["images[0]: has no image."]),
    "an empty name": ([{"image": ""}], ["images[0].image: must be a text, not nothing."]),
    "a null name": ([{"image": None}], ["images[0].image: must be a text, not nothing."]),
    "a name of another kind": ([{"image": ["a"]}], ["images[0].image: must be a text, not a list."]),
    "an option under two names": (
        [{"image": "a", "name": "b"}],
        ["images[0]: has both image and name, which are the same option."],
    ),
    "a build option under two names": (
        [{"image": "a", "build": {"path": "/", "args": {}, "build_args": {}}}],
        ["images[0].build: has both args and build_args, which are the same option."],
    ),
    "a mapping for names": (
        [{"image": "a", "tags": {"b": 1}}],
        ["images[0].tags: must be a list of names, not a mapping."],
    ),
    "an entry of names": (
        [{"image": "a", "tags": ["b", None, ["c"]]}],
        ["images[0].tags[1]: must be a text, not nothing.", "images[0].tags[2]: must be a text, not a list."],
    ),
    "text for a build": (
        [{"image": "a", "build": "/"}],
        ["images[0].build: must be a mapping of options, not a text."],
    ),
    "text for args": (
        [{"image": "a", "build": {"args": "A=1"}}],
        ["images[0].build.args: must be a mapping, not a text."],
    ),
    "no switch": (
        [{"image": "a", "build": {"pull": "newer"}}],
        ["images[0].build.pull: must be true or false, not a text."],
    ),
    "a number that is no switch": (
        [{"image": "a", "build": {"pull": 2}}],
        ["images[0].build.pull: must be true or false, not a number."],
    ),
    "no place to push to": (
        [{"image": "a", "push": {"to": "b"}}],
        ["images[0].push: must be true, false or a list of names, not a mapping."],
    ),
    "text to push to": (
        [{"image": "a", "push": "quay.io/a"}],
        ["images[0].push: must be true, false or a list of names, not a text."],
    ),
    "an entry to push to": (
        [{"image": "a", "push": ["b", 1.5, {}]}],
        ["images[0].push[2]: must be a text, not a mapping."],
    ),
}


def told(images: object) -> list[str]:
    """Return each problem as it is told when it is the only one."""
    return [str(InputError.of([problem])) for problem in problems_of(images)]


@pytest.mark.parametrize("images", GOOD.values(), ids=GOOD.keys())
def test_a_document_that_the_module_takes_has_no_problem(images: t.Any) -> None:
    assert told(images) == []
    check_images(images)


@pytest.mark.parametrize(("images", "problems"), BAD.values(), ids=BAD.keys())
def test_a_wrong_document_is_told_with_path_and_accepted_form(images: t.Any, problems: list[str]) -> None:
    assert told(images) == problems


def test_all_problems_of_a_document_are_told_at_once_in_its_order() -> None:
    with pytest.raises(InputError) as caught:
        check_images([{"image": "a", "pull": "x", "pul": "y"}, {"image": "b"}, "c", {"tags": 1, "push": {}}])
    assert [problem.path for problem in caught.value.problems] == [
        "images[0].pull",
        "images[0].pul",
        "images[2]",
        "images[3].push",
        "images[3]",
    ]
    assert str(caught.value).splitlines()[0] == "5 problems in the input:"
    assert caught.value.code == "bad-input"
    assert caught.value.to_json()["class"] == "InputError"


def test_values_that_may_be_secret_are_not_told() -> None:
    images = [
        {"image": "a", "build": {"args": "TOKEN=s3cret", "pull": "s3cret", "labels": ["s3cret"]}, "tags": {"s3cret": 1}}
    ]
    with pytest.raises(InputError) as caught:
        check_images(images)
    assert len(caught.value.problems) == 4
    assert "s3cret" not in str(caught.value) + str(caught.value.to_json())


def test_a_control_node_without_jsonschema_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jsonschema", None)
    image_problems._validator.cache_clear()
    with pytest.raises(UnsupportedError) as caught:
        check_images([{"image": "a"}])
    image_problems._validator.cache_clear()
    assert caught.value.code == "jsonschema-missing"
    assert "Failed to import the required Python library (jsonschema)" in str(caught.value)
    assert sys.executable in str(caught.value)


def test_options_that_are_lists_of_mappings_are_checked_entry_by_entry() -> None:
    build = {"path": "/c", "secrets": [{"id": "a", "env": "A"}], "outputs": [{"type": "oci", "dest": "/a.tar"}]}
    assert problems_of([{"image": "a:1", "build": build}]) == []
    wrong = {"path": "/c", "secrets": {"id": "a"}, "outputs": [{"type": "zip", "dest": "/a.zip"}, {"type": "oci"}]}
    told = {problem.path: problem.what for problem in problems_of([{"image": "a:1", "build": wrong}])}
    assert told == {
        "images[0].build.secrets": "must be a list, not a mapping",
        "images[0].build.outputs[0].type": "'zip' is not one of local, tar, oci, docker",
        "images[0].build.outputs[1]": "has no dest",
    }
