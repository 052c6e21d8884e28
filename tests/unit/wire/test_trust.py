# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The certificates that are believed."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from ansible_collections.fleet.images.plugins.module_utils.model.errors import InputError, UnavailableError
from ansible_collections.fleet.images.plugins.module_utils.wire.trust import TrustBundle

if t.TYPE_CHECKING:
    from collections.abc import Callable

OWN = b"-----BEGIN CERTIFICATE-----\nown\n-----END CERTIFICATE-----\n"


def test_own_certificates_come_beside_those_of_the_system_in_a_private_file_that_goes_away(tmp_path: Path) -> None:
    (tmp_path / "system.pem").write_bytes(b"system")
    (tmp_path / "own.pem").write_bytes(OWN)
    bundle = TrustBundle(str(tmp_path / "own.pem"), system_bundle=str(tmp_path / "system.pem"))
    file = Path(bundle.path)
    assert file.read_bytes() == b"system\n" + OWN
    assert file.stat().st_mode & 0o077 == 0
    bundle.close()
    bundle.close()
    assert not file.exists()


def test_a_folder_gives_its_certificates_in_the_order_of_their_names(tmp_path: Path) -> None:
    for name in ("b.crt", "a.pem", "key.txt"):
        (tmp_path / name).write_bytes(OWN.replace(b"own", name.encode()))
    bundle = TrustBundle(str(tmp_path), system_bundle=str(tmp_path / "none"))
    content = Path(bundle.path).read_bytes()
    bundle.close()
    assert content.index(b"a.pem") < content.index(b"b.crt")
    assert b"key.txt" not in content


def _empty_file(folder: Path) -> Path:
    (folder / "ca.pem").write_bytes(b"")
    return folder / "ca.pem"


def _binary_file(folder: Path) -> Path:
    (folder / "ca.pem").write_bytes(b"\x30\x82\x01")
    return folder / "ca.pem"


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda folder: folder / "missing.pem", "ca-path-unreadable"),
        (lambda folder: folder, "ca-path-empty"),
        (_empty_file, "ca-path-empty"),
        (_binary_file, "ca-path-empty"),
    ],
)
def test_a_path_without_certificates_is_an_error_of_the_task(
    tmp_path: Path, make: Callable[[Path], Path], code: str
) -> None:
    with pytest.raises(InputError) as caught:
        TrustBundle(str(make(tmp_path)), system_bundle="")
    assert caught.value.code == code
    assert caught.value.subject == "registry_ca_path"


def test_a_temporary_file_that_cannot_be_written_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own.pem").write_bytes(OWN)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "missing"))
    with pytest.raises(UnavailableError) as caught:
        TrustBundle(str(tmp_path / "own.pem"), system_bundle="")
    assert caught.value.code == "temporary-file"
    assert str(tmp_path / "missing") in caught.value.why
