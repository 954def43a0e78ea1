"""What the journal holds of a unit already: all of it, and no worker is asked; or a part, which goes with the task."""

from evaluator.engines.interface import Progress, Schedule, Work
from evaluator.engines.ray.messages import Task
from evaluator.engines.units import Unit, values_by_side
from evaluator.journal.journal import Journal
from evaluator.records import Output, Score, Side


def task_of(ticket: int, unit: Unit, schedule: Schedule, journal: Journal) -> Task:
    """A unit as a worker is given it."""
    case = schedule.cases[unit.case]
    outputs, scores = _kept(unit, case.id, journal)
    return Task(ticket, case, unit.repeat, unit.sides, outputs, scores)


def answered_already(unit: Unit, schedule: Schedule, work: Work, journal: Journal, progress: Progress) -> bool:
    """Tell `work` a unit that is in the journal as a whole; False if something of it is missing."""
    case = schedule.cases[unit.case]
    outputs, scores = _kept(unit, case.id, journal)
    if len(outputs) < len(unit.sides):
        return False
    answered = [side for side in unit.sides if outputs[side].failure is None]
    for scorer in schedule.scorers:
        needed = answered if not scorer.pairwise or len(answered) == 2 else []
        if any(scorer.name not in scores[side] for side in needed):
            return False
    for output in outputs.values():
        progress.advance(failed=output.failure is not None, fresh=False)
    for side, values in values_by_side(case, outputs, scores, schedule.scorers).items():
        work.tell(side, unit.case, unit.repeat, values)
    return True


def _kept(unit: Unit, case_id: str, journal: Journal) -> tuple[dict[Side, Output], dict[Side, dict[str, Score]]]:
    """Outputs and scores of the sides that have an output."""
    outputs: dict[Side, Output] = {}
    scores: dict[Side, dict[str, Score]] = {}
    for side in unit.sides:
        output = journal.output(case_id, side, unit.repeat)
        if output is not None:
            outputs[side] = output
            scores[side] = {} if output.failure else journal.scores(case_id, side, unit.repeat)
    return outputs, scores
