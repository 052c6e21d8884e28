# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What engines and servers of mirrors get, held to files that people can read: golden/mirrors/."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest
import tomllib
import yaml
from ansible.errors import AnsibleFilterError
from ansible_collections.fleet.images.plugins.filter.mirror_files import FilterModule as Files
from ansible_collections.fleet.images.plugins.filter.mirror_server import FilterModule as Server

GOLDEN = Path(__file__).parent / "golden" / "mirrors"
mirror_files: t.Callable[..., dict[str, t.Any]] = Files().filters()["mirror_files"]
mirror_server: t.Callable[..., str] = Server().filters()["mirror_server"]

CA = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----"
PLACES = {
    "docker_config": "/etc/docker/daemon.json",
    "docker_certs": "/etc/docker/certs.d",
    "containerd_config": "/etc/containerd/config.toml",
    "containerd_certs": "/etc/containerd/certs.d",
    "podman_config": "/etc/containers/registries.conf.d/500-fleet-images-mirrors.conf",
    "podman_certs": "/etc/containers/certs.d",
}
FLEET = [
    {"registry": "docker.io", "location": "hub-cache.example.com:5000", "ca": CA},
    {"registry": "docker.io", "location": "other.example.com", "insecure": True},
    {"registry": "ghcr.io", "location": "zot.example.com:5000/ghcr", "kind": "zot"},
    {"registry": "docker.io", "location": "zot.example.com:5000/hub", "kind": "zot"},
    {"registry": "quay.io/team", "location": "zot.example.com:5000/team", "kind": "zot"},
    {"registry": "quay.io", "location": "harbor.example.com/quay", "kind": "harbor"},
    {"registry": "docker.io", "location": "harbor.example.com/hub", "kind": "harbor"},
    {"registry": "registry.k8s.io", "location": "127.0.0.1:5000", "kind": "spegel", "insecure": True},
    {"registry": "ghcr.io", "location": "127.0.0.1:5000", "kind": "spegel", "insecure": True},
    {"registry": "docker.io", "location": "127.0.0.1:4001", "kind": "dragonfly", "insecure": True},
    {"registry": "ghcr.io", "location": "127.0.0.1:4001", "kind": "dragonfly", "insecure": True},
]


def rendered(*engines: str, mirrors: t.Any = FLEET, **options: t.Any) -> dict[str, t.Any]:
    """Return what the filter gives with the usual places."""
    return mirror_files(mirrors, engines=list(engines), places=PLACES, **options)


def as_text(result: dict[str, t.Any]) -> str:
    """Return all files and all refusals as one text."""
    rows = [f"### {path}\n{text}" for path, text in result["files"].items()]
    refused = ["{engine} {registry} at {location}: {reason}\n".format(**row) for row in result["refused"]]
    return "".join(rows) + "### refused\n" + "".join(refused)


@pytest.mark.parametrize(
    ("name", "engine", "options"),
    [
        ("docker-classic", "docker", {}),
        ("docker-containerd-store", "docker", {"docker_store": "containerd"}),
        ("containerd", "containerd", {}),
        ("containerd-tags-of-the-origin", "containerd", {"tags": "origin"}),
        ("podman", "podman", {}),
        ("podman-tags-of-the-origin", "podman", {"tags": "origin"}),
    ],
)
def test_engines_get_what_the_golden_file_shows(name: str, engine: str, options: dict[str, str]) -> None:
    result = rendered(engine, **options)
    assert as_text(result) == (GOLDEN / f"{name}.txt").read_text(encoding="utf-8")
    for path, text in result["files"].items():
        if path.endswith((".toml", ".conf")):
            tomllib.loads(text)


@pytest.mark.parametrize(
    ("kind", "options"),
    [("zot", {}), ("harbor", {}), ("spegel", {"peers": ["/ip4/192.0.2.1/tcp/5001/p2p/12D3KooW"]}), ("dragonfly", {})],
)
def test_servers_get_what_the_golden_file_shows(kind: str, options: dict[str, t.Any]) -> None:
    text = mirror_server(FLEET, kind=kind, **options)
    assert text == (GOLDEN / f"server-{kind}.txt").read_text(encoding="utf-8")
    if kind in ("zot", "harbor"):
        json.loads(text)
    if kind == "dragonfly":
        assert yaml.safe_load(text)["proxy"]["registryMirror"] == {"addr": "https://index.docker.io"}


