"""The benchmark of conversations: who is compared with whom, and where it is read."""

import numpy as np
import pandas as pd
import pytest

from benchmarks.beyond import conversations


def fake(method, success, overlap=0.6):
    return pd.DataFrame(
        {
            "method": method,
            "case": range(50),
            "success@10": (np.arange(50) < success * 50).astype(float),
            "turns": 3,
            "overlap@10": overlap,
            "history rank": 0.1,
        }
    )


def test_differences_are_paired_and_judged():
    cases = pd.concat([fake("ours", 0.6), fake("Bayesian", 0.9), fake("e_u", 0.2)])
    rows = {row.column: row for row in conversations._compared("toy", cases)}
    assert rows["pairs"].here == 50
    assert rows["success@10 ours - e_u"].here == pytest.approx(0.4)
    assert rows["success@10 ours - e_u"].holds is True
    assert rows["success@10 ours - Bayesian"].holds is None
    lost = conversations._compared("toy", pd.concat([fake("ours", 0.1), fake("e_u", 0.2)]))
    assert next(row.holds for row in lost if row.column.endswith("ours - e_u")) is False


def test_share_above_by_brute_force():
    rng = np.random.RandomState(0)
    scores, history = rng.randn(30), np.array([3, 7, 11])
    expected = np.mean([sum(other > scores[item] for other in scores) / 30 for item in history])
    assert conversations._share_above(scores, history) == pytest.approx(expected)


def test_strengths_are_chosen_on_the_pilot_alone(monkeypatch):
    asked = []

    def measured(refiner, pairs, *, strength, n_pairs, **settings):
        asked.append((pairs, strength, n_pairs))
        overlap = 1 / (1 + strength)
        return fake("refiner", 0.5, overlap).assign(turn=conversations._N_TURNS)

    class Here:
        learn_pairs, pairs = "pilot", "test"

    monkeypatch.setattr(conversations, "evaluate_conversation", measured)
    cases = conversations._swept(Here(), "random", "ours", None)
    pilot = [strength for pairs, strength, _ in asked if pairs == "pilot"]
    tested = [strength for pairs, strength, _ in asked if pairs == "test"]
    # Overlap .5 lies between .5 and 2 in strength; 1 is always there.
    assert pilot == [0.5, 1.0, 2.0]
    assert tested == [0.5, 1.0, 2.0]
    assert set(cases["strength"]) == {0.5, 1.0, 2.0}
    assert set(cases["method"]) == {"ours"}
