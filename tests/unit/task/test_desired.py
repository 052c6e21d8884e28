# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From options to what is desired: every bad input by path and message, and what good input means."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.fleet.images.plugins.module_utils.model.errors import InputError
from ansible_collections.fleet.images.plugins.module_utils.model.platform import Platform
from ansible_collections.fleet.images.plugins.module_utils.model.reference import ImageId, parse_reference
from ansible_collections.fleet.images.plugins.module_utils.task.desired import (
    read_build,
    read_pull,
    read_push,
    read_rmi,
    read_state,
    read_tag,
)
from ansible_collections.fleet.images.tests.unit.task import params

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from ansible_collections.fleet.images.plugins.module_utils.model.errors import Problem
    from ansible_collections.fleet.images.plugins.module_utils.plan.desired import Desired

    Read = Callable[[dict[str, t.Any]], Desired]

ONE, TWO = "sha256:" + "1" * 64, "sha256:" + "2" * 64
BUILD = {"path": "."}


def problems(read: Read, options: dict[str, t.Any]) -> tuple[Problem, ...]:
    """Return the problems that reading ``options`` tells; none when they are fine."""
    try:
        read(options)
    except InputError as error:
        return error.problems
    return ()


BAD_ITEMS: list[tuple[dict[str, t.Any], str, str]] = [
    ({"image": "team/UPPER"}, "images[0].image", "'team/UPPER' is not an image reference"),
    ({"image": ""}, "images[0].image", "'' is not an image reference"),
    ({"image": "app:"}, "images[0].image", "'' is not a tag"),
    ({"image": "app@sha256:12"}, "images[0].image", "what follows '@' is no digest"),
    ({"image": "1" * 64}, "images[0].image", "are an image ID and no name"),
    ({"image": "app", "state": "absent", "pull": "newer"}, "images[0].pull", "an absent image has none"),
    ({"image": "app", "state": "absent", "tags": ["b"]}, "images[0].tags", "an absent image has none"),
    ({"image": "app", "state": "absent", "push": True}, "images[0].push", "an absent image has none"),
    ({"image": "app", "state": "absent", "build": BUILD}, "images[0].build", "an absent image has none"),
    ({"image": "app", "platform": "linux/"}, "images[0].platform", "'linux/' is not a platform"),
    ({"image": "app", "platform": "a/b/c/d"}, "images[0].platform", "'a/b/c/d' is not a platform"),
    ({"image": "app", "tags": ["ok", "Not"]}, "images[0].tags[1]", "'Not' is not an image reference"),
    ({"image": "app", "tags": [f"b@{ONE}"]}, "images[0].tags[0]", "has a digest, a new name has none"),
    ({"image": "app", "push": [f"b@{ONE}"]}, "images[0].push[0]", "has a digest, a new name has none"),
    ({"image": "app", "push": ["a", "Not"]}, "images[0].push[1]", "'Not' is not an image reference"),
    ({"image": "app", "push": "r.test/app"}, "images[0].push", "'r.test/app' is neither true nor a list"),
    ({"image": "app", "push": {"a": 1}}, "images[0].push", "is neither true nor a list of references"),
    ({"image": "app", "push": 2}, "images[0].push", "2 is neither true nor a list of references"),
    ({"image": f"app:1@{ONE}", "build": BUILD}, "images[0].image", "a build's digest follows from its inputs"),
    ({"image": "app", "build": {}}, "images[0].build.path", "the build has no context"),
    (
        {"image": "app", "build": {"path": ".", "dockerfile": "D", "dockerfile_inline": "FROM scratch"}},
        "images[0].build.dockerfile",
        "dockerfile_inline is given too",
    ),
]


@pytest.mark.parametrize(("item", "path", "what"), BAD_ITEMS)
def test_a_bad_item_is_told_with_its_path(item: dict[str, t.Any], path: str, what: str) -> None:
    (problem,) = problems(read_state, params.state(item))
    assert problem.path == path
    assert what in problem.what
    assert problem.fix


