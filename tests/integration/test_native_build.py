# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Images built without a daemon equal what buildah builds, unpack with umoci and run under podman."""

from __future__ import annotations

import gzip
import io
import json
import os
import shutil
import tarfile
import typing as t
from pathlib import Path

import pytest
from ansible_collections.fleet.images.plugins.module_utils.build.base import Base, BaseImage, BuildSpec
from ansible_collections.fleet.images.plugins.module_utils.build.loading import load_build
from ansible_collections.fleet.images.plugins.module_utils.build.native import build_image
from ansible_collections.fleet.images.plugins.module_utils.model.descriptor import Descriptor
from ansible_collections.fleet.images.plugins.module_utils.model.digest import Digest
from ansible_collections.fleet.images.plugins.module_utils.model.image_config import parse_config
from ansible_collections.fleet.images.plugins.module_utils.model.manifest import Manifest, parse_manifest
from ansible_collections.fleet.images.plugins.module_utils.model.platform import Platform
from ansible_collections.fleet.images.plugins.module_utils.model.reference import parse_reference
from ansible_collections.fleet.images.plugins.module_utils.stores.layout import LayoutStore
from ansible_collections.fleet.images.tests.support import skopeo
from ansible_collections.fleet.images.tests.support.programs import require, run

HERE = Platform.of("linux", os.uname().machine)
_CONFIG_KEYS = (
    "Env Cmd Entrypoint WorkingDir User Labels ExposedPorts Volumes StopSignal Healthcheck Shell OnBuild".split()
)
_OWN_LABELS = ("io.buildah.version", "images.fleet.build.key")


class Image(t.NamedTuple):
    """An image as its layout directory holds it: parsed config, and every path with kind, mode, owner and content."""

    config: dict[str, t.Any]
    files: dict[str, tuple[object, ...]]


class Buildah:
    """buildah with a storage of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        storage = folder / "storage.conf"
        storage.write_text(f'[storage]\ndriver="vfs"\nrunroot="{folder}/run"\ngraphroot="{folder}/graph"\n')
        self._environment = {"HOME": str(folder), "CONTAINERS_STORAGE_CONF": str(storage)}
        self._count = 0

    def run(self, *arguments: str | Path) -> None:
        run(["buildah", *arguments], environment=self._environment)

    def build(self, context: Path, *options: str) -> Path:
        """Build ``context`` and return the image as an OCI layout with the one name ``image``."""
        self._count += 1
        name, layout = f"localhost/case:{self._count}", self.folder / f"layout-{self._count}"
        # Docker's format: OCI's has no place for Healthcheck, Shell and OnBuild.
        build = ["bud", "--isolation", "chroot", "--format", "docker", "--timestamp", "0", *options, "-t", name]
        self.run(*build, "-f", context / "Dockerfile", context)
        self.run("push", "-q", "--format", "v2s2", name, f"dir:{layout}")
        return layout


@pytest.fixture(scope="module")
def buildah(tmp_path_factory: pytest.TempPathFactory) -> Buildah:
    require("buildah")
    return Buildah(tmp_path_factory.mktemp("buildah"))


class FolderSource:
    """A base image in a ``dir:`` folder of containers tools: every blob in a file named by its digest."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def open(self, descriptor: Descriptor, offset: int = 0) -> t.BinaryIO:
        return io.BytesIO(self._read(descriptor)[offset:])

    def image(self) -> BaseImage:
        manifest = parse_manifest((self.folder / "manifest.json").read_bytes())
        assert isinstance(manifest, Manifest)
        config = parse_config(self._read(manifest.config))
        return BaseImage(manifest.descriptor.digest, manifest, config, self)

    def _read(self, descriptor: Descriptor) -> bytes:
        return (self.folder / descriptor.digest.encoded).read_bytes()

    def read(self) -> Image:
        """Read the whole image with Python's own tools only."""
        manifest = json.loads((self.folder / "manifest.json").read_bytes())
        blobs = [(self.folder / layer["digest"].partition(":")[2]).read_bytes() for layer in manifest["layers"]]
        config = json.loads((self.folder / manifest["config"]["digest"].partition(":")[2]).read_bytes())
        return Image(config, files_of(blobs))


def files_of(layers: t.Sequence[bytes]) -> dict[str, tuple[object, ...]]:
    """Lay tar layers over each other; hard links become copies of what they name."""
    files: dict[str, tuple[object, ...]] = {}
    for raw in layers:
        plain = gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
        with tarfile.open(fileobj=io.BytesIO(plain)) as tar:
            for info in tar:
                path = info.name.strip("/")
                content = tar.extractfile(info) if info.isreg() else None
                body = content.read() if content is not None else info.linkname if info.issym() else None
                row = (info.type, info.mode & 0o7777, info.uid, info.gid, body)
                if info.islnk():
                    row = t.cast("tuple[bytes, int, int, int, bytes]", files[info.linkname.strip("/")])
                if not info.isdir():
                    for below in [name for name in files if name.startswith(f"{path}/")]:
                        del files[below]
                if path:
                    files[path] = row
    return files


