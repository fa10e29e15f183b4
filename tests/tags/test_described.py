"""What tags that describe somebody new say of items: a little, and what it takes to be seen."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.decomposition import TruncatedSVD

from sktpecr import TPECRExplainer
from sktpecr.datasets import make_tagged_interactions
from sktpecr.tags._temperature import temperature_of
from sktpecr.tags._user import User

DATA = make_tagged_interactions(100, 150, 12, random_state=0)
HAS = DATA.item_tags.to_numpy() > 0
HAS[40:, 11] = False  # a tag on few items
POPULATION = TPECRExplainer(TruncatedSVD(8, random_state=0), HAS.astype(float))
POPULATION = POPULATION.fit(DATA.interactions).tag_model_
VALUES = st.floats(-3, 3).filter(bool)


def described(values):
    return User.of(POPULATION, tags={f"tag_{tag}": value for tag, value in values.items()})


def a_little(values):
    """Return .05 answers a standard deviation, each of log(.95 / .05), by the formula."""
    ways = [value * HAS[:, tag] for tag, value in values.items()]
    return 0.05 * np.log(19) * np.sum(ways, axis=0) / len(values)


def listed(taste, wish):
    """Return the first ten, by a sort of all items."""
    return np.argsort(-(taste + temperature_of(taste) * wish), kind="stable")[:10]


@settings(max_examples=60, deadline=None)
@given(tag=st.sampled_from(range(12)), value=VALUES)
def test_a_tag_counts_for_as_much_as_it_takes_and_no_more(tag, value):
    user = described({tag: value})
    taste, wish, little = user.taste(POPULATION), user.wish, a_little({tag: value})
    amount = min(int(np.ceil(1.5 * abs(value))), 3)
    wanted = min(amount, -(-HAS[:, tag].sum() // 10)) if value > 0 else 3 - amount

    def enough(wish):
        count = HAS[listed(taste, wish), tag].sum()
        return count >= wanted if value > 0 else count <= wanted

    assert enough(wish)
    if enough(little):
        np.testing.assert_allclose(wish, little, atol=1e-12)
    else:
        assert not enough(little + (1 - 1e-6) * (wish - little))
    moved = wish[HAS[:, tag]]
    assert ((moved > 0) if value > 0 else (moved < 0)).all()
    assert not wish[~HAS[:, tag]].any()


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(st.sampled_from(range(12)), VALUES, min_size=2, max_size=5))
def test_several_tags_share_the_list(values):
    """At least half of it stays, and the tag that matters most is seen."""
    user = described(values)
    taste = user.taste(POPULATION)
    own, found = (listed(taste, wish) for wish in (a_little(values), user.wish))
    first = listed(taste, np.zeros(len(taste)))
    assert len(np.intersect1d(first, found)) >= min(5, len(np.intersect1d(first, own)))
    most = sorted(values, key=values.get)[-1]
    if values[most] > 0 and len(np.intersect1d(first, found)) > 5:
        assert HAS[found, most].any()


@given(st.lists(VALUES, min_size=12, max_size=12))
def test_more_tags_than_the_list_is_long_count_a_little_each(values):
    values = dict(enumerate(values))
    np.testing.assert_allclose(described(values).wish, a_little(values), atol=1e-12)