def test_all_problems_of_a_task_are_told_at_once_in_their_order() -> None:
    items = [item for item, _path, _what in BAD_ITEMS]
    for number, item in enumerate(items):  # other names, or they contradict each other too
        if item["image"] == "app":
            item = items[number] = {**item, "image": f"app{number}"}
    found = problems(read_state, params.state(*items))
    assert [problem.path for problem in found] == [
        path.replace("[0]", f"[{at}]", 1) for at, (_item, path, _what) in enumerate(BAD_ITEMS)
    ]
    with pytest.raises(InputError) as caught:
        read_state(params.state(*items))
    assert str(caught.value).startswith(f"{len(BAD_ITEMS)} problems in the input:\n  images[0].image: ")
    assert caught.value.to_json()["problems"][0]["path"] == "images[0].image"


def test_what_is_wrong_for_the_whole_task_is_told_once() -> None:
    items = [{"image": f"app:{number}"} for number in range(3)]
    assert [problem.path for problem in problems(read_state, params.state(*items, platform="linux/"))] == ["platform"]


@pytest.mark.parametrize(("option", "path"), [("tag", "tag"), ("default_tag", "default_tag")])
def test_a_tag_that_is_none_is_told(option: str, path: str) -> None:
    (problem,) = problems(read_pull, params.pull("app", "other:1", **{option: "no tag"}))
    assert (problem.path, problem.what) == (path, "'no tag' is not a tag")


def test_a_default_registry_that_is_none_is_told() -> None:
    (problem,) = problems(read_pull, params.pull("app", default_registry="https://r.test"))
    assert "'https://r.test' is not a registry host" in problem.what


A, B = {"image": "app:1"}, {"image": "other:1"}
CONTRADICTIONS: list[tuple[str, list[dict[str, t.Any]], str, str]] = [
    ("present and absent", [A, {**A, "state": "absent"}], "images[1]", "app:1 is absent here and present at images[0]"),
    ("absent and present", [{**A, "state": "absent"}, A], "images[1]", "app:1 is present here and absent at images[0]"),
    (
        "two digests",
        [{"image": f"app:1@{ONE}"}, {"image": f"app:1@{TWO}"}],
        "images[1]",
        "is pinned to another digest at images[0]",
    ),
    ("another spelling", [A, {"image": "docker.io/library/app:1", "state": "absent"}], "images[1]", "is absent here"),
    ("pinned and not", [A, {"image": f"app:1@{ONE}"}], "images[1]", "is listed with other options at images[0]"),
    ("two policies", [A, {**A, "pull": "newer"}], "images[1]", "app:1 is listed with other options at images[0]"),
    ("built twice", [{**A, "build": BUILD}, {**A, "build": {"path": "b"}}], "images[1]", "is listed with other"),
    ("built and pulled", [{**A, "build": BUILD}, A], "images[1]", "is listed with other options"),
    ("a tag twice", [{**A, "tags": ["t:1"]}, {**B, "tags": ["t:1"]}], "images[1].tags", "t:1 is wanted for images[0]"),
    ("a tag that is an item", [A, {**B, "tags": ["app:1"]}], "images[1].tags", "app:1 is wanted for images[0] too"),
    (
        "a tag that is built",
        [{**B, "tags": ["app:1"]}, {**A, "build": BUILD}],
        "images[1]",
        "app:1 is given by images[0].tags too",
    ),
    (
        "a tag that is absent",
        [{**B, "tags": ["app:1"]}, {**A, "state": "absent"}],
        "images[1]",
        "app:1 is given by images[0].tags too",
    ),
    (
        "a tag that is pinned",
        [{**B, "tags": ["app:1"]}, {"image": f"app:1@{ONE}"}],
        "images[1]",
        "is given by images[0].tags too",
    ),
    ("pushed twice", [{**A, "push": ["p:1"]}, {**B, "push": ["p:1"]}], "images[1].push", "images[0] goes to p:1 too"),
    ("pushed over", [{**A, "push": True}, {**B, "push": ["app:1"]}], "images[1].push", "images[0] goes to app:1 too"),
]


@pytest.mark.parametrize(
    ("items", "path", "what"), [row[1:] for row in CONTRADICTIONS], ids=[row[0] for row in CONTRADICTIONS]
)
def test_contradictions_are_told_with_both_places(items: list[dict[str, t.Any]], path: str, what: str) -> None:
    (problem,) = problems(read_state, params.state(*items))
    assert problem.path == path
    assert what in problem.what
    assert problem.fix == "keep one of the two"


