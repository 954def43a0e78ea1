"""Strikes a secret out of bytes that come in pieces, holding back no more than could be its beginning."""


class Striker:
    """Replaces a secret by as many asterisks, also where it lies across pieces."""

    def __init__(self, secret: str | None) -> None:
        """Take the secret; None or empty for nothing to strike out."""
        self._secret = (secret or "").encode()
        self._held = b""

    def feed(self, piece: bytes) -> bytes:
        """What of the bytes so far may be passed on now."""
        if not self._secret:
            return piece
        together = (self._held + piece).replace(self._secret, b"*" * len(self._secret))
        kept = self._beginning_at_end(together)
        self._held = together[len(together) - kept :]
        return together[: len(together) - kept]

    def rest(self) -> bytes:
        """What was held back, at the end of all pieces."""
        held, self._held = self._held, b""
        return held

    def _beginning_at_end(self, text: bytes) -> int:
        """Length of the longest end of a text that is the secret's beginning; a stream seldom ends on one."""
        start = max(0, len(text) - len(self._secret) + 1)
        while True:
            start = text.find(self._secret[:1], start)
            if start < 0:
                return 0
            if self._secret.startswith(text[start:]):
                return len(text) - start
            start += 1


def struck(text: bytes, secret: str | None) -> bytes:
    """A whole text with a secret struck out."""
    return text.replace(secret.encode(), b"*" * len(secret.encode())) if secret else text
