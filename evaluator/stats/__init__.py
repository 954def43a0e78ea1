"""Statistics of runs and comparisons: numpy arrays in, small frozen dataclasses out; no I/O, no verdicts."""

from evaluator.stats.arrays import FloatArray, IntArray, as_matrix, case_means, cluster_codes, moments, unit_count
from evaluator.stats.betting import BettingProcess
from evaluator.stats.bootstrap import (
    PairedDraws,
    difference_interval,
    log_ratio_interval,
    one_run_interval,
    share_ratio_interval,
)
from evaluator.stats.labels import label_draws, label_statistic
from evaluator.stats.means import lognormal_mean_interval, looks_lognormal, mean_difference_interval, mean_interval
from evaluator.stats.noise import run_to_run_error
from evaluator.stats.paired_proportions import (
    PairedTable,
    bonett_price_interval,
    newcombe_interval,
    paired_table,
    share_change_interval,
    share_difference_interval,
)
from evaluator.stats.power import cases_needed, detectable_change, relative_standard_error
from evaluator.stats.proportions import clopper_pearson_interval, is_plain, share_interval, wilson_interval
from evaluator.stats.quantiles import exceedance_interval, quantile, quantile_draws, quantile_interval
from evaluator.stats.ratio import ratio_change_interval, relative_change
from evaluator.stats.special import normal_quantile, t_quantile
from evaluator.stats.variance import VarianceSplit, variance_split

__all__ = [
    "BettingProcess",
    "FloatArray",
    "IntArray",
    "PairedDraws",
    "PairedTable",
    "VarianceSplit",
    "as_matrix",
    "bonett_price_interval",
    "case_means",
    "cases_needed",
    "clopper_pearson_interval",
    "cluster_codes",
    "detectable_change",
    "difference_interval",
    "exceedance_interval",
    "is_plain",
    "label_draws",
    "label_statistic",
    "log_ratio_interval",
    "lognormal_mean_interval",
    "looks_lognormal",
    "mean_difference_interval",
    "mean_interval",
    "moments",
    "newcombe_interval",
    "normal_quantile",
    "one_run_interval",
    "paired_table",
    "quantile",
    "quantile_draws",
    "quantile_interval",
    "ratio_change_interval",
    "relative_change",
    "relative_standard_error",
    "run_to_run_error",
    "share_change_interval",
    "share_difference_interval",
    "share_interval",
    "share_ratio_interval",
    "t_quantile",
    "unit_count",
    "variance_split",
    "wilson_interval",
]