@pytest.mark.parametrize(
    "items",
    [
        [A, A],
        [{**A, "tags": ["t:1"], "push": ["p:1"]}] * 3,
        [{**A, "build": BUILD}] * 2,
        [{**A, "state": "absent"}] * 2,
        [A, {"image": "docker.io/library/app:1"}],
    ],
)
def test_exact_repetitions_are_fine_and_count_once(items: list[dict[str, t.Any]]) -> None:
    (item,) = read_state(params.state(*items)).images
    assert item.path == "images[0]"


@pytest.mark.parametrize(
    "items",
    [
        [A, {"image": "app:2"}],
        [{"image": f"app@{ONE}"}, {"image": f"app@{TWO}"}],
        [{**A, "tags": ["app:1"]}],
        [{**A, "tags": ["t:1"]}, {"image": "t:1", "push": ["p:1"]}],
        [{**A, "tags": ["t:1"]}, {"image": "t:2", "state": "absent"}],
        [{"image": "app:1", "state": "absent", "tags": [], "push": False, "pull": None}],
    ],
)
def test_what_does_not_contradict_is_kept(items: list[dict[str, t.Any]]) -> None:
    assert len(read_state(params.state(*items)).images) == len(items)


def test_task_wide_options_are_the_defaults_of_items() -> None:
    options = params.state(A, {**B, "pull": "not_present", "platform": "amd64"}, pull="newer", platform="arm64")
    one, other = read_state(options).images
    assert (one.pull, one.platform) == ("newer", Platform("linux", "arm64"))
    assert (other.pull, other.platform) == ("missing", Platform("linux", "amd64"))


@pytest.mark.parametrize("policy", ["missing", "newer", "always", "never"])
def test_not_present_is_another_word_for_missing_and_others_stay(policy: str) -> None:
    assert read_pull(params.pull("app", pull=policy)).images[0].pull == policy
    assert read_pull(params.pull("app", pull="not_present")).images[0].pull == "missing"


@pytest.mark.parametrize("word", [True, "yes", "Yes", "true", "on", "1", 1, "y"])
def test_push_true_means_the_own_name(word: object) -> None:
    (item,) = read_state(params.state({"image": f"app:1@{ONE}", "push": word})).images
    assert item.push == (parse_reference("app:1"),)


@pytest.mark.parametrize("word", [None, False, "no", "false", "off", "0", 0, "", []])
def test_push_false_means_none(word: object) -> None:
    (item,) = read_state(params.state({"image": "app:1", "push": word})).images
    assert item.push == ()


def test_push_lists_references_each_once() -> None:
    (item,) = read_state(params.state({"image": "app:1", "push": ["r.test/a", "r.test/a:latest", "b"]})).images
    assert item.push == (parse_reference("r.test/a:latest"), parse_reference("b"))


def test_an_own_name_with_several_meanings_is_not_pushed_to() -> None:
    options = params.state({"image": "app:1", "push": True}, default_namespaces=["team", "library"])
    (problem,) = problems(read_state, options)
    assert (problem.path, problem.what) == ("images[0].push", "it may go to team/app:1 or app:1")
    (problem,) = problems(read_push, params.push("app:1", default_namespaces=["team", "library"]))
    assert problem.path == "name"
    assert read_push(params.push("app:1", repository=["r.test/a"], default_namespaces=["team", "library"]))


def test_what_is_not_listed_and_what_is_protected_is_passed_on() -> None:
    assert read_state(params.state(A)).removes_unlisted is False
    desired = read_state(params.state(unlisted="remove", protect=["a*"]))
    assert (desired.removes_unlisted, desired.protect, desired.images) == (True, ("a*",), ())


def test_absent_items_may_be_ids_and_present_ones_may_not() -> None:
    (item,) = read_state(params.state({"image": "sha256:" + "ab" * 32, "state": "absent"})).images
    assert item.wanted == ImageId("ab" * 32)


def test_short_names_take_the_naming_options() -> None:
    options = params.pull("app", default_registry="r.test", default_namespaces=["a", "b"], default_tag="9")
    assert list(map(str, read_pull(options).images[0].candidates)) == ["r.test/a/app:9", "r.test/b/app:9"]
    assert str(read_pull(params.pull("app", tag="7", default_tag="9")).images[0].wanted) == "docker.io/library/app:7"


