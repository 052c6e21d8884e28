# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The HTTP library: there or not, and how many exchanges it carries at a time."""

from __future__ import annotations

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

from ansible_collections.fleet.images.plugins.module_utils.wire.registry_settings import RegistrySettings
from ansible_collections.fleet.images.tests.unit.wire.odd_server import Asked, OddServer, Reply, client_for

WITHOUT_REQUESTS = """
import sys
sys.modules["requests"] = None
from ansible_collections.fleet.images.plugins.module_utils.stores.registries import Registries
from ansible_collections.fleet.images.plugins.module_utils.wire.credentials import CredentialSource
from ansible_collections.fleet.images.plugins.module_utils.model.errors import UnsupportedError
client = Registries(credentials=CredentialSource(environ={})).client("127.0.0.1:9")
try:
    client.request("GET", "/v2/", scope="")
except UnsupportedError as error:
    print(error.code)
"""

WITHOUT_CONTACT = """
import sys
from ansible_collections.fleet.images.plugins.module_utils.stores.registries import Registries
from ansible_collections.fleet.images.plugins.module_utils.model.reference import parse_reference
with Registries() as registries:
    registries.store(parse_reference("redis"))
heavy = {"requests", "urllib3", "http.client", "ssl", "socket", "tempfile", "email.utils", "ipaddress"}
print(sorted(heavy & set(sys.modules)))
"""


def output_of(program: str) -> str:
    # the folder that holds ansible_collections: this interpreter's path leads there, the child's need not
    paths = [path for path in sys.path if path]
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": ":".join(paths), "PATH": "/usr/bin:/bin"},
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    return done.stdout.strip()


def test_a_missing_library_is_told_by_name() -> None:
    assert output_of(WITHOUT_REQUESTS) == "requests-missing"


def test_who_asks_no_registry_does_not_load_the_library() -> None:
    assert "requests" not in output_of(WITHOUT_CONTACT)


def test_no_more_exchanges_run_at_a_time_than_the_settings_say() -> None:
    lock, running, most = threading.Lock(), [0], [0]

    def rule(_asked: Asked) -> Reply:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        with lock:
            running[0] -= 1
        return Reply(body=b"x" * 1000)

    with OddServer(rule) as server:
        client = client_for(server.host, settings=RegistrySettings(parallel=2))

        def ask(_number: int) -> bytes:
            return client.request("GET", "/v2/", scope="").body(1000)

        with ThreadPoolExecutor(8) as threads:
            assert list(threads.map(ask, range(60))) == [b"x" * 1000] * 60
        assert most[0] <= 2
        # one connection per place, and those over which TLS was tried first
        assert server.connections <= 8 + 2 + 2


def test_a_thread_that_reads_from_a_registry_can_write_to_it_with_one_place() -> None:
    with OddServer(lambda _asked: Reply(body=b"x" * 200_000)) as server:
        client = client_for(server.host, settings=RegistrySettings(parallel=1))
        with client.request("GET", "/v2/source", scope="") as source:
            with client.request("GET", "/v2/target", scope="") as target:
                assert target.read(10) == b"x" * 10
            assert source.read(10) == b"x" * 10
