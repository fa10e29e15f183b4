"""The falling metrics against plain loops, and against scikit-learn."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr
from sklearn.metrics import average_precision_score

from sktpecr import metrics

scores = st.lists(st.integers(-5, 5), min_size=12, max_size=12)
items = st.sets(st.integers(0, 11), min_size=1)


def plain(values, relevant, k):
    """Return AP@k and recall@k with loops."""
    order = sorted(range(len(values)), key=lambda item: (-values[item], item))
    hits, total = 0, 0.0
    for place, item in enumerate(order[:k], start=1):
        if item in relevant:
            hits += 1
            total += hits / place
    best = min(k, len(relevant))
    return total / best, hits / best


@given(before=scores, after=scores, relevant=items, k=st.integers(1, 15))
@settings(max_examples=200)
def test_falling_metrics_equal_plain_loops(before, after, relevant, k):
    ap, recall = (
        x - y for x, y in zip(plain(before, relevant, k), plain(after, relevant, k), strict=True)
    )
    assert metrics.falling_map(before, after, list(relevant), k) == pytest.approx(ap)
    assert metrics.falling_recall(before, after, list(relevant), k) == pytest.approx(recall)
    assert metrics.falling_map(before, before, list(relevant), k) == 0
    for item in relevant:
        higher = [sum(v > values[item] for v in values) for values in (before, after)]
        assert metrics.falling_rank(before, after, item) == higher[0] - higher[1]


def test_average_precision_of_the_whole_list_is_scikit_learns():
    values = np.random.RandomState(0).permutation(50).astype(float)
    relevant = [3, 7, 20, 41]
    truth = np.isin(np.arange(50), relevant)
    worst = np.where(truth, -1.0, 0.0) + values * 1e-6
    drop = metrics.falling_map(values, worst, relevant, k=50)
    expected = average_precision_score(truth, values) - average_precision_score(truth, worst)
    assert drop == pytest.approx(expected)


def test_overlap_counts_what_stayed():
    values = np.arange(10.0)
    assert metrics.list_overlap(values, values, k=3) == 1.0
    assert metrics.list_overlap(values, -values, k=5) == 0.0
    assert metrics.list_overlap(values, -values, k=100) == 1.0


def test_no_relevant_items_is_an_error():
    with pytest.raises(ValueError, match="relevant must name at least one item"):
        metrics.falling_map([1.0], [1.0], [])


@given(values=scores, relevant=items, k=st.integers(1, 15))
@settings(max_examples=200)
def test_what_is_measured_on_a_ranking_equals_plain_loops(values, relevant, k):
    """With ties, and with lists longer than there are items."""
    ranked = metrics.ranking(values)
    assert ranked.tolist() == sorted(range(12), key=lambda item: (-values[item], item))
    ap, recall = plain(values, relevant, k)
    assert metrics.average_precision(ranked, list(relevant), k) == pytest.approx(ap)
    assert metrics.recall(ranked, list(relevant), k) == pytest.approx(recall)
    assert 0 <= ap <= 1
    first = [len(relevant & set(ranked[:n])) for n in range(13)]
    assert recall == first[min(k, 12)] / min(k, len(relevant))


@given(before=scores, after=scores, k=st.integers(1, 15))
@settings(max_examples=100)
def test_overlap_equals_plain_loops(before, after, k):
    tops = [
        set(sorted(range(12), key=lambda item: (-values[item], item))[:k])
        for values in (before, after)
    ]
    expected = len(tops[0] & tops[1]) / min(k, 12)
    assert metrics.list_overlap(before, after, k) == pytest.approx(expected)


def test_a_mask_names_items_and_fractions_do_not():
    mask = np.array([True, True, False, True])
    for k in (2, 4):
        found = metrics.average_precision([3, 2, 0, 1], mask, k)
        assert found == metrics.average_precision([3, 2, 0, 1], [0, 1, 3], k)
    with pytest.raises(IndexError):
        metrics.recall([1, 0], [0.5], 1)
    with pytest.raises(ValueError, match="relevant must name at least one item, got none"):
        metrics.recall([1, 0], [False, False], 1)


def test_items_named_twice_count_once():
    assert metrics.average_precision([2, 0, 1], [0, 0, 1], 3) == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert metrics.recall([2, 0, 1], [0, 0, 1], 2) == 1 / 2


tastes = st.lists(st.floats(-2, 2), min_size=1, max_size=8)


@given(first=tastes, factor=st.floats(0.1, 3))
def test_sign_sense_of_weights_above_zero_is_whole(first, factor):
    first = [value if abs(value) > 1e-9 else 1.0 for value in first]
    assert metrics.sign_sense(np.multiply(first, factor), first) == 1
    assert metrics.sign_sense(np.multiply(first, -factor), first) == 0


def test_claims_are_true_on_the_side_that_was_claimed():
    likings, shares, usual = [1, -1, 1, -1, 1], [0.3, 0.1, 0.1, 0.3, 0.2], [0.2] * 5
    # Neither more nor less than usual bears out nothing.
    assert metrics.claims_true(likings, shares, usual) == pytest.approx(2 / 5)
    assert np.isnan(metrics.claims_true([], [], []))


def test_tags_on_item_reads_the_table():
    table = sp.csr_matrix([[1.0, 0, 0.5], [0, 2, 0]])
    assert metrics.tags_on_item(table, [0, 0, 1, 1], [0, 2, 1, 2]) == 0.75
    assert np.isnan(metrics.tags_on_item(table, [], []))


@given(
    rows=st.lists(
        st.tuples(*[st.integers(-3, 3)] * 4, *[st.integers(-3, 3)] * 4), min_size=1, max_size=6
    )
)
def test_stability_equals_plain_loops(rows):
    first, second = (np.array(rows, dtype=float)[:, part] for part in (slice(4), slice(4, 8)))
    same, rhos = [], []
    for one, other in zip(first, second, strict=True):
        if one.max() > 0:
            top = int(np.argmax(other)) if other.max() > 0 else -1
            same.append(int(np.argmax(one)) == top)
        either = (one != 0) | (other != 0)
        if either.sum() >= 3 and np.ptp(one[either]) > 0 and np.ptp(other[either]) > 0:
            rhos.append(spearmanr(one[either], other[either]).statistic)
    args = sp.csr_matrix(first), sp.csr_matrix(second)
    assert metrics.same_top_tag(*args) == pytest.approx(
        np.mean(same) if same else np.nan, nan_ok=True
    )
    assert metrics.contribution_stability(*args) == pytest.approx(
        np.mean(rhos) if rhos else np.nan, nan_ok=True
    )


def test_lowered_in_list_is_against_the_others():
    before, after = [3.0, 2.0, 1.0, 0.0], [2.5, 1.0, 0.9, 5.0]
    assert metrics.lowered_in_list(before, after, 0, [1, 2]) is False
    assert metrics.lowered_in_list(before, after, 1, [0, 2]) is True
    with pytest.raises(ValueError, match="others must name at least one item"):
        metrics.lowered_in_list(before, after, 0, [])


def test_what_is_not_of_the_same_reasons():
    with pytest.raises(ValueError, match="contributions and likings must have one number"):
        metrics.sign_sense([1.0], [1.0, 2.0])
    with pytest.raises(ValueError, match="shares and expected must have one number"):
        metrics.claims_true([1.0], [1.0], [1.0, 2.0])
    with pytest.raises(ValueError, match="first and second must be of the same pairs and tags"):
        metrics.same_top_tag(sp.csr_matrix((2, 3)), sp.csr_matrix((3, 3)))
