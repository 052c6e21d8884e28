# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Images built without a daemon equal what buildah builds."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from ansible_collections.fleet.images.plugins.module_utils.build.base import Base, BuildSpec
from ansible_collections.fleet.images.plugins.module_utils.build.loading import load_build
from ansible_collections.fleet.images.tests.integration.build_contexts import CONTEXT, SHAPES, dedent, write
from ansible_collections.fleet.images.tests.integration.built_images import (
    HERE,
    Buildah,
    FolderSource,
    Image,
    native,
    read_layout,
)
from ansible_collections.fleet.images.tests.support.programs import require

_CONFIG_KEYS = (
    "Env Cmd Entrypoint WorkingDir User Labels ExposedPorts Volumes StopSignal Healthcheck Shell OnBuild".split()
)
_OWN_LABELS = ("io.buildah.version", "images.fleet.build.key", "images.fleet.build.inputs")


@pytest.fixture(scope="module")
def buildah(tmp_path_factory: pytest.TempPathFactory) -> Buildah:
    require("buildah")
    return Buildah(tmp_path_factory.mktemp("buildah"))


def settings_of(image: Image) -> dict[str, t.Any]:
    """Return the part of a config that both builders decide, empty values and their own labels left out."""
    config = dict(image.config["config"])
    config["Labels"] = {key: text for key, text in (config.get("Labels") or {}).items() if key not in _OWN_LABELS}
    config["Env"] = sorted(config.get("Env") or [])
    return {key: config[key] for key in _CONFIG_KEYS if config.get(key)}


_IGNORED = "# comment\nlogs/**\n!logs/keep.log\n*.sh\n**/two.py\nroot\nodd*\n.dockerignore\nDockerfile\n"


@pytest.mark.parametrize("shape", SHAPES)
def test_config_and_files_equal_what_buildah_builds(shape: str, buildah: Buildah, tmp_path: Path) -> None:
    context = write(tmp_path / "context", {**CONTEXT, "Dockerfile": dedent(SHAPES[shape])})
    if shape == "ignored":
        write(context, {".dockerignore": _IGNORED})
    theirs = FolderSource(buildah.build(context)).read()
    _, manifest = native(tmp_path / "store", BuildSpec(str(context), HERE))
    ours = read_layout(tmp_path / "store", manifest)
    assert ours.files == theirs.files
    assert settings_of(ours) == settings_of(theirs)
    assert {key: ours.config.get(key) for key in ("os", "architecture", "created")} == {
        key: theirs.config.get(key) for key in ("os", "architecture", "created")
    }


BASE = """
        FROM scratch
        COPY root /
        COPY logs /gone
        ENV INHERITED=yes PATH=/usr/bin
        LABEL from=base kept=1
        ENTRYPOINT ["/usr/bin/tool"]
        CMD ["base"]
        WORKDIR /home
        USER bob
        ONBUILD COPY a.txt /triggered
        ONBUILD ENV TRIGGERED=1
        """


CHILD = """
        ARG BASE
        FROM $BASE AS middle
        USER 0
        COPY --chown=bob:staff a.txt /bin/new
        COPY app relative
        FROM middle
        COPY --from=middle /usr/bin/tool /etc/group /copies/
        LABEL from=child
        ENV MORE=${INHERITED}-${TRIGGERED:-0}
        ENTRYPOINT ["/other"]
        """


def test_a_build_on_a_base_equals_what_buildah_builds(buildah: Buildah, tmp_path: Path) -> None:
    base_context = write(tmp_path / "base", {**CONTEXT, "Dockerfile": dedent(BASE)})
    context = write(tmp_path / "context", {**CONTEXT, "Dockerfile": dedent(CHILD)})
    base_folder = buildah.build(base_context)
    reference = f"dir:{base_folder}"
    theirs = FolderSource(buildah.build(context, "--build-arg", f"BASE={reference}")).read()
    spec = BuildSpec(str(context), HERE, args={"BASE": reference})
    bases = {Base(reference, HERE): FolderSource(base_folder).image()}
    _, manifest = native(tmp_path / "store", spec, bases)
    ours = read_layout(tmp_path / "store", manifest)
    assert ours.files == theirs.files
    assert settings_of(ours) == settings_of(theirs)
    assert load_build(spec).is_current(
        ours.config["config"]["Labels"]["images.fleet.build.key"], {base: image.digest for base, image in bases.items()}
    )


HEREDOCS = """
        FROM scratch
        ARG WHO=fleet
        COPY <<EOF <<-"RAW" /texts/
        hello ${WHO}, \\$HOME
        EOF
        \t\tas written: ${WHO}
        \tRAW
        COPY --chown=3:4 --chmod=600 <<EOF a.txt /mixed/
        one
        EOF
        ADD <<EOF /named
        EOF
        """


def test_heredocs_are_the_files_that_buildah_copies(buildah: Buildah, tmp_path: Path) -> None:
    """A buildah of this age knows no heredocs: it copies files with the text that each of them means."""
    texts = {"texts/EOF": "hello fleet, $HOME\n", "texts/RAW": "as written: ${WHO}\n"}
    means = {**texts, "mixed/EOF": "one\n", "named": ""}
    steps = "FROM scratch\nCOPY texts /texts\nCOPY --chown=3:4 --chmod=600 mixed/EOF a.txt /mixed/\nCOPY named /named\n"
    context = write(tmp_path / "theirs", {**CONTEXT, **means, "Dockerfile": steps})
    theirs = FolderSource(buildah.build(context)).read()
    own = write(tmp_path / "ours", {**CONTEXT, "Dockerfile": dedent(HEREDOCS)})
    _, manifest = native(tmp_path / "store", BuildSpec(str(own), HERE))
    assert read_layout(tmp_path / "store", manifest).files == theirs.files
