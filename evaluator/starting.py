"""What a process of ours does first."""

import atexit
import gc
import os
import sys


def collect_less_often() -> None:
    """Have Python look for garbage less often, and not at all when the process ends.

    Imports and golden sets are many objects that stay: looking through them again and again takes a twentieth of a
    short command's time, and, where hundreds of calls are in flight, a sixth of a call's (`bench/throughput.py`).
    Looking through all of them once more at the end takes a tenth of a short command's (`bench/coldstart.py`).
    """
    gc.set_threshold(20_000, 20, 20)
    atexit.register(gc.freeze)


def open_streams() -> None:
    """Open the standard streams that we were started without (`<&-`), so that nothing falls over them.

    Else an error before the first line would end us with Python's exit code 1, which reads as "the gate failed".
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            file = os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free: the stream's
            os.set_inheritable(file, True)
            setattr(sys, name, os.fdopen(file, mode))
