"""Head's code attacks: in the cage nothing succeeds, and each attack succeeds when its defences are taken away.

The second half proves the first: an attack that fails for a reason of its own would prove nothing.
"""

import os
import platform
from dataclasses import replace
from pathlib import Path

import pytest

from tests.sandbox import attacks_files, attacks_kernel, attacks_memory, attacks_network
from tests.sandbox.arena import Arena, Attack

ATTACKS = [
    *attacks_memory.ATTACKS, *attacks_files.ATTACKS, *attacks_network.ATTACKS, *attacks_kernel.ATTACKS
]  # fmt: skip
BY_A_USER = [attack for attack in ATTACKS if attack.user is not None]
WITHOUT_COUNTER_PROOF = {"the terminal of whoever started us"}
"""There is no terminal to open: the session's leader never had one."""


def named(attack: Attack) -> str:
    return attack.name


def here(attack: Attack, arena: Arena) -> Attack:
    """Fit an attack to this machine, or skip it."""
    possible = arena.has | {platform.machine()}
    setting = Path("/proc/sys/net/mptcp/enabled")
    possible |= {"mptcp"} if setting.exists() and setting.read_text().strip() == "1" else set()
    most = Path("/proc/sys/user/max_user_namespaces")
    apparmor = Path("/proc/sys/kernel/apparmor_restrict_unprivileged_userns")
    allowed = (
        most.exists()
        and most.read_text().strip() != "0"
        and not (apparmor.exists() and apparmor.read_text().strip() == "1")
    )
    possible |= {"userns"} if allowed else set()
    possible |= {"perf"} if Path("/proc/sys/kernel/perf_event_paranoid").exists() else set()
    missing = set(attack.needs) - possible
    if missing:
        pytest.skip(f"not on this machine: {', '.join(sorted(missing))}")
    if attack.limits.get("reserved_disk_bytes") == -1:
        free = os.statvfs(arena.place)
        return replace(attack, limits={"reserved_disk_bytes": free.f_bavail * free.f_frsize - 150_000_000})
    return attack


def try_both(arena: Arena, attack: Attack, off: tuple[str, ...]) -> None:
    attack = here(attack, arena)
    succeeded, answer = arena.run(attack, ())
    assert "TRIED" in answer["out"], answer
    assert not succeeded, answer
    if attack.name not in WITHOUT_COUNTER_PROOF:
        succeeded, answer = arena.run(attack, off)
        assert succeeded, f"a test that cannot fail: {answer}"


@pytest.mark.parametrize("attack", ATTACKS, ids=named)
def test_an_attack_fails_where_the_gate_is_root(as_root: Arena, attack: Attack) -> None:
    try_both(as_root, attack, attack.off)


@pytest.mark.parametrize("attack", BY_A_USER, ids=named)
def test_an_attack_fails_where_the_gate_is_an_ordinary_user(as_user: Arena, attack: Attack) -> None:
    assert attack.user is not None
    try_both(as_user, attack, attack.user)


@pytest.mark.parametrize("attack", ATTACKS, ids=named)
def test_an_attack_fails_where_the_gate_is_root_in_a_container(as_container: Arena, attack: Attack) -> None:
    succeeded, answer = as_container.run(here(attack, as_container), ())
    assert "TRIED" in answer["out"], answer
    assert not succeeded, answer


def test_there_are_as_many_attacks_as_promised() -> None:
    assert len({attack.name for attack in ATTACKS}) == len(ATTACKS) >= 40
