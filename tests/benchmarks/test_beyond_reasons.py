"""The measurement of reasons: its rival that asks no model, against plain loops."""

import numpy as np
import scipy.sparse as sp

from benchmarks.beyond.reasons_named import Tagged, tell_history


def test_history_names_the_tags_farthest_from_the_average_share():
    rng = np.random.RandomState(0)
    X = rng.uniform(size=(12, 9)) < 0.5
    tags = rng.uniform(size=(9, 6)) < 0.6
    data = Tagged(sp.csr_matrix(X, dtype=float), sp.csr_matrix(tags, dtype=float), np.arange(6))
    pairs = np.array([(user, item) for user in range(12) for item in (0, 4, 7)])
    told = tell_history(data, pairs)
    shares = np.array([tags[row].mean(axis=0) if row.any() else np.zeros(6) for row in X])
    for pair, (user, item) in enumerate(pairs):
        away = np.where(tags[item], shares[user] - shares.mean(axis=0), 0)
        named = told.tags[told.pairs == pair]
        assert tags[item, named].all()
        assert len(named) == min(3, tags[item].sum())
        left = np.setdiff1d(np.arange(6), named)
        assert np.abs(away[named]).min() >= np.abs(away[left]).max() - 1e-12
        np.testing.assert_allclose(told.likings[told.pairs == pair], away[named], atol=1e-12)
        np.testing.assert_allclose(told.own[pair].toarray()[0], away, atol=1e-12)
