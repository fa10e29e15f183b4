"""What is sent to a worker: nothing of users, and as good as the whole."""

import pickle

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from implicit.als import AlternatingLeastSquares

from sktpecr import GaussianGenerator, TPECRExplainer
from sktpecr.attribution import LimeAttribution
from sktpecr.explanation._list_explainer import ListExplainer
from sktpecr.explanation._some_users import SomeUsers


class Box:
    """A recommender of one's own."""

    def __init__(self, users, items):
        self.user_embeddings, self.items = users, items

    def score_items(self, embeddings, items=None):
        scores = np.tanh(embeddings @ self.items.T)
        return scores if items is None else scores[:, items]


def als(users, items):
    model = AlternatingLeastSquares(factors=users.shape[1], random_state=0)
    model.user_factors, model.item_factors = users, items
    return model


BOX = {
    "generator": GaussianGenerator(),
    "attribution": LimeAttribution(n_samples=50, random_state=0),
}
KINDS = {
    "factors": (lambda users, items: (users, items), {}),
    "implicit": (als, {}),
    "box": (Box, BOX),
}


def lists(kind, n_users, n_items=90):
    rng = np.random.RandomState(0)
    users = rng.standard_normal((n_users, 8)).astype(np.float32)
    items = rng.standard_normal((n_items, 8)).astype(np.float32)
    tags = rng.uniform(size=(n_items, 5)) < 0.4
    seen = np.arange(n_users) % n_items
    X = sp.csr_matrix((np.ones(n_users, np.float32), (np.arange(n_users), seen)))
    wrap, settings = KINDS[kind]
    explainer = TPECRExplainer(wrap(users, items), tags, **settings)
    explainer.fit(X, user_ids=[f"user_{number:06d}" for number in range(n_users)])
    tag_model = explainer._tag_model
    catalogue = tag_model.catalogue
    ids, names = catalogue.item_ids, catalogue.item_names
    work = ListExplainer(tag_model, ids, names, np.ones(n_items, dtype=bool), 4, 2)
    return work, SomeUsers(explainer.user_ids_[:7], users[:7], X[:7])


@pytest.mark.filterwarnings("ignore:item_tags explain the scores no better")  # drawn at random
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_sent_is_as_large_however_many_users_there_are(kind):
    few, many = (len(pickle.dumps(lists(kind, n)[0])) for n in (100, 20_000))
    assert abs(many - few) < 500


@pytest.mark.parametrize("kind", KINDS)
def test_what_arrives_says_the_same(kind):
    work, users = lists(kind, 100)
    arrived = pickle.loads(pickle.dumps(work))
    pd.testing.assert_frame_equal(arrived(users), work(users), check_exact=True)
    again = pickle.loads(pickle.dumps(arrived))  # on to the next
    pd.testing.assert_frame_equal(again(users), work(users), check_exact=True)
    assert len(work.tag_model.user_embeddings) == 100


def test_the_same_arrays_every_time():
    """What joblib tells by identity, it writes to shared memory once."""
    work, _ = lists("factors", 100)
    one, other = (work.__getstate__()["tag_model"] for _ in range(2))
    assert one.recommender.item_embeddings is other.recommender.item_embeddings
    assert one.recommender.item_embeddings is work.tag_model.recommender.item_embeddings


@pytest.mark.parametrize("kind", KINDS)
def test_blocks_change_next_to_nothing(kind, monkeypatch):
    work, users = lists(kind, 100)
    expected = work(users)
    monkeypatch.setattr("sktpecr.explanation._batch_work._NUMBERS_A_BLOCK", 180)  # two users
    pd.testing.assert_frame_equal(work(users), expected, rtol=1e-5, atol=1e-6)


def test_who_has_seen_everything_has_no_rows():
    work, users = lists("factors", 100)
    seen = users.seen.tolil()
    seen[2] = 1
    table = work(users._replace(seen=seen.tocsr()))
    assert set(table["user"]) == set(users.ids) - {users.ids[2]}
    assert work(users._replace(seen=None))["user"].nunique() == 7
