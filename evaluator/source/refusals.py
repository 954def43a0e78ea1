"""What a git server's refusal means to the user: git's words of failure become an error that says what to do."""

import re
from collections.abc import Sequence

from evaluator.errors import ExitCode, SourceError
from evaluator.source.git import shown
from evaluator.source.remote import Remote, origin_of

SHORT = 12
GONE = re.compile(r"not our ref ([0-9a-f]{40,64})")
UNADVERTISED = re.compile(r"Server does not allow request for unadvertised object ([0-9a-f]{40,64})")
NO_REF = re.compile(r"couldn't find remote ref (.*)")
STATUS = re.compile(r"The requested URL returned error: (\d{3})")
UNAUTHENTICATED = re.compile(r"Authentication failed|could not read (?:Username|Password)|terminal prompts disabled")
NOT_FOUND = re.compile(r"repository '.*' not found")
REDIRECTED = re.compile(r"unable to update url base from redirection|redirect", re.IGNORECASE)
NO_HOST = re.compile(r"Could not resolve (?:host|proxy)", re.IGNORECASE)
CERTIFICATE = re.compile(r"certificate|SSL: no alternative", re.IGNORECASE)
FORMAT = re.compile(r"mismatched algorithms|does not support this repository's object format")
NOT_GIT = re.compile(r"is this a git repository\?|invalid server response|bad line length|protocol error|dumb http")
DISK = re.compile(r"No space left on device|File too large|disk quota", re.IGNORECASE)
PASSING = re.compile(
    r"connection (?:was )?(?:reset|refused|timed out|closed)|recv failure|send failure|empty reply|early EOF"
    r"|unexpected disconnect|hung up|RPC failed|failed to connect|couldn't connect|operation too slow|timed? ?out"
    r"|transfer closed|incomplete|SSL_ERROR_SYSCALL|unexpected eof|gnutls_handshake|non-properly terminated"
    r"|invalid index-pack output|HTTP/2 (?:stream|framing)|got 0 bytes|premature end",
    re.IGNORECASE,
)
PASSING_STATUS = {408, 425, 429, 500, 502, 503, 504}


class CommitGone(SourceError):
    """Commits that the server does not have, or no longer.

    Args:
        remote: The server's repository.
        missing: Their SHAs.
        wanted: All SHAs that were asked for.
    """

    def __init__(self, remote: Remote, missing: Sequence[str], wanted: Sequence[str] = ()) -> None:
        """Say which are gone and which are there."""
        names = " and ".join(sha[:SHORT] for sha in missing)
        there = [sha[:SHORT] for sha in wanted if sha not in missing]
        found = f"the server does not have the commit {names}" + (f" ({' and '.join(there)} is there)" if there else "")
        hint = (
            "its branch was force-pushed or deleted since, and the commit is gone with it: "
            "run this again for the commit that the branch has now"
        )
        super().__init__(f"{found}: {shown(remote.url)}", hint=hint)
        self.missing = tuple(missing)


class RefGone(SourceError):
    """A ref that the server does not have.

    Args:
        remote: The server's repository.
        ref: Its full name.
    """

    def __init__(self, remote: Remote, ref: str) -> None:
        """Say why there may be none."""
        hint = "was the branch deleted or renamed?"
        if ref.startswith("refs/pull/"):
            hint = "a pull request with conflicts has no merge commit: resolve the conflicts, then run this again"
        super().__init__(f"the server has no {shown(ref)}: {shown(remote.url)}", hint=hint)
        self.ref = ref


class Forbidden(SourceError):
    """The server gives no commits by SHA, only refs by name."""


class Transient(SourceError):
    """A failure of server or network that may pass; it is tried again."""

    exit_code = ExitCode.INFRASTRUCTURE


def explain(remote: Remote, stderr: str) -> SourceError:
    """Turn what git said about a fetch into an error.

    Args:
        remote: What was fetched from; its token is taken out of the message.
        stderr: All that git said, in English.
    """
    said = remote.hide(stderr)
    return (
        _of_what_was_asked(remote, said)
        or _of_the_status(remote, said)
        or _of_the_connection(remote, said)
        or SourceError(f"cannot fetch from {shown(remote.url)}: git said: {_last(said)}")
    )


