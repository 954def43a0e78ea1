"""Ray itself: a private instance on this machine, or a connection to a cluster that is there.

What it takes to keep a private instance private, all tried in `tests/engines/ray/`:

- It sees an environment of its own while it starts, and all that it starts gets that: no key is in it.
- It listens on loopback alone, and wants a token that lies in a folder closed to others.
- Its sockets and logs lie in that folder, which goes with it. No dashboard, no usage statistics.
- The working directory, which Ray puts on its workers' module path, is an empty one while it starts.
"""

import contextlib
import logging
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from evaluator.engines.ray.reaper import start_time
from evaluator.errors import InfrastructureError, UsageError
from evaluator.sandbox.processes import descendants
from evaluator.stopping import blocking

HANDED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "PYTHONPATH")
"""What Ray's processes get of our environment."""
LOOPBACK = "127.0.0.1"
HERE = "local"
"""The address that stands for an instance of our own."""
_TOKEN = secrets.token_hex(32)
"""One for all instances of this process, because Ray reads it once."""
_SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AUTH_MODE": "token",
    # Off, Ray takes loopback for its address and has all of its servers listen there alone, on every system.
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    "RAY_DISABLE_IMPORT_WARNING": "1",
}
_STORE_BYTES = 128 * 1024 * 1024
_LONGEST_FOLDER = 20
"""Names of sockets may have 107 bytes, of which Ray takes 70 below the folder that it is given."""


@dataclass(frozen=True, slots=True)
class Session:
    """A connection to Ray."""

    ray: Any
    """The module; untyped, as most of its decorators are."""
    own: bool
    """Whether it is an instance of our own on this machine."""


def require_ray() -> None:
    """See that Ray is installed.

    Raises:
        UsageError: It is not.
    """
    if find_spec("ray") is None:
        raise UsageError(
            "`engine: ray` needs Ray, which is not installed", hint="install it: pip install 'llm-eval-gate[ray]'"
        )


@contextmanager
def session(address: str, *, workers: int, environ: Mapping[str, str]) -> Iterator[Session]:
    """Start Ray or connect to it, for as long as the block lasts.

    Args:
        address: `local`, or what Ray's `init` takes for a cluster that is there: `auto`, or `host:port`.
        workers: How many processes will run on an instance of our own.
        environ: Our environment.

    Raises:
        InfrastructureError: Ray cannot be started or reached, or is not as private as it must be.
    """
    require_ray()
    with contextlib.ExitStack() as stack:
        above = tempfile.gettempdir()
        above = above if len(above) <= _LONGEST_FOLDER else "/tmp"  # noqa: S108  a private folder is made in it
        made = tempfile.TemporaryDirectory(prefix="gate-ray-", dir=above, ignore_cleanup_errors=True)
        private = Path(stack.enter_context(made))
        watchers: list[Callable[[], None]] = []
        # After Ray's end: whoever kills us while it ends has the rest tidied up as well.
        stack.callback(lambda: [dismiss() for dismiss in watchers])
        empty = private / "empty"
        empty.mkdir()
        with blocking(), contextlib.chdir(empty):
            if address == HERE:
                token = private / "token"
                token.touch(0o600)
                token.write_text(_TOKEN, "ascii")
                own = {name: environ[name] for name in HANDED_ON if name in environ}
                with _environment({**own, **_SETTINGS, "RAY_AUTH_TOKEN_PATH": str(token)}):
                    import ray

                    started = _open(ray, stack, address=HERE, num_cpus=workers, include_dashboard=False,
                                    object_store_memory=_STORE_BYTES, _temp_dir=str(private / "ray"))  # fmt: skip
            else:
                import ray

                started = _open(ray, stack, address=address)
        if started and address == HERE:
            watchers.append(_watched(private))
        if started:
            _check_private(ray, address, environ)
        yield Session(ray, own=address == HERE)


