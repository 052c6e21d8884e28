# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A build, read and checked: everything that can be wrong with its input is told before anything is built."""

from __future__ import annotations

import os
import platform as python_platform
import typing as t

from ..model.errors import InputError
from ..model.platform import Platform
from ..model.reference import Defaults, parse_reference
from .base import Base, BuildProblem, BuildSpec, problems_error
from .context import Context, check_folder, walk_context
from .ignore import IgnoreRules, parse_ignore
from .inputs import InputsKey, inputs_key, rows_digest
from .parser import parse_dockerfile
from .reach import Reach, find_reach
from .stages import StagePlan, copied_stages, plan_stages
from .tree import Entry, Tree

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ..model.digest import Digest
    from .changes import FileChanges
    from .stat_cache import StatCache
    from .tree import Parts

DOCKERFILE = ".fleet-images.Dockerfile"
_INLINE = "dockerfile_inline"
_DOCKERFILE_LIMIT = 16 * 1024 * 1024  # bytes; nobody writes one of that size, a mistaken path may hold one


class DockerfileText(t.NamedTuple):
    """What messages call the Dockerfile, and its text."""

    name: str
    text: str


class Build:
    """A build whose input is known to be good. The context is walked at most once, each file hashed at most once."""

    def __init__(
        self, spec: BuildSpec, source: DockerfileText, *, plan: StagePlan, rules: IgnoreRules, like: Build | None = None
    ) -> None:
        """Take what was read; ``like`` is the same build for another platform, or in another way: one context."""
        self.spec = spec
        self.source = source
        self.plan = plan
        self.warnings = plan.warnings
        self._rules = rules
        self._like = like
        self._context: Context | None = None
        self._reach: Reach | None = None
        self._stat_cache: StatCache | None = None
        self._digests: dict[bool, str] = {}

    @property
    def name(self) -> str:
        """What messages call the Dockerfile."""
        return self.source.name

    @property
    def context(self) -> Context:
        """The files the build can see.

        Raises:
            InputError: context-missing or context-unreadable.
        """
        if self._context is None:
            like = self._like
            self._context = like.context if like is not None else walk_context(self.spec.context, self._rules)
        return self._context

    @property
    def bases(self) -> tuple[Base, ...]:
        """Every image that is started or copied from, each once, in the order of the Dockerfile; scratch is none."""
        found: dict[Base, None] = {}
        for number in self.plan.needed:
            stage = self.plan.stages[number]
            if stage.base is not None:
                found[stage.base] = None
            found.update({source: None for source in copied_stages(self.plan, stage) if isinstance(source, Base)})
        return tuple(found)

    @property
    def reach(self) -> Reach:
        """What the Dockerfile takes from the context.

        Raises:
            ImagesError: as find_reach.
        """
        if self._reach is None:
            self._reach = find_reach(self.plan, self._context_tree)
        return self._reach

    def check(self) -> None:
        """Look for what is wrong with the files that are taken, and with the steps of a native build.

        Raises:
            UnsupportedError: build-needs-run, add-url or dockerfile-flag, naming the line, for a native build.
            InputError: context-unreadable, copy-source-missing or copy-source-outside.
        """
        if self.spec.is_native and self.reach.obstacles:
            raise self.reach.obstacles[0]
        if self.reach.problems:
            raise problems_error(self.reach.problems)

    @property
    def dockerfile_name(self) -> str:
        """The name of the Dockerfile in ``context_tar``: none that the context has; one that it ignores at best.

        Engines that read the ignore file then need no other one.
        """
        if self._rules.ignored_name:
            return self._rules.ignored_name
        name = DOCKERFILE
        while self.spec.context and os.path.lexists(os.path.join(self.spec.context, name)):
            name += "-"
        return name

    def pinned_dockerfile(self, base_digests: Mapping[Base, Digest | None], *, defaults: Defaults = Defaults()) -> str:  # noqa: B008 (immutable)
        """Return the Dockerfile with each base named in full, by its digest if it has one: ``docker.io/library/x@…``.

        Short names are completed with ``defaults``. Stages that the target does not need are empty: some builders carry
        them out, and ``context_tar`` does not have their files. All else stays byte for byte, and so does ONBUILD.
        """
        from .pinning import pinned_text
        from .unneeded import without_unneeded

        names: dict[Base, str] = {}
        for base, digest in base_digests.items():
            name = parse_reference(base.reference, defaults)
            names[base] = str(name if digest is None else name.with_digest(digest))
        return pinned_text(without_unneeded(self.source.text, self.plan), self.plan, names=names)

    @property
    def takes_dockerfile(self) -> bool:
        """Whether some step takes a file ``dockerfile_name`` from the root of the context, or may.

        Raises:
            InputError: context-missing or context-unreadable.
        """
        tree, added = self.context.tree.copy(), (self.dockerfile_name,)
        tree.put(added, Entry("file", 0o644))
        paths = find_reach(self.plan, lambda: tree).paths
        return paths is None or added in paths

    def context_tar(self, dockerfile: str, *, has_triggers: bool = False, hidden_by: str = "") -> Iterator[bytes]:
        """Yield a tar archive of what an engine needs of the context, and ``dockerfile`` as ``dockerfile_name``.

        The same files give the same bytes, and memory does not grow with sizes. ``has_triggers`` as for ``inputs_key``,
        ``hidden_by`` as for ``Context``.

        Raises:
            InputError: context-missing or context-unreadable.
            ConflictError: context-changed.
        """
        from .context_tar import Sent, pack_context

        paths = None if has_triggers else self.reach.paths
        name, is_ignored = self.dockerfile_name, bool(self._rules.ignored_name)
        sent = Sent(name, dockerfile, self._rules.name, self.spec.source_date_epoch, hidden_by, is_ignored)
        return pack_context(Tree() if paths == frozenset() else self.context.tree, paths, sent=sent)

    def inputs_key(self, base_digests: Mapping[Base, Digest], *, has_triggers: bool = False) -> InputsKey:
        """Return the key of this build on bases with these digests; ``has_triggers``: a base has ONBUILD triggers.

        Triggers may copy anything, so with them the whole context counts.

        Raises:
            InputError: bad-build-bases, when a digest of ``bases`` is missing; context-unreadable.
            ConflictError: context-changed.
        """
        missing = [base.reference for base in self.bases if base not in base_digests]
        if missing:
            raise InputError(
                f"The digest of {', '.join(missing)} is not known", code="bad-build-bases", subject=missing[0]
            )
        return inputs_key(
            self.plan,
            self.spec,
            used=self.reach.used,
            context=self._context_digest(has_triggers=has_triggers),
            base_digests={base: base_digests[base] for base in self.bases},
            has_open_end=has_triggers,
        )

    def file_changes(self, before: Mapping[str, str]) -> FileChanges | None:
        """Return which files differ from those of a build whose inputs had the fields ``before``, digests cut or not.

        None when that is not remembered.

        Raises:
            InputError, ConflictError: as inputs_key.
        """
        old = self._cache.rows(before.get("context", "")) if self._cache is not None else None
        if self._cache is None or old is None:
            return None
        from .changes import file_changes

        has_triggers = "onbuild" in before
        now = self._cache.rows(self._context_digest(has_triggers=has_triggers))
        return file_changes(old, now if now is not None else self.context.rows(self._paths(has_triggers=has_triggers)))

    def _context_digest(self, *, has_triggers: bool) -> str:
        if has_triggers not in self._digests:
            paths = self._paths(has_triggers=has_triggers)
            if self._like is not None and self._like._paths(has_triggers=has_triggers) == paths:
                self._digests[has_triggers] = self._like._context_digest(has_triggers=has_triggers)
            elif self._cache is not None and paths:
                self._digests[has_triggers] = self._cache.digest(self.context, paths)
            else:
                self._digests[has_triggers] = rows_digest(self.context.rows(paths) if paths else ())
        return self._digests[has_triggers]

    def _paths(self, *, has_triggers: bool) -> frozenset[Parts]:
        paths = None if has_triggers else self.reach.paths
        return paths if paths is not None else frozenset(parts for parts, _entry in self.context.tree.root.walk())

    @property
    def _cache(self) -> StatCache | None:
        if self._like is not None:
            return self._like._cache
        if self._stat_cache is None and self.spec.cache_folder and self.spec.context:
            from .stat_cache import stat_cache

            self._stat_cache = stat_cache(self.spec.cache_folder, self.spec.remembered_as or self.spec.context)
        return self._stat_cache

    def is_current(self, key: str, base_digests: Mapping[Base, Digest]) -> bool:
        """Tell whether an image labelled with ``key`` is what this build on bases with these digests would give.

        Whether a base has triggers is a fact about its digest, so the one key that fits was made with that knowledge.

        Raises:
            ImagesError: as inputs_key.
        """
        flags = (False, True) if self.bases else (False,)
        return any(self.inputs_key(base_digests, has_triggers=flag).key == key for flag in flags)

    def _context_tree(self) -> Tree:
        return self.context.tree