def timed_out(remote: Remote, seconds: float) -> SourceError:
    """Give the error for a server that did not answer in all the time that it had."""
    found = f"{shown(remote.url)} could not be fetched within {seconds:g} s"
    hint = "the server hangs or the repository is very large; run it again"
    return SourceError(found, hint=hint, exit_code=ExitCode.INFRASTRUCTURE)


def _of_what_was_asked(remote: Remote, said: str) -> SourceError | None:
    if match := GONE.search(said):
        return CommitGone(remote, [match[1]])
    if match := UNADVERTISED.search(said):
        found = f"the server does not give the commit {match[1][:SHORT]} by its SHA: {shown(remote.url)}"
        hint = "on the server: git config uploadpack.allowReachableSHA1InWant true, or allow git protocol version 2"
        return Forbidden(found, hint=hint)
    if match := NO_REF.search(said):
        return RefGone(remote, match[1].strip())
    if FORMAT.search(said):
        found = f"{shown(remote.url)} names its commits by another hash than was asked for"
        return SourceError(found, hint="commits have 40 digits in a sha1 repository, 64 in a sha256 one")
    return None


def _of_the_status(remote: Remote, said: str) -> SourceError | None:
    match = STATUS.search(said)
    status = int(match[1]) if match else 0
    url, words = shown(remote.url), _words_of_the_server(said)
    # "redirect" may stand in what a server says about something else; a status says it for sure.
    if 300 <= status < 400 or (not status and REDIRECTED.search(said)):
        hint = "was it renamed or moved? Name it as it is called now; redirects are not followed, for the token's sake"
        return SourceError(f"{url} answers with a redirect{words}", hint=hint)
    if status in PASSING_STATUS:
        return Transient(
            f"{url} answers with status {status}{words}", hint="the server has trouble; run it again later"
        )
    if status == 401 or (not status and UNAUTHENTICATED.search(said)):
        if remote.authorization() is None:
            hint = "it is private or does not exist: give a token that may read it (permissions: contents: read)"
            return SourceError(f"{url} wants a token{words}", hint=hint)
        hint = "the token is wrong, has expired, or belongs to another server"
        return SourceError(f"{url} does not accept the token (401){words}", hint=hint)
    if status == 403:
        hint = "give the token the permission contents: read"
        return SourceError(f"the token may not read {url} (403){words}", hint=hint)
    if status == 404 or NOT_FOUND.search(said):
        hint = "check the name; a private repository that the token may not read (contents: read) looks the same"
        return SourceError(f"there is no repository {url} (404){words}", hint=hint)
    return None


def _of_the_connection(remote: Remote, said: str) -> SourceError | None:
    url, origin = shown(remote.url), origin_of(remote.url)
    if NO_HOST.search(said):
        hint = "check the server's name, and the proxy (HTTPS_PROXY) if this machine needs one"
        return Transient(f"the host of {url} is not known: {_last(said)}", hint=hint)
    if DISK.search(said):
        found = f"no room for what is fetched from {url}: {_last(said)}"
        return SourceError(found, hint="free some disk space", exit_code=ExitCode.INFRASTRUCTURE)
    if CERTIFICATE.search(said):
        hint = "for a server with a certificate of your own, name its authority's file: GIT_SSL_CAINFO"
        return SourceError(f"{origin} does not prove who it is: {_last(said)}", hint=hint)
    if PASSING.search(said):
        return Transient(f"the connection to {origin} failed: {_last(said)}", hint="run it again later")
    if NOT_GIT.search(said):
        return SourceError(f"{url} does not speak git: {_last(said)}", hint="check the server's URL")
    return None


def _words_of_the_server(said: str) -> str:
    """Give what the server itself wrote: it names the single sign-on or the rule that stands in the way."""
    words = " ".join(line.removeprefix("remote: ").strip() for line in said.splitlines() if line.startswith("remote: "))
    return f"; the server says: {shown(words)}" if words else ""


def _last(said: str) -> str:
    return shown(" | ".join(said.strip().splitlines()[-3:]))
