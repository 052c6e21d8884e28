# Copyright (c) 2026, the fleet.images authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One HTTP exchange through ``requests``; no retries, no redirects, no log-in."""

from __future__ import annotations

import contextlib
import threading
import typing as t

from ..model.errors import PeerError, UnsupportedError
from .answers import Answer
from .budget import Budget
from .faults import fault
from .redact import redact_url
from .streams import pieces

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from .answers import Pace
    from .registry_settings import RegistrySettings
    from .streams import ReadStream
    from .trust import TrustBundle

USER_AGENT = "fleet.images/1.0.0"


class Body(t.NamedTuple):
    """``length`` bytes that ``open`` gives; it is called for each sending and the stream is closed after it."""

    open: Callable[[], ReadStream]
    length: int


class Transport:
    """Connections to a registry and to where it sends us. Thread-safe. ``requests`` is imported when first needed."""

    def __init__(self, settings: RegistrySettings) -> None:
        self._settings = settings
        self._budget = Budget(settings.parallel)
        self._session: t.Any = None
        self._trust: TrustBundle | None = None
        self._verify: bool | str = True
        self._lock = threading.Lock()

    def send(
        self, method: str, url: str, *, headers: Mapping[str, str], body: bytes | Body | None, pace: Pace
    ) -> Answer:
        """Send one request and return its answer as soon as the headers are there. The caller closes the answer.

        ``headers`` are sent as they are, Authorization included: whose host it is was decided before.

        Raises:
            UnavailableError, PeerError: see ``faults``; PeerError content-encoded, when the answer is not the stored
                bytes. Whatever the source of a ``Body`` raises.
            UnsupportedError: requests-missing. InputError: the certificates of ``ca_path`` cannot be read.
        """
        session = self._ready()
        release = self._budget.take()
        try:
            response = self._exchange(method, url, session=session, headers=headers, body=body, timeout=pace.window)
            answer = Answer(response, method=method, url=url, pace=pace, release=release)
        except BaseException:
            release()
            raise
        _refuse_encoding(answer)
        return answer

    def close(self) -> None:
        """Close all connections. Idempotent."""
        with self._lock:
            if self._session is not None:
                self._session.close()
            if self._trust is not None:
                self._trust.close()
            self._session = self._trust = None

    def _exchange(
        self,
        method: str,
        url: str,
        *,
        session: t.Any,
        headers: Mapping[str, str],
        body: bytes | Body | None,
        timeout: float,
    ) -> t.Any:
        import requests

        sent = {"User-Agent": USER_AGENT, "Accept-Encoding": "identity", **headers}
        try:
            request = requests.Request(method, url, headers=sent, auth=_keep)
            prepared = session.prepare_request(request)
            prepared.url = url  # requests rewrites escapes, and signed addresses and state tokens must stay as they are
            if body is not None:
                prepared.body = body if isinstance(body, bytes) else _opened(body)
                prepared.headers["Content-Length"] = str(len(body) if isinstance(body, bytes) else body.length)
            # not through the session: it prepares to follow redirects even when it is told not to
            return session.get_adapter(url).send(
                prepared,
                stream=True,
                verify=self._verify,
                proxies=requests.utils.get_environ_proxies(url, no_proxy=None),
                timeout=(min(timeout, self._settings.connect_timeout), timeout),
            )
        except (requests.RequestException, OSError) as error:
            raise fault(error, url) from error

    def _ready(self) -> t.Any:
        """Return the session, made by the first thread that asks."""
        with self._lock:
            if self._session is None:
                self._session = self._open_session()
            return self._session

    def _open_session(self) -> t.Any:
        try:
            import requests
            import urllib3
        except ImportError as error:
            raise UnsupportedError(
                "The Python library requests is not installed",
                code="requests-missing",
                why=str(error),
                fix="install python3-requests on the host that runs the task",
            ) from error
        session = requests.Session()
        # Nothing of the environment but proxies: netrc would replace our log-in, CURL_CA_BUNDLE our certificates.
        session.trust_env = False
        adapter = requests.adapters.HTTPAdapter(pool_maxsize=self._settings.parallel + 1, max_retries=0)
        session.mount("https://", adapter)
        session.mount("http://", adapter)
        if self._settings.validate_certs is False:
            self._verify = False
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
        elif self._settings.ca_path:
            from .trust import TrustBundle

            self._trust = TrustBundle(self._settings.ca_path, system_bundle=requests.utils.DEFAULT_CA_BUNDLE_PATH)
            self._verify = self._trust.path
        return session


def _keep(request: t.Any) -> t.Any:
    """Change nothing: an auth object keeps ``requests`` from looking for another login."""
    return request


def _opened(body: Body) -> Iterator[bytes]:
    with contextlib.closing(body.open()) as stream:
        yield from pieces(stream)


def _refuse_encoding(answer: Answer) -> None:
    encoding = answer.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding in ("", "identity") or answer.status >= 400:
        return
    answer.close()
    subject = redact_url(answer.url)
    raise PeerError(
        f"{subject} sends content in another form than it is stored",
        code="content-encoded",
        why=f"Content-Encoding {encoding!r}, although identity was asked for",
        fix="switch off compression of responses in the registry or in the proxy before it",
        subject=subject,
    )
