"""A git server's repository, and the token that only this server may see."""

import base64
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from pydantic import SecretStr

from evaluator.errors import SourceError
from evaluator.source.git import shown

USERNAME = "x-access-token"
PORTS = {"https": 443, "http": 80}
HIDDEN = "***"


@dataclass(frozen=True, slots=True)
class Remote:
    """Where a repository is fetched from.

    Raises:
        SourceError: The URL is none, is of a protocol that is not allowed, or holds a password.
    """

    url: str
    """`https://host/owner/name`, with or without `.git`."""
    token: SecretStr | None = None
    """Sent to the URL's own origin only; None or empty for a public repository."""
    protocols: tuple[str, ...] = ("https",)
    """What may be spoken: https; http only for a server that has nothing else."""
    username: str = USERNAME
    """That goes with the token in Basic authentication."""

    def __post_init__(self) -> None:
        """Refuse what git would take for something else than a web address."""
        parts = _split(self.url)
        if parts.scheme not in self.protocols or parts.scheme not in PORTS:
            hint = f"it must begin with {' or '.join(f'{name}://' for name in self.protocols)}"
            raise SourceError(f"the repository's URL {self._shown()} is not allowed", hint=hint)
        if not parts.hostname or parts.query or parts.fragment or not parts.path.strip("/"):
            hint = f"expected {parts.scheme}://host/owner/name"
            raise SourceError(f"the repository's URL {self._shown()} names no repository", hint=hint)
        if parts.username is not None or parts.password is not None:
            raise SourceError(
                "the repository's URL holds a user name or password", hint="give the token as the token, not in the URL"
            )
        secret = self._secret()
        if not (secret.isascii() and secret.isprintable()) or " " in secret:
            raise SourceError("the token for the repository has characters that no token has", hint="copy it again")

    @property
    def origin(self) -> str:
        """Give scheme, host and port: who may see the token."""
        return origin_of(self.url)

    def authorization(self) -> str | None:
        """Give the Authorization header's value: a secret; None without a token."""
        secret = self._secret()
        if not secret:
            return None
        return f"Basic {_basic(self.username, secret)}"

    def at(self, url: str, *, token: bool = True) -> "Remote":
        """Give another repository's remote; the token goes along only to the same origin, and only if `token`.

        Raises:
            SourceError: As for the class.
        """
        keeps = token and origin_of(url) == self.origin
        return Remote(url, self.token if keeps else None, self.protocols, self.username)

    def hide(self, text: str) -> str:
        """Take the token out of a text, in both forms in which it is sent."""
        secret = self._secret()
        for form in (_basic(self.username, secret), secret) if secret else ():
            text = text.replace(form, HIDDEN)
        return text

    def _secret(self) -> str:
        return self.token.get_secret_value() if self.token is not None else ""

    def _shown(self) -> str:
        """Give the URL for a message, without what may be a password in it."""
        before, at, after = self.url.rpartition("@")
        return shown(f"{before.split('//')[0]}//{HIDDEN}@{after}" if at else self.url)


def origin_of(url: str) -> str:
    """Give a URL's scheme, host and port, in lower case and without a default port.

    Raises:
        SourceError: It is no URL.
    """
    parts = _split(url)
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    port = parts.port
    return f"{parts.scheme}://{host}" + (f":{port}" if port not in {None, PORTS.get(parts.scheme)} else "")


def _basic(username: str, secret: str) -> str:
    return base64.b64encode(f"{username}:{secret}".encode()).decode()


def _split(url: str) -> SplitResult:
    plain = url.isascii() and url.isprintable() and not set(url) & set(" \\\"'<>`{}|^")
    try:
        parts = urlsplit(url if plain else "")
        _ = parts.port
    except ValueError:
        parts = urlsplit("")
    if not parts.scheme:
        expected = "expected https://host/owner/name"
        raise SourceError("the repository's URL is not a web address", hint=expected)
    return parts
