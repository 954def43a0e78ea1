"""Child processes that answer questions: the app under test and the user's own scorers."""

from evaluator.worker.environment import child_environment
from evaluator.worker.failure import (
    CLOSED_DOORS,
    WorkerFailure,
    last_words,
    longer_tail,
    parse_json,
    printable,
    speaks_of_a_closed_door,
)
from evaluator.worker.json_lines import Answered, JsonLinesWorker
from evaluator.worker.once import Finished, run_once
from evaluator.worker.pool import WorkerPool

__all__ = [
    "CLOSED_DOORS",
    "Answered",
    "Finished",
    "JsonLinesWorker",
    "WorkerFailure",
    "WorkerPool",
    "child_environment",
    "last_words",
    "longer_tail",
    "parse_json",
    "printable",
    "run_once",
    "speaks_of_a_closed_door",
]
