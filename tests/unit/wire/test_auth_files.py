# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Auth files as podman and Docker write them, and broken ones."""

from __future__ import annotations

import json
import os
import typing as t
from base64 import b64encode
from pathlib import Path

import pytest
from ansible_collections.fleet.images.plugins.module_utils.model.errors import InputError
from ansible_collections.fleet.images.plugins.module_utils.wire.auth_files import (
    AuthFile,
    auth_files,
    best_key,
    normal_key,
)

from .test_credential_helpers import environ_with


def basic(text: str) -> dict[str, str]:
    return {"auth": b64encode(text.encode()).decode()}


def login_of(
    folder: Path, content: object, *, registry: str = "quay.io", repository: str = "team/app", **file: t.Any
) -> tuple[str, str, str] | None:
    path = folder / "auth.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content, indent=1))
    return AuthFile(path, **{"is_explicit": True, **file}).login(registry, repository, note=print)


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("quay.io", "quay.io"),
        ("Quay.IO", "quay.io"),
        ("quay.io/team/app", "quay.io/team/app"),
        ("quay.io/team/", "quay.io/team"),
        ("https://quay.io", "quay.io"),
        ("https://quay.io/v2/", "quay.io"),
        ("http://localhost:5000/v1/", "localhost:5000"),
        ("localhost:5000", "localhost:5000"),
        ("https://registry.example.com/some/path", "registry.example.com"),
        ("quay.io/v1/", "quay.io"),
        ("https://index.docker.io/v1/", "docker.io"),
        ("index.docker.io", "docker.io"),
        ("docker.io", "docker.io"),
        ("registry-1.docker.io", "docker.io"),
        ("docker.io/library", "docker.io/library"),
        ("[::1]:5000", "[::1]:5000"),
    ],
)
def test_every_spelling_of_a_key_has_one_name(key: str, name: str) -> None:
    assert normal_key(key) == name
    assert normal_key(name) == name


@pytest.mark.parametrize(
    ("keys", "registry", "repository", "best"),
    [
        (["quay.io", "quay.io/team"], "quay.io", "team/app", "quay.io/team"),
        (["quay.io/team/app", "quay.io/team"], "quay.io", "team/app", "quay.io/team/app"),
        (["quay.io", "quay.io/team"], "quay.io", "teamwork/app", "quay.io"),
        (["quay.io/team"], "quay.io", "", None),
        (["quay.io/team"], "quay.io", "other", None),
        (["https://quay.io/v1/", "quay.io"], "quay.io", "x", "quay.io"),
        (["https://quay.io/v1/", "https://quay.io/v2/"], "quay.io", "x", "https://quay.io/v1/"),
        (["quay.io"], "quay.io:5000", "x", None),
        (["https://index.docker.io/v1/"], "docker.io", "library/redis", "https://index.docker.io/v1/"),
        (["docker.io/library"], "registry-1.docker.io", "library/redis", "docker.io/library"),
        ([], "quay.io", "x", None),
    ],
)
def test_the_longest_part_that_a_key_names_wins(
    keys: list[str], registry: str, repository: str, best: str | None
) -> None:
    assert best_key(keys, registry=registry, repository=repository) == best


@pytest.mark.parametrize(
    ("entry", "login"),
    [
        (basic("alice:hunter2"), ("alice", "hunter2", "")),
        (basic("alice:with:colons"), ("alice", "with:colons", "")),
        (basic("alice:pässwörd\0\0"), ("alice", "pässwörd", "")),
        ({"username": "alice", "password": "hunter2"}, ("alice", "hunter2", "")),
        ({**basic("alice:new"), "username": "old", "password": "old"}, ("alice", "new", "")),
        ({**basic("alice:"), "identitytoken": "token"}, ("alice", "", "token")),
        ({"identitytoken": "token"}, ("", "", "token")),
        ({}, None),
        ({"auth": None}, None),
        (basic(":"), None),
        ({"email": "alice@example.com"}, None),
    ],
)
def test_an_entry_holds_a_login_in_one_of_its_forms(
    tmp_path: Path, entry: object, login: tuple[str, str, str] | None
) -> None:
    assert login_of(tmp_path, {"auths": {"quay.io": entry}}) == login