def test_pull_tells_the_place_of_a_bad_name_in_a_list() -> None:
    assert [problem.path for problem in problems(read_pull, params.pull("a", "B"))] == ["name[1]"]
    assert [problem.path for problem in problems(read_pull, params.pull("B"))] == ["name"]
    assert len(read_pull(params.pull("a", "a")).images) == 1


def test_tag_reads_its_source_and_its_targets() -> None:
    (item,) = read_tag(params.tag("app:1", "a", "r.test/b:2", existing_images="keep")).images
    assert (item.pull, item.keeps_existing_tags) == ("never", True)
    assert item.tags == (parse_reference("a"), parse_reference("r.test/b:2"))
    found = problems(read_tag, params.tag("B", "C", f"d@{ONE}"))
    assert [problem.path for problem in found] == ["name", "repository[0]", "repository[1]"]


def test_push_goes_to_the_own_name_or_is_tagged_and_pushed_as() -> None:
    assert read_push(params.push("r.test/a:1")).images[0].push == (parse_reference("r.test/a:1"),)
    (item,) = read_push(params.push("a:1", repository=["r.test/a:1"])).images
    assert item.push == item.tags == (parse_reference("r.test/a:1"),)
    assert len(read_push(params.push("a:1", "a:1", "b:1")).images) == 2


def test_push_of_bad_input_is_told() -> None:
    (problem,) = problems(read_push, params.push("a", "b", repository=["c"]))
    assert (problem.path, problem.what) == ("repository", "it is for one image, and name lists several")
    (problem,) = problems(read_push, params.push("sha256:" + "ab" * 32))
    assert (problem.path, problem.fix) == ("name", "set repository")
    assert problems(read_push, params.push("sha256:" + "ab" * 32, repository=["r.test/a:1"])) == ()


def test_rmi_takes_names_digests_and_ids() -> None:
    items = read_rmi(params.rmi("a:1", f"a@{ONE}", "ab" * 6, "ab" * 32)).images
    assert [item.is_present for item in items] == [False] * 4
    assert isinstance(items[2].wanted, ImageId) and items[2].wanted.name is not None
    assert isinstance(items[3].wanted, ImageId) and items[3].wanted.name is None


def test_build_is_pushed_with_all_its_names() -> None:
    (item,) = read_build(params.build("r.test/a:1", path=".", push=True, repository=["r.test/a:2"])).images
    assert list(map(str, item.push)) == ["r.test/a:1", "r.test/a:2"]
    (item,) = read_build(params.build("r.test/a:1", path=".", repository=["r.test/a:2"])).images
    assert item.push == ()
    assert item.build is not None and item.build.rebuild == "changed"


def test_a_build_may_be_for_several_platforms() -> None:
    (item,) = read_build(params.build("a:1", path=".", platform="amd64, linux/arm64/v8,linux/amd64")).images
    assert item.platform is None
    assert item.build is not None and list(map(str, item.build.platforms)) == ["linux/amd64", "linux/arm64"]
    (item,) = read_build(params.build("a:1", path=".", platform="linux/amd64,amd64")).images
    assert (str(item.platform), item.build and item.build.platforms) == ("linux/amd64", ())
    rows: list[dict[str, t.Any]] = [{"image": "a:1", "build": {"path": "."}}, {"image": "b:1"}]
    told = problems(read_state, params.state(*rows, platform="amd64,arm64"))
    assert [problem.path for problem in told] == ["platform"]


@pytest.mark.parametrize("text", ["linux/amd64,", ",", "linux/amd64,a/b/c/d"])
def test_a_list_of_platforms_with_what_is_none_is_told(text: str) -> None:
    options = params.build("a", path=".", platform=text)
    assert [problem.path for problem in problems(read_build, options)] == ["platform"]


def test_an_image_for_several_platforms_is_not_shared() -> None:
    options = params.build("a", path=".", platform="amd64,arm64", share="r.test/shared")
    assert [problem.path for problem in problems(read_build, options)] == ["share"]


def test_build_of_bad_input_is_told_at_once() -> None:
    options = params.build(
        f"a@{ONE}", dockerfile="D", dockerfile_inline="FROM scratch", platform="/", repository=["B"]
    )
    assert sorted(problem.path for problem in problems(read_build, options)) == [
        "dockerfile",
        "name",
        "platform",
        "repository[0]",
    ]
    assert [problem.path for problem in problems(read_build, params.build("a"))] == ["path"]
