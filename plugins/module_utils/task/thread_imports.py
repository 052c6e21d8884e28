# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Imports, by one thread, all that threads which speak to registries or engines, or write blobs, would import.

Modules travel in a zip file. In Python 3.9 a module from a zip file is visible to other threads before it is complete
(its loader has no ``exec_module``, so nothing makes them wait): they fail with "cannot import name". Later ones wait.
"""

from __future__ import annotations

from ..stores.file_lock import locked
from ..stores.layout_partial import PartialFile
from ..stores.registry import RegistryStore
from ..stores.registry_referrers import list_referrers
from ..stores.registry_tags import list_tags
from ..stores.registry_upload import upload
from ..stores.verify import check_bytes
from ..wire.auth_files import auth_files
from ..wire.credential_helpers import ask_helper
from ..wire.credentials import CredentialSource
from ..wire.engine_failure import lost
from ..wire.engine_stream import EngineStream
from ..wire.process import run
from ..wire.process_stream import ProcessStream
from ..wire.registry_client import RegistryClient
from ..wire.trust import TrustBundle

LOADED = (
    ask_helper,
    auth_files,
    check_bytes,
    CredentialSource,
    EngineStream,
    list_referrers,
    list_tags,
    locked,
    lost,
    PartialFile,
    ProcessStream,
    RegistryClient,
    RegistryStore,
    run,
    TrustBundle,
    upload,
)
"""What is loaded now. Nobody asks for it here: it is loaded by being named."""