def _open(ray: Any, stack: contextlib.ExitStack, **options: Any) -> bool:
    """Initialise Ray unless an outer run has; tell whether it was us."""
    if ray.is_initialized():  # the run of an anchor, inside of another
        return False
    logging.getLogger("ray").setLevel(logging.ERROR)
    ended = contextlib.ExitStack()
    stack.callback(ended.close)
    stack.callback(_shut_down, ray)  # also where it did not start as a whole
    try:
        _undisturbed(
            ended, lambda: ray.init(log_to_driver=False, configure_logging=False, namespace="llm-eval-gate", **options)
        )
    except Exception as error:  # Ray's own, gRPC's, the system's: they have no class in common
        what = "cannot be started" if options["address"] == HERE else f"cannot be reached at {options['address']}"
        raise InfrastructureError(
            f"Ray {what}: {type(error).__name__}: {ascii(str(error))[1:-1][:300]}",
            hint="`engine: local` needs no Ray",
        ) from None
    return True


def _shut_down(ray: Any) -> None:
    with _handlers_kept():
        ray.shutdown()


def _watched(private: Path) -> Callable[[], None]:
    """Have somebody tidy up if we are killed; gives how to send them away."""
    helpers = [f"{pid}:{start_time(pid)}" for pid in descendants(os.getpid())]
    words = [sys.executable, "-I", "-S", str(Path(__file__).with_name("reaper.py")), str(private), *helpers]
    silent = subprocess.DEVNULL
    reaper = subprocess.Popen(  # noqa: S603  our own script
        words, stdin=subprocess.PIPE, stdout=silent, stderr=silent, env={}, cwd="/", start_new_session=True
    )

    def dismiss() -> None:
        """End it before it sees our end."""
        reaper.kill()
        reaper.communicate()

    return dismiss


def _check_private(ray: Any, address: str, environ: Mapping[str, str]) -> None:
    """See that keys do not travel in the clear.

    Raises:
        InfrastructureError: They would.
    """
    hosts = {str(node["NodeManagerAddress"]) for node in ray.nodes() if node["Alive"]}
    if address == HERE:
        if hosts != {LOOPBACK}:
            raise InfrastructureError(
                "Ray listens on more than loopback, so its workers get no keys",
                hint="use the version of Ray that the lock file names",
            )
    elif len(hosts) > 1 and environ.get("RAY_USE_TLS") != "1":
        raise InfrastructureError(
            f"the cluster at {address} has {len(hosts)} machines and does not encrypt what they say to each other,"
            " which would be the providers' keys",
            hint="set it up with RAY_USE_TLS=1, see Ray's documentation on TLS; or use `ray: {address: local}`",
        )


@contextmanager
def _environment(own: Mapping[str, str]) -> Iterator[None]:
    """Have this process's environment be another for a moment: Ray reads its settings there and hands all of it on."""
    before = dict(os.environ)
    os.environ.clear()
    os.environ.update(own)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _undisturbed(stack: contextlib.ExitStack, start: Callable[[], object]) -> None:
    """Let Ray start to its end, and have a signal that comes meanwhile be heard after it.

    Half a start cannot be undone: Ray's own code then crashes. It runs in a thread, where Ray cannot replace Python's
    handlers; its native one is put in front of them, and sets an alarm that would end this process. The thread stays to
    the end: with it the kernel would end what it has started.

    Raises:
        KeyboardInterrupt: There was a signal.
    """
    failed: list[BaseException] = []
    heard: list[int] = []
    done, ended = threading.Event(), threading.Event()
    stack.callback(ended.set)

    def run() -> None:
        try:
            start()
        except BaseException as error:
            failed.append(error)
        done.set()
        ended.wait()

    def note(number: int, _frame: object) -> None:
        heard.append(number)
        signal.alarm(0)

    thread = threading.Thread(target=run, name="ray-start", daemon=True)
    with _handlers_kept():
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, note)
        thread.start()
        while not done.wait(0.05):  # a signal is heard between two waits
            pass
    if heard:
        raise KeyboardInterrupt
    if failed:
        raise failed[0]


@contextmanager
def _handlers_kept() -> Iterator[None]:
    """Put the handlers of signals back that Ray replaces."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
