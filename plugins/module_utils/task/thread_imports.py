# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Imports, by one thread, all that threads which speak to registries and write blobs would import themselves.

Modules travel in a zip file. In Python 3.9 a module from a zip file is visible to other threads before it is complete
(its loader has no ``exec_module``, so nothing makes them wait): they fail with "cannot import name". Later ones wait.
"""

from __future__ import annotations

from ..stores.file_lock import locked  # noqa: F401
from ..stores.layout_partial import PartialFile  # noqa: F401
from ..stores.registry import RegistryStore  # noqa: F401
from ..stores.registry_tags import list_tags  # noqa: F401
from ..stores.registry_upload import upload  # noqa: F401
from ..stores.verify import check_bytes  # noqa: F401
from ..wire.auth_files import auth_files  # noqa: F401
from ..wire.credential_helpers import ask_helper  # noqa: F401
from ..wire.credentials import CredentialSource  # noqa: F401
from ..wire.process import run  # noqa: F401
from ..wire.registry_client import RegistryClient  # noqa: F401
from ..wire.trust import TrustBundle  # noqa: F401
