"""The numbers of a run as plain files of scores, which `compare` reads: `base.scores.jsonl`, `head.scores.jsonl`."""

import dataclasses
import json
import math
from collections.abc import Sequence
from pathlib import Path

from evaluator.errors import DatasetError, InfrastructureError
from evaluator.records import LabelStatistic, Metric, MetricKind
from evaluator.results.table import Table

METRICS_FILE = "metrics.json"
"""Beside the score files: what their columns mean."""


def write_scores(table: Table, folder: Path) -> list[Path]:
    """Write a file a side: a line a case and repeat, a column a metric; missing values are left out.

    Raises:
        InfrastructureError: The folder cannot be written.
    """
    written = []
    for side, columns in table.columns.items():
        path = folder / f"{side}.scores.jsonl"
        try:
            with path.open("w", encoding="utf-8") as file:
                for index, case_id in enumerate(table.case_ids):
                    repeats = next(iter(columns.values())).shape[1]
                    for repeat in range(repeats):
                        row: dict[str, object] = {"id": case_id, "repeat": repeat}
                        if table.clusters is not None:
                            row["cluster"] = str(table.clusters[index])
                        values = {name: float(array[index, repeat]) for name, array in columns.items()}
                        row |= {name: value for name, value in values.items() if not math.isnan(value)}
                        file.write(json.dumps(row, ensure_ascii=False) + "\n")
        except OSError as error:
            raise InfrastructureError(f"{path} cannot be written: {error.strerror}") from None
        written.append(path)
    return written


def write_metrics(metrics: Sequence[Metric], folder: Path) -> Path:
    """Keep what the columns of a run's score files mean."""
    path = folder / METRICS_FILE
    try:
        path.write_text(json.dumps([dataclasses.asdict(metric) for metric in metrics], indent=1) + "\n", "utf-8")
    except OSError as error:
        raise InfrastructureError(f"{path} cannot be written: {error.strerror}") from None
    return path


def read_metrics(path: Path) -> list[Metric]:
    """Read what `write_metrics` wrote.

    Raises:
        DatasetError: It is not such a file.
    """
    try:
        rows = json.loads(path.read_text("utf-8"))
        return [
            Metric(
                **{
                    **row,
                    "kind": MetricKind(row["kind"]),
                    "statistic": LabelStatistic(row["statistic"]) if row.get("statistic") else None,
                    "labels": tuple(row.get("labels", ())),
                }
            )
            for row in rows
        ]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise DatasetError(f"{path}: not a description of metrics: {error}", hint="remove the file") from None