def load_build(spec: BuildSpec, *, like: Build | None = None) -> Build:
    """Return the build that ``spec`` orders, with all of its input checked as far as it can be without bases.

    ``like`` is as for ``read_build``.

    Raises:
        InputError: context-missing, context-unreadable, dockerfile-missing, dockerfile-syntax, bad-ignore-file,
            copy-source-missing, copy-source-outside or unknown-target; all problems of one kind of check at once.
        UnsupportedError: build-needs-run, add-url or dockerfile-flag, naming the line, for a native build.
    """
    build = read_build(spec, like=like)
    build.check()
    return build


def read_build(spec: BuildSpec, *, like: Build | None = None) -> Build:
    """Return the build that ``spec`` orders, of which ``check`` has yet to look at the files that it takes.

    ``like`` is the same build for another platform, or in another way: what was walked and hashed for it is shared.

    Raises:
        InputError: context-missing, dockerfile-missing, dockerfile-syntax, bad-ignore-file or unknown-target.
    """
    if spec.context:
        check_folder(spec.context)
    path = dockerfile_path(spec)
    source = read_dockerfile(spec, path)
    dockerfile = parse_dockerfile(source.text, name=source.name, is_native=spec.is_native)
    plan = plan_stages(dockerfile, spec, machine=_machine())
    rules, ignore_problems = _read_rules(spec, path)
    problems = [*dockerfile.problems, *plan.problems, *ignore_problems]
    if problems:
        raise problems_error(problems)
    return Build(spec, source, plan=plan, rules=rules, like=like)


