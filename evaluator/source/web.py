"""HTTP requests to a git server beside git's own: the token goes to its own origin alone."""

import hashlib
import http.client
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.message import Message
from typing import IO, TypeVar
from urllib.parse import urlsplit

from evaluator.errors import ExitCode, SourceError
from evaluator.source.git import shown
from evaluator.source.patience import Deadline
from evaluator.source.refusals import PASSING_STATUS, Transient
from evaluator.source.remote import Remote, origin_of

CHUNK = 1 << 18
WORDS = 2000
T = TypeVar("T")


class Refused(SourceError):
    """An answer with a status that says no, or a redirect that is not followed.

    Args:
        message: What was asked and what came.
        status: The answer's status.
    """

    def __init__(self, message: str, status: int) -> None:
        """Store the status beside the message."""
        super().__init__(message, hint="the token needs contents: read, and the server must have the content")
        self.status = status


@dataclass(frozen=True, slots=True)
class Web:
    """The server, how it is reached, and the time that is left for it."""

    remote: Remote
    environ: Mapping[str, str]
    """Ours: proxies and certificates."""
    deadline: Deadline

    def post(self, url: str, body: bytes, headers: Mapping[str, str], *, max_bytes: int) -> bytes:
        """Send a body and give the answer's; redirects are not followed.

        Raises:
            Refused: The server said no.
            SourceError: It cannot be reached, or says more than `max_bytes`.
        """

        def once() -> bytes:
            with _open(self, url, headers, body) as response:
                said = response.read(max_bytes + 1)
                if response.length and len(said) <= max_bytes:  # a limited read does not tell that the end is missing
                    raise http.client.IncompleteRead(said, response.length)
            if len(said) > max_bytes:
                raise SourceError(f"{shown(url)} answers with more than {max_bytes:,} bytes")
            return bytes(said)

        return bytes(self.deadline.retrying()(_told, self.remote, url, once))

    def download(self, url: str, headers: Mapping[str, str], file: IO[bytes], *, size: int, sha256: str) -> None:
        """Write a URL's content to a file; the token is sent only if the URL is of the remote's own origin.

        Raises:
            Refused: The server said no.
            SourceError: It cannot be reached, or gives something else than what was promised.
        """

        def once() -> None:
            file.seek(0)
            file.truncate()
            found, digest = 0, hashlib.sha256()
            with _open(self, url, headers, None) as response:
                while found <= size and (chunk := response.read(CHUNK)):
                    self.deadline.left()
                    found += len(chunk)
                    digest.update(chunk)
                    file.write(chunk)
            if found != size or digest.hexdigest() != sha256:
                # Of the URL the origin alone: the rest may be signed, and so a secret.
                raise Transient(f"{origin_of(url)} gives other content than {sha256[:12]} of {size:,} bytes")
            file.flush()

        self.deadline.retrying()(_told, self.remote, url, once)


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects of downloads: what was sent to the first server stays there (unredirected headers)."""

    def __init__(self, protocols: tuple[str, ...]) -> None:
        self._protocols = protocols

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> urllib.request.Request | None:
        if req.get_method() != "GET" or urlsplit(newurl).scheme not in self._protocols:
            return None
        return super().redirect_request(req, fp, code, msg, headers, newurl)  # type: ignore[arg-type]


def _open(web: Web, url: str, headers: Mapping[str, str], body: bytes | None) -> "http.client.HTTPResponse":
    remote = web.remote
    if urlsplit(url).scheme not in remote.protocols:
        raise SourceError(f"{origin_of(url)} is not allowed: {' or '.join(remote.protocols)} is spoken alone")
    request = urllib.request.Request(url, data=body)  # noqa: S310  # the protocol was looked at
    authorization = remote.authorization()
    if authorization is not None and origin_of(url) == remote.origin:
        headers = {"Authorization": authorization, **headers}
    for name, value in headers.items():
        request.add_unredirected_header(name, value)
    timeout = min(float(web.deadline.patience.stall_s), web.deadline.left())
    response: http.client.HTTPResponse = _opener(web, urlsplit(url).netloc).open(request, timeout=timeout)
    return response


def _opener(web: Web, host: str) -> urllib.request.OpenerDirector:
    environ = web.environ
    named = {name: environ.get(f"{name}_proxy") or environ.get(f"{name.upper()}_PROXY", "") for name in ("https", "no")}
    named["http"] = environ.get("http_proxy", "")
    proxies = {} if urllib.request.proxy_bypass_environment(host, named) else named  # type: ignore[attr-defined]
    authorities = environ.get("GIT_SSL_CAINFO") or environ.get("SSL_CERT_FILE") or None
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler({name: url for name, url in proxies.items() if url and name != "no"}),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=authorities)),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        _Redirects(web.remote.protocols),
    ):
        opener.add_handler(handler)
    return opener


def _told(remote: Remote, url: str, once: Callable[[], T]) -> T:
    """Do it, and turn what Python says about the network into our errors."""
    place = origin_of(url)
    try:
        return once()
    except urllib.error.HTTPError as error:
        with error:
            words = error.read(WORDS).decode("utf-8", "backslashreplace").strip()
        found = f"{place} answers with status {error.code}" + (f": {shown(remote.hide(words))}" if words else "")
        if error.code in PASSING_STATUS:
            raise Transient(found, hint="the server has trouble; run it again later") from None
        raise Refused(found, error.code) from None
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        why = shown(remote.hide(str(reason) or type(reason).__name__))
        if isinstance(reason, ssl.SSLCertVerificationError):
            found = f"{place} does not prove who it is: {why}"
            raise SourceError(found, hint="name its authority's file: GIT_SSL_CAINFO") from None
        if isinstance(reason, OSError) and reason.filename is not None:
            raise SourceError(f"cannot keep what {place} gives: {why}", exit_code=ExitCode.INFRASTRUCTURE) from None
        raise Transient(f"the connection to {place} failed: {why}", hint="run it again later") from None
