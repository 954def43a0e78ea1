"""Makes the target of one side from the config and that side's checkout."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from evaluator.config.loading import LoadedConfig
from evaluator.errors import ConfigError, EvalGateError, TargetError
from evaluator.gateway.embedded import MODEL_NAME
from evaluator.gateway.interface import ModelCaller
from evaluator.gateway.providers import LOCAL
from evaluator.records import Side
from evaluator.source.paths import resolve
from evaluator.target.interface import Target
from evaluator.target.prompt import PromptTarget
from evaluator.target.prompt_file import PromptFile, load_prompt

if TYPE_CHECKING:
    from evaluator.wiring.processes import Doorway


def read_prompt(loaded: LoadedConfig, root: Path, side: Side = "base") -> PromptFile:
    """The prompt file that the config names, as it is in one side's checkout.

    Raises:
        ConfigError: It is not there, with the config's line.
        TargetError: It is wrong, with its own line.
    """
    relative = loaded.config.target.prompt
    if relative is None:
        raise RuntimeError("the target is not a prompt")
    try:
        path = resolve(root, relative)
    except EvalGateError as error:
        hint = error.hint
        if side == "head":
            hint = "the config is read at base; to rename the prompt file, merge a copy under the new name first"
        raise ConfigError(f"{loaded.where('target', 'prompt')}: at {side}, {error.message}", hint=hint) from None
    return load_prompt(path, name=relative)


def model_of(loaded: LoadedConfig, prompt: PromptFile, side: Side) -> str | None:
    """The model that a prompt asks: its own, else the config's, else the one that the embedded provider has.

    Raises:
        TargetError: The embedded provider is asked for a model that it has not.
    """
    target = loaded.config.target
    model = prompt.model or target.model
    if target.provider != LOCAL:
        return model
    if model not in (None, MODEL_NAME):
        raise TargetError(
            f"{prompt.name}, at {side}: `provider: local` has one model, {MODEL_NAME}; found {ascii(model)[:80]}",
            hint="leave `model` out, or name the provider that serves it",
        )
    return MODEL_NAME


def models_asked(loaded: LoadedConfig, roots: Mapping[Side, Path]) -> list[tuple[str, str]]:
    """(provider, model) of every model that the targets ask by themselves."""
    target = loaded.config.target
    if target.prompt is None:
        return []
    models = (model_of(loaded, read_prompt(loaded, root, side), side) for side, root in roots.items())
    return [(target.provider, model) for model in dict.fromkeys(models) if model]


def make_target(
    side: Side,
    root: Path,
    loaded: LoadedConfig,
    models: ModelCaller,
    *,
    environ: Mapping[str, str],
    scratch: Path,
    slots: int,
    doorway: "Doorway | None" = None,
    home: Path | None = None,
) -> Target:
    """Make the target of one side; it is not started yet.

    Args:
        side: Which side it is.
        root: That side's checkout.
        loaded: The config, from base.
        models: The gateway, for a prompt.
        environ: Our environment; a process target sees an allow-list of it.
        scratch: A private folder for the processes.
        slots: How many cases may be asked at once.
        doorway: The way to the gateway, for a process; None for one that is only started.
        home: Where environments of apps are kept; our own folder if None.

    Raises:
        EvalGateError: The config or the files that it names are wrong.
    """
    section = loaded.config.target
    if section.prompt is None:
        # What runs apps takes long to import, and a prompt needs none of it.
        from evaluator.wiring.cages import Place
        from evaluator.wiring.containers import make_container_target
        from evaluator.wiring.processes import make_process_target

        place = Place(side, root, scratch)
        if section.container is not None:
            return make_container_target(place, loaded, environ=environ, slots=slots, doorway=doorway)
        return make_process_target(place, loaded, environ=environ, slots=slots, doorway=doorway, home=home)
    prompt = read_prompt(loaded, root, side)
    return PromptTarget(
        side,
        prompt,
        models=models,
        provider=section.provider,
        model=model_of(loaded, prompt, side),
        params=section.params,
    )
