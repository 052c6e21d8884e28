# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Images made from containers, as builds whose inputs are the container. Only image_commit ships this."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import typing as t

from ..model.annotations import KEY_LABEL
from ..model.commit import Commit
from ..model.errors import UnsupportedError
from ..plan.desired import Desired, DesiredBuild, DesiredImage
from .reader import Reader

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from ..engines.committing import Committer, ContainerState
    from ..engines.docker import DockerEngine
    from ..engines.podman import PodmanEngine
    from ..model.build_order import Built
    from ..model.host import Identity, Observed
    from ..model.output import Output
    from ..model.reference import Reference
    from ..plan.questions import Answers
    from .options import Spec
    from .session import Session

    Params = Mapping[str, t.Any]

COMMIT: Spec = {
    "container": {"type": "str", "required": True},
    "name": {"type": "str", "required": True, "aliases": ["image"]},
    "tag": {"type": "str"},
    "author": {"type": "str", "default": ""},
    "commit_message": {"type": "str", "default": "", "aliases": ["comment"]},
    "change": {"type": "list", "elements": "str", "default": [], "aliases": ["changes"]},
    "pause": {"type": "bool", "default": True},
}

COMMIT_LABEL = "images.fleet.commit.key"
_CONTAINER = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*")
_VERSION = 1
_INSTRUCTIONS = ("CMD", "ENTRYPOINT", "ENV", "EXPOSE", "LABEL", "ONBUILD", "USER", "VOLUME", "WORKDIR")


class _Wanted(t.NamedTuple):
    """A commit as the task asks for it; ``state`` is what the container was when the plan was made."""

    container: str
    commit: Commit
    state: ContainerState | None = None


def read_commit(params: Params) -> Desired:
    """Return what ``image_commit`` wants.

    Raises:
        InputError: the options are wrong; it tells all that is.
    """
    reader = Reader(params)
    names = reader.names(params["name"], "name")[:1]
    if names and names[0].is_pinned:
        reader.problem("name", "the digest follows from the container", fix="leave out '@' and what follows")
    container = params["container"].strip("/ ")
    if not _CONTAINER.fullmatch(container):
        reader.problem("container", f"{params['container']!r} is no name or ID", fix="write it like web or 4f2c1e9d7b6")
    if params["change"]:
        from ..build.importing import read_changes

        for problem in read_changes(params["change"], option="change", known=_INSTRUCTIONS)[1]:
            reader.problem(problem.where, problem.what, fix=problem.fix)
    reader.finish()
    changes = tuple(change.strip() for change in params["change"])
    commit = Commit(params["author"], params["commit_message"], changes, params["pause"])
    wanted = _Wanted(container, commit)
    return Desired((DesiredImage("name", names, build=DesiredBuild("", COMMIT_LABEL, wanted)),))


class Commits:
    """Implements Builder: the inputs of an image are its container and what the task says of it."""

    def load(self, desired: Desired, *, observed: Observed, session: Session) -> Desired:
        """See Builder.

        Raises:
            UnsupportedError: commit-unsupported.
        """
        _committer(session)
        return desired

    def with_keys(self, desired: Desired, *, observed: Observed, answers: Answers, session: Session) -> Desired:
        """See Builder. Reads the files of the container that differ from its image.

        Raises:
            NotFoundError: container-not-found.
        """
        (item,) = desired.images
        build = item.build
        if build is None or not isinstance(build.spec, _Wanted):
            raise TypeError("read_commit makes these")
        committer = _committer(session)
        state = committer.state(build.spec.container)
        key = _key(state, build.spec.commit, committer=committer)
        keyed = build._replace(key=key, builder=session.engine.name, spec=build.spec._replace(state=state))
        return desired._replace(images=(item._replace(build=keyed),))

    def with_written(self, desired: Desired, *, answers: Answers) -> Answers:
        """See Builder."""
        return answers

    def write(self, output: Output, *, name: Reference, identity: Identity, session: Session) -> None:
        """See Builder."""
        raise TypeError(f"nothing is written here: {output.dest}")

    def carry_out(self, spec: object, *, session: Session) -> Built:
        """See Builder. The label says what the container was as it is committed, not as it was planned.

        Raises:
            ImagesError: the container is gone, or the engine cannot commit it.
        """
        from ..model.build_order import Built

        if not isinstance(spec, _Wanted) or spec.state is None:
            raise TypeError("with_keys makes these")
        committer = _committer(session)
        state = committer.state(spec.state.id)
        labels = {COMMIT_LABEL: _key(state, spec.commit, committer=committer)}
        if KEY_LABEL in (state.settings.get("Labels") or {}):
            labels[KEY_LABEL] = "committed"  # else a build under this name would be taken for up to date
        stamps = tuple(f"LABEL {name}={value}" for name, value in labels.items())
        commit = spec.commit._replace(changes=(*spec.commit.changes, *stamps))
        return Built(committer.commit(state.id, commit), session.engine.name)


def _committer(session: Session) -> Committer:
    engine = session.engine
    if engine.name == "docker":
        from ..engines.committing import DockerCommits

        api = t.cast("DockerEngine", engine).api
        return DockerCommits(api, keeps_targets=engine.observe().abilities.ids == "target")
    if engine.name == "podman":
        from ..engines.committing import PodmanCommits

        return PodmanCommits(t.cast("PodmanEngine", engine).api)
    raise UnsupportedError(
        f"{engine.name} makes no images from containers",
        code="commit-unsupported",
        why="only Docker and Podman do",
        fix="write a Dockerfile and use image_build, or set engine to docker or podman",
        subject="engine",
    )


def _key(state: ContainerState, commit: Commit, *, committer: Committer) -> str:
    """Return a digest over all that the image is made of, but times of the commit itself."""
    from ..engines.committing import contents_digest

    contents = ""
    if state.written:
        with contextlib.closing(committer.files(state.id)) as archive:
            contents = contents_digest(archive, state.written)
    told = [_VERSION, state.image, state.settings, sorted(state.removed), contents, commit[:3]]
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
