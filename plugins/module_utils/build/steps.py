# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One stage, step by step: instructions become settings, files and layers."""

from __future__ import annotations

import io
import json
import typing as t

from ..model.errors import InputError, UnsupportedError
from .archives import Archive, looks_like_tar
from .base import Base, BaseImage, BuildProblem, problems_error
from .copying import CopyError, Source, Target, copy_into, find_sources, make_folder
from .layers import Layer, changed_entries, write_layer
from .lexer import heredoc_mark, shown
from .obstacles import add_url, is_remote, obstacle
from .owners import find_mode, find_owner
from .parser import parse_trigger
from .reach import line_problem
from .scope import Scope
from .settings import Settings, base_settings
from .stages import copied_from, stage_steps
from .tree import Entry, Node, Tree
from .unpacking import image_tree, lay_members, read_members
from .words import WordError

if t.TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ..model.descriptor import Descriptor
    from ..wire.streams import ReadStream
    from .loading import Build
    from .parser import Instruction
    from .stages import Stage
    from .tree import Content, Parts


class Inline(t.NamedTuple):
    """The bytes of a file that a Dockerfile holds in place."""

    text: bytes

    def open(self) -> ReadStream:
        """Return them; the caller closes."""
        return io.BytesIO(self.text)


class Shop:
    """What the stages of one build share: the bases with their files, temporary files, and where layers go."""

    def __init__(
        self,
        build: Build,
        bases: Mapping[Base, BaseImage],
        *,
        folder: str | None,
        publish: Callable[[Layer], None],
    ) -> None:
        self.build = build
        self.bases = bases
        self.folder = folder
        self.publish = publish
        self.stages: dict[int, StageRun] = {}
        self._trees: dict[Base, Tree] = {}
        self._archives: list[Archive] = []

    def close(self) -> None:
        """Give back every temporary file. Idempotent."""
        for archive in self._archives:
            archive.close()

    def tree_of(self, base: Base) -> Tree:
        """Return the files of a base; read once. Not to be changed.

        Raises:
            PeerError: bad-layer; IntegrityError: digest-mismatch; UnsupportedError: zstd-missing.
        """
        if base not in self._trees:
            tree, archives = image_tree(self.bases[base], reference=base.reference, folder=self.folder)
            self._trees[base] = tree
            self._archives += archives
        return self._trees[base]

    def archive(self, content: Content, *, instruction: Instruction, name: str) -> Archive:
        """Return the archive that a file of the context is."""

        def damaged(why: str) -> InputError:
            return InputError(
                f"{instruction.where}: the archive {name} cannot be unpacked",
                code="bad-archive",
                why=why,
                fix="pack it again, or COPY it to keep it packed",
                subject=instruction.where,
            )

        archive = Archive(lambda _: content.open(), folder=self.folder, damaged=damaged)
        self._archives.append(archive)
        return archive


