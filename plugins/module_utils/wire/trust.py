# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which certificates are believed: the system's, and the task's own beside them."""

from __future__ import annotations

import typing as t
from pathlib import Path

from ..model.errors import InputError, UnavailableError

_SUFFIXES = (".crt", ".pem", ".cert", ".cer")


class TrustBundle:
    """One file of certificates for the HTTP library: the system's bundle and those of ``ca_path``.

    A registry with a private authority still sends its clients to content networks with public certificates, so the
    private ones are added and do not replace.
    """

    def __init__(self, ca_path: str, *, system_bundle: str) -> None:
        """Write the joined bundle to a private temporary file; ``close`` removes it.

        Raises:
            InputError: ca-path-unreadable, or ca-path-empty: no certificate in PEM form there.
            UnavailableError: temporary-file, when it cannot be written.
        """
        import tempfile

        own = b"\n".join(_read(path) for path in _files(Path(ca_path)))
        if b"-----BEGIN " not in own:
            raise _no_certificates(ca_path)
        system = Path(system_bundle).read_bytes() if Path(system_bundle).is_file() else b""
        try:
            self._file: t.IO[bytes] = tempfile.NamedTemporaryFile(prefix="fleet-images-ca-", suffix=".pem")  # noqa: SIM115
            self._file.write(system + b"\n" + own)
            self._file.flush()
        except OSError as error:
            raise _not_written(error) from error
        self.path = self._file.name

    def close(self) -> None:
        """Remove the file. Idempotent."""
        self._file.close()


def _files(path: Path) -> list[Path]:
    try:
        if not path.is_dir():
            return [path]
        files = sorted(entry for entry in path.iterdir() if entry.suffix in _SUFFIXES)
    except OSError as error:
        raise _unreadable(path, error) from error
    return files


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: OSError) -> InputError:
    return InputError(
        f"registry_ca_path: {path} cannot be read",
        code="ca-path-unreadable",
        why=error.strerror or type(error).__name__,
        fix="name an existing file in PEM form, or a folder of such files, on the host that pulls",
        subject="registry_ca_path",
    )


def _not_written(error: OSError) -> UnavailableError:
    from tempfile import gettempdir

    return UnavailableError(
        "A temporary file for the certificates cannot be written",
        code="temporary-file",
        why=f"{error.strerror or error}, in {gettempdir()}",
        fix="free some space there, or let TMPDIR of the task's environment name another folder",
        subject="registry_ca_path",
    )


def _no_certificates(ca_path: str) -> InputError:
    return InputError(
        f"registry_ca_path: {ca_path} holds no certificates",
        code="ca-path-empty",
        fix=f"name a file in PEM form, or a folder of such files that end in {', '.join(_SUFFIXES)}",
        subject="registry_ca_path",
    )
