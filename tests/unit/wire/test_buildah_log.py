# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What buildah prints while it builds, in pieces as they come."""

from __future__ import annotations

import pytest
from ansible_collections.fleet.images.plugins.module_utils.wire.buildah_log import BuildahLog

IDS = ("0eddcc91f4d244cce4136509175ca6a9919511a3499adba57402776231dd6490", "794e8be2955" + "0" * 53, "c" * 64)
TEXT = (
    "[1/2] STEP 1/3: FROM example.org/a@sha256:1 AS one\n[1/2] STEP 2/3: COPY f /f\n"
    f"--> Using cache {IDS[0]}\n--> {IDS[0][:11]}\n"
    f"[1/2] STEP 3/3: RUN cat /f\nhi\n--> {IDS[1][:11]}\n[2/2] STEP 1/2: RUN echo 1; exit 3\n1\n\nlast"
)


@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_steps_images_and_last_lines_are_the_same_however_the_text_is_cut(size: int) -> None:
    log = BuildahLog()
    for at in range(0, len(TEXT), size):
        log.feed(TEXT[at : at + size])
    log.finish()
    error = log.failure("podman", said="exit status 3\n", secrets=(), subject="Dockerfile")
    assert (log.step_images, log.image_id) == ([IDS[1][:11]], "")
    assert (error.what, error.why) == ("podman could not build at RUN echo 1; exit 3", "1\nlast\nexit status 3")


def test_the_image_is_the_last_whole_id() -> None:
    log = BuildahLog()
    log.feed(f"STEP 1/1: FROM scratch\nCOMMIT\n--> {IDS[2][:11]}\n{IDS[2]}\n")
    log.finish()
    assert log.image_id == IDS[2]


def test_secrets_are_masked_in_step_and_lines_also_line_by_line() -> None:
    log = BuildahLog()
    log.feed("STEP 1/1: RUN echo s3cret-one\nsaw s3cret-two in it\n")
    error = log.failure("buildah", said="s3cret-one", secrets=[b"s3cret-one\ns3cret-two\n"], subject="x")
    assert "s3cret" not in str(error)
    assert error.why == "saw *** in it\n***"


def test_of_a_step_that_prints_much_the_end_is_kept() -> None:
    log = BuildahLog()
    log.feed("STEP 1/1: RUN much\n" + "".join(f"line {number} {'x' * 5000}\n" for number in range(1000)))
    error = log.failure("buildah", said="exit 1", secrets=(), subject="x")
    lines = error.why.splitlines()
    assert (len(lines), lines[-1], lines[-2].split()[1]) == (20, "exit 1", "999")
    assert len(error.why) < 20 * 500
