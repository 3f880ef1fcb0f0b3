"""One HTTP exchange: bytes out, status and bytes back, and a name for every way in which it breaks off.

Requests go through aiohttp itself. On 2 cores, over loopback, a thousand bytes out and 1.5 kB back, it makes 14,300
exchanges a second; the `openai` package makes 1,360 on its aiohttp transport and 800 as it comes (benchmarks.dispatch).
What that package adds (typed answers, retries, a client for Azure) this room has already, or needs a header only.
"""

import ssl
from collections.abc import Mapping
from urllib.request import getproxies, proxy_bypass

import aiohttp
from yarl import URL

from pipelines.engines.faults import Broken, causes
from pipelines.engines.live.calls import Call
from schemas.errors import EngineError

MAX_ANSWER_BYTES = 8 * 2**20
CONNECT_TIMEOUT_S = 15.0
HEADERS = {
    "Accept": "application/json",
    "Accept-Encoding": "identity",
    "Content-Type": "application/json",
    "User-Agent": "grmforge",
}
AZURE_HOSTS = (".openai.azure.com", ".cognitiveservices.azure.com", ".services.ai.azure.com")
"""Azure takes a key in a header of its own; a bearer would be taken for an Entra token."""
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class AnswerTooLarge(Exception):
    """A body went on past `MAX_ANSWER_BYTES`, and its rest was left unread."""


class Connections:
    """The open connections to one base_url, kept alive between requests. Nothing is opened before the first one."""

    def __init__(self, base_url: str, key: str | None, timeout_s: float, call: Call) -> None:
        """`call` is what is asked there. Raises EngineError where address, key or proxy make no sense."""
        try:
            base = URL(base_url)
            # A query stays: classic Azure deployments carry their api-version in it.
            self._url = base.with_path(call.path(base.path.rstrip("/"))).with_query(base.query)
            host = self._url.host or ""
        except ValueError as error:
            raise EngineError(f"base_url {base_url!r} is no address: {error}") from None
        if not host:
            raise EngineError(f"base_url {base_url!r} names no host")
        if base.user or base.password:
            raise EngineError(f"the base_url at {host} holds a password, which snapshots would show; use api_key_env")
        if key and not (key.isascii() and key.isprintable()):
            raise EngineError(f"the key for {host} holds a line break or a character that no key has; set it again")
        self._proxy = _proxy_for(self._url.scheme, host)
        azure = host.endswith(AZURE_HOSTS)
        self._key = ({"api-key": key} if azure else {"Authorization": f"Bearer {key}"}) if key else None
        self._timeout = aiohttp.ClientTimeout(total=timeout_s, sock_connect=min(CONNECT_TIMEOUT_S, timeout_s))
        self._session: aiohttp.ClientSession | None = None

    async def post(self, body: bytes) -> tuple[int, Mapping[str, str], bytes]:
        """Send a body; return the response's status, its headers (by names in any case) and its content.

        A redirect is a response too: no key follows it to another host. An error page is cut at `MAX_ANSWER_BYTES`: its
        status says what it means.

        Raises AnswerTooLarge, TimeoutError, aiohttp.ClientError and OSError, which `broken_by` tells apart.
        """
        async with (self._session or self._open()).post(
            self._url, data=body, headers=self._key, proxy=self._proxy, allow_redirects=False
        ) as response:
            parts, size = [], 0
            async for part in response.content.iter_any():
                size += len(part)
                if size > MAX_ANSWER_BYTES:
                    if response.ok:
                        raise AnswerTooLarge(f"more than {MAX_ANSWER_BYTES:,} bytes")
                    break
                parts.append(part)
            return response.status, response.headers, b"".join(parts)

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    def _open(self) -> aiohttp.ClientSession:
        secure = self._url.scheme == "https" or (self._proxy is not None and self._proxy.scheme == "https")
        self._session = aiohttp.ClientSession(
            # The dispatcher limits what is in flight; a second limit could only make its requests wait unseen.
            connector=aiohttp.TCPConnector(limit=0, ssl=ssl.create_default_context() if secure else True),
            # Without the key: aiohttp shows a proxy whatever headers a session has.
            headers=HEADERS,
            timeout=self._timeout,
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        return self._session


def _proxy_for(scheme: str, host: str) -> URL | None:
    """Return the proxy that the environment names for a host (HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, NO_PROXY).

    Found once: aiohttp's own `trust_env` would look it up in a thread for every request. The loopback of this machine
    is never reached through a proxy.
    """
    if host in LOOPBACK or proxy_bypass(host):
        return None
    proxies = getproxies()
    named = proxies.get(scheme) or proxies.get("all")
    if named is None:
        return None
    try:
        proxy = URL(named if "://" in named else f"http://{named}")
    except ValueError as error:
        raise EngineError(f"the proxy that the environment names for {scheme} is no address: {error}") from None
    if proxy.scheme not in ("http", "https"):
        raise EngineError(f"a proxy of kind {proxy.scheme} is not spoken; unset it, or name {host} in NO_PROXY")
    return proxy


def broken_by(error: BaseException) -> Broken:
    """Return how an exchange broke off, by the outermost cause that tells."""
    chain = list(causes(error))
    for cause in chain:
        match cause:
            case AnswerTooLarge():
                return Broken.TOO_LARGE
            case ssl.SSLCertVerificationError() | aiohttp.ClientConnectorCertificateError():
                return Broken.CERTIFICATE
            case aiohttp.ClientConnectorDNSError():
                return Broken.UNKNOWN_HOST
            case aiohttp.ClientConnectorSSLError() | ssl.SSLError():
                return Broken.NOT_TLS
            case aiohttp.ClientConnectorError() | ConnectionRefusedError() | aiohttp.ConnectionTimeoutError():
                return Broken.REFUSED
            case aiohttp.ClientHttpProxyError():
                return Broken.PROXY if cause.status in (403, 407) else Broken.REFUSED
            case aiohttp.ClientResponseError():
                return Broken.NOT_HTTP
            case aiohttp.ClientPayloadError():
                return Broken.HALF
            case aiohttp.ServerDisconnectedError() | aiohttp.ClientOSError() | ConnectionError():
                return Broken.RESET
    return Broken.TIMEOUT if any(isinstance(cause, TimeoutError) for cause in chain) else Broken.RESET


def root_of(error: BaseException) -> str:
    """Return the message of the deepest cause that has one."""
    for cause in reversed(list(causes(error))):
        if isinstance(cause, aiohttp.ClientResponseError):
            return f"{cause.status} {cause.message}"  # its whole text has a proxy's address, password included
        if str(cause).strip():
            return str(cause)
    return type(error).__name__
