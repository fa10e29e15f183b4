"""The benchmark of feedback against rivals: that the rivals are what they are said to be."""

import numpy as np
import pandas as pd
import pytest
from sklearn.decomposition import TruncatedSVD

from benchmarks.beyond import rivals
from benchmarks.common.rows import show
from benchmarks.pages import rivals as rivals_page
from sktpecr import FeedbackRefiner, TPECRExplainer
from sktpecr.datasets import make_tagged_interactions
from sktpecr.solvers import EmbeddingSolver, OnlineSolver

DATA = make_tagged_interactions(n_users=60, n_items=90, n_tags=5, random_state=0)
EXPLAINER = TPECRExplainer(TruncatedSVD(8, random_state=0), DATA.item_tags).fit(DATA.interactions)
V = EXPLAINER.extractor_.recommender_.item_embeddings.astype(float)


@pytest.mark.parametrize("scenario", ["like", "dislike"])
def test_plain_step_is_the_difference_of_means(scenario):
    own = EXPLAINER.user_embeddings_[3].astype(float)
    inside = DATA.item_tags["tag_1"].to_numpy() > 0
    seen = DATA.interactions[3].toarray()[0] != 0
    if scenario == "like":
        direction = V[inside].mean(axis=0) - V[~inside & ~seen].mean(axis=0)
    else:
        direction = V[seen & ~inside].mean(axis=0) - V[inside].mean(axis=0)
    for in_metric in (False, True):
        if in_metric:
            direction = np.cov(EXPLAINER.user_embeddings_.astype(float).T) @ direction
        refiner = FeedbackRefiner(EXPLAINER, solver=rivals.PlainStep(in_metric))
        refined = refiner.refine(3, **{scenario: "tag_1"}, strength=0.5)
        expected = own + 0.1 * (V @ own).std() * direction / (V @ direction).std()
        np.testing.assert_allclose(refined.embedding, expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("kind", "solver"),
    [
        (rivals._EmbeddingIterates, EmbeddingSolver(n_epochs=3)),
        (rivals._OnlineIterates, OnlineSolver(n_epochs=3)),
    ],
)
def test_iterates_are_those_of_one_descent(kind, solver):
    refiner = FeedbackRefiner(EXPLAINER, solver=solver)
    read = rivals._iterates(refiner, kind)
    halfway, end = read.sweep(3, like="tag_1", strengths=[0.5, 1.0])
    np.testing.assert_allclose(end.embedding, refiner.refine(3, like="tag_1").embedding)
    path = read.solver.path
    np.testing.assert_array_equal(halfway.embedding, path[round((len(path) - 1) / 2)])
    assert len(path) > 3
    fast = rivals._iterates(refiner, kind)
    fast.solver.times = 2.0
    fast.refine(3, like="tag_1")
    np.testing.assert_allclose(
        fast.solver.path[1] - path[0], 2 * (path[1] - path[0]), rtol=1e-6, atol=1e-12
    )


def test_strengths_are_read_off_the_pilot():
    falls = dict(zip(np.geomspace(0.01, 1, 9), np.linspace(1.0, 0.8, 9), strict=True))
    strengths = rivals._strengths(falls)
    overlaps = np.interp(np.log(strengths), np.log(list(falls)), list(falls.values()))
    np.testing.assert_allclose(sorted(overlaps, reverse=True), rivals._READ, atol=1e-4)


def fake(overlap, ours, plain):
    cases = pd.DataFrame({"case": range(100), "strength": 1.0, "overlap@1000": overlap})
    parts = []
    for method, share in (("ours", ours), ("plain", plain)):
        improved = (np.arange(100) < 100 * share).astype(float)
        parts.append(cases.assign(method=method, improved=improved))
    parts = pd.concat(parts, ignore_index=True)
    return parts.assign(**{"F-Rank": parts["improved"] * 10, "right way": 1.0})


def test_who_is_behind_is_said_so():
    won = rivals.compared("beyond rivals toy mf like 0.95", fake(0.95, 0.9, 0.6))
    lost = rivals.compared("beyond rivals toy mf dislike 0.95", fake(0.95, 0.2, 0.6))
    verdicts = [
        next(row.holds for row in rows if row.column == "improved ours - plain")
        for rows in (won, lost)
    ]
    assert verdicts == [True, False]
    assert "NO" in show(lost)
    rows = [vars(row) for row in (*won, *lost)]
    everything = {"rows": rows, "about": {"experiments": {}}}
    page = "\n".join(rivals_page.page(everything, rivals_page.EXPERIMENT))
    assert "of 2 readings, ours is above in 1, below in 1, and the interval holds 0 in 0." in page
    assert "toy mf likes,100,0.95,0.9,0.3 (" in page
    assert ",not reached" in page


def test_the_figure_has_a_curve_for_each_method(tmp_path):
    rows = rivals._curves("beyond rivals toy mf like", fake(0.95, 0.9, 0.6))
    everything = {"rows": [vars(row) for row in rows]}
    rivals_page.draw(everything, tmp_path / "figure.png")
    assert (tmp_path / "figure.png").stat().st_size > 10_000
