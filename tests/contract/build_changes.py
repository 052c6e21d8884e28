# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A build, and single changes of what it is made from: each with whether the image is due then, and what is named."""

from __future__ import annotations

import os
import shutil
import typing as t
from pathlib import Path

from ansible_collections.fleet.images.tests.support.images import MadeIndex, make_image, make_index
from ansible_collections.fleet.images.tests.support.lifecycle import FOREIGN, HOST

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from ansible_collections.fleet.images.tests.support.lifecycle import Repository

#: What runs containers to build: only these have networks, secrets and the like.
IN_CONTAINERS = frozenset({"docker", "podman"})
NATIVE = frozenset({"layout", "containerd"})
#: Docker has secrets with a client of BuildKit only, which not every machine has.
WITH_SECRETS = frozenset({"podman"})

STEP = 'RUN ["/bin/busybox", "sh", "-c", "echo built > /built"]'
HEREDOC = "COPY <<END /built\n  built\nEND"
DOCKERFILE = """\
# what the image is made from
FROM {base} AS first
ARG VERSION=1
ARG IDLE=1
LABEL version=$VERSION
COPY app/ /app/
COPY settings/*.conf /etc/
{run}
FROM first AS second
ENV ROLE=web \\
    LEVEL=1
FROM scratch AS aside
COPY unreached.txt /
FROM second
CMD ["/bin/busybox", "true"]
"""
FILES = {
    "app/main.py": "print(1)\n",
    "app/data/one.txt": "one\n",
    "app/debug.log": "noise\n",
    "settings/a.conf": "a=1\n",
    "settings/notes.md": "not copied\n",
    "unreached.txt": "of a stage that is not needed\n",
    "beside.txt": "no instruction names it\n",
    ".dockerignore": "**/*.log\n",
}


def secret(identifier: str, value: str) -> list[dict[str, str]]:
    """Return the option for one secret."""
    return [{"id": identifier, "value": value}]


class Case:
    """A context and the options of a build; ``engine`` is who keeps the images."""

    def __init__(self, folder: Path, *, engine: str, repository: Repository) -> None:
        self.folder = folder
        self.engine = engine
        self.repository = repository
        self.params: dict[str, t.Any] = {
            "name": "team/app:1",
            "path": str(folder),
            "args": {"VERSION": "1", "IDLE": "1"},
            "labels": {"team": "one"},
            **({"network": "host"} if engine in IN_CONTAINERS else {}),
            **({"secrets": secret("one", "a value")} if engine in WITH_SECRETS else {}),
        }

    def copy(self, folder: Path) -> Case:
        """Return the same build as another checkout of it."""
        shutil.copytree(self.folder, folder, symlinks=True)
        twin = Case(folder, engine=self.engine, repository=self.repository)
        twin.params = {**self.params, "path": str(folder)}
        return twin

    def restore(self, pristine: Case) -> None:
        """Make the context and the options what they are in ``pristine``."""
        shutil.rmtree(self.folder)
        shutil.copytree(pristine.folder, self.folder, symlinks=True)
        self.params = {**pristine.params, "path": str(self.folder)}

    def write(self, name: str, text: str) -> None:
        """Write a file."""
        (self.folder / name).write_text(text, encoding="utf-8")

    def replace(self, old: str, new: str, *, name: str = "Dockerfile") -> None:
        """Replace what must be in a file."""
        text = (self.folder / name).read_text(encoding="utf-8")
        assert old in text
        self.write(name, text.replace(old, new))


def write_case(folder: Path, *, engine: str, repository: Repository) -> Case:
    """Write the context, push the base, and return the case."""
    put_base(repository)
    for name, text in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    (folder / "app" / "link").symlink_to("main.py")
    # What runs is there twice in the table's engines: as a step in a container, or as a heredoc.
    run = STEP if engine in IN_CONTAINERS else HEREDOC
    (folder / "Dockerfile").write_text(DOCKERFILE.format(base=f"{repository}:base", run=run), encoding="utf-8")
    return Case(folder, engine=engine, repository=repository)


def put_base(repository: Repository, *, label: str = "1") -> str:
    """Let the base's tag point at an index of two platforms; return its digest."""
    return repository.push("base", base_image(label))


def base_image(label: str) -> MadeIndex:
    """Return an image that steps can run in."""
    files = {"bin/busybox": Path("/bin/busybox").read_bytes(), "etc/base": label.encode()}
    return make_index([make_image(files, platform=platform) for platform in (HOST, FOREIGN)])


class Change(t.NamedTuple):
    """One change: ``apply`` makes it, ``cause`` is what must be named, empty when the image is not due.

    ``undo`` takes back what lies outside of the context. Only engines of ``engines`` have it.
    """

    name: str
    apply: Callable[[Case], object]
    cause: str = ""
    engines: frozenset[str] = IN_CONTAINERS | NATIVE
    undo: Callable[[Case], object] = lambda case: None