def read_layout(root: Path, manifest: Manifest) -> Image:
    blobs = root / "blobs/sha256"
    layers = [(blobs / layer.digest.encoded).read_bytes() for layer in manifest.layers]
    config = json.loads((blobs / manifest.config.digest.encoded).read_bytes())
    assert config["rootfs"]["diff_ids"] == [
        str(Digest.of(gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw)) for raw in layers
    ]
    assert len(layers) == sum(not row.get("empty_layer") for row in config["history"])
    return Image(config, files_of(layers))


def settings_of(image: Image) -> dict[str, t.Any]:
    """Return the part of a config that both builders decide, empty values and their own labels left out."""
    config = dict(image.config["config"])
    config["Labels"] = {key: text for key, text in (config.get("Labels") or {}).items() if key not in _OWN_LABELS}
    config["Env"] = sorted(config.get("Env") or [])
    return {key: config[key] for key in _CONFIG_KEYS if config.get(key)}


def write(folder: Path, files: t.Mapping[str, str | bytes]) -> Path:
    """Write files under ``folder``; a value that starts with ``->`` is a link, names ending in ``!`` are executable."""
    for name, content in files.items():
        path = folder / name.rstrip("!")
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, str) and content.startswith("->"):
            path.symlink_to(content[2:])
        else:
            path.write_bytes(content.encode() if isinstance(content, str) else content)
            path.chmod(0o755 if name.endswith("!") else 0o644)
    for path in [folder, *folder.rglob("*")]:
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o755)
    return folder


def odd_archive() -> bytes:
    """Return a gzip tar with links, owners and modes that no checkout has."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w:gz") as tar:

        def add(name: str, kind: bytes, **more: t.Any) -> None:
            info = tarfile.TarInfo(name)
            info.type, info.uid, info.gid, info.mtime = kind, 5, 6, 1_600_000_000
            body = more.pop("body", b"")
            info.size = len(body)
            for key, value in more.items():
                setattr(info, key, value)
            tar.addfile(info, io.BytesIO(body))

        add("d", tarfile.DIRTYPE, mode=0o1770)
        add("d/file", tarfile.REGTYPE, mode=0o441, body=b"content")
        add("d/hard", tarfile.LNKTYPE, linkname="d/file", mode=0o441)
        add("d/soft", tarfile.SYMTYPE, linkname="../elsewhere", mode=0o777)
        add("implied/parent/" + "long" * 40, tarfile.REGTYPE, mode=0o600, body=b"x" * 1000)
    return raw.getvalue()


CONTEXT: dict[str, str | bytes] = {
    "a.txt": "a\n",
    "b.txt": "b\n",
    "run.sh!": "#!/bin/sh\n",
    "app/main.py": "print()\n",
    "app/lib/one.py": "1\n",
    "app/lib/two.py": "2\n",
    "app/link": "->lib/one.py",
    "file-link": "->a.txt",
    "folder-link": "->app/lib",
    "näme with space/ünï.txt": "u\n",
    "logs/one.log": "1",
    "logs/keep.log": "k",
    "logs/deep/two.log": "2",
    "root/etc/passwd": "root:x:0:0::/:/bin/sh\nbob:x:77:88::/:/bin/sh\n",
    "root/etc/group": "root:x:0:\nstaff:x:99:\n",
    "root/usr/bin/tool!": "tool",
    "root/bin": "->usr/bin",
    "odd.tar.gz": odd_archive(),
}

SHAPES = {
    "multi-stage": """
        FROM scratch AS one
        COPY app /srv/app
        WORKDIR /srv
        COPY --chown=7:8 a.txt made/by/copy/
        FROM scratch AS unused
        COPY b.txt /never
        FROM scratch
        COPY --from=one /srv /opt
        COPY --from=0 /srv/app/lib/one.py /srv/made/by/copy/a.txt /both/
        CMD ["/bin/true", "--flag"]
        """,
    "workdir-chain": """
        FROM scratch
        ENV BASE=/x EMPTY=
        WORKDIR $BASE
        WORKDIR y/../z
        WORKDIR .
        USER 5:6
        WORKDIR mine/too
        COPY a.txt b.txt ./
        """,
    "archives": """
        FROM scratch
        ADD odd.tar.gz /top/
        ADD odd.tar.gz a.txt /mixed/
        COPY odd.tar.gz /packed/
        FROM scratch
        ADD odd.tar.gz /
        """,
    "wildcards-and-links": """
        FROM scratch
        COPY *.txt /texts/
        COPY app/* /flat/
        COPY app/lib/?n[a-f].py /one.py
        COPY file-link /copied
        COPY file-link /under/
        COPY folder-link /folder
        COPY app /with-link
        COPY run.sh .
        COPY app/lib a.txt /folder/
        """,
    "owners": """
        FROM scratch
        COPY root /
        COPY --chown=bob a.txt /deep/er/bob
        COPY --chown=bob:staff app /app
        COPY --chown=9 a.txt /nine
        COPY --chown=1:2 --chmod=750 app/lib /modes/
        USER bob
        """,
    "replacing": """
        FROM scratch
        COPY root /
        COPY a.txt /bin/tool
        COPY b.txt /bin/
        COPY a.txt /etc/passwd
        COPY app/link /usr/bin/tool
        """,
    "words": """
        FROM scratch
        ARG NAME=world
        ARG OTHER
        ENV GREETING="hello $NAME" SINGLE='$NAME' ESCAPED=a\\ b
        ENV OLD form with  spaces
        ENV GREETING=changed COPY=$GREETING
        LABEL plain=$NAME "quoted key"="a b" single='$NAME' \\
              # a comment in between

              default=${MISSING:-none} plus=${NAME:+set} other=$OTHER
        ENV PATH=/opt:$PATH
        """,
    "settings": """
        FROM scratch
        EXPOSE 80 90/udp
        VOLUME /data /logs
        VOLUME ["/with space"]
        STOPSIGNAL SIGINT
        HEALTHCHECK --interval=1m30s --timeout=5s --retries=3 CMD ["/probe", "-q"]
        CMD echo "$HOME" && exit
        ENTRYPOINT ["/entry"]
        ONBUILD COPY a.txt /from-trigger
        USER 1000
        """,
    "ignored": """
        FROM scratch
        COPY . /all/
        COPY logs /logs
        """,
    "unicode-and-spaces": """
        FROM scratch
        COPY ["näme with space", "/dëst dir/"]
        COPY ["näme with space/ünï.txt", "a.txt", "/x y/"]
        """,
    "no-shell-form-lost": """
        # escape=`
        FROM scratch
        LABEL a=b`
          c=d
        CMD ["cmd", "/c:\\\\dir"]
        """,
}
_IGNORED = "# comment\nlogs/**\n!logs/keep.log\n*.sh\n**/two.py\nroot\nodd*\n.dockerignore\nDockerfile\n"


