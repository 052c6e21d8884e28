# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Engine connections over TCP and TLS: names, authorities and client certificates are checked."""

from __future__ import annotations

import contextlib
import datetime
import ipaddress
import socket
import ssl
import threading
import typing as t

import pytest
from ansible_collections.fleet.images.plugins.module_utils.model.errors import (
    AuthError,
    ImagesError,
    InputError,
    UnavailableError,
)
from ansible_collections.fleet.images.plugins.module_utils.wire.engine_socket import (
    EngineConnection,
    EngineEndpoint,
    EngineTls,
)
from ansible_collections.fleet.images.tests.unit.wire.daemon import PATIENCE, Daemon, answer_json, sending

if t.TYPE_CHECKING:
    from collections.abc import Iterator


class Certificates(t.NamedTuple):
    """Paths of PEM files: an authority, and a certificate with its key for engine.example.com, valid for both sides."""

    ca: str
    cert: str
    key: str


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    def name(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    def certificate(subject: str, key: ec.EllipticCurvePrivateKey, *, names: list[x509.GeneralName]) -> bytes:
        now = datetime.datetime.now(datetime.timezone.utc)
        builder = (
            x509.CertificateBuilder(
                name("test authority"), name(subject), key.public_key(), x509.random_serial_number()
            )
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(hours=1))
            .add_extension(x509.BasicConstraints(ca=not names, path_length=None), critical=True)
        )
        identity = x509.SubjectKeyIdentifier.from_public_key(ca_key.public_key())
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
            issuer = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identity)
            builder = builder.add_extension(issuer, critical=False)
        else:
            builder = builder.add_extension(identity, critical=False)
            # order of x509.KeyUsage: the sixth and seventh sign certificates and revocations
            usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
            builder = builder.add_extension(usage, critical=True)
        return builder.sign(ca_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    folder = tmp_path_factory.mktemp("certificates")
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    names = [x509.DNSName("engine.example.com"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    (folder / "ca.pem").write_bytes(certificate("test authority", ca_key, names=[]))
    (folder / "cert.pem").write_bytes(certificate("engine.example.com", key, names=names[:1]))
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return Certificates(*(str(folder / file) for file in ("ca.pem", "cert.pem", "key.pem")))


@contextlib.contextmanager
def network_daemon(tls: ssl.SSLContext | None = None) -> Iterator[tuple[Daemon, int]]:
    listener = socket.create_server(("127.0.0.1", 0))
    daemon = Daemon(listener, sending(answer_json({"ok": True})), tls=tls)
    try:
        yield daemon, listener.getsockname()[1]
    finally:
        daemon.stop()


def server_context(certificates: Certificates, *, asks_client: bool = False) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=certificates.ca)
    context.load_cert_chain(certificates.cert, certificates.key)
    context.verify_mode = ssl.CERT_REQUIRED if asks_client else ssl.CERT_NONE
    return context


def ask(url: str, tls: EngineTls | None = None) -> t.Any:
    with EngineConnection(EngineEndpoint.parse(url), timeout=PATIENCE, tls=tls) as connection:
        return [connection.request_json("GET", "/x")[1] for _ in range(2)]


@pytest.mark.parametrize("scheme", ["tcp", "http"])
def test_tcp_is_served_like_a_unix_socket(scheme: str) -> None:
    with network_daemon() as (daemon, port):
        assert ask(f"{scheme}://127.0.0.1:{port}") == [{"ok": True}] * 2
        assert daemon.connections == 1
        assert daemon.requests[0].headers["host"] == f"127.0.0.1:{port}"


@pytest.mark.parametrize("scheme", ["tcp", "https"])
def test_tls_checks_the_daemon_under_the_given_name(certificates: Certificates, scheme: str) -> None:
    with network_daemon(server_context(certificates)) as (_daemon, port):
        tls = EngineTls(ca_path=certificates.ca, hostname="engine.example.com")
        assert ask(f"{scheme}://127.0.0.1:{port}", tls) == [{"ok": True}] * 2


def test_a_daemon_can_ask_for_a_client_certificate(certificates: Certificates) -> None:
    with network_daemon(server_context(certificates, asks_client=True)) as (_daemon, port):
        tls = EngineTls(certificates.ca, certificates.cert, certificates.key, hostname="engine.example.com")
        assert ask(f"https://127.0.0.1:{port}", tls) == [{"ok": True}] * 2
        with pytest.raises(ImagesError) as caught:
            ask(f"https://127.0.0.1:{port}", tls._replace(client_cert="", client_key=""))
        # TLS 1.3 refuses after the handshake: what arrives first, the alert or the end, is the system's choice
        assert caught.value.code in ("engine-tls", "engine-connection-lost")


@pytest.mark.parametrize("tls", [None, "ca only", "name only"])
def test_a_daemon_with_another_name_or_authority_is_refused(certificates: Certificates, tls: str | None) -> None:
    settings = {"ca only": EngineTls(ca_path=certificates.ca), "name only": EngineTls(hostname="engine.example.com")}
    with network_daemon(server_context(certificates)) as (daemon, port):
        with pytest.raises(AuthError) as caught:
            ask(f"https://127.0.0.1:{port}", settings[tls] if tls else None)
        assert caught.value.code == "engine-tls"
        assert daemon.requests == []


def test_certificates_are_not_checked_when_told_so(certificates: Certificates) -> None:
    with network_daemon(server_context(certificates)) as (_daemon, port):
        assert ask(f"https://127.0.0.1:{port}", EngineTls(validate_certs=False)) == [{"ok": True}] * 2


def test_tls_to_a_plain_daemon_fails_as_tls(certificates: Certificates) -> None:
    listener = socket.create_server(("127.0.0.1", 0))

    def answer_plain() -> None:
        sock, _peer = listener.accept()
        with sock:
            sock.recv(1)
            sock.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    thread = threading.Thread(target=answer_plain)
    thread.start()
    with listener:
        with pytest.raises(AuthError) as caught:
            ask(f"https://127.0.0.1:{listener.getsockname()[1]}")
        thread.join(PATIENCE)
    assert caught.value.code == "engine-tls"


def test_tls_files_that_cannot_be_used_are_an_input_error(certificates: Certificates) -> None:
    with network_daemon() as (daemon, port):
        for path in ("/absent.pem", certificates.key):
            for tls in (EngineTls(ca_path=path), EngineTls(client_cert=path)):
                with pytest.raises(InputError) as caught:
                    ask(f"https://127.0.0.1:{port}", tls)
                assert caught.value.code == "bad-tls-files"
        assert daemon.requests == []


def test_a_port_that_nobody_serves_is_unavailable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(UnavailableError) as caught:
        ask(f"tcp://127.0.0.1:{port}")
    assert caught.value.code == "engine-unreachable"