def _machine() -> Platform:
    return Platform.of("linux", python_platform.machine())


def read_dockerfile(spec: BuildSpec, path: str) -> DockerfileText:
    """Return the Dockerfile of ``spec``, which lies at ``path``, and what messages call it.

    Raises:
        InputError: dockerfile-missing.
    """
    text = spec.dockerfile_inline or _read_text(path, option="dockerfile", spec=spec)
    return DockerfileText(os.path.basename(path) or _INLINE, text)


def dockerfile_path(spec: BuildSpec) -> str:
    """Return where the Dockerfile of ``spec`` lies; "" for one whose text is given."""
    if spec.dockerfile_inline:
        return ""
    path = os.path.join(spec.context, spec.dockerfile)
    if spec.dockerfile == "Dockerfile" and not os.path.exists(path):
        # Podman's and buildah's name for the same.
        other = os.path.join(spec.context, "Containerfile")
        path = other if os.path.exists(other) else path
    return path


def _read_text(path: str, *, option: str, spec: BuildSpec) -> str:
    try:
        if spec.remembered_as and not os.path.isabs(spec.dockerfile):
            _refuse_outside(path, os.path.realpath(spec.context))
        with open(path, "rb") as stream:
            raw = stream.read(_DOCKERFILE_LIMIT + 1)
        if len(raw) > _DOCKERFILE_LIMIT:
            raise ValueError(f"it is larger than {_DOCKERFILE_LIMIT} bytes")
        return raw.decode("utf-8")
    except (OSError, ValueError) as error:
        raise InputError(
            f"The file {path} cannot be read",
            code="dockerfile-missing",
            why=getattr(error, "strerror", None) or str(error),
            fix=f"give in {option} a text file in UTF-8, relative to the context or absolute",
            subject=path,
        ) from error


def _refuse_outside(path: str, folder: str) -> None:
    """Who wrote a context that was fetched must not choose files of this host: messages tell lines of what is read."""
    if os.path.commonpath((os.path.realpath(path), folder)) != folder:
        raise ValueError("it lies outside of the context, which came from elsewhere")


def _read_rules(spec: BuildSpec, dockerfile: str) -> tuple[IgnoreRules, list[BuildProblem]]:
    """Return the rules of ``<Dockerfile>.dockerignore``, else ``.containerignore``, else ``.dockerignore``."""
    if not spec.context:
        return IgnoreRules(), []
    own = f"{dockerfile}.dockerignore" if dockerfile else ""
    shared = [os.path.join(spec.context, name) for name in (".containerignore", ".dockerignore")]
    for path in [own, *shared]:
        if path and os.path.isfile(path):
            name = os.path.basename(path)
            rules, problems = parse_ignore(_read_text(path, option="path", spec=spec), name=name)
            return rules._replace(name=name if path != own else ""), problems
    return IgnoreRules(), []
