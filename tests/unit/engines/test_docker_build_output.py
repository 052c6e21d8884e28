# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What builders print is read: the step that failed, its last lines, and nothing that is secret."""

from __future__ import annotations

from ansible_collections.fleet.images.plugins.module_utils.engines.docker_build_output import (
    Outcome,
    build_failed,
    read_progress,
)

OUTPUT = """\
#4 [2/3] RUN true
#4 sha256:7eb3f1f556256ba2dee6160e4f710a489e49b339bed4108bb1d3e7c75838f1de
#4 0.1 of another step
#5 [3/3] RUN make
#5 0.119 cc -o app
#4 DONE 0.2s
#5 12.5 app.c:3: error
#5 ERROR: executor failed running [/bin/sh -c make]: exit code: 2
#6 CANCELED
------
 > [3/3] RUN make:
#5 12.5 app.c:3: error
------
executor failed running [/bin/sh -c make]: exit code: 2
"""


def test_the_step_that_failed_is_found_with_its_own_lines() -> None:
    outcome = read_progress(OUTPUT)
    assert outcome.step == "[3/3] RUN make"
    assert outcome.printed.splitlines()[:2] == ["cc -o app", "app.c:3: error"]
    assert outcome.failure == "executor failed running [/bin/sh -c make]: exit code: 2"


def test_the_step_is_found_when_the_start_of_the_output_is_lost() -> None:
    lost = OUTPUT[OUTPUT.index("#5 12.5") :]
    assert read_progress(lost).step == "[3/3] RUN make"


def test_output_without_a_step_is_the_failure_itself() -> None:
    assert read_progress("error: no such builder\n").failure == "error: no such builder"
    assert read_progress("").failure == ""


def test_secrets_colours_and_addresses_are_hidden_line_by_line() -> None:
    outcome = Outcome(
        failure="exit 1 after second-half",
        step="Step 2/2 : RUN curl https://me:first-half@example.com/?q=1",
        printed="\x1b[91mred first-half\x1b[0m\nsaid second-half\n",
    )
    error = build_failed(outcome, secrets=[b"first-half\nsecond-half\n", b""])
    assert "first-half" not in str(error.to_json()) and "second-half" not in str(error.to_json())
    assert error.why.splitlines()[0] == "red ***"
    assert "me:" not in error.what


def test_what_is_told_is_bounded() -> None:
    long = "\n".join(f"{number:>200}" for number in range(1000))
    error = build_failed(Outcome(failure=long, step="Step 1/1 : RUN " + "x" * 9000, printed=long))
    assert len(error.what) < 400
    assert len(error.why) < 4100
    assert error.why.endswith("999")
