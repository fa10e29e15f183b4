"""From cases to means, intervals and paired differences."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray

# Columns that say what a case is; ids can be numbers, and are no metrics.
CASE = ("case", "user", "item", "tag")


def summarize(
    cases: pd.DataFrame,
    by: Sequence[str] = ("method",),
    *,
    metrics: Sequence[str] | None = None,
    baseline: Any = None,
    n_resamples: int = 1000,
    random_state: int = 0,
) -> pd.DataFrame:
    """Summarise cases: mean, 95 % interval, median, and paired difference to a baseline.

    Parameters
    ----------
    cases : DataFrame
        A row per method and case, as the functions of ``sktpecr.evaluation`` return with
        ``return_cases=True``: the columns `by`, "case", and one column per metric. NaN where a
        metric is not defined for a case; such cases are left out of that metric.
    by : sequence of str, default=("method",)
        Columns to group by; the first is the one that `baseline` is a value of.
    metrics : sequence of str, optional
        Columns to summarise. By default all with numbers, other than `by`, "case", and the ids
        "user", "item" and "tag".
    baseline : object, optional
        Value of the first column of `by` that the others are compared with, case by case.
    n_resamples : int, default=1000
        Bootstrap resamples of the cases.
    random_state : int, default=0
        Seeds the bootstrap.

    Returns
    -------
    DataFrame
        Columns: those of `by`, metric, n, mean, low, high, median; with a baseline also
        difference, difference_low, difference_high: mean and interval of value minus the
        baseline's on the same case.

    Raises
    ------
    ValueError
        If a column or the baseline is not in `cases`, or a case is there twice.

    Notes
    -----
    Percentile bootstrap over cases. Cases of one user are taken as independent, as in the paper.

    Examples
    --------
    >>> import pandas as pd
    >>> from sktpecr.evaluation import summarize
    >>> cases = pd.DataFrame({"method": ["a", "a", "b", "b"], "case": [0, 1, 0, 1]})
    >>> cases["gain"] = [1.0, 3.0, 2.0, 5.0]
    >>> summarize(cases, baseline="a")[["method", "metric", "mean", "difference"]]
      method metric  mean  difference
    0      a   gain   2.0         NaN
    1      b   gain   3.5         1.5
    """
    check_cases(cases)
    by = check_names(by, "by")
    if metrics is None:
        numbers = cases.select_dtypes(["number", "bool"]).columns
        metrics = [name for name in numbers if name not in [*by, *CASE]]
    metrics = check_names(metrics, "metrics")
    missing = [name for name in [*by, "case", *metrics] if name not in cases.columns]
    if missing:
        raise ValueError(
            f"cases has no column {missing[0]!r}; it has {', '.join(map(str, cases.columns))}"
        )
    if baseline is not None and baseline not in set(cases[by[0]]):
        raise ValueError(
            f"baseline {baseline!r} is not in the column {by[0]!r}, which has "
            f"{', '.join(map(repr, cases[by[0]].unique()))}"
        )
    if cases.duplicated([*by, "case"]).any():
        raise ValueError(
            f"cases must have one row for each case and {', '.join(map(repr, by))}, got several; "
            f"put into by= what tells them apart, such as 'strength' or 'd'"
        )
    groups = {key: group.set_index("case") for key, group in cases.groupby(by, sort=False)}
    rows = []
    for key, group in groups.items():
        rival = None if baseline in (None, key[0]) else groups.get((baseline, *key[1:]))
        for metric in metrics:
            values = group[metric].to_numpy(np.float64)
            low, high = _interval(values, n_resamples, random_state)
            known = values[~np.isnan(values)]
            row = dict(zip(by, key, strict=True)) | {
                "metric": metric,
                "n": len(known),
                "mean": _mean(known),
                "low": low,
                "high": high,
                "median": float(np.median(known)) if len(known) else np.nan,
            }
            if baseline is not None:
                less: Any = np.full(1, np.nan) if rival is None else group[metric] - rival[metric]
                less = np.asarray(less, dtype=np.float64)
                low, high = _interval(less, n_resamples, random_state)
                row |= {
                    "difference": _mean(less[~np.isnan(less)]),
                    "difference_low": low,
                    "difference_high": high,
                }
            rows.append(row)
    return pd.DataFrame(rows)


def summary_or_cases(
    rows: Iterable[dict[str, Any]],
    return_cases: bool,
    by: Sequence[str] = ("method",),
    *,
    metrics: Sequence[str] | None = None,
    baseline: Any = None,
) -> pd.DataFrame:
    """Return the cases themselves, or the summary of them."""
    cases = pd.DataFrame(list(rows))
    return cases if return_cases else summarize(cases, by, metrics=metrics, baseline=baseline)


def _mean(values: NDArray) -> float:
    return float(values.mean()) if len(values) else np.nan


def _interval(values: NDArray, n_resamples: int, random_state: int) -> tuple[float, float]:
    # A second to import, and only needed here.
    from scipy.stats import bootstrap

    known = values[~np.isnan(values)]
    if len(known) < 2:  # one case says nothing of its spread
        return np.nan, np.nan
    found = bootstrap(
        (known,),
        np.mean,
        n_resamples=n_resamples,
        batch=max(1, 4_000_000 // len(known)),
        method="percentile",
        random_state=random_state,
    ).confidence_interval
    return float(found.low), float(found.high)


def check_cases(cases: Any) -> None:
    """Raise unless it is a table."""
    if not isinstance(cases, pd.DataFrame):
        raise ValueError(
            f"cases must be a DataFrame, as return_cases=True returns, got {type(cases).__name__}"
        )


def check_names(names: Any, parameter: str) -> list[Any]:
    """Return names of columns as a list, or say that they are none."""
    is_list = not isinstance(names, str | bytes) and hasattr(names, "__iter__")
    found = list(names) if is_list and not sp.issparse(names) else None
    if found is None or not all(isinstance(name, Hashable) for name in found):
        raise ValueError(f"{parameter} must be a list of names of columns, got {names!r:.80}")
    return found
