"""The filters that untrusted text passes before it is shown: Markdown, fenced blocks, terminals, XML.

Untrusted is all that a model, a row, a config, a branch name or a commit says. HTML needs no filter here: Jinja2's
autoescape writes text nodes, and nothing untrusted is ever written inside a script or a style.

GitHub reads a comment twice: as Markdown, and then the text of the result again for @mentions, #references, commit
hashes, links and :emoji:. Escaping stops the first only; a zero-width space inside the token stops the second.
"""

import re
import unicodedata
from collections.abc import Collection
from itertools import islice

BREAK = "\u200b"
"""Zero-width space. Removed from untrusted text first, so that each one that is left is ours."""
ELLIPSIS = "…"
SHORTEST_OWN = 12
"""Digits of a hash that say which commit is meant."""
RETURN = " ↵ "
"""What a line break becomes where only one line is possible."""

_JOINERS = "\u200c\u200d"
_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_BLANKS = str.maketrans(dict.fromkeys("\u115f\u1160\u2800\u3164\uffa0", " "))
_VISIBLE_FORMAT = frozenset("\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2")
_LINE_BREAKS = re.compile(r"\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")
_SUSPECT = re.compile(r"[^\x20-\x7e\n\t가-힣ぁ-んァ-ヶ一-龥]+")
_MARKS_IN_A_ROW = 6
_LONGEST_CLUSTER = 12
"""Code points of the longest character that is counted as one: a family emoji with skin tones has eleven."""
_SELECTORS = frozenset(chr(code) for code in range(0xFE00, 0xFE10))

_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "|": "&#124;", "`": "&#96;", "\\": "&#92;"}
_ESCAPED = re.compile(r"[&<>|`\\*\[\]~$]|(?<![^\W_])_|_(?![^\W_])")
_LINE_START = re.compile(r"^(?:[-+=#:]|\d+(?=[.)](?:\s|$)))")
_LIVE = (
    (re.compile(r"@(?=\S)"), "@" + BREAK),
    (re.compile(r"#(?=[\w#\[])"), "#" + BREAK),
    (re.compile(r"\b(gh)-(?=\d)", re.I), r"\1-" + BREAK),
    (re.compile(r"\b(www)(?=\.)", re.I), r"\1" + BREAK),
    (re.compile(r":(?=:|//|[\w+-]+:)"), ":" + BREAK),
)
_HASH = re.compile(r"[0-9a-f]{7,}", re.I)
_HASH_PIECE = re.compile(r"([0-9a-f]{6})(?=[0-9a-f])", re.I)


class Safe(str):
    """Markdown that needs no filter: ours, or filtered already. Joining it with text makes plain text again."""

    __slots__ = ()


def visible(text: str) -> str:
    r"""Make text show what it holds: no controls, no invisible characters, no bidi tricks; line breaks become `\n`.

    Controls become their pictures (␛), direction overrides become �, other invisible characters go; joiners and
    variation selectors stay where scripts and emoji need them; towers of combining marks are cut.
    """
    return _SUSPECT.sub(_visible_run, _LINE_BREAKS.sub("\n", text))


def _visible_run(found: re.Match[str]) -> str:
    """Clean a run of characters that are not plainly harmless; what stands before it decides about joiners."""
    kept = [found.string[found.start() - 1] if found.start() else " "]
    marks = 0
    for char in found[0].translate(_BLANKS):
        category = unicodedata.category(char)
        marks = marks + 1 if category in ("Mn", "Me") else 0
        if marks > _MARKS_IN_A_ROW:
            continue
        if category == "Cc":
            kept.append(chr(0x2400 + ord(char)) if ord(char) < 0x20 else "\u2421" if char == "\x7f" else "\ufffd")
        elif char in _BIDI or category == "Cs" or (ord(char) & 0xFFFE) == 0xFFFE:
            kept.append("\ufffd")
        elif char in _JOINERS:
            kept.append(char if not kept[-1].isascii() and kept[-1] not in _JOINERS else "")
        elif char in _SELECTORS or 0xE0100 <= ord(char) <= 0xE01EF:
            kept.append(char if kept[-1] not in _SELECTORS and char in _SELECTORS else "")
        elif category != "Cf" or char in _VISIBLE_FORMAT:
            kept.append(char)
    return "".join(kept[1:])


