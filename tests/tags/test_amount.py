import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from sktpecr._inputs._feedback import AMOUNTS
from sktpecr._utils._ranking import top_items
from sktpecr.tags._amount import by_taste, solve_amounts, wanted_count


def solve_amount(base, evidence, candidates, wanted, *how, **named):
    return solve_amounts(base, evidence, candidates, [wanted], *how, **named)[0]


def count(base, evidence, candidates, strength, n):
    values = base + strength * evidence
    order = [item for item in np.argsort(-values, kind="stable") if candidates[item]][:n]
    return np.count_nonzero(evidence[order])


@st.composite
def lists(draw):
    n_items = draw(st.integers(2, 25))
    numbers = st.integers(-20, 20).map(lambda value: value / 4)  # with ties
    base = np.array(draw(st.lists(numbers, min_size=n_items, max_size=n_items)))
    weights = st.sampled_from([0.0, 0.0, 0.3, 1.0, 2.2])
    evidence = np.array(draw(st.lists(weights, min_size=n_items, max_size=n_items)))
    candidates = np.array(draw(st.lists(st.booleans(), min_size=n_items, max_size=n_items)))
    assume((evidence[candidates] > 0).any())
    return base, draw(st.sampled_from([1, -1])) * evidence, candidates, draw(st.integers(1, 8))


@settings(max_examples=100, deadline=None)
@given(given=lists(), wanted=st.integers(0, 8))
def test_strength_is_the_smallest_that_reaches_what_can_be_reached(given, wanted):
    base, evidence, candidates, n = given
    found = solve_amount(base, evidence, candidates, wanted, n, keep=0.0)
    sign = 1 if evidence.max() > 0 else -1
    assert found.before == count(base, evidence, candidates, 0.0, n)
    assert found.count == count(base, evidence, candidates, found.strength, n)
    # A fine grid below falls short of it, and strengths far above do no better.
    for share in np.linspace(0, 1 - 1e-6, 50):
        less = count(base, evidence, candidates, share * found.strength, n)
        assert sign * less < sign * found.count or found.strength < 1e-6
    most = count(base, evidence, candidates, 1e6, n)
    if sign * (wanted - found.before) > 0:
        assert sign * found.count >= sign * (min(wanted, most) if sign > 0 else max(wanted, most))


@settings(max_examples=60, deadline=None)
@given(given=lists(), keep=st.floats(0, 1))
def test_more_is_never_less_and_the_list_keeps_what_it_must(given, keep):
    base, evidence, candidates, n = given
    found = solve_amounts(base, evidence, candidates, list(AMOUNTS), n, keep)
    assert found == [solve_amount(base, evidence, candidates, each, n, keep) for each in AMOUNTS]
    strengths = [each.strength for each in found]
    assert strengths == sorted(strengths)
    assert all(each.kept >= keep * min(n, candidates.sum()) for each in found)


def test_crossing_is_exact():
    base, evidence = np.array([3.0, 2.0, 1.25, 0.5]), np.array([0, 0, 0.5, 2.0])
    found = solve_amount(base, evidence, np.ones(4, dtype=bool), 1, n=2)
    # 0.5 + 2 a = 2 comes before 1.25 + 0.5 a = 2.
    assert found.strength == pytest.approx(0.75, abs=1e-7)


def test_it_says_what_cannot_be_done():
    base = np.arange(10.0)[::-1].copy()
    evidence = np.zeros(10)
    evidence[7:] = 1.0
    everything = np.ones(10, dtype=bool)
    found = solve_amount(base, evidence, everything, 5, n=6)
    assert not found.met
    assert str(found).endswith("0 -> 3 of the first 6, 3 of which stay: no more in the catalogue")
    tight = solve_amount(base, evidence, everything, 5, n=6, keep=0.8)
    assert (tight.count, tight.available) == (1, 3)
    assert str(tight).endswith("1 of the 3 in the catalogue")
    dear = solve_amount(base, evidence, everything, 3, n=6, keep=0.8)
    assert str(dear).endswith("3 would replace too much of the list")


def test_nothing_has_to_be_done_for_what_is_there():
    base, evidence = np.array([3.0, 2.0, 1.0]), np.array([1.0, 0, 0])
    assert solve_amount(base, evidence, np.ones(3, dtype=bool), 1, n=2).strength == 0


@pytest.mark.parametrize("evidence", [np.zeros(3), np.array([1.0, -1.0, 0.0])])
def test_evidence_has_one_sign(evidence):
    with pytest.raises(ValueError, match="evidence must be above 0"):
        solve_amount(np.arange(3.0), evidence, np.ones(3, dtype=bool), 1)


def test_less_at_more_halves_at_least():
    for before in range(1, 11):
        assert wanted_count("more", before, 10, liked=False) <= before / 2
    with pytest.raises(ValueError, match="amount must be one of 'a bit', 'more', 'a lot'"):
        wanted_count("much", 1, 10, liked=True)


@settings(max_examples=60, deadline=None)
@given(given=lists())
def test_taste_keeps_signs_and_the_order_within_a_tag(given):
    base, evidence, candidates, n = given
    evidence = np.where(evidence != 0, 1.5, 0.0)
    shaped = by_taste(evidence, base, candidates, top_items(base, candidates, n))
    assert ((shaped > 0) == (evidence > 0)).all()
    assert (shaped <= evidence).all()
    on = np.flatnonzero(evidence)
    order = on[np.argsort(base[on])]
    assert (np.diff(shaped[order]) >= 0).all()


def test_by_taste_a_film_comes_and_the_rest_of_the_list_stays():
    rng = np.random.RandomState(0)
    base, on = np.sort(rng.normal(size=2000))[::-1].copy(), rng.uniform(size=2000) < 0.1
    on[:200] = False
    everything, evidence = np.ones(2000, dtype=bool), on.astype(float)
    kept = {}
    for name, each in {
        "plain": evidence,
        "by taste": by_taste(evidence, base, everything, np.arange(10)),
    }.items():
        found = solve_amount(base, each, everything, "more")
        assert found.count == 2
        after = np.argsort(-(base + found.strength * each))[:100]
        kept[name] = np.isin(np.arange(100), after).mean()
    assert kept["by taste"] > kept["plain"]


def test_without_anything_to_come_evidence_stays_as_it_is():
    evidence = np.array([1.0, 0.0, 0.0])
    for base in (np.array([3.0, 2.0, 1.0]), np.zeros(3)):
        found = by_taste(evidence, base, np.ones(3, dtype=bool), np.arange(2))
        np.testing.assert_array_equal(found, evidence)


def test_amounts_in_numbers():
    for liked, expected in ((True, [8, 9, 10]), (False, [6, 3, 3])):
        assert [wanted_count(amount, 7, 10, liked) for amount in AMOUNTS] == expected
    base = np.array([3.0, 2.0, 1.0, 0.0])
    shaped = by_taste(np.array([0, 1.0, 1, 1]), base, np.ones(4, dtype=bool), np.arange(1))
    np.testing.assert_allclose(shaped, [0, 1, 0.639, 0.409], atol=1e-3)
    base, evidence = np.array([5.0, 4.0, 3.0, 2.0, 1.0]), np.array([0.0, 0.0, 0.0, 1.0, 1.0])
    more = solve_amount(base, evidence, np.ones(5, dtype=bool), "a bit", n=3)
    assert more.strength == pytest.approx(1.0, abs=1e-3)
    assert str(more) == "0 -> 1 of the first 3, 2 of which stay"
