import pytest

from sktpecr import published_explainer, published_refiner
from sktpecr.datasets import make_tagged_interactions
from sktpecr.generators import CVAEGenerator
from sktpecr.solvers import OnlineSolver

N_TAGS = 5


@pytest.fixture(scope="module")
def data():
    return make_tagged_interactions(n_users=60, n_items=30, n_tags=N_TAGS, random_state=0)


def test_the_paper_s_parts_with_the_user_s_names(data):
    from sklearn.decomposition import TruncatedSVD

    names = [f"genre {tag}" for tag in range(N_TAGS)]
    explainer = published_explainer(
        TruncatedSVD(4, random_state=0),
        data.item_tags.to_numpy(),
        tag_names=names,
        random_state=0,
    ).set_params(generator__max_epochs=2)
    explainer.fit(data.interactions)
    assert explainer.tag_names_.tolist() == names
    assert isinstance(explainer.generator_, CVAEGenerator)
    assert (explainer.attribution_.target, explainer.attribution_.center) == ("rank", "population")
    assert (explainer.attribution_.n_samples, explainer.attribution_.n_competitors) == (5000, 99)
    refined = [
        published_refiner(explainer, random_state=seed).refine(0, like=names[1]).embedding.tolist()
        for seed in (0, 0, 1)
    ]
    assert refined[0] == refined[1] != refined[2]


def test_the_refiner_updates_tag_preferences_online(data):
    refiner = published_refiner(published_explainer(None), random_state=7)
    assert isinstance(refiner.solver, OnlineSolver)
    assert refiner.solver.random_state == 7
