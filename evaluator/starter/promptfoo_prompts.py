"""The prompts and providers of a promptfoo config: which can be a target here, and as what."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from evaluator.dataset.strict_json import StrictJsonError, decode
from evaluator.errors import EvalGateError
from evaluator.records import JsonValue
from evaluator.source import read_text_below
from evaluator.starter.files import MAX_PROMPT_BYTES, beside, expand, read_yaml, short, to_json
from evaluator.starter.interface import Note, Prompt
from evaluator.starter.prompt_text import file_stem, prompt_yaml
from evaluator.starter.templating import TemplateProblem, variables_of

_TEXT_SUFFIXES = (".txt", ".md", ".j2", ".jinja", ".jinja2")
_CHAT_SUFFIXES = (".json", ".yaml", ".yml")
_CODE_SUFFIXES = (".py", ".js", ".cjs", ".mjs", ".ts", ".cts", ".mts", ".sh", ".rb", ".pl", ".go", ".exe", ".bat")
_CODE = ("exec:", "python:", "javascript:", "http://", "https://", "langfuse://", "portkey://", "helicone://")
_PROVIDERS = {
    "openai": "openai",
    "anthropic": "anthropic",
    "google": "google",
    "mistral": "mistral",
    "deepseek": "deepseek",
    "groq": "groq",
    "xai": "xai",
    "openrouter": "openrouter",
    "ollama": "ollama",
    "github": "github",
}
"""Their name -> ours."""
_MODES = ("chat", "responses", "completion", "messages", "completions")
_PARAMS = ("temperature", "max_tokens", "max_completion_tokens", "top_p", "seed", "presence_penalty",
           "frequency_penalty", "reasoning_effort", "stop")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Model:
    """The model that a config asks."""

    provider: str | None = None
    name: str | None = None
    params: Mapping[str, JsonValue] = field(default_factory=dict)


def read_prompts(root: Path, source: str, found: JsonValue, left_out: list[Note], adapted: list[Note]) -> list[Prompt]:
    """Give the prompts of a config that can be a target; the others are noted.

    Args:
        root: The repository's root.
        source: The config's path relative to it.
        found: The value of `prompts`.
        left_out: Gets what cannot be carried over.
        adapted: Gets what changes its form.
    """
    items = found if isinstance(found, list) else [found] if found is not None else []
    prompts: list[Prompt] = []
    for number, item in enumerate(items, start=1):
        where = f"{short(source, 200)}, prompt {number}"
        if isinstance(item, dict):
            item = item.get("raw", item.get("id", item.get("path")))  # noqa: PLW2901 - the short way of writing it
        if not isinstance(item, str) or not item.strip():
            left_out.append(Note(where, "the prompt", "it is neither text nor the name of a file"))
            continue
        try:
            stem = file_stem(f"promptfoo-{number}")
            if item.startswith("file://") or _looks_like_file(item):
                for path in expand(root, beside(source, item)):
                    prompts += _from_file(root, path, where, left_out, adapted)
            elif item.startswith(_CODE):
                left_out.append(Note(where, f"the prompt {short(item, 80)}", "it is code or another service's prompt"))
            else:
                prompts.append(_from_text(item, stem))
        except (EvalGateError, TemplateProblem) as problem:
            reason = problem.message if isinstance(problem, EvalGateError) else str(problem)
            left_out.append(Note(where, f"the prompt {short(item, 80)}", reason))
    return prompts


def _looks_like_file(text: str) -> bool:
    one_word = "\n" not in text and " " not in text and "{" not in text
    return one_word and PurePosixPath(text).suffix.lower() in (*_TEXT_SUFFIXES, *_CHAT_SUFFIXES, *_CODE_SUFFIXES)


def _from_file(root: Path, path: str, where: str, left_out: list[Note], adapted: list[Note]) -> list[Prompt]:
    name = PurePosixPath(path).name
    suffix = PurePosixPath(name.partition(":")[0]).suffix.lower()
    if suffix in _CODE_SUFFIXES:
        left_out.append(Note(where, short(path), "it is code, which is not run; the target `command` can run an app"))
        return []
    if name.endswith((".prompt.yml", ".prompt.yaml")):
        left_out.append(Note(where, short(path), "it is offered as a GitHub Models prompt"))
        return []
    if suffix in _CHAT_SUFFIXES:
        prompt = _from_chat(to_json(read_yaml(root, path)), file_stem(PurePosixPath(path).stem))
        adapted.append(Note(where, short(path), f"its messages are copied to {prompt.path}; that is the target now"))
        return [prompt]
    text = read_text_below(root, path, max_bytes=MAX_PROMPT_BYTES, key="file")
    parts = [part.strip("\r\n") for part in text.replace("\r\n", "\n").split("\n---\n")]
    if len(parts) == 1:
        return [Prompt(path, variables=variables_of(text))]
    adapted.append(Note(where, short(path), f"it holds {len(parts)} prompts; the chosen one gets its own file"))
    stem = PurePosixPath(path).stem
    return [_from_text(part, file_stem(f"{stem}-{number}")) for number, part in enumerate(parts, 1) if part]


def _from_text(text: str, stem: str) -> Prompt:
    if text.lstrip().startswith(("[", "{")):
        try:
            return _from_chat(decode(text), stem)
        except StrictJsonError:
            pass  # a text that only begins like JSON, such as a template
    return Prompt(f"prompts/{stem}.j2", text if text.endswith("\n") else text + "\n", variables=variables_of(text))


def _from_chat(value: JsonValue, stem: str) -> Prompt:
    items = value.get("messages") if isinstance(value, dict) else value
    messages = []
    for item in items if isinstance(items, list) else []:
        role, content = (item.get("role"), item.get("content")) if isinstance(item, dict) else (None, None)
        if role not in ("system", "user", "assistant") or not isinstance(content, str):
            raise TemplateProblem("a message has no text, or a role other than system, user and assistant")
        messages.append((str(role), content))
    if not messages:
        raise TemplateProblem("it is no list of chat messages")
    variables = variables_of("\n".join(content for _, content in messages))
    return Prompt(f"prompts/{stem}.prompt.yml", prompt_yaml(stem, messages), variables=variables)


def read_model(source: str, found: JsonValue, left_out: list[Note]) -> Model:
    """Give the first model of `providers` that can be asked here; the others are noted."""
    where = short(source, 200)
    items: list[JsonValue] = found if isinstance(found, list) else [found] if found is not None else []
    chosen = Model()
    for item in items:
        identity: JsonValue = item
        options: JsonValue = {}
        if isinstance(item, dict):
            if "id" not in item and len(item) == 1:
                [(identity, options)] = item.items()
            else:
                identity, options = item.get("id"), item
        model = provider_of(identity)
        if model is None:
            left_out.append(Note(where, f"the provider {short(identity, 80)}", "there is none like it here"))
        elif chosen.name is not None:
            left_out.append(Note(where, f"the provider {short(identity, 80)}", "one target asks one model: the first"))
        else:
            chosen = Model(model.provider, model.name, _params(where, options, left_out))
    return chosen


def provider_of(identity: JsonValue) -> Model | None:
    """Read a provider's id such as `openai:chat:gpt-5-mini`; None if there is none like it here."""
    if not isinstance(identity, str):
        return None
    name, _, rest = identity.partition(":")
    provider = _PROVIDERS.get(name)
    mode, _, model = rest.partition(":")
    if provider is None or mode in ("embedding", "embeddings", "image", "realtime", "moderation", "assistant"):
        return None
    model = model if mode in _MODES and model else rest
    return Model(provider, model) if model and model.isprintable() else None


def _params(where: str, options: JsonValue, left_out: list[Note]) -> dict[str, JsonValue]:
    config = options.get("config") if isinstance(options, dict) else None
    params: dict[str, JsonValue] = {}
    for key, value in (config if isinstance(config, dict) else {}).items():
        if key in _PARAMS:
            params[key] = value
        else:
            reason = "add it under `params` or `providers`"
            left_out.append(Note(where, f"the provider's setting `{short(key)}`", reason))
    return params
