# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Nothing secret survives redaction, and what is left is still evidence."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from ansible_collections.fleet.images.plugins.module_utils.wire.redact import redact, redact_url


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (
            "https://registry.example.com:5000/v2/team/app/blobs/",
            "https://registry.example.com:5000/v2/team/app/blobs/",
        ),
        ("https://alice:hunter2@registry.example.com/v2/", "https://registry.example.com/v2/"),
        ("https://cdn.example.com/blob?X-Amz-Signature=hunter2#hunter2", "https://cdn.example.com/blob"),
        ("https://[2001:db8::1]:5000/v2/?t=hunter2", "https://[2001:db8::1]:5000/v2/"),
        ("/v2/app/blobs/uploads/1?_state=hunter2", "/v2/app/blobs/uploads/1"),
        ("//cdn.example.com/blob?t=hunter2", "//cdn.example.com/blob"),
        ("https://h/path@2", "https://h/path@2"),
        ("https://a:b@c@registry.example.com/", "https://registry.example.com/"),
        ("https://registry.example.com?next=https://u:hunter2@x/", "https://registry.example.com"),
        ("", ""),
    ],
)
def test_an_address_keeps_host_and_path_only(url: str, shown: str) -> None:
    assert redact_url(url) == shown


@pytest.mark.parametrize("url", ["https://alice:hunter/2@registry.example.com/", "https://alice:hunter2?@h/"])
def test_an_address_whose_password_breaks_its_shape_is_hidden(url: str) -> None:
    assert redact_url(url) == "(unreadable address)"


def test_secrets_are_masked_also_percent_encoded() -> None:
    secret = "s3cr/t+word"
    text = f"sent {secret} and account={quote(secret, safe='')} end"
    assert redact(text, [secret, ""]) == "sent *** and account=*** end"


def test_the_longer_of_two_secrets_is_masked_whole() -> None:
    assert redact("token abcdefgh", ["abcd", "abcdefgh"]) == "token ***"


def test_a_short_secret_is_masked_as_a_word_only() -> None:
    assert redact("a cat said a", ["a"]) == "*** cat said ***"


@pytest.mark.parametrize(
    "text",
    [
        "GET https://u:hunter2@h/v2/?token=hunter2 failed",
        "Max retries exceeded with url: /token?service=x&password=hunter2 (Caused by refused)",
        "sent Authorization: Basic hunter2",
        "{'authorization': 'Bearer hunter2'}",
    ],
)
def test_evidence_of_http_libraries_loses_what_may_be_secret(text: str) -> None:
    assert "hunter2" not in redact(text)


def test_evidence_stays_readable() -> None:
    text = "HTTPSConnectionPool(host='registry.example.com', port=443): url: /v2/ (Caused by refused?)"
    assert redact(text) == text
