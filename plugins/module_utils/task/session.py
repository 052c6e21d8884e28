# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What one task works with: the engine, the content store and registries, put together from its options."""

from __future__ import annotations

import threading
import typing as t

from ..model.reference import Defaults, Reference
from .engines import open_engine

if t.TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from ..apply.sources import Mirrors
    from ..apply.transfer import Patience
    from ..engines.base import ImageBuilder
    from ..plan.plan import Plan
    from ..stores.base import ContentStore
    from ..stores.registries import Registries
    from ..stores.registry import RegistryStore
    from ..wire.credentials import Credential, CredentialSource
    from .checks import Checks


class Session:
    """Opens what the options name, each part when it is first needed."""

    def __init__(self, params: Mapping[str, t.Any], *, checks: Checks | None = None) -> None:
        """Take the options of a module, which a Reader found to be fine, and what they ask of images at registries.

        Raises:
            InputError: the address or a setting of the engine cannot be used.
            UnsupportedError: the engine cannot be reached over such an address.
        """
        self._params = params
        self.checks = checks
        self._registries: Registries | None = None
        self._credentials: CredentialSource | None = None
        self._mirrors: Mirrors | None = None
        self._opening = threading.RLock()
        self._served: frozenset[str] = frozenset()
        self._warnings: list[str] = []
        self.defaults = naming_defaults(params)
        self._opened = open_engine(params, credentials=self.credential, warn=self.warn)
        self.engine = self._opened.engine
        self.daemon = self._opened.daemon
        self.keeps_index = self._opened.keeps_index
        self.builder: ImageBuilder | None = None  # what builds in containers, once a build was read
        self.archiver = self._opened.archiver
        self._endings: list[Callable[[], None]] = []

    @property
    def parallel(self) -> int:
        """How many exchanges with registries run at a time."""
        return int(self._params["parallel"])

    def patience(self) -> Patience:
        """Return how transfers meet failures."""
        from ..apply.transfer import Patience
        from ..wire.retry import RetryPolicy

        deadline = self._params["deadline"]
        policy = RetryPolicy(self._params["retry"], self._params["retry_delay"], deadline)
        return Patience(
            self.parallel, lambda failures, elapsed: policy.pause(failures, elapsed=elapsed), deadline=deadline
        )

    def content(self) -> ContentStore:
        """Return the store that the engine's content is in.

        Raises:
            ImagesError: it cannot be opened.
        """
        return self._opened.content()

    def scratch(self) -> str:
        """Return a folder for temporary files beside the engine's content.

        Raises:
            ImagesError: it cannot be made.
        """
        return self._opened.scratch()

    def check_room(self, plan: Plan) -> None:
        """Do nothing if there is room for what ``plan`` pulls.

        Raises:
            ConflictError: not-enough-space.
        """
        if any(action.kind == "pull" for action in plan.actions):
            from .disk_guard import check_room
            from .sizes import parse_size

            check_room(plan, margin=parse_size(self._params["disk_margin"] or "0"), space=self.engine.space)

    def use_registries(self, wanted: Collection[str]) -> None:
        """Say which registries the task names: ``username`` and ``password`` are for these alone, not for mirrors.

        Raises:
            InputError: there are several, and ``username`` does not say for which of them it is.
        """
        self._served = frozenset(wanted)
        if self._params.get("username"):
            from .registries import check_served

            check_served(self._served)

    def registry(self, reference: Reference, *, mount_from: Sequence[str] = ()) -> RegistryStore:
        """Return the repository that ``reference`` lies in. Nothing is asked of its registry yet.

        ``mount_from`` are paths of repositories of the same registry that may hold blobs to be written.
        """
        return self.registries.store(reference, mount_from=mount_from)

    @property
    def registries(self) -> Registries:
        """All registries, reached with the task's settings and credentials. Threads may ask for them first."""
        from .registries import open_registries

        with self._opening:
            if self._registries is None:
                self._registries = open_registries(self._params, credentials=self._source())
            return self._registries

    @property
    def mirrors(self) -> Mirrors:
        """The mirrors of the task, which remember which of them are down. Threads may ask for them first."""
        from .registries import mirrors_of

        with self._opening:
            if self._mirrors is None:
                self._mirrors = mirrors_of(self._params, opened=self._mirror)
            return self._mirrors

    def warn(self, text: str) -> None:
        """Keep what the user should know; an empty text is nothing."""
        if text:
            self._warnings.append(text)

    def warnings(self) -> list[str]:
        """Return what the user should know, also of mirrors, and what registries want people to read."""
        mirrors = self._mirrors.warnings if self._mirrors is not None else []
        return self._warnings + mirrors + (self._registries.warnings if self._registries is not None else [])

    def at_end(self, ending: Callable[[], None]) -> None:
        """Call ``ending``, which never fails, before the connections are closed."""
        self._endings.append(ending)

    def close(self) -> None:
        """Close every connection. Idempotent."""
        while self._endings:
            self._endings.pop()()
        self._opened.close()
        if self._registries is not None:
            self._registries.close()

    def _mirror(self, reference: Reference) -> RegistryStore:
        return self.registries.mirror(reference)

    def credential(self, reference: Reference) -> Credential | None:
        """Return the log-in for a repository, for an engine that speaks to registries itself."""
        with self._opening:
            source = self._source()
        return source.for_registry(reference.registry, reference.path)

    def _source(self) -> CredentialSource:
        from .registries import credentials_of

        if self._credentials is None:
            self._credentials = credentials_of(self._params, served=self._served)
        return self._credentials


def naming_defaults(params: Mapping[str, t.Any]) -> Defaults:
    """Return what short names are completed with; a module's own ``tag`` goes before ``default_tag``."""
    tag = params.get("tag") or params["default_tag"]
    return Defaults(params["default_registry"], tuple(params["default_namespaces"]), tag)
