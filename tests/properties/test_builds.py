# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Laws of builds: the key changes exactly with what is seen, the stat cache is never wrong, a tar is the tree."""

from __future__ import annotations

import io
import os
import stat
import subprocess
import tarfile
import tempfile
import time
import typing as t
from pathlib import Path

from ansible_collections.fleet.images.plugins.module_utils.build.base import BuildSpec
from ansible_collections.fleet.images.plugins.module_utils.build.context import walk_context
from ansible_collections.fleet.images.plugins.module_utils.build.ignore import IgnoreRules
from ansible_collections.fleet.images.plugins.module_utils.build.inputs import rows_digest
from ansible_collections.fleet.images.plugins.module_utils.build.loading import load_build
from ansible_collections.fleet.images.plugins.module_utils.build.stat_cache import StatCache
from ansible_collections.fleet.images.plugins.module_utils.model.platform import Platform
from hypothesis import assume, given, settings
from hypothesis import strategies as st

AMD64 = Platform.of("linux", "amd64")
PATHS = ("a", "b", "d/a", "d/b", "d/e/f")
SOURCES = ("a", "b", "d", "d/a", "d/e", ".")
ARGS = ("USED", "SEEN", "UNUSED")


class World(t.NamedTuple):
    """A context, what is taken of it, and what the user gives; ``noise`` are things that must not count."""

    files: dict[str, tuple[str, bool]]
    hidden: frozenset[str]
    sources: tuple[str, ...]
    args: dict[str, str]
    labels: dict[str, str]
    is_native: bool
    noise: int


contents = st.tuples(st.sampled_from(["", "x", "y"]), st.booleans())
worlds = st.builds(
    World,
    files=st.dictionaries(st.sampled_from(PATHS), contents, min_size=1),
    hidden=st.frozensets(st.sampled_from(PATHS), max_size=2),
    sources=st.lists(st.sampled_from(SOURCES), min_size=1, max_size=2, unique=True).map(tuple),
    args=st.dictionaries(st.sampled_from(ARGS), st.sampled_from(["1", "2"])),
    labels=st.dictionaries(st.sampled_from(["l", "m"]), st.sampled_from(["1", "2"]), max_size=1),
    is_native=st.booleans(),
    noise=st.integers(0, 3),
)
near = st.sampled_from(World._fields)


def seen(world: World) -> object:
    """Return what the image depends on, found without the code under test."""
    visible = {path: entry for path, entry in world.files.items() if path not in world.hidden}
    folders = {parent for path in world.files for parent in map(str, Path(path).parents) if parent != "."}
    taken = {}
    for source in world.sources:
        below = "" if source == "." else f"{source}/"
        taken.update({path: entry for path, entry in visible.items() if path == source or path.startswith(below)})
        taken.update({path: ("", True) for path in folders if path == source or path.startswith(below)})
    # The RUN of an engine's build sees each arg declared before it; UNUSED is declared nowhere.
    names = ("USED",) if world.is_native else ("USED", "SEEN")
    args = {name: world.args[name] for name in names if name in world.args}
    return taken, world.sources, args, world.labels, world.is_native


def has_sources(world: World) -> bool:
    paths = {parent for path in world.files for parent in map(str, Path(path).parents)}
    return {*paths, *(set(world.files) - world.hidden)} >= set(world.sources)


def key(world: World) -> str:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for path, (content, is_executable) in world.files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(content)
            (folder / path).chmod((0o755 if is_executable else 0o644) | 0o020 * (world.noise % 2))
            os.utime(folder / path, (world.noise, world.noise))
        hidden = [f"{path}\n" for path in sorted(world.hidden)]
        # The ignore file counts only by what it hides, and is none of the context here.
        ignored = "# noise\n" * world.noise + "".join(hidden) + ".dockerignore\n"
        (folder / ".dockerignore").write_text(ignored)
        text = f"FROM scratch\n{'# noise' * world.noise}\nARG USED\nARG SEEN\nCOPY {' '.join(world.sources)} /$USED/\n"
        text += "" if world.is_native else "RUN make\n"
        spec = BuildSpec(
            name, AMD64, dockerfile_inline=text, args=world.args, labels=world.labels, is_native=world.is_native
        )
        return load_build(spec).inputs_key({}).key


@given(before=worlds, other=worlds, field=near)
@settings(max_examples=100, deadline=None)
def test_the_key_changes_exactly_when_something_changes_that_is_seen(before: World, other: World, field: str) -> None:
    after = before._replace(**{field: getattr(other, field)})
    assume(has_sources(before) and has_sources(after))
    assert (key(before) == key(after)) is (seen(before) == seen(after))


NAMES = ("a", "b", "c")
edits = st.one_of(
    st.tuples(st.just("write"), st.sampled_from(NAMES), st.sampled_from("xyz"), st.booleans()),
    st.tuples(st.just("swap"), st.sampled_from(NAMES), st.sampled_from(NAMES), st.booleans()),
    st.tuples(st.just("link"), st.sampled_from(NAMES), st.sampled_from(NAMES), st.booleans()),
    st.tuples(st.just("replace"), st.sampled_from(NAMES), st.sampled_from("xyz"), st.booleans()),
    st.tuples(st.just("mode"), st.sampled_from(NAMES), st.just(""), st.booleans()),
    st.tuples(st.just("gone"), st.sampled_from(NAMES), st.just(""), st.booleans()),
)


