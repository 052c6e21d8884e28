# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Dockerfiles for engines: images by digest, all else byte for byte."""

from __future__ import annotations

import pytest
from ansible_collections.fleet.images.plugins.module_utils.model.digest import Digest
from ansible_collections.fleet.images.plugins.module_utils.model.reference import Defaults
from ansible_collections.fleet.images.tests.unit.build.conftest import Workshop

D = Digest.of(b"image")


def pinned(workshop: Workshop, text: str) -> str:
    build = workshop.load(text, is_native=False)
    return build.pinned_dockerfile(dict.fromkeys(build.bases, D))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("FROM base", f"FROM docker.io/library/base@{D}"),
        ("from  base:1  as\tx", f"from  docker.io/library/base@{D}  as\tx"),
        ("FROM --platform=linux/arm64 base", f"FROM --platform=linux/arm64 docker.io/library/base@{D}"),
        ("ARG T=1\nFROM r.io/x/base:$T AS a\nFROM a\n", f"ARG T=1\nFROM r.io/x/base@{D} AS a\nFROM a\n"),
        (f"FROM base:1@{D}", f"FROM docker.io/library/base@{D}"),
        ("FROM ba\\\n# comment\nse\n", f"FROM docker.io/library/base@{D}\n"),
        (
            "# c\r\nFROM \\\r\n  base\r\nLABEL a=FROM\r\n",
            f"# c\r\nFROM \\\r\n  docker.io/library/base@{D}\r\nLABEL a=FROM\r\n",
        ),
        ("\ufeffFROM base\n", f"\ufeffFROM docker.io/library/base@{D}\n"),
        (
            "FROM scratch AS s\nFROM scratch\nCOPY --chown=1 --from=tool:2 /a --from=x /b/\nCOPY --from=s /a /\n",
            "FROM scratch AS s\nFROM scratch\n"
            f"COPY --chown=1 --from=docker.io/library/tool@{D} /a --from=x /b/\nCOPY --from=s /a /\n",
        ),
        (
            "FROM scratch\nRUN --network=none --mount=type=bind,from=tool,target=/x "
            "--mount=target=/y,from=other:1 echo from=tool\n",
            f"FROM scratch\nRUN --network=none --mount=type=bind,from=docker.io/library/tool@{D},target=/x "
            f"--mount=target=/y,from=docker.io/library/other@{D} echo from=tool\n",
        ),
        ("FROM scratch\nRUN <<EOF\nFROM base\nEOF\n", "FROM scratch\nRUN <<EOF\nFROM base\nEOF\n"),
        (
            "\ufeffFROM one AS no\n# c\nRUN \\\n x\nFROM base AS yes\nRUN x\nFROM no\nCOPY --from=tool a /\nFROM yes\n",
            f"FROM scratch AS no\n\n\n\nFROM docker.io/library/base@{D} AS yes\nRUN x\nFROM scratch\n\nFROM yes\n",
        ),
        ("FROM scratch\nONBUILD COPY --from=tool a /\n", "FROM scratch\nONBUILD COPY --from=tool a /\n"),
    ],
)
def test_images_are_named_by_digest_and_nothing_else_changes(workshop: Workshop, before: str, after: str) -> None:
    assert pinned(workshop, before) == after


def test_a_base_without_digest_is_named_in_full_and_defaults_complete_short_ones(workshop: Workshop) -> None:
    build = workshop.load("ARG T=1\nFROM base:$T\nCOPY --from=tool / /\n", is_native=False)
    base, tool = build.bases
    text = build.pinned_dockerfile({base: None, tool: D}, defaults=Defaults(registry="r.io", namespaces=("team",)))
    assert text == f"ARG T=1\nFROM r.io/team/base:1\nCOPY --from=r.io/team/tool@{D} / /\n"


def test_a_pinned_dockerfile_is_the_same_build(workshop: Workshop) -> None:
    text = "FROM base AS x\nFROM x\nCOPY --from=tool /a /b\n"
    again = workshop.load(pinned(workshop, text), is_native=False)
    assert [base.reference for base in again.bases] == [f"docker.io/library/base@{D}", f"docker.io/library/tool@{D}"]
    assert pinned(workshop, pinned(workshop, text)) == pinned(workshop, text)
