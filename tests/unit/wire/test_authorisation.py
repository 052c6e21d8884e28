# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Scopes, and log-ins that belong to one repository."""

from __future__ import annotations

import json

import pytest
from ansible_collections.fleet.images.plugins.module_utils.model.errors import AuthError, PeerError
from ansible_collections.fleet.images.plugins.module_utils.wire.authorisation import merge_scopes
from ansible_collections.fleet.images.plugins.module_utils.wire.credentials import Credential, CredentialSource
from ansible_collections.fleet.images.plugins.module_utils.wire.registry_client import RegistryClient
from ansible_collections.fleet.images.plugins.module_utils.wire.registry_settings import RegistrySettings
from ansible_collections.fleet.images.plugins.module_utils.wire.tokens import basic
from ansible_collections.fleet.images.tests.unit.wire.odd_server import (
    Asked,
    OddServer,
    Reply,
    bearer_challenge,
    client_for,
)


@pytest.mark.parametrize(
    ("scopes", "merged"),
    [
        ([], ()),
        (["repository:a:pull", "repository:a:pull,push"], ("repository:a:pull,push",)),
        (["repository:a:pull", "repository:b:pull"], ("repository:a:pull", "repository:b:pull")),
        (["repository:h:5000/a:push", "repository:h:5000/a:pull"], ("repository:h:5000/a:push,pull",)),
        (["registry:catalog:*"], ("registry:catalog:*",)),
    ],
)
def test_actions_on_one_resource_are_joined(scopes: list[str], merged: tuple[str, ...]) -> None:
    assert merge_scopes(scopes) == merged
    assert merge_scopes(merged) == merged


def test_each_part_of_a_registry_has_its_own_login() -> None:
    ours, theirs = Credential("anna", "one"), Credential("bert", "two")

    def rule(asked: Asked) -> Reply:
        wanted = basic(ours if asked.path.startswith("/v2/team/") else theirs)
        return Reply() if asked.login == wanted else Reply(401, (("WWW-Authenticate", 'Basic realm="r"'),))

    with OddServer(rule) as server:
        source = CredentialSource({f"{server.host}/team": ours, server.host: theirs}, environ={})
        client = RegistryClient(server.host, settings=RegistrySettings(), credentials=source)
        client.request("GET", "/v2/team/app", scope="repository:team/app:pull").close()
        client.request("GET", "/v2/other", scope="repository:other:pull").close()


@pytest.mark.parametrize("header", ["", "Negotiate", 'Bearer service="without realm"'])
def test_a_challenge_that_cannot_be_answered_is_an_error_at_once(header: str) -> None:
    headers = (("WWW-Authenticate", header),) if header else ()
    with OddServer(lambda _asked: Reply(401, headers)) as server:
        with pytest.raises(AuthError) as caught:
            client_for(server.host, login=Credential("anna", "x")).request("GET", "/v2/", scope="")
        assert caught.value.code == "auth-refused"
        assert len(server.asked) == 1


def test_a_password_is_not_sent_to_a_realm_that_is_not_trusted() -> None:
    with OddServer(lambda _asked: Reply()) as elsewhere:
        realm = f"http://169.254.169.254:{elsewhere.port}/token"
        with OddServer(lambda _asked: Reply(401, bearer_challenge(realm))) as server:
            with pytest.raises(PeerError) as caught:
                client_for(server.host, login=Credential("anna", "x")).request("GET", "/v2/", scope="")
            assert caught.value.code == "realm-refused"


def test_a_registry_that_changes_from_basic_to_bearer_is_followed() -> None:
    login = Credential("anna", "x")
    is_bearer = [False]

    def rule(asked: Asked) -> Reply:
        if asked.path == "/token":
            return Reply(body=json.dumps({"token": "t"}).encode())
        if asked.login == ("Bearer t" if is_bearer[0] else basic(login)):
            return Reply()
        realm = f"http://{asked.headers['host']}/token"
        return Reply(401, bearer_challenge(realm) if is_bearer[0] else (("WWW-Authenticate", "Basic realm=r"),))

    with OddServer(rule) as server:
        client = client_for(server.host, login=login)
        client.request("GET", "/v2/", scope="repository:a:pull").close()
        is_bearer[0] = True
        client.request("GET", "/v2/", scope="repository:a:pull").close()
        assert server.asked[-1].login == "Bearer t"
