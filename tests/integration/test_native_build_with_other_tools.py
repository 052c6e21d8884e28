# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Images built without a daemon are read by skopeo, unpack with umoci and run under podman."""

from __future__ import annotations

import os
import shutil
import tarfile
from pathlib import Path

import pytest
from ansible_collections.fleet.images.plugins.module_utils.build.base import BuildSpec
from ansible_collections.fleet.images.tests.integration.build_contexts import CONTEXT, SHAPES, dedent, write
from ansible_collections.fleet.images.tests.integration.built_images import HERE, native, read_layout
from ansible_collections.fleet.images.tests.support import skopeo
from ansible_collections.fleet.images.tests.support.programs import require, run


def test_skopeo_reads_the_image_and_umoci_unpacks_the_same_files(tmp_path: Path) -> None:
    require("skopeo", "umoci")
    context = write(tmp_path / "context", {**CONTEXT, "Dockerfile": dedent(SHAPES["wildcards-and-links"])})
    _, manifest = native(tmp_path / "store", BuildSpec(str(context), HERE))
    name = "localhost/case:1"
    assert skopeo.manifest_digest(f"oci:{tmp_path}/store:{name}") == str(manifest.descriptor.digest)
    skopeo.copy(f"oci:{tmp_path}/store:{name}", f"oci:{tmp_path}/copied:case")
    files = read_layout(tmp_path / "store", manifest).files
    root = skopeo.umoci_unpack(tmp_path / "copied", "case", tmp_path / "bundle")
    assert {str(path.relative_to(root)) for path in root.rglob("*")} == set(files)
    for name, (kind, mode, _, _, body) in files.items():
        path = root / name
        if kind == tarfile.SYMTYPE:
            assert os.readlink(path) == body
        else:
            assert path.lstat().st_mode & 0o7777 == mode
            assert path.is_dir() or path.read_bytes() == body


def test_the_image_runs_under_podman(tmp_path: Path) -> None:
    require("podman", "skopeo", "busybox", "runc")
    if os.geteuid():
        pytest.skip("needs root to run a container")
    busybox = shutil.which("busybox") or ""
    dockerfile = (
        "FROM scratch AS tools\nCOPY busybox /bin/\nFROM scratch\nCOPY --from=tools /bin/busybox /bin/sh\n"
        "COPY <<EOF /etc/motd\nhello ${WHO:-fleet}\nEOF\nENV NAME=native\nWORKDIR /work\n"
        'CMD ["/bin/sh", "-c", "read line < /etc/motd; echo $line $NAME $PWD"]\n'
    )
    context = write(tmp_path / "context", {"busybox!": Path(busybox).read_bytes(), "Dockerfile": dockerfile})
    native(tmp_path / "store", BuildSpec(str(context), HERE))
    (tmp_path / "storage.conf").write_text(
        f'[storage]\ndriver="vfs"\nrunroot="{tmp_path}/run"\ngraphroot="{tmp_path}/graph"\n'
    )
    (tmp_path / "containers.conf").write_text(
        '[containers]\ndefault_ulimits=["nofile=20000:20000","nproc=9000:9000"]\nnetns="host"\n'
        '[engine]\nruntime="runc"\ncgroup_manager="cgroupfs"\n'
    )
    environment = {
        "HOME": str(tmp_path),
        "CONTAINERS_STORAGE_CONF": str(tmp_path / "storage.conf"),
        "CONTAINERS_CONF": str(tmp_path / "containers.conf"),
    }
    source = f"oci:{tmp_path}/store:localhost/case:1"
    run(["skopeo", "--insecure-policy", "copy", source, "containers-storage:case:1"], environment=environment)
    # Detached: without systemd, an attached run waits twenty seconds for an exit file that conmon does not write.
    run(["podman", "run", "-d", "--pull=never", "--name", "case", "case:1"], environment=environment)
    try:
        output = run(["podman", "logs", "-f", "case"], environment=environment)
    finally:
        run(["podman", "rm", "-f", "-t0", "case"], environment=environment)
    assert output == b"hello fleet native /work\n"