def dedent(text: str) -> str:
    return "\n".join(line[8:] if line.startswith("        ") else line for line in text.strip("\n").splitlines())


def native(
    root: Path, spec: BuildSpec, bases: t.Mapping[Base, BaseImage] | None = None
) -> tuple[LayoutStore, Manifest]:
    """Build into a new layout at ``root`` and name the result ``case:1``."""
    store = LayoutStore(root, create=True)
    manifest = build_image(load_build(spec), bases=bases or {}, sink=store)
    store.put_manifest(manifest.raw, manifest.descriptor, reference=parse_reference("localhost/case:1"))
    return store, manifest


@pytest.mark.parametrize("shape", SHAPES)
def test_config_and_files_equal_what_buildah_builds(shape: str, buildah: Buildah, tmp_path: Path) -> None:
    context = write(tmp_path / "context", {**CONTEXT, "Dockerfile": dedent(SHAPES[shape])})
    if shape == "ignored":
        write(context, {".dockerignore": _IGNORED})
    theirs = FolderSource(buildah.build(context)).read()
    _, manifest = native(tmp_path / "store", BuildSpec(str(context), HERE))
    ours = read_layout(tmp_path / "store", manifest)
    assert ours.files == theirs.files
    assert settings_of(ours) == settings_of(theirs)
    assert {key: ours.config.get(key) for key in ("os", "architecture", "created")} == {
        key: theirs.config.get(key) for key in ("os", "architecture", "created")
    }


BASE = """
        FROM scratch
        COPY root /
        COPY logs /gone
        ENV INHERITED=yes PATH=/usr/bin
        LABEL from=base kept=1
        ENTRYPOINT ["/usr/bin/tool"]
        CMD ["base"]
        WORKDIR /home
        USER bob
        ONBUILD COPY a.txt /triggered
        ONBUILD ENV TRIGGERED=1
        """
