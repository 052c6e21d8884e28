# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Media types: what is told from them."""

from __future__ import annotations

import pytest
from ansible_collections.fleet.images.plugins.module_utils.model import media_types as mt


@pytest.mark.parametrize("media_type", [mt.OCI_MANIFEST, mt.OCI_INDEX, mt.DOCKER_MANIFEST, mt.DOCKER_LIST])
def test_documents_are_images_or_indexes_and_asked_for(media_type: str) -> None:
    assert mt.is_document(media_type)
    assert mt.is_manifest(media_type) != mt.is_index(media_type)
    assert media_type in mt.MANIFEST_ACCEPT.split(", ")


@pytest.mark.parametrize(
    "media_type", ["", mt.OCI_CONFIG, mt.OCI_LAYER, mt.EMPTY_JSON, "application/json", f"{mt.OCI_MANIFEST}x"]
)
def test_everything_else_is_no_document(media_type: str) -> None:
    assert not mt.is_document(media_type)


@pytest.mark.parametrize(
    ("media_type", "is_so"),
    [
        ("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", True),
        ("application/vnd.oci.image.layer.nondistributable.v1.tar", True),
        ("application/vnd.oci.image.layer.nondistributable.v1.tar+zstd", True),
        (mt.OCI_LAYER_GZIP, False),
        (mt.DOCKER_LAYER_GZIP, False),
    ],
)
def test_layers_that_must_not_be_pushed_are_known(media_type: str, is_so: bool) -> None:
    assert mt.is_nondistributable(media_type) is is_so


def test_parameters_and_case_are_taken_off() -> None:
    assert mt.without_parameters(" Application/JSON ; charset=utf-8") == "application/json"
