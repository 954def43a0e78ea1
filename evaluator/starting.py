"""What a process of ours does first."""

import gc


def collect_less_often() -> None:
    """Have Python look for garbage less often.

    Imports and golden sets are many objects that stay: looking through them again and again takes a twentieth of a
    short command's time, and, where hundreds of calls are in flight, a sixth of a call's (`bench/throughput.py`).
    """
    gc.set_threshold(20_000, 20, 20)
