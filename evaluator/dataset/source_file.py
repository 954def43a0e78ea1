"""Bytes to text: refuses files that are no text data, and gives lines in bounded memory with encodings checked.

Knows nothing of JSON, CSV or cases.
"""

import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from evaluator.dataset.problems import Problems

MAX_LINE_BYTES = 16 * 1024 * 1024
"""Longest line that is read."""
MAX_WHOLE_BYTES = 50 * 1024 * 1024
"""Largest file of a format that must be read whole (JSON, YAML)."""

_HEAD_BYTES = 256
_SKIP_BYTES = 1024 * 1024
_UTF8_BOM = b"\xef\xbb\xbf"
# UTF-32 first: its little-endian mark begins with UTF-16's.
_FOREIGN_MARKS = (
    (b"\xff\xfe\x00\x00", "UTF-32"),
    (b"\x00\x00\xfe\xff", "UTF-32"),
    (b"\xff\xfe", "UTF-16"),
    (b"\xfe\xff", "UTF-16"),
)
_COMPRESSED_MARKS = ((b"\x1f\x8b", "gzip"), (b"PK\x03\x04", "zip"), (b"\x28\xb5\x2f\xfd", "zstd"), (b"BZh", "bzip2"))
_COMPRESSED_SUFFIXES = frozenset({".gz", ".bz2", ".xz", ".zst", ".zip", ".lz4"})
_UNPACK = "unpack it in the repository: datasets are read as plain files"
_LFS_MARK = b"version https://git-lfs.github.com/spec/"


class Line(NamedTuple):
    """One line of text."""

    number: int
    """From 1."""
    text: str
    """With its line ending, if it has one."""

    @property
    def ended(self) -> bool:
        """True if the line has its line ending; only a file's last line may lack it."""
        return self.text.endswith("\n")


def check_file(path: Path, problems: Problems) -> bool:
    """Note what makes a path unreadable as data: missing, special, compressed, a Git LFS pointer, empty.

    Returns:
        True if the file may be read.
    """
    if path.suffix.lower() in _COMPRESSED_SUFFIXES:
        problems.add(0, f"compressed files ({path.suffix.lower()}) are not read", hint=_UNPACK)
        return False
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):
            kind = "a folder" if stat.S_ISDIR(mode) else "a special file (pipe, socket or device)"
            problems.add(0, f"this is {kind}, expected a regular file", hint="name the data file itself")
            return False
        with path.open("rb") as handle:
            head = handle.read(_HEAD_BYTES)
    except FileNotFoundError:
        problems.add(0, "there is no such file", hint="check the path; it is case-sensitive and must be committed")
        return False
    except OSError as error:
        problems.add(0, f"the file cannot be read: {error.strerror}", hint="check the file's permissions")
        return False
    if not head:
        problems.add(1, "the file is empty, expected at least one row", hint="add rows, or name another file")
    elif head.startswith(_LFS_MARK):
        hint = "fetch LFS files in the checkout, or commit the data"
        problems.add(1, "this is a Git LFS pointer, not the data itself", hint=hint)
    elif packed := next((kind for mark, kind in _COMPRESSED_MARKS if head.startswith(mark)), None):
        problems.add(1, f"the file holds {packed} data, expected text", hint=_UNPACK)
    else:
        return True
    return False


def _check_encoding(head: bytes, problems: Problems) -> bool:
    encoding = next((name for mark, name in _FOREIGN_MARKS if head.startswith(mark)), None)
    if encoding is None:
        # Without a mark: Latin letters in UTF-16 leave every other byte zero.
        even, odd = head[0::2].count(0), head[1::2].count(0)
        if min(even, odd) == 0 and max(even, odd) * 8 >= len(head) > 1:
            encoding = "UTF-16"
    if encoding is None:
        return True
    problems.add(
        1,
        f"the file is written in {encoding}, expected UTF-8",
        hint=f"convert it: iconv -f {encoding} -t UTF-8 old > new",
    )
    return False


def _decode(raw: bytes, number: int, offset: int, problems: Problems) -> str | None:
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        at = offset + error.start
        number += raw.count(b"\n", 0, error.start)
        problems.add(
            number,
            f"byte 0x{raw[error.start]:02x} at offset {at} of the file is not UTF-8",
            hint="find the file's encoding (file -i), then convert it: iconv -f CP1252 -t UTF-8 old > new",
        )
        return None
    if "\0" in text:
        at = raw.index(b"\0")
        number += raw.count(b"\n", 0, at)
        problems.add(
            number,
            f"there is a NUL byte at offset {offset + at} of the file, expected text",
            hint="remove the NUL bytes (tr -d '\\000'); many of them mean UTF-16 or a binary file",
        )
        return None
    return text


def read_lines(path: Path, problems: Problems, *, max_bytes: int = MAX_LINE_BYTES) -> Iterator[Line]:
    r"""Give the lines of a UTF-8 file, split at `\n` only; memory is bounded by the longest allowed line.

    A UTF-8 byte order mark is dropped. A line that is too long, not UTF-8 or holds NUL is noted and left out.
    """
    with path.open("rb") as handle:
        head = handle.read(_HEAD_BYTES)
        if not _check_encoding(head, problems):
            return
        offset = len(_UTF8_BOM) if head.startswith(_UTF8_BOM) else 0
        handle.seek(offset)
        number = 0
        while raw := handle.readline(max_bytes + 1):
            number += 1
            if len(raw) > max_bytes and not raw.endswith(b"\n"):
                offset += len(raw) + _skip_line(handle)
                problems.add(
                    number,
                    f"the line is longer than {max_bytes // (1024 * 1024)} MB",
                    hint="split the row, or keep the long text in a file of its own and put its path in the input",
                )
                continue
            text = _decode(raw, number, offset, problems)
            offset += len(raw)
            if text is not None:
                yield Line(number, text)


def _skip_line(handle: BinaryIO) -> int:
    """Read to the end of the line without keeping it; give the number of bytes passed."""
    passed = 0
    while chunk := handle.readline(_SKIP_BYTES):
        passed += len(chunk)
        if chunk.endswith(b"\n"):
            break
    return passed


def read_whole(path: Path, problems: Problems, *, max_bytes: int = MAX_WHOLE_BYTES) -> str | None:
    """Read a whole UTF-8 file of bounded size; None, with the reason noted, if that cannot be."""
    with path.open("rb") as handle:
        raw = handle.read(max_bytes + 1)
    if len(raw) > max_bytes:
        problems.add(
            1,
            f"the file is larger than {max_bytes // (1024 * 1024)} MB, too much for a format that is read whole",
            hint="write it as JSON Lines (.jsonl), which is read row by row",
        )
        return None
    if not _check_encoding(raw[:_HEAD_BYTES], problems):
        return None
    mark = len(_UTF8_BOM) if raw.startswith(_UTF8_BOM) else 0
    return _decode(raw[mark:], 1, mark, problems)
