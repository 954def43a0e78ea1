"""How the Actions runner reads a job's log and its file commands, after the rules in its source; for tests only."""

import re
from dataclasses import dataclass

KNOWN = {
    "add-mask", "add-path", "debug", "echo", "endgroup", "error", "group", "notice", "save-state", "set-env",
    "set-output", "stop-commands", "warning", "add-matcher", "remove-matcher", "internal-set-repo-path",
}  # fmt: skip


@dataclass(frozen=True)
class Command:
    name: str
    properties: dict[str, str]
    data: str


def read_line(line: str, also: frozenset[str] = frozenset()) -> Command | None:
    """Read one line: the second form stands where a line starts after blanks, the first form anywhere in it."""
    start = line.lstrip()
    if start.startswith("::") and (end := start.find("::", 2)) >= 0:
        found = _command(start[2:end], start[end + 2 :], also, escape=True)
        if found:
            return found
    prefix = line.find("##[")
    if prefix >= 0 and (end := line.find("]", prefix)) >= 0:
        return _command(line[prefix + 3 : end], line[end + 1 :], also, escape=False)
    return None


def read_log(text: str) -> list[Command]:
    """Read a whole log, stops included."""
    found, stopped = [], ""
    for line in re.split(r"\r\n|\r|\n", text):
        command = read_line(line, frozenset({stopped} if stopped else ()))
        if command is None:
            continue
        if stopped:
            stopped = "" if command.name == stopped else stopped
        elif command.name == "stop-commands":
            stopped = command.data
        else:
            found.append(command)
    return found


def read_outputs(text: str) -> dict[str, str]:
    """Read a file of outputs; only line feeds end lines."""
    outputs, lines = {}, iter(text.split("\n"))
    for line in lines:
        if not line:
            continue
        equals, heredoc = line.find("="), line.find("<<")
        if heredoc >= 0 and (equals < 0 or heredoc < equals):
            name, mark, value = line[:heredoc], line[heredoc + 2 :], []
            for inner in lines:
                if inner == mark:
                    break
                value.append(inner)
            else:
                raise ValueError(f"Matching delimiter not found '{mark}'")
            outputs[name] = "\n".join(value)
        elif equals > 0:
            outputs[line[:equals]] = line[equals + 1 :]
        else:
            raise ValueError(f"Invalid format '{line}'")
    return outputs


def _command(head: str, data: str, also: frozenset[str], *, escape: bool) -> Command | None:
    name, _, rest = head.partition(" ")
    if name.lower() not in {known.lower() for known in KNOWN | also}:
        return None
    properties = {}
    for pair in rest.strip().split("," if escape else ";"):
        key, equals, value = pair.partition("=")
        if equals and value:
            properties[key.strip()] = _unescape(value, property_value=True) if escape else value
    return Command(name, properties, _unescape(data) if escape else data)


def _unescape(text: str, *, property_value: bool = False) -> str:
    for code, char in (("%0D", "\r"), ("%0A", "\n"), *((("%3A", ":"), ("%2C", ",")) if property_value else ())):
        text = text.replace(code, char)
    return text.replace("%25", "%")
