"""No line of Python runs once per id: what a million of them would cost is told by counting."""

import sys
import uuid
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

import sktpecr
from sktpecr._inputs._catalogue import Catalogue
from sktpecr._inputs._ids import Ids
from sktpecr.datasets import TaggedInteractions
from sktpecr.recommenders import FactorRecommender, as_recommender

KINDS = {
    "int": lambda n: [1000 + i for i in range(n)],
    "str": lambda n: [f"id-{i}" for i in range(n)],
    "int64": lambda n: np.arange(1000, 1000 + n),
    "object": lambda n: np.array([f"id-{i}" for i in range(n)], dtype=object),
    "UUID": lambda n: [uuid.UUID(int=i) for i in range(n)],
    "Series": lambda n: pd.Series([f"id-{i}" for i in range(n)]),
}

# The package's own folder: a clone may be called sktpecr, too, and hold pandas' files.
PACKAGE = str(Path(sktpecr.__file__).parent)


def bytecodes_in_sktpecr(call):
    """Count the bytecodes that run in files of this package."""
    count = 0

    def trace(frame, event, argument):
        nonlocal count
        if not frame.f_code.co_filename.startswith(PACKAGE):
            return None
        frame.f_trace_opcodes = True
        count += event == "opcode"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        call()
    finally:
        sys.settrace(before)
    return count


def assert_no_loop(make):
    """Count for 500 ids and for 5,000: the same, up to what caches do."""
    calls = [make(n) for n in (500, 5_000)]
    few, many = (bytecodes_in_sktpecr(call) for call in calls)
    assert 0 < many < few + 500


@pytest.mark.parametrize("kind", KINDS)
class TestEveryKindOfId:
    def test_made(self, kind):
        def make(n):
            labels = KINDS[kind](n)
            return lambda: Ids("user", labels, n, "user_ids")

        assert_no_loop(make)

    def test_looked_up(self, kind):
        def make(n):
            labels = KINDS[kind](n)
            ids = Ids("user", labels, n, "user_ids")
            return lambda: ids.rows(labels)

        assert_no_loop(make)

    def test_in_a_catalogue(self, kind):
        def make(n):
            labels, X = KINDS[kind](n), sp.csr_matrix((3, n))
            names = pd.Series([f"film {i}" for i in range(n)], index=list(labels))
            return lambda: Catalogue(X.shape, X, None, labels, names)

        assert_no_loop(make)

    def test_of_a_recommender(self, kind):
        def make(n):
            labels, factors = KINDS[kind](n), np.ones((n, 2))
            return lambda: FactorRecommender(factors, factors, user_ids=labels, item_ids=labels)

        assert_no_loop(make)

    def test_in_long_tables(self, kind):
        def make(n):
            labels = KINDS[kind](n)
            rated = pd.DataFrame({"user": labels, "item": labels})
            tagged = pd.DataFrame({"item": labels, "tag": ["x", "y"] * (n // 2)})
            return lambda: TaggedInteractions.from_frames(rated, tagged)

        assert_no_loop(make)


def test_counting_sees_a_loop():
    def make(n):
        labels = [(i,) for i in range(n)]
        ids = Ids("user", labels, n, "user_ids")
        return lambda: [ids.row(label) for label in labels]

    with pytest.raises(AssertionError):
        assert_no_loop(make)


def test_unknown_ids_of_any_kind_are_named_with_near_ones():
    keys = {
        "int": (1002, 10025),
        "str": ("id-2", "id-2x"),
        "UUID": (uuid.UUID(int=2), str(uuid.UUID(int=2))),
    }
    for kind, (known, wrong) in keys.items():
        ids = Ids("item", KINDS[kind](50), 50, "item_ids")
        assert ids.row(known) == 2
        with pytest.raises(ValueError, match=r"unknown item .* did you mean"):
            ids.row(wrong)
    assert as_recommender((np.eye(2), np.eye(2))).user_ids is None
