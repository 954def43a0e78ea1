"""What a container of the app may do, as the engine is told it. Nothing here is left to an image or a ref.

Source: the Docker Engine API's description of `POST /containers/create`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

LABEL = "llm-eval-gate"
"""Label of all that we make; its value is the run's for containers and networks, `app` for images."""
DEFAULT_USER = "65534:65534"
DEFAULT_MEMORY_BYTES = 2_000_000_000
DEFAULT_PROCESSES = 512
TMPFS_BYTES = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Box:
    """One side's containers: all alike but for name and variables."""

    image: str
    """The image's ID, so that no name is looked up again."""
    labels: Mapping[str, str]
    """By which all of them are found again."""
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


def description(box: Box, run: Sequence[str], variables: Mapping[str, str]) -> dict[str, Any]:
    """What the engine is told of a container to make.

    Args:
        box: What it may do.
        run: Arguments in place of the image's CMD; empty for that itself.
        variables: What it sees.
    """
    host: dict[str, Any] = {
        # The same for every app. The engine's own seccomp and AppArmor profiles apply as well.
        "CapDrop": ["ALL"],
        "SecurityOpt": ["no-new-privileges"],
        "Privileged": False,
        "ReadonlyRootfs": True,
        "Tmpfs": {"/tmp": f"rw,exec,nosuid,nodev,mode=1777,size={TMPFS_BYTES}"},  # noqa: S108  # the container's
        "Mounts": [
            {"Type": "tmpfs", "Target": path, "TmpfsOptions": {"SizeBytes": TMPFS_BYTES}}
            for path in box.volumes
            if path.rstrip("/") != "/tmp"  # noqa: S108  # it is memory already
        ],
        "IpcMode": "private",
        "Ulimits": [{"Name": "core", "Soft": 0, "Hard": 0}, {"Name": "nofile", "Soft": 4096, "Hard": 4096}],
        "PidsLimit": box.processes,
        # No swap on top: `MemorySwap` is the sum of both.
        "Memory": box.memory_bytes,
        "MemorySwap": box.memory_bytes,
        "NetworkMode": box.network,
        # What it writes comes to us alone: the engine keeps none of it, and none fills its disk.
        "LogConfig": {"Type": "none"},
        "AutoRemove": True,
    }
    told: dict[str, Any] = {
        "Image": box.image,
        "Labels": dict(box.labels),
        "User": box.user,
        "Env": [f"{name}={value}" for name, value in {"HOME": "/tmp", **variables}.items()],  # noqa: S108
        "AttachStdin": True,
        "AttachStdout": True,
        "AttachStderr": True,
        "OpenStdin": True,
        "StdinOnce": True,
        "Tty": False,
        "Healthcheck": {"Test": ["NONE"]},
        "HostConfig": host,
    }
    if run:
        told["Cmd"] = list(run)
    if box.is_apart:
        # Old engines ask the machine's own name servers for containers of an internal network too (CVE-2024-29018).
        host["Dns"] = ["127.0.0.1"]
        told["Hostname"] = "app"
    return told
