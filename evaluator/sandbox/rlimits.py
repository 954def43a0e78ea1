"""How much a caged program may take: resource limits that are inherited and can only be lowered.

Source: getrlimit(2), and proc(5) for `oom_score_adj`.
"""

import os
import resource

ALWAYS = {"CORE": 0, "MSGQUEUE": 0, "NICE": 0, "RTPRIO": 0}
"""No core dumps (they hold memory and may go to a program of the system), no message queues, no higher priority."""


def limit(names: dict[str, int]) -> None:
    """Lower hard and soft limits; one that is lower already stays."""
    for name, value in names.items():
        kind = getattr(resource, f"RLIMIT_{name}")
        hard = resource.getrlimit(kind)[1]
        lowered = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (lowered, lowered))


def be_killed_first() -> None:
    """When memory runs out, let the kernel end the app and not us."""
    try:
        descriptor = os.open("/proc/self/oom_score_adj", os.O_WRONLY | os.O_CLOEXEC)
    except OSError:  # no /proc
        return
    try:
        os.write(descriptor, b"1000")
    except OSError:
        return
    finally:
        os.close(descriptor)
