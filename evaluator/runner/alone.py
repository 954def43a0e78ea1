"""One ref alone, every case of the golden set: what `run`, the baseline of a branch and the anchor have in common."""

from evaluator.records import Side
from evaluator.results.table import Table, read_table
from evaluator.runner.asking import run_all
from evaluator.runner.opening import OpenRun, seed_of
from evaluator.runner.progress import Watched
from evaluator.runner.work import AllOnce


async def answer_all(opened: OpenRun, *, label: str, measured_as: Side = "head", ahead: int = 0) -> tuple[Table, str]:
    """Answer every case of head as often as the job says, and keep a whole run as a baseline for later.

    Gives the numbers, and a sentence on whether they were kept. What is kept stands for base: there a call whose tokens
    nobody told has no cost, since the most that it can have cost would make a dearer head look cheap.

    Args:
        opened: The run.
        label: What progress calls it.
        measured_as: The side that the numbers stand for.
        ahead: How many answers of other runs the same budget must pay afterwards.

    Raises:
        EvalGateError: Anything that keeps the run from its end.
    """
    job, ready, journal, cases = opened.job, opened.ready, opened.journal, list(opened.golden.cases)
    work = AllOnce(len(cases), ("head",), repeats=job.repeats, seed=seed_of(journal))
    progress = job.show(ready.gateway, Watched(label))
    await run_all(opened, cases, work, progress, answers_a_case=job.repeats, ahead=ahead)

    def read(side: Side) -> Table:
        """The numbers, as those of a side."""
        return read_table(
            journal,
            cases,
            ready.metrics,
            ready.scorers,
            repeats=job.repeats,
            sides=("head",),
            outside={"head": ready.gateway.budget.outside_usd("head", measured_as=side)},
            measured_as=side,
        )

    kept = read("base")
    table = kept if measured_as == "base" else read(measured_as)
    not_kept = opened.baselines.keep(opened.content("head"), opened.run_id, kept, journal)
    return table, f"not kept as a baseline: {not_kept}" if not_kept else "kept as a baseline for later comparisons"