@pytest.mark.parametrize("content", ["", " \n", "{}", '{"auths": null}', "\ufeff{}", '{"auths": {"other.io": 7}}'])
def test_a_file_without_an_entry_has_no_login(tmp_path: Path, content: str) -> None:
    assert login_of(tmp_path, content) is None


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ('{"auths":\n {"quay.io" "hunter2"}}', "line 2, column 13: Expecting ':' delimiter"),
        ('["hunter2"]', "line 1: the top is not an object"),
        ("[" * 200000, "it is nested too deeply"),
        ('{"auths": ["hunter2"]}', "auths is not an object"),
        ('{"auths": {\n"quay.io": "hunter2"}}', "line 2: entry quay.io is not an object of texts"),
        ('{"auths": {\n\n"quay.io": {"auth": 7}}}', "line 3: entry quay.io is not an object of texts"),
        ('{"auths": {\n"quay.io": {"auth": "hunter2!"}}}', "line 2: auth of entry quay.io is not base64"),
        (
            '{"auths": {"quay.io": {"auth": "aHVudGVyMg=="}}}',
            "line 1: auth of entry quay.io is not the base64 of user:password",
        ),
        ('{"auths": {"quay.io": {"auth": "/////w=="}}}', "line 1: auth of entry quay.io is not base64"),
        ('{"credHelpers": {"quay.io": 7}}', "the name of a credential helper is not a text"),
        ('{"credHelpers": 7}', "credHelpers is not an object"),
        ('{"credsStore": ["x"]}', "the name of a credential helper is not a text"),
    ],
)
def test_a_malformed_file_is_an_error_if_named_and_a_note_if_found(tmp_path: Path, content: str, why: str) -> None:
    with pytest.raises(InputError) as caught:
        login_of(tmp_path, content)
    error = caught.value
    assert (error.code, error.why, error.subject) == ("bad-auth-file", why, str(tmp_path / "auth.json"))
    assert error.__context__ is None or error.__suppress_context__
    assert "hunter2" not in f"{error} {error.to_json()}"
    notes: list[str] = []
    assert AuthFile(tmp_path / "auth.json").login("quay.io", "team/app", note=notes.append) is None
    assert notes == [f"{tmp_path / 'auth.json'} ({why})"]


def test_a_file_in_another_encoding_is_malformed(tmp_path: Path) -> None:
    (tmp_path / "auth.json").write_bytes(b'{"auths": {"\xff": {}}}')
    with pytest.raises(InputError) as caught:
        AuthFile(tmp_path / "auth.json", is_explicit=True).login("quay.io", "", note=print)
    assert (caught.value.code, caught.value.why) == ("bad-auth-file", "line 1: it is not UTF-8 text")


