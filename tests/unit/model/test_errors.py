# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Errors: what a user reads, and what a program reads."""

from __future__ import annotations

import json

import pytest
from ansible_collections.fleet.images.plugins.module_utils.model.errors import (
    ApplyError,
    AuthError,
    ConflictError,
    ImagesError,
    InputError,
    IntegrityError,
    NotFoundError,
    PeerError,
    Problem,
    UnavailableError,
    UnsupportedError,
    raise_problems,
)

KINDS = [AuthError, ConflictError, IntegrityError, NotFoundError, PeerError, UnavailableError, UnsupportedError]


def test_the_message_is_made_of_sentences() -> None:
    error = NotFoundError("No such tag", code="image-not-found", why="status 404", fix="Look at the tags!", subject="x")
    assert str(error) == "No such tag: status 404. Look at the tags!"
    assert str(NotFoundError("No such tag", code="image-not-found")) == "No such tag."


@pytest.mark.parametrize("kind", KINDS)
def test_the_json_form_tells_everything(kind: type[ImagesError]) -> None:
    error = kind("What", code="some-code", why="why", fix="fix", subject="subject")
    assert json.loads(json.dumps(error.to_json())) == {
        "class": kind.__name__,
        "code": "some-code",
        "what": "What",
        "why": "why",
        "fix": "fix",
        "subject": "subject",
        "retryable": kind is UnavailableError,
        "attempts": 1,
    }


def test_one_problem_is_told_in_one_line() -> None:
    error = InputError.of([Problem("images[3].pull", "'often' is no policy", "Use missing or always")])
    assert str(error) == "images[3].pull: 'often' is no policy. Use missing or always."
    assert (error.code, error.subject) == ("bad-input", "images[3].pull")


def test_many_problems_are_told_at_once_and_in_order() -> None:
    problems = [Problem("a", "is wrong", "Write b"), Problem("c", "is missing")]
    error = InputError.of(problems)
    assert str(error).splitlines() == ["2 problems in the input:", "  a: is wrong. Write b.", "  c: is missing."]
    assert error.to_json()["problems"] == [problem._asdict() for problem in problems]


def test_an_input_error_of_its_own_is_its_only_problem() -> None:
    error = InputError("not a tag", code="bad-tag", fix="use letters", subject="tag")
    assert error.to_json()["problems"] == [{"path": "tag", "what": "not a tag", "fix": "use letters"}]


def test_a_failed_plan_tells_done_failed_and_not_started() -> None:
    gone = NotFoundError("gone", code="image-not-found", subject="redis:7")
    error = ApplyError(done=["a"], failed={"b": gone}, not_started=["c", "d"])
    assert error.what == "1 of 4 actions failed"
    assert (error.code, error.subject, error.retryable) == ("image-not-found", "redis:7", False)
    assert "b: gone." in str(error)
    told = json.loads(json.dumps(error.to_json()))
    assert (told["done"], told["not_started"], told["failed"]["b"]["code"]) == (["a"], ["c", "d"], "image-not-found")


def test_what_stands_in_the_way_of_a_plan_is_told_without_talk_of_actions() -> None:
    gone = NotFoundError("gone", code="image-not-found")
    with pytest.raises(ApplyError) as caught:
        raise_problems({"a": gone, "b": gone})
    assert str(caught.value) == "2 problems, and nothing was changed: a: gone; b: gone."


def test_a_failed_plan_is_worth_a_retry_if_every_failure_is() -> None:
    busy = UnavailableError("busy", code="busy")
    gone = NotFoundError("gone", code="gone")
    assert ApplyError(done=[], failed={"a": busy, "b": busy}, not_started=[]).retryable
    mixed = ApplyError(done=[], failed={"a": busy, "b": gone}, not_started=[])
    assert (mixed.retryable, mixed.code) == (False, "apply-failed")
