"""One embedded model server as a program: `python -m evaluator.gateway.embedded.server --port 0`.

It listens on 127.0.0.1, prints one JSON line with its address on standard output when it is ready, and ends when its
standard input is closed: so it cannot outlive the process that started it, however that one ended. Started by
`process.py`; it is no part of our own process, so a crash of the native code is an error message and not our end.
"""

import argparse
import importlib
import json
import os
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from evaluator.errors import EvalGateError
from evaluator.gateway.embedded.weights import (
    MODEL_NAME,
    SERVER_PACKAGE,
    EmbeddedModelError,
    find_weights,
    require_server_package,
    verify_weights,
)

CONTEXT_TOKENS: Final = 4096
"""Longest prompt plus answer, in tokens."""
_KEPT_PROMPTS_MIB: Final = 64
"""Room for about a dozen few-shot prompts of 400 tokens, or for one as long as the context."""
_ERRORS_ONLY: Final = 1
_STDIN, _STDOUT, _STDERR = 0, 1, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until standard input ends; returns an exit code only if the server could not start."""
    options = _parse(arguments)
    # Native code prints where it likes: from here on descriptor 1 is standard error, and our line has its own.
    announcements = os.dup(_STDOUT)
    os.dup2(_STDERR, _STDOUT)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    # The watch begins before the model loads: a parent that dies meanwhile must not leave us behind either.
    watch = threading.Thread(target=_exit_at_end_of_input, name="parent-watch", daemon=True)
    watch.start()
    try:
        require_server_package()
        weights = options.weights or verify_weights(find_weights())
        native = _serve(weights, port=options.port, context_tokens=options.context_tokens)
    except EvalGateError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    line = json.dumps({"base_url": f"{native.listening_address}/v1", "model": MODEL_NAME, "pid": os.getpid()})
    os.write(announcements, line.encode() + b"\n")
    os.close(announcements)
    watch.join()
    return 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m evaluator.gateway.embedded.server", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 takes any free port")
    parser.add_argument("--weights", type=Path, help="use this file as it is; default: the installed one, verified")
    parser.add_argument("--context-tokens", type=int, default=CONTEXT_TOKENS)
    return parser.parse_args(arguments)


def _exit_at_end_of_input() -> None:
    while os.read(_STDIN, 4096):
        pass
    # The native server's threads are in our way to a regular end, and nothing is left to be saved.
    os._exit(0)


def _serve(weights: Path, *, port: int, context_tokens: int) -> Any:
    """Start the native server in threads of its own; returns once the model is loaded and warm.

    It stops with the object that is returned: hold it for the life of the process.
    """
    xllamacpp = importlib.import_module(SERVER_PACKAGE)

    params = xllamacpp.CommonParams()
    params.model.path = str(weights)
    params.model_alias = {MODEL_NAME}
    params.hostnames = ["127.0.0.1"]
    params.port = port
    params.n_ctx = context_tokens
    params.n_parallel = 1
    # Two threads of one model wait for each other in a busy loop and collapse on a shared machine.
    params.cpuparams.n_threads = 1
    params.cpuparams_batch.n_threads = 1
    params.n_threads_http = 2
    params.n_gpu_layers = 0
    params.fit_params = False
    # With 16-bit floats the kernels' rounding depends on how a prompt is split into batches, so an answer would depend
    # on what is in the cache. Flash attention over 8-bit keys and values gives a token the same bits in any batch.
    params.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_ENABLED
    params.cache_type_k = params.cache_type_v = xllamacpp.ggml_type.GGML_TYPE_Q8_0
    # Base's and head's prompts take turns: the state of the one is kept in memory while the other is asked.
    params.cache_ram_mib = _KEPT_PROMPTS_MIB
    # No pages and no view of other requests' prompts for whoever else is on this machine.
    params.ui = False
    params.endpoint_slots = False
    params.verbosity = _ERRORS_ONLY
    try:
        return xllamacpp.Server(params)
    except RuntimeError as error:
        raise EmbeddedModelError(f"the model server did not start with {weights}: {error}") from error


if __name__ == "__main__":
    sys.exit(main())