def test_a_missing_file_is_an_error_if_named_and_nothing_otherwise(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        AuthFile(tmp_path / "absent", is_explicit=True).login("quay.io", "", note=print)
    assert (caught.value.code, caught.value.subject) == ("auth-file-missing", str(tmp_path / "absent"))
    notes: list[str] = []
    assert AuthFile(tmp_path / "absent").login("quay.io", "", note=notes.append) is None
    assert notes == []


def test_a_folder_in_place_of_a_file_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        AuthFile(tmp_path, is_explicit=True).login("quay.io", "", note=print)
    assert (caught.value.code, caught.value.why) == ("auth-file-unreadable", "Is a directory")
    notes: list[str] = []
    assert AuthFile(tmp_path).login("quay.io", "", note=notes.append) is None
    assert notes == [f"{tmp_path} (Is a directory)"]


def recording_helper(folder: Path, *, knows: str) -> dict[str, str]:
    """Install a helper that logs what it is asked and knows alice at the server ``knows``."""
    answer = '{"Username": "alice", "Secret": "of helper"}'
    script = f"""server=$(cat); echo "$server" >> {folder}/asked
test "$server" = {knows!r} && echo '{answer}' || {{ echo credentials not found in native keychain; exit 1; }}"""
    return environ_with(folder, script)


@pytest.mark.parametrize(
    ("content", "registry", "knows", "asked"),
    [
        ({"credsStore": "test"}, "quay.io", "quay.io", ["quay.io"]),
        ({"credHelpers": {"quay.io": "test"}, "credsStore": "absent"}, "quay.io", "quay.io", ["quay.io"]),
        ({"credHelpers": {"quay.io/team": "test"}}, "quay.io", "quay.io/team", ["quay.io/team"]),
        ({"credHelpers": {"https://quay.io": "test"}}, "quay.io", "quay.io", ["https://quay.io", "quay.io"]),
        ({"credsStore": "test"}, "docker.io", "https://index.docker.io/v1/", ["https://index.docker.io/v1/"]),
        ({"credsStore": "test"}, "docker.io", "docker.io", ["https://index.docker.io/v1/", "docker.io"]),
        ({"credHelpers": {"docker.io": "test"}}, "docker.io", "docker.io", ["docker.io"]),
    ],
)
def test_a_helper_is_asked_under_the_names_that_logins_use(
    tmp_path: Path, content: object, registry: str, knows: str, asked: list[str]
) -> None:
    environ = recording_helper(tmp_path, knows=knows)
    assert login_of(tmp_path, content, registry=registry, environ=environ) == ("alice", "of helper", "")
    assert (tmp_path / "asked").read_text().splitlines() == asked


def test_a_helper_wins_over_the_entry_and_the_entry_over_nothing(tmp_path: Path) -> None:
    content = {"credsStore": "test", "auths": {"quay.io": {}, "other.io": basic("bob:hunter2")}}
    environ = recording_helper(tmp_path, knows="quay.io")
    assert login_of(tmp_path, content, environ=environ) == ("alice", "of helper", "")
    assert login_of(tmp_path, content, registry="other.io", environ=environ) == ("bob", "hunter2", "")


def test_a_helper_that_is_missing_does_not_hide_the_entry(tmp_path: Path) -> None:
    content = {"credsStore": "absent", "auths": {"quay.io": basic("bob:hunter2")}}
    assert login_of(tmp_path, content, environ={"PATH": "/nowhere"}) == ("bob", "hunter2", "")


def test_a_helper_is_asked_once_per_server(tmp_path: Path) -> None:
    environ = recording_helper(tmp_path, knows="none")
    (tmp_path / "auth.json").write_text('{"credsStore": "test"}')
    file = AuthFile(tmp_path / "auth.json", environ=environ)
    for repository in ("a", "b", "c"):
        assert file.login("quay.io", repository, note=print) is None
    assert (tmp_path / "asked").read_text().splitlines() == ["quay.io"]


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        (
            {"HOME": "/h"},
            [f"/run/containers/{os.getuid()}/auth.json", "/h/.config/containers/auth.json", "/h/.docker/config.json"],
        ),
        (
            {"HOME": "/h", "XDG_RUNTIME_DIR": "/run/user/7", "XDG_CONFIG_HOME": "/c", "DOCKER_CONFIG": "/d"},
            ["/run/user/7/containers/auth.json", "/c/containers/auth.json", "/d/config.json"],
        ),
        (
            {"HOME": "/h", "XDG_RUNTIME_DIR": "/run/user/7", "REGISTRY_AUTH_FILE": "/a/auth.json"},
            ["/a/auth.json", "/h/.docker/config.json"],
        ),
    ],
)
def test_files_are_searched_where_podman_and_docker_keep_them(environ: dict[str, str], expected: list[str]) -> None:
    assert [str(file.path) for file in auth_files(environ=environ)] == expected
    assert [str(file.path) for file in auth_files("/own", environ=environ)] == ["/own", *expected]