def edit(folder: Path, what: str, *, name: str, other: str, is_set_back: bool) -> None:
    """Change one file; with ``is_set_back`` the times of content become what they were."""
    path = folder / name
    before = path.stat() if path.exists() else None
    if what == "write":
        path.write_text(other)
    elif what == "replace":
        path.unlink(missing_ok=True)
        path.write_text(other)
    elif what == "gone":
        path.unlink(missing_ok=True)
    elif before is not None and what == "mode":
        path.chmod(before.st_mode ^ stat.S_IXUSR)
    elif before is not None and what == "link" and name != other:
        (folder / other).unlink(missing_ok=True)
        (folder / other).hardlink_to(path)
    elif before is not None and what == "swap" and (folder / other).exists():
        path.rename(folder / "moving")
        if name != other:
            (folder / other).rename(path)
        (folder / "moving").rename(folder / other)
    if is_set_back and before is not None and path.exists():
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def await_tick(folder: Path) -> None:
    """Return when a change of a file gets a later time than any before: a run after the racy time implies that."""
    probe = folder.parent / "probe"
    probe.write_text("")
    start = probe.stat().st_ctime_ns
    while probe.stat().st_ctime_ns == start:
        probe.write_text("")


def check_run(folder: Path, kept: str, *, is_late: bool) -> None:
    """Compare what the cache tells with the files. At once it trusts nothing that was just written, late all of it."""
    cache = StatCache(kept, clock=(lambda: time.time_ns() + 10**10) if is_late else time.time_ns)
    context, fresh = (walk_context(str(folder), IgnoreRules()) for _walk in range(2))
    paths = [parts for parts, _entry in context.tree.root.walk()]
    assert cache.digest(context, paths) == rows_digest(fresh.rows(paths))
    if is_late:
        await_tick(folder)


@given(steps=st.lists(st.tuples(edits, st.sampled_from(["late", "at once", "not"])), min_size=1, max_size=10))
@settings(max_examples=80, deadline=None)
def test_the_stat_cache_never_gives_a_wrong_digest(steps: list[tuple[tuple[str, str, str, bool], str]]) -> None:
    with tempfile.TemporaryDirectory() as above:
        folder, kept = Path(above) / "context", f"{above}/kept"
        folder.mkdir()
        for name in NAMES:
            (folder / name).write_text("x")
        check_run(folder, kept, is_late=True)
        for (what, name, other, is_set_back), run in steps:
            edit(folder, what, name=name, other=other, is_set_back=is_set_back)
            if run != "not":
                check_run(folder, kept, is_late=run == "late")
        check_run(folder, kept, is_late=False)


letters = st.characters(exclude_characters="/\0", exclude_categories=["Cs"])
names = st.text(letters, min_size=1, max_size=60).filter(
    lambda name: name not in (".", "..") and len(name.encode()) < 200
)
entries = st.one_of(
    st.tuples(st.just("file"), st.binary(max_size=1100), st.sampled_from([0o644, 0o755, 0o444])),
    st.tuples(st.just("link"), names.map(str.encode), st.just(0o777)),
)
trees: st.SearchStrategy[dict[str, t.Any]] = st.recursive(
    st.dictionaries(names, entries, max_size=3),
    lambda inner: st.dictionaries(names, st.one_of(entries, inner), max_size=3),
    max_leaves=6,
)


def write_tree(folder: Path, tree: dict[str, t.Any]) -> None:
    for name, entry in tree.items():
        path = folder / name
        if isinstance(entry, dict):
            path.mkdir()
            write_tree(path, entry)
        elif entry[0] == "file":
            path.write_bytes(entry[1])
            path.chmod(entry[2])
        else:
            os.symlink(entry[1], os.fsencode(path))


def tree_in(folder: Path) -> dict[str, t.Any]:
    """Return what lies in a folder as ``tree_of_tar`` returns it."""
    found: dict[str, t.Any] = {}
    for above, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = Path(above) / name
            mode = stat.S_IMODE(path.lstat().st_mode)
            where = os.path.relpath(path, folder)
            if path.is_symlink():
                found[where] = ("link", os.readlink(path))
            else:
                found[where] = ("dir", mode) if path.is_dir() else ("file", mode, path.read_bytes())
    return found


def tree_of_tar(raw: bytes) -> dict[str, t.Any]:
    found: dict[str, t.Any] = {}
    with tarfile.open(fileobj=io.BytesIO(raw)) as tar:
        for info in tar:
            stream = tar.extractfile(info) if info.isfile() else None
            if stream is not None:
                found[info.name] = ("file", info.mode, stream.read())
            else:
                found[info.name] = ("link", info.linkname) if info.issym() else ("dir", info.mode)
    return found


@given(tree=trees)
@settings(max_examples=40, deadline=None)
def test_the_tar_of_a_context_is_its_tree_for_every_reader(tree: dict[str, t.Any]) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder, unpacked = Path(name) / "context", Path(name) / "unpacked"
        folder.mkdir()
        unpacked.mkdir()
        write_tree(folder, tree)
        build = load_build(BuildSpec(str(folder), AMD64, dockerfile_inline="FROM scratch\nCOPY . /\n", is_native=False))
        raw = b"".join(build.context_tar("FROM scratch\n", hidden_by=".dockerignore"))
        environment = {"LC_ALL": "C.UTF-8", "PATH": os.environ["PATH"]}
        command = ["tar", "-x", "-p", "--no-same-owner", "-f", "-", "-C", str(unpacked)]
        subprocess.run(command, input=raw, check=True, env=environment)
        theirs, ours, expected = tree_in(unpacked), tree_of_tar(raw), tree_in(folder)
        for added in (build.dockerfile_name, ".dockerignore"):
            expected[added] = ours[added]
        assert ours == expected
        assert theirs == expected
