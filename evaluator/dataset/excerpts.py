"""How untrusted text from a data file is quoted in our messages: short, on one line, without anything invisible.

Not an escaper for HTML or Markdown: reports do their own escaping on top.
"""

LIMIT = 80
"""Most characters of untrusted text that one excerpt shows, escapes counted."""


def quote(value: object, limit: int = LIMIT) -> str:
    r"""Show a value in single quotes: at most `limit` characters, unprintable ones as escapes, "…" where it was cut.

    `##[` is broken up because the GitHub runner obeys `##[command]` anywhere in a line of a log.

    >>> quote("a\nb")
    "'a\\nb'"
    """
    text = value if isinstance(value, str) else str(value)
    pieces: list[str] = []
    room = limit
    for character in text[:limit]:
        piece = character
        if not (character.isprintable() or character == "\u3000"):
            piece = character.encode("unicode_escape").decode("ascii")
        if len(piece) > room:
            break
        pieces.append(piece)
        room -= len(piece)
    shown = "".join(pieces).replace("##[", r"#\x23[")
    return f"'{shown}…'" if len(pieces) < len(text) else f"'{shown}'"


def describe(value: object) -> str:
    """Name the type of a JSON value the way people do, with scalars shown: "a list", "the text 'abc'", "null"."""
    match value:
        case None:
            shown = "null"
        case bool():
            shown = "true" if value else "false"
        case str():
            shown = f"the text {quote(value)}"
        case int() if value.bit_length() > LIMIT:  # A huge whole number cannot be turned into text in bounded time.
            shown = "a very large number"
        case int() | float():
            shown = f"the number {value!r}"
        case list() | tuple():
            shown = "a list"
        case dict():
            shown = "an object"
        case _:
            shown = f"a value of type {quote(type(value).__name__)}"
    return shown


def safe_name(name: str) -> str:
    """Make a file's name fit to start a line of a log: unprintable characters escaped, no leading `::`."""
    shown = quote(name, limit=300)[1:-1]
    return f"./{shown}" if shown.startswith("::") else shown
