"""What a container of the app may do: the words for `docker create`. Nothing here is left to an image or a ref.

Source: Docker's reference of `docker container create`, and of tmpfs mounts.
"""

from collections.abc import Sequence
from dataclasses import dataclass

LABEL = "llm-eval-gate"
"""Label of all that we make; its value is the run's for containers and networks, `app` for images."""
DEFAULT_USER = "65534:65534"
DEFAULT_MEMORY_BYTES = 2_000_000_000
DEFAULT_PROCESSES = 512
TMPFS_BYTES = 1_000_000_000
HELD = (
    "--cap-drop", "ALL",
    "--security-opt", "no-new-privileges",
    "--read-only",
    "--tmpfs", f"/tmp:rw,exec,nosuid,nodev,mode=1777,size={TMPFS_BYTES}",  # noqa: S108  # the container's, not ours
    "--ipc", "private",
    "--ulimit", "core=0",
    "--ulimit", "nofile=4096:4096",
    "--no-healthcheck",
)  # fmt: skip
"""The same for every app. The engine's own seccomp and AppArmor profiles apply as well."""
_KEPT_OUTPUT = ("--log-driver", "json-file", "--log-opt", "max-size=1m", "--log-opt", "max-file=1")


@dataclass(frozen=True, slots=True)
class Box:
    """One side's containers: all alike but for name and variables."""

    image: str
    """The image's ID, so that no name is looked up again."""
    run: tuple[str, ...]
    """Arguments in place of the image's CMD; empty for that itself."""
    run_label: str
    """Value of the label, by which all of them are found again."""
    network: str
    """Where they are put: our own network, `host`, or `container:ID`."""
    user: str = DEFAULT_USER
    """Numbers of user and group, neither of them 0."""
    memory_bytes: int = DEFAULT_MEMORY_BYTES
    processes: int = DEFAULT_PROCESSES
    volumes: tuple[str, ...] = ()
    """Paths that the image declares as volumes; each gets memory instead of an unlimited piece of the disk."""

    @property
    def is_apart(self) -> bool:
        """Whether they have a network namespace of their own."""
        return self.network != "host" and not self.network.startswith("container:")


def create_words(box: Box, name: str, variables: Sequence[str]) -> list[str]:
    """The words for the Docker client that make a container.

    Args:
        box: What it may do.
        name: Its name.
        variables: Names of the variables that it sees. The client takes their values from its own environment, so that
            no token stands on a command line.
    """
    words = [
        "create",
        "--interactive",
        "--rm",
        "--pull",
        "never",
        "--name",
        name,
        "--label",
        f"{LABEL}={box.run_label}",
    ]
    words += HELD
    words += ["--user", box.user, "--pids-limit", str(box.processes)]
    # No swap on top: `--memory-swap` is the sum of both.
    words += ["--memory", str(box.memory_bytes), "--memory-swap", str(box.memory_bytes)]
    words += ["--network", box.network]
    if box.is_apart:
        # Old engines ask the machine's own name servers for containers of an internal network too (CVE-2024-29018).
        words += ["--dns", "127.0.0.1", "--hostname", "app"]
    for path in box.volumes:
        words += ["--mount", f"type=tmpfs,destination={path},tmpfs-size={TMPFS_BYTES}"]
    words += _KEPT_OUTPUT
    words += ["--env", "HOME=/tmp"]
    for variable in variables:
        words += ["--env", variable]
    return [*words, box.image, *box.run]
