# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The search for a credential, over real files."""

from __future__ import annotations

import json
import subprocess
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from ansible_collections.fleet.images.plugins.module_utils.model.errors import InputError
from ansible_collections.fleet.images.plugins.module_utils.wire.credentials import Credential, CredentialSource
from ansible_collections.fleet.images.tests.support.programs import require

ALICE = Credential("alice", "hunter2")
BOB = Credential("bob", "hunter3")


def write_login(path: Path, credential: Credential, *, key: str = "quay.io") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    auth = b64encode(f"{credential.username}:{credential.password}".encode()).decode()
    path.write_text(json.dumps({"auths": {key: {"auth": auth}}}))
    return path


def environ_of(home: Path) -> dict[str, str]:
    return {"HOME": str(home), "XDG_RUNTIME_DIR": str(home / "run"), "PATH": "/usr/bin:/bin"}


@pytest.mark.parametrize("credential", [ALICE, Credential("alice", "", "hunter2-token")])
def test_no_text_form_of_a_credential_shows_the_secret(credential: Credential) -> None:
    texts = (
        repr(credential),
        str(credential),
        f"{credential}",
        f"{credential!r}",
        repr([credential]),
        repr({1: credential}),
    )
    for text in texts:
        assert "hunter2" not in text
        assert "alice" in text


def test_a_credential_names_all_texts_that_must_be_masked() -> None:
    assert ALICE.secrets == ("hunter2", b64encode(b"alice:hunter2").decode())
    assert Credential("alice", "", "token").secrets == ("token",)


def test_a_source_does_not_show_secrets() -> None:
    assert "hunter" not in repr(CredentialSource({"quay.io": ALICE}, default=BOB))


def test_places_are_searched_in_the_documented_order(tmp_path: Path) -> None:
    places = [
        tmp_path / "own.json",
        tmp_path / "run/containers/auth.json",
        tmp_path / ".config/containers/auth.json",
        tmp_path / ".docker/config.json",
    ]
    for at, place in enumerate(places):
        write_login(place, Credential(f"user{at}", "x"))
    task = {"quay.io": ALICE}
    first = CredentialSource(task, auth_file=str(places[0]), environ=environ_of(tmp_path))
    assert first.for_registry("quay.io", "team/app") == ALICE
    assert first.searched == ["the credentials of the task"]
    for at, place in enumerate(places):
        source = CredentialSource(auth_file=str(places[0]) if at == 0 else "", environ=environ_of(tmp_path))
        assert source.for_registry("quay.io", "team/app") == Credential(f"user{at}", "x")
        assert source.searched == [str(passed) for passed in places[min(at, 1) : at + 1]]
        place.unlink()
    nowhere = CredentialSource(environ=environ_of(tmp_path))
    assert nowhere.for_registry("quay.io", "team/app") is None
    assert nowhere.searched == [str(place) for place in places[1:]]


@pytest.mark.parametrize(
    ("registry", "repository", "expected"),
    [
        ("quay.io", "other/app", ALICE),
        ("quay.io", "team/app", BOB),
        ("docker.io", "library/redis", ALICE),
        ("ghcr.io", "x", None),
    ],
)
def test_rows_of_the_task_match_like_keys_of_files(
    tmp_path: Path, registry: str, repository: str, expected: Credential | None
) -> None:
    rows = {"quay.io": ALICE, "quay.io/team": BOB, "https://index.docker.io/v1/": ALICE}
    assert CredentialSource(rows, environ=environ_of(tmp_path)).for_registry(registry, repository) == expected


def test_the_default_serves_registries_without_a_row(tmp_path: Path) -> None:
    source = CredentialSource({"quay.io": ALICE}, default=BOB, environ=environ_of(tmp_path))
    assert source.for_registry("quay.io", "app") == ALICE
    assert source.for_registry("mirror.example.com", "app") == BOB


def test_the_default_stays_with_its_registries(tmp_path: Path) -> None:
    source = CredentialSource(default=BOB, default_registries=["index.docker.io"], environ=environ_of(tmp_path))
    assert source.for_registry("docker.io", "library/redis") == BOB
    assert source.for_registry("mirror.example.com", "library/redis") is None


def test_nothing_is_read_before_somebody_asks(tmp_path: Path) -> None:
    source = CredentialSource({"quay.io": ALICE}, auth_file=str(tmp_path / "absent"), environ=environ_of(tmp_path))
    assert source.searched == []
    assert source.for_registry("quay.io", "app") == ALICE
    with pytest.raises(InputError) as caught:
        source.for_registry("ghcr.io", "app")
    assert caught.value.code == "auth-file-missing"


def test_a_file_is_read_once(tmp_path: Path) -> None:
    path = write_login(tmp_path / ".docker/config.json", ALICE)
    source = CredentialSource(environ=environ_of(tmp_path))
    assert source.for_registry("quay.io", "app") == ALICE
    path.unlink()
    assert source.for_registry("quay.io", "app") == ALICE


def test_a_broken_ambient_file_does_not_stop_the_search(tmp_path: Path) -> None:
    broken = tmp_path / "run/containers/auth.json"
    broken.parent.mkdir(parents=True)
    broken.write_text("{")
    write_login(tmp_path / ".docker/config.json", ALICE)
    source = CredentialSource(environ=environ_of(tmp_path))
    assert source.for_registry("quay.io", "app") == ALICE
    assert source.searched[:2] == [
        str(broken),
        f"{broken} (line 1, column 2: Expecting property name enclosed in double quotes)",
    ]


def test_a_missing_helper_leaves_an_anonymous_pull_possible(tmp_path: Path) -> None:
    config = tmp_path / ".docker/config.json"
    config.parent.mkdir()
    config.write_text('{"credsStore": "desktop.exe", "auths": {"quay.io": {}}}')
    source = CredentialSource(environ=environ_of(tmp_path))
    assert source.for_registry("quay.io", "app") is None
    assert any("docker-credential-desktop.exe is not installed" in place for place in source.searched)


def test_threads_share_a_source(tmp_path: Path) -> None:
    write_login(tmp_path / ".docker/config.json", ALICE)
    source = CredentialSource({"ghcr.io": BOB}, environ=environ_of(tmp_path))
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda at: source.for_registry(("quay.io", "ghcr.io")[at % 2], f"app{at}"), range(64)))
    assert found == [ALICE, BOB] * 32


def test_what_skopeo_reads_as_a_login_is_found(tmp_path: Path) -> None:
    require("skopeo")
    path = write_login(tmp_path / "auth.json", ALICE, key="https://registry.example.com/v1/")
    command = ["skopeo", "login", "--authfile", str(path), "--get-login", "registry.example.com"]
    seen = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    found = CredentialSource(auth_file=str(path)).for_registry("registry.example.com", "app")
    assert found is not None
    assert found.username == seen == "alice"