def test_settings_of_docker_that_are_there_stay_and_its_mirrors_come_last() -> None:
    existing = json.dumps({"b": 1, "registry-mirrors": ["https://old.example.com/"], "a": [2]})
    path = PLACES["docker_config"]
    mirrors = [{"registry": "docker.io", "location": "new.example.com"}]
    files = rendered("docker", mirrors=mirrors, existing={path: existing})["files"]
    assert json.loads(files[path]) == {
        "b": 1,
        "registry-mirrors": ["https://new.example.com", "https://old.example.com/"],
        "a": [2],
    }
    assert list(json.loads(files[path])) == ["b", "registry-mirrors", "a"]


@pytest.mark.parametrize("broken", ["{", "[]", '{"registry-mirrors": "https://x"}'])
def test_settings_that_docker_does_not_read_are_refused(broken: str) -> None:
    mirrors = [{"registry": "docker.io", "location": "new.example.com"}]
    result = rendered("docker", mirrors=mirrors, existing={PLACES["docker_config"]: broken})
    assert result["files"] == {}
    assert "correct it first" in result["refused"][0]["reason"]


def test_hosts_that_are_there_stay_behind_ours() -> None:
    path = "/etc/containerd/certs.d/ghcr.io/hosts.toml"
    existing = '# mine\nserver = "https://ghcr.io"\n\n[host."https://old.example.com"]\n  skip_verify = true\n'
    mirrors = [{"registry": "ghcr.io", "location": "new.example.com"}]
    text = rendered("containerd", mirrors=mirrors, existing={path: existing})["files"][path]
    read = tomllib.loads(text)
    assert read["server"] == "https://ghcr.io"
    assert list(read["host"]) == ["https://new.example.com", "https://old.example.com"]
    ours = rendered("containerd", mirrors=mirrors)["files"][path]
    assert text == existing.replace("\n[host", f"\n{ours}[host")


def test_a_mirror_that_somebody_else_has_written_is_refused() -> None:
    path = "/etc/containerd/certs.d/ghcr.io/hosts.toml"
    existing = "[host.'https://new.example.com']\n"
    mirrors = [{"registry": "ghcr.io", "location": "new.example.com"}]
    result = rendered("containerd", mirrors=mirrors, existing={path: existing})
    assert result["files"] == {}
    assert len(result["refused"]) == 1


CRI_2 = 'plugins."io.containerd.grpc.v1.cri".registry'
CRI_3 = "plugins.'io.containerd.cri.v1.images'.registry"


@pytest.mark.parametrize(
    "existing",
    [
        "",
        "version = 2\n",
        "version = 2",
        "version = 3\n",
        f"version = 2\n[plugins]\n  [{CRI_2}]\n    config_path = \"\"\n    [{CRI_2}.headers]\n",
        f"version = 3\n[plugins]\n  [{CRI_3}]\n    config_path = ''\n",
        f"version = 2\n[{CRI_2}]\n[{CRI_2}.auths]\n",
        'version = 2\nimports = [\n  "a.toml",\n  "b.toml"\n]\n[grpc]\n  address = "/run/x"\n',
    ],
)
def test_containerd_is_told_the_folder_and_every_other_line_stays(existing: str) -> None:
    path = PLACES["containerd_config"]
    mirrors = [{"registry": "ghcr.io", "location": "new.example.com"}]
    text = rendered("containerd", mirrors=mirrors, existing={path: existing} if existing else {})["files"][path]
    read, before = tomllib.loads(text), tomllib.loads(existing)
    name = "io.containerd.cri.v1.images" if before.get("version") == 3 else "io.containerd.grpc.v1.cri"
    assert read["plugins"][name]["registry"].pop("config_path") == PLACES["containerd_certs"]
    kept = [line for line in existing.splitlines() if "config_path" not in line]
    assert [line for line in text.splitlines() if line in kept and line][: len(kept)] == [line for line in kept if line]


