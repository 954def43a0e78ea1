"""The small model that runs on this machine's own CPU, for `provider: local`: no key, no network, no bill."""

from evaluator.gateway.embedded.process import EmbeddedModel, ServerProcess, embedded_servers, start_server
from evaluator.gateway.embedded.weights import (
    MODEL_NAME,
    REQUEST_EXTRAS,
    WEIGHTS_SHA256,
    EmbeddedModelError,
    find_weights,
    require_server_package,
    verify_weights,
)

__all__ = [
    "MODEL_NAME",
    "REQUEST_EXTRAS",
    "WEIGHTS_SHA256",
    "EmbeddedModel",
    "EmbeddedModelError",
    "ServerProcess",
    "embedded_servers",
    "find_weights",
    "require_server_package",
    "start_server",
    "verify_weights",
]
