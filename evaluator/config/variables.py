"""Names of environment variables in the config: which may be written, and which an app may be told something by."""

import re
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

VariableName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=200)]
_NAME = {"type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_]*$", "maxLength": 200}

# What starts or steers a program, or leads all of its requests elsewhere; and the job's own tokens and files.
_NOT_TOLD = re.compile(
    r"PATH|HOME|PWD|OLDPWD|TMPDIR|TMP|TEMP|SHELL|IFS|ENV|BASH_ENV|PROMPT_COMMAND|USER|LOGNAME|PORT|LANG|LANGUAGE|TZ"
    r"|NODE_OPTIONS|NODE_PATH|NODE_EXTRA_CA_CERTS|CLASSPATH|_?JAVA_OPTIONS|J(AVA|DK_JAVA)_(TOOL_)?OPTIONS|RUBY(OPT|LIB)"
    r"|PERL5.*|PYTHON.*|GCONV_PATH|SYSTEMROOT|REQUESTS_CA_BUNDLE|(HTTPS?|FTP|ALL|NO)_PROXY"
    r"|(LC|LD|DYLD|MALLOC|GLIBC|GIT|SSL|SSH|CURL|UV|PIP|NPM_CONFIG)_.*"
    r"|(DOCKER|GITHUB|ACTIONS|RUNNER|INPUT|LLM_EVAL_GATE)_.*",
    re.I,
)


def _as_list(found: object) -> object:
    return (found,) if isinstance(found, str) else found


def _tellable(names: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        if _NOT_TOLD.fullmatch(name):
            raise ValueError(
                f"expected a variable that the app alone reads, such as MY_LLM_URL; found {name[:60]!r}, which steers"
                " programs or is the job's own"
            )
    return names


ToldNames = Annotated[
    tuple[VariableName, ...],
    BeforeValidator(_as_list),
    AfterValidator(_tellable),
    Field(max_length=10),
    WithJsonSchema({"anyOf": [_NAME, {"type": "array", "items": _NAME, "maxItems": 10}]}),
]
"""One name or a list."""