def _touch(case: Case) -> None:
    for path in case.folder.rglob("*"):
        os.utime(path, ns=(1, 1), follow_symlinks=False)


def _same_size_same_second(case: Case) -> None:
    path = case.folder / "app" / "main.py"
    before = path.stat()
    path.write_text("print(2)\n", encoding="utf-8")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def _link(case: Case) -> None:
    (case.folder / "app" / "link").unlink()
    (case.folder / "app" / "link").symlink_to("gone.py")


def _heredoc_blank(case: Case) -> None:
    case.replace("\n  built\n", "\n   built\n")


def _give(**params: t.Any) -> Callable[[Case], None]:
    def apply(case: Case) -> None:
        case.params = {**case.params, **params}

    return apply


def _rename(case: Case) -> None:
    (case.folder / "app" / "data" / "one.txt").rename(case.folder / "app" / "data" / "two.txt")


def _other_dockerfile(case: Case) -> None:
    (case.folder / "Dockerfile").rename(case.folder / "beside.Dockerfile")
    case.params = {**case.params, "dockerfile": "beside.Dockerfile"}


CHANGES = (
    Change("the same files again", lambda case: None),
    Change("every file touched", _touch),
    Change("content of the same size with the same times", _same_size_same_second, "app/main.py"),
    Change("a file made executable", lambda case: (case.folder / "app/main.py").chmod(0o755), "app/main.py"),
    Change("a file closed to others", lambda case: (case.folder / "app/main.py").chmod(0o600)),
    Change("the target of a link", _link, "app/link"),
    Change("a file renamed", _rename, "app/data/one.txt"),
    Change("a file added", lambda case: case.write("app/new.py", "new"), "app/new.py"),
    Change("a file removed", lambda case: (case.folder / "app/data/one.txt").unlink(), "app/data/one.txt"),
    Change("an empty folder added", lambda case: (case.folder / "app/empty").mkdir(), "app/empty"),
    Change("a file that a wildcard finds", lambda case: case.write("settings/b.conf", "b"), "settings/b.conf"),
    Change("a file that a wildcard leaves", lambda case: case.write("settings/notes.md", "other")),
    Change("an ignored file", lambda case: case.write("app/debug.log", "other")),
    Change("a file that no instruction reaches", lambda case: case.write("beside.txt", "other")),
    Change("a file of a stage that is not needed", lambda case: case.write("unreached.txt", "other")),
    Change(
        "an ignore file that hides more",
        lambda case: case.write(".dockerignore", "**/*.log\napp/main.py\n"),
        "app/main.py",
    ),
    Change("an ignore file that hides less", lambda case: case.write(".dockerignore", "# all\n"), "app/debug.log"),
    Change("a comment in the ignore file", lambda case: case.replace("**", "# logs\n**", name=".dockerignore")),
    Change("an argument that is used", _give(args={"VERSION": "2", "IDLE": "1"}), "arg VERSION"),
    Change("an argument that no instruction has", _give(args={"VERSION": "1", "IDLE": "1", "OTHER": "1"})),
    Change("a label's value", _give(labels={"team": "two"}), "label team"),
    Change("a further label", _give(labels={"team": "one", "tier": "1"}), "label tier"),
    Change("the target", _give(target="second"), "target"),
    Change("the platform", _give(platform=FOREIGN), f"platform {HOST} -> {FOREIGN}"),
    Change("a comment in the Dockerfile", lambda case: case.replace("ENV ROLE", "# the role\nENV ROLE")),
    Change("a line that is continued elsewhere", lambda case: case.replace(" \\\n    LEVEL", "     LEVEL")),
    Change("a stage that is not needed", lambda case: case.replace("unreached.txt /", "unreached.txt /other")),
    Change("an instruction", lambda case: case.replace("ROLE=web", "ROLE=db"), "Dockerfile"),
    Change("a blank in a heredoc", _heredoc_blank, "Dockerfile", NATIVE),
    Change("another name of the Dockerfile", _other_dockerfile),
    Change(
        "the base's tag moved",
        lambda case: put_base(case.repository, label="2"),
        "base ",
        undo=lambda case: put_base(case.repository),
    ),
    Change("the base pushed again as it was", lambda case: put_base(case.repository)),
    Change("bases asked for at their registries", _give(pull=True)),
    Change("no cache", _give(nocache=True)),
    Change("the value of a secret", _give(secrets=secret("one", "another value")), "", WITH_SECRETS),
    Change("the ID of a secret", _give(secrets=secret("two", "a value")), "secrets", WITH_SECRETS),
    Change("another network", _give(network="none"), "network", IN_CONTAINERS),
    Change("a host's address", _give(etc_hosts={"db": "10.0.0.5"}), "etc_hosts", IN_CONTAINERS),
    Change("the size of shared memory", _give(shm_size="32MiB"), "shm_size", IN_CONTAINERS),
    Change("where caches come from", _give(cache_from=["team/app:0"]), "", frozenset({"docker"})),
)