@pytest.mark.parametrize(
    "existing",
    [
        f'version = 2\n[{CRI_2}]\n  config_path = "/etc/containerd/certs.d:/etc/docker/certs.d"\n',
        'version = 2\ndisabled_plugins = ["cri"]\n',
        'version = 2\ndisabled_plugins = [\n  "io.containerd.grpc.v1.cri",\n]\n',
    ],
)
def test_containerd_is_left_alone_where_it_knows_the_folder_or_nobody_asks(existing: str) -> None:
    path = PLACES["containerd_config"]
    result = rendered(
        "containerd", mirrors=[{"registry": "ghcr.io", "location": "new.example.com"}], existing={path: existing}
    )
    assert list(result["files"]) == ["/etc/containerd/certs.d/ghcr.io/hosts.toml"]


@pytest.mark.parametrize(
    ("existing", "reason"),
    [
        ("[grpc]\n", "version = 2"),
        (f'version = 2\n[{CRI_2}]\n  config_path = "/other"\n', "hosts.toml files in /other"),
        (f'version = 2\n[{CRI_2}.mirrors."docker.io"]\n  endpoint = ["x"]\n', "registry.mirrors"),
    ],
)
def test_containerd_is_refused_where_it_would_not_start_or_not_look(existing: str, reason: str) -> None:
    path = PLACES["containerd_config"]
    result = rendered(
        "containerd", mirrors=[{"registry": "ghcr.io", "location": "new.example.com"}], existing={path: existing}
    )
    assert result["files"] == {}
    assert reason in result["refused"][0]["reason"]


@pytest.mark.parametrize("key", ["prefix", "location"])
def test_podman_is_refused_where_another_file_has_the_same_registry(key: str) -> None:
    mirrors = [{"registry": "ghcr.io", "location": "new.example.com"}]
    path, mirror = "/etc/containers/registries.conf", '[[registry.mirror]]\nlocation = "{}"\n'
    same = f'[[registry]]\n{key} = "ghcr.io"\n' + mirror.format("x.example.com")
    result = rendered("podman", mirrors=mirrors, others={path: same})
    assert result["files"] == {}
    assert path in result["refused"][0]["reason"]
    other = '[[registry]]\nlocation = "quay.io"\n' + mirror.format("ghcr.io")
    assert rendered("podman", mirrors=mirrors, others={path: other})["refused"] == []


def test_every_problem_of_a_declaration_is_told() -> None:
    wrong = [
        {"registry": "docker.io"},
        {"registry": "https://docker.io", "location": "a.example.com", "kind": "squid", "colour": 1},
        {"registry": "ghcr.io", "location": "a.example.com", "ca": "no", "insecure": True},
        {"registry": "ghcr.io", "location": "b.example.com", "insecure": "yes"},
        "docker.io",
        {"registry": "quay.io", "location": "c.example.com"},
        {"registry": "quay.io", "location": "c.example.com"},
    ]
    with pytest.raises(AnsibleFilterError) as caught:
        rendered("podman", mirrors=wrong)
    said = str(caught.value)
    for place in ("[0].location", "[1].registry", "[1].kind", "[1].colour", "[2].ca", "[3].insecure", "[4]", "[6]"):
        assert f"  {place}: " in said, said


@pytest.mark.parametrize(
    ("row", "kind"),
    [
        ({"registry": "quay.io", "location": "h.example.com", "kind": "harbor"}, "harbor"),
        ({"registry": "quay.io/team", "location": "h.example.com/quay", "kind": "harbor"}, "harbor"),
        ({"registry": "quay.io", "location": "localhost:4001/x", "kind": "dragonfly"}, "dragonfly"),
        ({"registry": "quay.io", "location": "z.example.com", "kind": "zot"}, "spegel"),
    ],
)
def test_what_a_server_cannot_serve_so_is_refused(row: dict[str, str], kind: str) -> None:
    with pytest.raises(AnsibleFilterError):
        mirror_server([row], kind=kind)
