"""What a process of ours does first."""

import atexit
import gc


def collect_less_often() -> None:
    """Have Python look for garbage less often, and not at all when the process ends.

    Imports and golden sets are many objects that stay: looking through them again and again takes a twentieth of a
    short command's time, and, where hundreds of calls are in flight, a sixth of a call's (`bench/throughput.py`).
    Looking through all of them once more at the end takes a tenth of a short command's (`bench/coldstart.py`).
    """
    gc.set_threshold(20_000, 20, 20)
    atexit.register(gc.freeze)
