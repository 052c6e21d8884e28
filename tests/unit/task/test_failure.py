# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Errors become failed tasks in one shape, and hold no secrets."""

from __future__ import annotations

import json
import typing as t

import pytest
from ansible_collections.fleet.images.plugins.module_utils.model.errors import (
    ApplyError,
    ImagesError,
    InputError,
    NotFoundError,
    Problem,
    UnavailableError,
)
from ansible_collections.fleet.images.plugins.module_utils.task.failure import failures_told


class FailedError(Exception):
    """Stands for the end of the module's process."""


class Module:
    """What of AnsibleModule this floor needs: it ends with what it is told."""

    def __init__(self) -> None:
        self.told: dict[str, t.Any] = {}

    def fail_json(self, **told: t.Any) -> t.NoReturn:
        self.told = told
        raise FailedError


def failure(error: Exception) -> dict[str, t.Any]:
    """Return what a module tells when ``error`` escapes its work."""
    module = Module()
    with pytest.raises(FailedError), failures_told(t.cast("t.Any", module)):
        raise error
    return json.loads(json.dumps(module.told))  # type: ignore[no-any-return]


def test_an_explained_error_is_told_as_a_sentence_and_as_data() -> None:
    told = failure(NotFoundError("It is gone", code="gone", why="404", fix="push it", subject="app:1"))
    assert told.keys() == {"msg", "error"}
    assert told["msg"] == "It is gone: 404. Push it."
    expected = {
        "class": "NotFoundError",
        "code": "gone",
        "what": "It is gone",
        "why": "404",
        "fix": "push it",
        "subject": "app:1",
        "retryable": False,
    }
    assert {key: told["error"][key] for key in expected} == expected


def test_input_errors_tell_every_problem() -> None:
    told = failure(InputError.of([Problem("images[0].tags", "bad", "mend it"), Problem("platform", "worse")]))
    assert told["msg"] == "2 problems in the input:\n  images[0].tags: bad. mend it.\n  platform: worse."
    assert [problem["path"] for problem in told["error"]["problems"]] == ["images[0].tags", "platform"]


def test_failures_of_actions_tell_what_was_done_and_what_was_not() -> None:
    error = UnavailableError("busy", code="busy")
    told = failure(ApplyError(done=["pull a"], failed={"pull b": error}, not_started=["tag c"]))
    assert told["error"]["done"] == ["pull a"]
    assert told["error"]["failed"]["pull b"]["code"] == told["error"]["code"] == "busy"
    assert told["error"]["not_started"] == ["tag c"]
    assert told["error"]["retryable"] is True


def test_what_is_not_explained_is_a_bug_and_keeps_its_traceback() -> None:
    module = Module()
    with pytest.raises(ZeroDivisionError), failures_told(t.cast("t.Any", module)):
        raise ZeroDivisionError
    assert module.told == {}


def test_what_goes_well_is_not_touched() -> None:
    with failures_told(t.cast("t.Any", Module())):
        pass


def test_every_kind_of_error_names_its_class() -> None:
    def kinds(base: type[ImagesError]) -> list[type[ImagesError]]:
        return [base, *(kind for child in base.__subclasses__() for kind in kinds(child))]

    for kind in kinds(ImagesError):
        if not issubclass(kind, ApplyError):
            assert failure(kind("what", code="code"))["error"]["class"] == kind.__name__