CHILD = """
        ARG BASE
        FROM $BASE AS middle
        USER 0
        COPY --chown=bob:staff a.txt /bin/new
        COPY app relative
        FROM middle
        COPY --from=middle /usr/bin/tool /etc/group /copies/
        LABEL from=child
        ENV MORE=${INHERITED}-${TRIGGERED:-0}
        ENTRYPOINT ["/other"]
        """


def test_a_build_on_a_base_equals_what_buildah_builds(buildah: Buildah, tmp_path: Path) -> None:
    base_context = write(tmp_path / "base", {**CONTEXT, "Dockerfile": dedent(BASE)})
    context = write(tmp_path / "context", {**CONTEXT, "Dockerfile": dedent(CHILD)})
    base_folder = buildah.build(base_context)
    reference = f"dir:{base_folder}"
    theirs = FolderSource(buildah.build(context, "--build-arg", f"BASE={reference}")).read()
    spec = BuildSpec(str(context), HERE, args={"BASE": reference})
    bases = {Base(reference, HERE): FolderSource(base_folder).image()}
    _, manifest = native(tmp_path / "store", spec, bases)
    ours = read_layout(tmp_path / "store", manifest)
    assert ours.files == theirs.files
    assert settings_of(ours) == settings_of(theirs)
    assert load_build(spec).is_current(
        ours.config["config"]["Labels"]["images.fleet.build.key"], {base: image.digest for base, image in bases.items()}
    )


def test_skopeo_reads_the_image_and_umoci_unpacks_the_same_files(tmp_path: Path) -> None:
    require("skopeo", "umoci")
    context = write(tmp_path / "context", {**CONTEXT, "Dockerfile": dedent(SHAPES["wildcards-and-links"])})
    _, manifest = native(tmp_path / "store", BuildSpec(str(context), HERE))
    name = "localhost/case:1"
    assert skopeo.manifest_digest(f"oci:{tmp_path}/store:{name}") == str(manifest.descriptor.digest)
    skopeo.copy(f"oci:{tmp_path}/store:{name}", f"oci:{tmp_path}/copied:case")
    files = read_layout(tmp_path / "store", manifest).files
    root = skopeo.umoci_unpack(tmp_path / "copied", "case", tmp_path / "bundle")
    assert {str(path.relative_to(root)) for path in root.rglob("*")} == set(files)
    for name, (kind, mode, _, _, body) in files.items():
        path = root / name
        if kind == tarfile.SYMTYPE:
            assert os.readlink(path) == body
        else:
            assert path.lstat().st_mode & 0o7777 == mode
            assert path.is_dir() or path.read_bytes() == body


def test_the_image_runs_under_podman(tmp_path: Path) -> None:
    require("podman", "skopeo", "busybox", "runc")
    if os.geteuid():
        pytest.skip("needs root to run a container")
    busybox = shutil.which("busybox") or ""
    dockerfile = (
        "FROM scratch AS tools\nCOPY busybox /bin/\nFROM scratch\nCOPY --from=tools /bin/busybox /bin/sh\n"
        "COPY <<EOF /etc/motd\nhello ${WHO:-fleet}\nEOF\nENV NAME=native\nWORKDIR /work\n"
        'CMD ["/bin/sh", "-c", "read line < /etc/motd; echo $line $NAME $PWD"]\n'
    )
    context = write(tmp_path / "context", {"busybox!": Path(busybox).read_bytes(), "Dockerfile": dockerfile})
    native(tmp_path / "store", BuildSpec(str(context), HERE))
    (tmp_path / "storage.conf").write_text(
        f'[storage]\ndriver="vfs"\nrunroot="{tmp_path}/run"\ngraphroot="{tmp_path}/graph"\n'
    )
    (tmp_path / "containers.conf").write_text(
        '[containers]\ndefault_ulimits=["nofile=20000:20000","nproc=9000:9000"]\nnetns="host"\n'
        '[engine]\nruntime="runc"\ncgroup_manager="cgroupfs"\n'
    )
    environment = {
        "HOME": str(tmp_path),
        "CONTAINERS_STORAGE_CONF": str(tmp_path / "storage.conf"),
        "CONTAINERS_CONF": str(tmp_path / "containers.conf"),
    }
    source = f"oci:{tmp_path}/store:localhost/case:1"
    run(["skopeo", "--insecure-policy", "copy", source, "containers-storage:case:1"], environment=environment)
    # Detached: without systemd, an attached run waits twenty seconds for an exit file that conmon does not write.
    run(["podman", "run", "-d", "--pull=never", "--name", "case", "case:1"], environment=environment)
    try:
        output = run(["podman", "logs", "-f", "case"], environment=environment)
    finally:
        run(["podman", "rm", "-f", "-t0", "case"], environment=environment)
    assert output == b"hello fleet native /work\n"
