"""Makes the container target of one side: what base's config says, at that side's checkout."""

from collections.abc import Mapping

from evaluator.config.loading import LoadedConfig
from evaluator.config.targets import ContainerSection
from evaluator.errors import ConfigError, EvalGateError
from evaluator.gateway.door import offline_environment
from evaluator.source.paths import resolve
from evaluator.target.container import Build, ContainerTarget, Listening, Named
from evaluator.target.container.target import Allowed
from evaluator.target.interface import Target
from evaluator.wiring.cages import Place
from evaluator.wiring.processes import Doorway, ProcessTarget, exchange_of
from evaluator.wiring.unmet import unmet_openings


def make_container_target(
    place: Place,
    loaded: LoadedConfig,
    *,
    environ: Mapping[str, str],
    slots: int,
    doorway: Doorway | None = None,
) -> Target:
    """Make the container target of one side; nothing is built or started yet.

    Args:
        place: Where the side's checkout is.
        loaded: The config, from base.
        environ: Our environment; the app sees what the config names of it.
        slots: How many cases may be asked at once.
        doorway: Its way to the gateway; None for an app that is only started.

    Raises:
        ConfigError: The config asks for what a container cannot have, or names a folder that is not there.
    """
    section = loaded.config.target.container
    if section is None:
        raise RuntimeError("the target is no container")
    _refuse_what_is_not_for_it(loaded)
    source = _source(section, place, loaded)
    sandbox = loaded.config.sandbox
    names = (*section.env, *sandbox.env)
    env = {name: environ[name] for name in names if name in environ} | (
        offline_environment(loaded.config) if doorway is None else {}
    )
    unset = Allowed()
    target = ContainerTarget(
        place.side,
        source,
        run=section.run or (),
        env=env,
        slots=min(slots, section.workers or slots),
        start_timeout_s=section.start_timeout,
        case_timeout_s=section.timeout,
        environ=environ,
        scratch=place.scratch,
        allowed=Allowed(
            network=sandbox.network == "allow",
            user=section.user,
            memory_bytes=unset.memory_bytes if sandbox.memory is None else sandbox.memory,
            processes=sandbox.processes or unset.processes,
        ),
        listening=_listening(section, loaded),
        metering=None if doorway is None else doorway.metering,
        door_port=None if doorway is None else doorway.port,
    )
    notes = unmet_openings(loaded, environ)
    if isinstance(source, Named):
        notes += ("target.container.image: base and head run the same image, so that only `build` can show a change",)
    elif source.network != "none":
        notes += (f"target.container.build_network: steps of the Dockerfile, at {place.side}, can reach any address",)

    async def make() -> tuple[Target, tuple[str, ...]]:
        """Make the target, with what people should be told of it."""
        return target, notes

    return ProcessTarget(place, make, None if doorway is None else doorway.metering)


def _source(section: ContainerSection, place: Place, loaded: LoadedConfig) -> Build | Named:
    if section.build is None:
        return Named(section.image or "")
    try:
        folder = resolve(place.root, section.build)
    except EvalGateError as error:
        where = loaded.where("target", "container", "build")
        raise ConfigError(f"{where}: at {place.side}, {error.message}", hint=error.hint) from None
    if not folder.is_dir():
        where = loaded.where("target", "container", "build")
        raise ConfigError(
            f"{where}: at {place.side}, {section.build[:200]!r} is a file, expected a folder",
            hint="name the folder that holds the Dockerfile",
        )
    if section.build_network == "deny":
        return Build(folder, section.build_timeout)
    network = "host" if loaded.config.sandbox.network == "allow" else "default"
    return Build(folder, section.build_timeout, network=network)


def _listening(section: ContainerSection, loaded: LoadedConfig) -> Listening | None:
    http = section.http
    if http is None:
        return None
    exchange = exchange_of(http, loaded, ("target", "container", "http"), section.timeout)
    return Listening(exchange, http.port, http.port_env, http.ready)


def _refuse_what_is_not_for_it(loaded: LoadedConfig) -> None:
    config = loaded.config
    if config.setup is not None:
        where, what = loaded.where("setup"), "`setup` is for apps that run beside the gate"
        raise ConfigError(f"{where}: {what}, not in a container", hint="put its commands into the Dockerfile")
    if config.sandbox.read:
        where = loaded.where("sandbox", "read")
        raise ConfigError(f"{where}: nothing of this machine is mounted into a container", hint="take `read` out")
    unpassable = {"DOCKER_HOST", "DOCKER_CONFIG", "HOME", "PATH"} & {*config.sandbox.env, *_names(loaded)}
    if unpassable:
        where = loaded.where("target", "container", "env")
        found = ", ".join(sorted(unpassable))
        raise ConfigError(f"{where}: {found} of this machine means nothing in a container", hint="take it out")


def _names(loaded: LoadedConfig) -> tuple[str, ...]:
    return loaded.config.target.container.env if loaded.config.target.container is not None else ()
