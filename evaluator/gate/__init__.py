"""The gate: objectives and two runs' values in, a verdict out. No I/O, no clock."""

from evaluator.gate.anchor import anchored
from evaluator.gate.decide import decide
from evaluator.gate.describe import describe, detectable_changes
from evaluator.gate.families import SliceResult, holm, judge_slices, with_slices
from evaluator.gate.noise import Noise
from evaluator.gate.outages import with_outages
from evaluator.gate.plan import Request
from evaluator.gate.power import Sight, cases_for, expected_sight, measured_sight
from evaluator.gate.sequential import SequentialGate
from evaluator.gate.standing import Standing
from evaluator.gate.together import AnchoredGate

__all__ = [
    "AnchoredGate",
    "Noise",
    "Request",
    "SequentialGate",
    "Sight",
    "SliceResult",
    "Standing",
    "anchored",
    "cases_for",
    "decide",
    "describe",
    "detectable_changes",
    "expected_sight",
    "holm",
    "judge_slices",
    "measured_sight",
    "with_outages",
    "with_slices",
]
