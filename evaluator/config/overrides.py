"""Settings from outside the config file that replace its own: inputs of the action, by whoever wrote the workflow.

They come from the workflow at base, never from the change under test. A value that is None leaves the file's alone.
"""

from dataclasses import dataclass, fields, replace
from typing import Any, Literal

from pydantic import ValidationError

from evaluator.config.loading import LoadedConfig, check_engine
from evaluator.config.model import Config, EngineName
from evaluator.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Overrides:
    """What replaces the file's own."""

    dataset_path: str | None = None
    judge_model: str | None = None
    max_repeats: int | None = None
    concurrency: int | None = None
    max_usd: float | None = None
    max_time: float | None = None
    """Seconds."""
    on_inconclusive: Literal["warn", "fail", "pass"] | None = None
    app_env: tuple[str, ...] | None = None
    """Names of environment variables that a process target may see, beside those of the file."""
    engine: EngineName | None = None
    max_cases: int | None = None
    """Most of base's cases that are run: a sample that stays the same from run to run. No key of the file."""

    @property
    def any(self) -> bool:
        """Whether anything is set."""
        return any(getattr(self, field.name) is not None for field in fields(self))


def with_overrides(loaded: LoadedConfig, given: Overrides) -> LoadedConfig:
    """The config with what was given in place.

    Raises:
        ConfigError: A value cannot be, or has no place in this config.
    """
    if not given.any:
        return loaded
    config = loaded.config
    changed: dict[str, Any] = {}
    if given.dataset_path is not None:
        changed["dataset"] = config.dataset.model_copy(update={"path": given.dataset_path})
    if given.judge_model is not None:
        if config.judge is None:
            raise ConfigError(
                f"a judge model is given from outside ({given.judge_model[:60]!r}), but {loaded.name} has no judge",
                hint="add `judge:` to the config, or leave the input judge-model out",
            )
        changed["judge"] = config.judge.model_copy(update={"model": given.judge_model})
    caps = {"max_usd": given.max_usd, "max_time": given.max_time}
    if any(cap is not None for cap in caps.values()):
        given_caps = {name: cap for name, cap in caps.items() if cap is not None}
        changed["budget"] = config.budget.model_copy(update=given_caps)
    if given.app_env:
        names = tuple(dict.fromkeys((*config.sandbox.env, *given.app_env)))
        changed["sandbox"] = config.sandbox.model_copy(update={"env": names})
    for name in ("max_repeats", "concurrency", "on_inconclusive", "engine"):
        if getattr(given, name) is not None:
            changed[name] = getattr(given, name)
    try:
        checked = Config.model_validate({**dict(config), **changed})
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(step) for step in first["loc"])
        raise ConfigError(f"a setting given from outside cannot be: {where}: {first['msg']}") from None
    overridden = replace(loaded, config=checked)
    check_engine(overridden)
    return overridden
