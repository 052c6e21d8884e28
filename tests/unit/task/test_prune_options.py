# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What image_prune is told: every mistake with its path, and the words of both peers."""

from __future__ import annotations

import datetime
import time
import typing as t

import pytest
from ansible_collections.fleet.images.plugins.module_utils.model.errors import InputError
from ansible_collections.fleet.images.plugins.module_utils.plan.pruning import Prune
from ansible_collections.fleet.images.plugins.module_utils.task.options import COMMON
from ansible_collections.fleet.images.plugins.module_utils.task.prune_options import PRUNE, read_prune
from ansible_collections.fleet.images.tests.unit.task.params import filled


def rule(**given: t.Any) -> Prune:
    return read_prune(filled(COMMON, PRUNE, **given))


def test_without_options_only_dangling_images_go() -> None:
    assert rule() == Prune()


@pytest.mark.parametrize(
    ("filters", "wanted"),
    [
        ({"dangling": True}, Prune()),
        ({"dangling_only": "yes"}, Prune()),
        ({"dangling": "false"}, Prune(takes_named=True)),
        ({"dangling_only": False}, Prune(takes_named=True)),
        ({"label": "team"}, Prune(labels=("team",))),
        ({"label": ["team=web", "a"], "label!": ["keep"]}, Prune(labels=("team=web", "a"), other_labels=("keep",))),
        ({"until": 1700000000}, Prune(before=1700000000.0)),
        ({"until": datetime.date(2026, 1, 31)}, Prune(before=1769817600.0)),
        ({"until": None, "label": None}, Prune()),
    ],
)
def test_filters_are_those_of_the_engines(filters: dict[str, t.Any], wanted: Prune) -> None:
    assert rule(filters=filters) == wanted


@pytest.mark.parametrize("word", ["", "maybe", [], {"of": "images"}])
def test_what_is_neither_true_nor_false_lets_no_named_image_go(word: object) -> None:
    with pytest.raises(InputError) as caught:
        rule(filters={"dangling": word})
    assert [problem.path for problem in caught.value.problems] == ["filters.dangling"]


def test_an_empty_pattern_is_told_as_it_would_protect_nothing() -> None:
    with pytest.raises(InputError) as caught:
        rule(all=True, protect=["base/*", " "])
    assert [problem.path for problem in caught.value.problems] == ["protect[1]"]


def test_an_age_counts_from_now() -> None:
    before = rule(filters={"until": "1h"}).before
    assert before is not None
    assert abs(time.time() - 3600 - before) < 60


def test_what_stays_can_be_said_in_three_ways() -> None:
    assert rule(all=True, protect=["a/*"], keep_newest=2) == Prune(takes_named=True, protect=("a/*",), newest=2)


def test_all_mistakes_are_told_at_once() -> None:
    filters = {"until": "soon", "label": ["=x"], "dangling": True, "older": 1}
    with pytest.raises(InputError) as caught:
        rule(all=True, keep_newest=-1, filters=filters, parallel=0)
    assert {problem.path for problem in caught.value.problems} == {
        "parallel",
        "filters.older",
        "filters.dangling",
        "filters.until",
        "filters.label",
        "keep_newest",
    }
