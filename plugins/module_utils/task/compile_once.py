# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Each file of a module's payload is compiled once, not twice. See docs/decisions/0022.

Before Python loads a file of the zip, it asks ``zipimporter.get_filename`` where it is, which compiles it to find out.
"""

from __future__ import annotations

import os
import sys
from zipimport import zipimporter


class PayloadImporter(zipimporter):
    """A zipimporter of source files that knows where they are without compiling them."""

    def get_filename(self, fullname: str) -> str:
        """Return the path of a module. Raises ``ZipImportError`` if the zip lacks it."""
        name = fullname.rpartition(".")[2]
        file = os.path.join(name, "__init__.py") if self.is_package(fullname) else f"{name}.py"
        return os.path.join(self.archive, self.prefix + file)


def compile_once() -> None:
    """Let what is imported from now on out of the zip that this file is from be compiled once; else do nothing."""
    loader: object = __spec__.loader
    if not isinstance(loader, zipimporter):
        return
    payload = loader.archive

    def open_payload(path: str) -> PayloadImporter:
        if not path.startswith(payload):
            raise ImportError("not in the payload")
        return PayloadImporter(path)

    sys.path_hooks.insert(0, open_payload)
    for path in [path for path in sys.path_importer_cache if path.startswith(payload)]:
        del sys.path_importer_cache[path]
