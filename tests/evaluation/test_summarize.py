"""Means, intervals and paired differences against plain numpy, and against a known truth."""

import numpy as np
import pandas as pd
import pytest

from sktpecr.evaluation import summarize
from sktpecr.evaluation._summary import summary_or_cases


def cases_of(values, **columns):
    """Return cases: {method: values of the metric}."""
    return pd.concat(
        [
            pd.DataFrame({"method": name, "case": range(len(each)), "gain": each, **columns})
            for name, each in values.items()
        ],
        ignore_index=True,
    )


def test_means_medians_and_counts():
    rng = np.random.RandomState(0)
    values = {"a": rng.normal(size=31), "b": rng.exponential(size=31)}
    found = summarize(cases_of(values)).set_index("method")
    assert list(found.columns) == ["metric", "n", "mean", "low", "high", "median"]
    for name, each in values.items():
        row = found.loc[name]
        assert (row["metric"], row["n"]) == ("gain", 31)
        assert row["mean"] == pytest.approx(each.mean())
        assert row["median"] == pytest.approx(np.median(each))
        assert row["low"] < row["mean"] < row["high"]


def test_interval_is_the_percentiles_of_resampled_means():
    values = np.random.RandomState(0).exponential(size=40)
    found = summarize(cases_of({"a": values}), n_resamples=20_000).iloc[0]
    rng = np.random.RandomState(1)
    means = values[rng.randint(40, size=(20_000, 40))].mean(axis=1)
    np.testing.assert_allclose(
        found[["low", "high"]].astype(float), np.percentile(means, [2.5, 97.5]), rtol=0.02
    )


def test_interval_covers_the_mean_of_a_known_distribution_in_19_of_20_samples():
    rng = np.random.RandomState(0)
    samples = rng.normal(3.0, 2.0, size=(400, 50))
    cases = cases_of({f"sample {i}": sample for i, sample in enumerate(samples)})
    found = summarize(cases, n_resamples=500)
    covered = ((found["low"] <= 3.0) & (found["high"] >= 3.0)).mean()
    # Percentile intervals of 50 cases cover 94 %; the standard error is 1.2 %.
    assert 0.91 <= covered <= 0.97


def test_paired_difference_is_the_mean_of_the_differences_with_its_own_interval():
    rng = np.random.RandomState(0)
    level = rng.normal(0, 10.0, size=60)
    values = {"a": level, "b": level + rng.normal(1.0, 0.5, size=60)}
    found = summarize(cases_of(values), baseline="a").set_index("method")
    assert found.loc["a"].filter(like="difference").isna().all()
    row, less = found.loc["b"], values["b"] - values["a"]
    assert row["difference"] == pytest.approx(less.mean())
    of_less = summarize(cases_of({"less": less})).iloc[0]
    assert (row["difference_low"], row["difference_high"]) == (of_less["low"], of_less["high"])
    # Much narrower than what unpaired means leave open.
    assert row["difference_high"] - row["difference_low"] < (row["high"] - row["low"]) / 10


def test_pairs_are_made_by_case_whatever_the_order():
    cases = cases_of({"a": [1.0, 2.0, 4.0], "b": [2.0, 4.0, 8.0]})
    shuffled = pd.concat([cases[:3], cases[3:][::-1]])
    for each in (cases, shuffled):
        found = summarize(each, baseline="a").set_index("method")
        assert found.loc["b", "difference"] == pytest.approx(7 / 3)
    # Cases that only one of both has are no pairs.
    found = summarize(cases.drop(index=[0, 5]), baseline="a").set_index("method")
    assert found.loc["b", "difference"] == pytest.approx(2.0)
    assert found.loc["b", "n"] == 2


def test_groups_are_compared_within_the_other_columns():
    parts = [cases_of({"a": [1.0, 1.0], "b": [s, s + 2]}, strength=float(s)) for s in (1, 5)]
    found = summarize(pd.concat(parts), ["method", "strength"], baseline="a")
    found = found.set_index(["method", "strength"])
    assert found.loc[("b", 1.0), "difference"] == 1.0
    assert found.loc[("b", 5.0), "difference"] == 5.0
    alone = pd.concat([parts[0], parts[1][parts[1]["method"] == "b"]])
    found = summarize(alone, ["method", "strength"], baseline="a")
    assert np.isnan(found.set_index(["method", "strength"]).loc[("b", 5.0), "difference"])


def test_what_is_not_defined_is_left_out():
    cases = cases_of({"a": [1.0, np.nan, 3.0], "b": [2.0, 7.0, np.nan], "c": [np.nan] * 3})
    found = summarize(cases, baseline="a").set_index("method")
    assert found["n"].tolist() == [2, 2, 0]
    np.testing.assert_array_equal(found["mean"], [2.0, 4.5, np.nan])
    np.testing.assert_array_equal(found["median"], [2.0, 4.5, np.nan])
    assert found.loc["b", "difference"] == 1.0  # the first case alone
    assert np.isnan(found.loc["b", "difference_low"])
    assert np.isnan(found.loc["c", ["low", "high", "difference"]].astype(float)).all()


def test_one_case_has_a_mean_and_no_interval():
    found = summarize(cases_of({"a": [2.5]})).iloc[0]
    assert (found["n"], found["mean"], found["median"]) == (1, 2.5, 2.5)
    assert np.isnan(found["low"])
    assert np.isnan(found["high"])


def test_cases_all_alike_have_an_interval_of_no_width():
    found = summarize(cases_of({"a": [2.0] * 5})).iloc[0]
    assert found["low"] == found["high"] == found["mean"] == 2.0


def test_ids_are_no_metrics_even_if_they_are_numbers():
    cases = cases_of({"a": [1.0, 2.0]}, user=7, item=8, tag=9).assign(up=[True, False], word="x")
    assert summarize(cases)["metric"].tolist() == ["gain", "up"]
    assert summarize(cases, metrics=["up"])["mean"].tolist() == [0.5]


def test_equal_calls_are_equal_and_the_cases_stay_as_they_are():
    cases = cases_of({"a": np.random.RandomState(0).normal(size=20)})
    before = cases.copy()
    first, other = summarize(cases), summarize(cases, random_state=1)
    assert first.equals(summarize(cases))
    assert cases.equals(before)
    assert first["low"][0] != other["low"][0]


def test_a_summary_or_the_cases():
    rows = [{"method": "a", "case": i, "gain": float(i), "loss": 0.0} for i in range(3)]
    assert summary_or_cases(iter(rows), True).to_dict("records") == rows
    found = summary_or_cases(iter(rows), False, metrics=["gain"])
    assert found[["metric", "mean"]].values.tolist() == [["gain", 1.0]]


CASES = cases_of({"a": [1.0, 2.0], "b": [3.0, 4.0]})
BAD = {
    "by": ({"by": ["method", "d"]}, "cases has no column 'd'; it has method, case, gain"),
    "metric": ({"metrics": ["loss"]}, "cases has no column 'loss'"),
    "baseline": ({"baseline": "c"}, "baseline 'c' is not in the column 'method', .* 'a', 'b'"),
    "twice": (
        {"cases": pd.concat([CASES, CASES])},
        "one row for each case and 'method', got several; put into by= what tells them apart",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_calls_say_what_is_wrong(name):
    changes, message = BAD[name]
    with pytest.raises(ValueError, match=message):
        summarize(**{"cases": CASES, **changes})