class StageRun:
    """A stage while it is built, and its result afterwards."""

    settings: Settings
    scope: Scope

    def __init__(self, shop: Shop, stage: Stage, *, keeps_layers: bool) -> None:
        self._shop = shop
        self._stage = stage
        self._keeps_layers = keeps_layers
        self._tree: Tree | None = None
        self._parent = shop.stages[stage.parent] if stage.parent is not None else None
        self.image = shop.bases[stage.base] if stage.base is not None else None
        self.layers: list[Descriptor] = []
        self.history: list[dict[str, t.Any]] = []
        if self._parent is not None:
            self.image = self._parent.image
            self.settings = Settings(json.loads(json.dumps(self._parent.settings.values)))
            self.settings.author = self._parent.settings.author
            env, args = self._parent.scope.env, self._parent.scope.args
            self.layers += self._parent.layers
            self.history += self._parent.history
            self.settings.take_triggers()
        else:
            self.settings, env = base_settings(self.image.config if self.image is not None else None)
            args = {}
        self.scope = Scope(escape=shop.build.plan.escape, env=env, args=args)

    def run(self) -> None:
        """Do what the stage says: triggers first.

        Raises:
            InputError, UnsupportedError, ConflictError, PeerError, IntegrityError: naming the line where there is one.
        """
        triggers = self.settings.take_triggers()
        where = f"ONBUILD of {self._stage.base.reference}" if self._stage.base is not None else ""
        for text in triggers:
            try:
                self._do(parse_trigger(text, where=where))
            except WordError as error:
                raise problems_error([BuildProblem("dockerfile-syntax", where, f"{error}: {shown(text)}")]) from error
        for step in stage_steps(self._shop.build.plan, self._stage):
            self._do(step)

    @property
    def tree(self) -> Tree:
        """The files of the stage as far as it is built; a base's layers are read at the first need."""
        if self._tree is None:
            if self._parent is not None:
                self._tree = self._parent.tree.copy()
            elif self._stage.base is not None:
                self._tree = self._shop.tree_of(self._stage.base).copy()
            else:
                self._tree = Tree()
        return self._tree

    def _do(self, step: Instruction) -> None:
        try:
            changed = self._changes(step)
        except (WordError, CopyError) as error:
            raise problems_error([line_problem(step, error)]) from error
        if changed and self._keeps_layers:
            layer = write_layer(
                changed_entries(self.tree, changed),
                epoch=self._shop.build.spec.source_date_epoch,
                folder=self._shop.folder,
            )
            try:
                self._shop.publish(layer)
            finally:
                layer.spool.file.close()
            self.layers.append(layer.descriptor)
        self.history.append({"created_by": step.text, **({} if changed else {"empty_layer": True})})

    def _changes(self, step: Instruction) -> set[Parts]:
        """Do one step; return the paths that changed."""
        refusal = obstacle(step)
        if refusal is not None:
            raise refusal
        if step.name == "ARG":
            self.scope.declare(step, self._shop.build.plan.given)
        elif step.name in ("COPY", "ADD"):
            return self._copy(step)
        else:
            self.settings.apply(step, self.scope)
        return self._make_workdir() if step.name == "WORKDIR" else set()

    def _make_workdir(self) -> set[Parts]:
        """A new working folder belongs to USER, as in buildah: to root where the image does not know the name."""
        user = str(self.settings.values.get("User") or "")
        try:
            owner = find_owner(self.tree, user) if user else (0, 0)
        except CopyError:
            owner = (0, 0)
        return make_folder(self.tree, self.settings.folder, owner=owner)[1]

    def _copy(self, step: Instruction) -> set[Parts]:
        *words, last = step.words
        target = self._target(step, last)
        plain: list[Source] = []
        archives: list[Source] = []
        for source in self._sources(step, words):
            is_archive = step.name == "ADD" and source.written and _is_archive(source)
            (archives if is_archive else plain).append(source)
        changed = copy_into(self.tree, plain, target=target) if plain else set()
        for source in archives:
            changed |= self._unpack(step, source, target=target)
        return changed

    def _target(self, step: Instruction, word: str) -> Target:
        written = self.scope.expand(word)
        if not written:
            raise CopyError("the destination is empty", code="dockerfile-syntax", fix="write a path")
        is_folder = written.endswith(("/", "/.")) or written == "."
        path = written if written.startswith("/") else f"{self.settings.folder.rstrip('/')}/{written}"
        owner = self.scope.expand(step.flags.get("chown", ""))
        mode = self.scope.expand(step.flags.get("chmod", ""))
        return Target(
            "/" + "/".join(part for part in path.split("/") if part not in ("", ".")),
            is_folder,
            find_owner(self.tree, owner) if owner else None,
            find_mode(mode) if mode else None,
        )

    def _sources(self, step: Instruction, words: list[str]) -> list[Source]:
        found: list[Source] = []
        bodies = iter(step.heredocs)
        origin = self._origin(step)
        for word in words:
            if step.heredocs and heredoc_mark(word, escape=self.scope.escape) is not None:
                body = next(bodies)
                text = self.scope.expand_body(body.body) if body.is_expanded else body.body
                content = Inline(text.encode())
                entry = Entry("file", 0o644, size=len(content.text), content=content)
                found.append(Source(body.name, (), (), Node(entry)))
                continue
            pattern = self.scope.expand(word)
            if is_remote(step, pattern):
                raise add_url(step)
            found += find_sources(origin() if callable(origin) else origin, pattern, outside=self._outside(step))
        return found

    def _outside(self, step: Instruction) -> str:
        return f"the stage or image {step.flags['from']}" if step.flags.get("from") else "the context"

    def _origin(self, step: Instruction) -> Tree | Callable[[], Tree]:
        source = step.flags.get("from", "")
        if not source:
            return lambda: self._shop.build.context.tree
        means = copied_from(self._shop.build.plan, self._stage, source=source)
        if isinstance(means, int):
            return self._shop.stages[means].tree
        if means not in self._shop.bases:
            raise UnsupportedError(
                f"{step.where}: COPY --from={source} in a trigger names an image that is not known beforehand",
                code="onbuild-copy-from",
                why=shown(step.text),
                fix=f"copy from a stage: add FROM {source} AS {source.rpartition('/')[2].partition(':')[0]}",
                subject=step.where,
            )
        return self._shop.tree_of(means)

    def _unpack(self, step: Instruction, source: Source, *, target: Target) -> set[Parts]:
        """Unpack an archive. As with Docker's builders its files keep their owners, whatever ``--chown`` says."""
        content = source.node.entry.content
        if content is None:
            return set()
        archive = self._shop.archive(content, instruction=step, name=source.name)
        top, changed = make_folder(self.tree, target.path, owner=target.owner or (0, 0))
        return changed | set(lay_members(self.tree, read_members(archive), below=top))


def _is_archive(source: Source) -> bool:
    content = source.node.entry.content
    return content is not None and looks_like_tar(lambda _: content.open())
