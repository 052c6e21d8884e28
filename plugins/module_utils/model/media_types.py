# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Media types of documents and blobs, and what can be told from them."""

from __future__ import annotations

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar"
OCI_LAYER_GZIP = "application/vnd.oci.image.layer.v1.tar+gzip"
OCI_LAYER_ZSTD = "application/vnd.oci.image.layer.v1.tar+zstd"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER_GZIP = "application/vnd.docker.image.rootfs.diff.tar.gzip"
EMPTY_JSON = "application/vnd.oci.empty.v1+json"

#: Always all four: docker-registry 2.8.2 answers 404 for OCI content to who names the Docker types only, and turns v2
#: manifests into schema 1 for who does not name them (registry-protocol 2.3.1).
MANIFEST_ACCEPT = ", ".join((OCI_MANIFEST, OCI_INDEX, DOCKER_MANIFEST, DOCKER_LIST))


def is_manifest(media_type: str) -> bool:
    """Tell whether ``media_type`` is of one image's manifest."""
    return media_type in (OCI_MANIFEST, DOCKER_MANIFEST)


def is_index(media_type: str) -> bool:
    """Tell whether ``media_type`` is of an index (Docker: manifest list)."""
    return media_type in (OCI_INDEX, DOCKER_LIST)


def is_config(media_type: str) -> bool:
    """Tell whether ``media_type`` is of an image's config: other content has manifests, too."""
    return media_type in (OCI_CONFIG, DOCKER_CONFIG)


def is_document(media_type: str) -> bool:
    """Tell whether registries keep content of ``media_type`` under ``/manifests/``."""
    return is_manifest(media_type) or is_index(media_type)


def is_nondistributable(media_type: str) -> bool:
    """Tell whether a layer of ``media_type`` is fetched from its URLs and not pushed (OCI: deprecated)."""
    return ".nondistributable." in media_type or media_type.endswith(".foreign.diff.tar.gzip")


def without_parameters(content_type: str) -> str:
    """Return ``content_type`` without parameters (``; charset=utf-8``), lower-case."""
    return content_type.partition(";")[0].strip().lower()