def shorten(text: str, limit: int) -> str:
    """Cut text to at most `limit` characters as people count them (grapheme clusters), ending in an ellipsis if cut."""
    if len(text) <= limit:
        return text
    import regex

    start = text[: (limit + 1) * _LONGEST_CLUSTER]
    clusters = [found[0] for found in islice(regex.finditer(r"\X", start), limit + 1)]
    if len(clusters) <= limit and len(start) == len(text):
        return text
    return "".join(clusters[: max(limit - 1, 0)]).rstrip() + ELLIPSIS


def one_line(text: str, limit: int | None = None) -> str:
    """Make text visible and put it on one line; line breaks become `↵`."""
    # Of a huge text only what could be shown is looked at.
    start = text if limit is None else text[: (limit + 1) * _LONGEST_CLUSTER]
    # A row of line breaks says no more than one of them.
    joined = RETURN.join(part.strip() for part in visible(start).split("\n") if part.strip())
    joined = re.sub(r"\s+", " ", joined)
    if limit is None:
        return joined
    short = shorten(joined, limit)
    return short if len(start) == len(text) or short.endswith(ELLIPSIS) else short + ELLIPSIS


def markdown(text: str, limit: int | None = None, *, hashes: Collection[str] = ()) -> Safe:
    """Filter untrusted text for one line of GitHub Markdown: a paragraph, a list item or a table's cell.

    What it leaves alive is nothing: no HTML, comment, link, image, mention, reference, emphasis, code, math, emoji
    short code, table cell, heading, list or workflow command. `limit` counts characters before escaping, so that
    no escape is ever cut in two.

    `hashes` are commits of our own, in full or at least 12 digits: they stay whole, in any length, so that they can be
    copied. GitHub links them to the commit, which shows nothing that was not named beside it. Any other hash is broken:
    all forks share their commits, so that it could be a stranger's under the repository's name.
    """
    if isinstance(text, Safe):
        return text
    plain = one_line(text, limit)
    for pattern, broken in _LIVE:
        plain = pattern.sub(broken, plain)
    plain = _HASH.sub(
        lambda found: found[0] if _ours(found[0], hashes) else _HASH_PIECE.sub(r"\1" + BREAK, found[0]), plain
    )
    start = _LINE_START.match(plain)
    escaped = _ESCAPED.sub(lambda found: _ENTITIES.get(found[0], "\\" + found[0]), plain)
    if start:
        digits = start[0].isdigit()
        escaped = f"{start[0]}\\{escaped[start.end() :]}" if digits else f"\\{escaped}"
    return Safe(escaped)


def _ours(found: str, hashes: Collection[str]) -> bool:
    return any(own.startswith(found) or (len(own) >= SHORTEST_OWN and found.startswith(own)) for own in hashes)


def brief(text: str, limit: int) -> Safe:
    """Filter text like `markdown`, and keep what is written below `limit` UTF-16 units, escapes included."""
    shown = limit
    while (len((found := markdown(str(text), shown)).encode("utf-16-le")) // 2) > limit:
        shown = shown * 2 // 3
    return found


def fence(text: str, language: str = "") -> Safe:
    """Put untrusted text of any number of lines in a fenced block that it cannot leave."""
    plain = visible(text).replace("<!--", f"<{BREAK}!--").replace("##[", f"#{BREAK}#[")
    plain = re.sub(r"(?m)^(\s*):(?=:)", rf"\1:{BREAK}", plain)
    longest = max((len(run) for run in re.findall(r"`+", plain)), default=0)
    marks = "`" * max(3, longest + 1)
    return Safe(f"{marks}{language}\n{plain}\n{marks}")


def terminal(text: str, *, lines: bool = False) -> str:
    """Filter untrusted text for a terminal or a build log: no escape sequences, no bidi tricks, no workflow commands.

    Args:
        text: Anything.
        lines: Keep line breaks; without it, the result is one line.
    """
    plain = visible(text).expandtabs(4) if lines else one_line(text)
    # The runner obeys `::command` where a line starts and `##[command]` anywhere in a line.
    plain = re.sub(r"(?m)^(\s*)::", r"\1\\::", plain)
    return re.sub(r"##(?=\[|vso)", r"#\\#", plain)


def xml_text(text: str) -> str:
    """Remove what XML 1.0 forbids even as an entity: most control characters, surrogates, U+FFFE and U+FFFF."""
    return re.sub("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "\ufffd", text)
