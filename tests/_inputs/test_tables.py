"""Tables of polars wherever those of pandas are taken."""

import numpy as np
import pandas as pd
import pytest

from sktpecr import FeedbackRefiner, TPECRExplainer
from sktpecr._inputs._tables import in_pandas
from sktpecr.datasets import TaggedInteractions, make_tagged_interactions, pair_tags
from sktpecr.recommenders import FactorizationMachine

pl = pytest.importorskip("polars", reason="polars is not installed")

DATA = make_tagged_interactions(60, 40, 4, density=0.15, random_state=0)
RNG = np.random.RandomState(0)
FACTORS = RNG.normal(size=(60, 5)), RNG.normal(size=(40, 5))


def wide(ids):
    """Return interactions and tags as pandas has them, with ids of this kind."""
    users, items = ids(60), ids(40)
    X = pd.DataFrame(DATA.interactions.toarray().astype(float), users, [str(i) for i in items])
    return X, DATA.item_tags.set_axis([str(i) for i in items])


def in_polars(frame, ids):
    return pl.DataFrame(
        {ids: list(frame.index), **{name: frame[name].to_numpy() for name in frame}}
    )


@pytest.mark.parametrize("ids", [lambda n: [f"id {i}" for i in range(n)], range])
def test_wide_tables_explain_alike_and_bring_their_ids(ids):
    X, tags = wide(ids)
    one = TPECRExplainer(FACTORS, tags).fit(X)
    other = TPECRExplainer(FACTORS, in_polars(tags, "item")).fit(in_polars(X, "user"))
    np.testing.assert_array_equal(other.user_ids_, one.user_ids_)
    np.testing.assert_array_equal(other.item_ids_, one.item_ids_)
    user, item = one.user_ids_[3], one.item_ids_[7]
    assert str(other.explain(user, item)) == str(one.explain(user, item))
    np.testing.assert_array_equal(other.transform(in_polars(X, "user")), one.transform(X))


def test_without_a_column_of_ids_rows_are_numbered():
    tags = pl.DataFrame({name: DATA.item_tags[name].to_numpy() for name in DATA.item_tags})
    explainer = TPECRExplainer(FACTORS, tags).fit(DATA.interactions)
    assert explainer.explain(3, 7).item == 7
    assert explainer.tag_names_.tolist() == list(DATA.item_tags)


def test_long_tables_give_the_same_data():
    users, items = DATA.interactions.nonzero()
    rated = {"user": [f"u{u}" for u in users], "item": items, "stars": RNG.rand(len(users))}
    tagged_items, tags = np.nonzero(DATA.item_tags.to_numpy())
    tagged = {"item": tagged_items, "tag": [f"t{t}" for t in tags]}
    one, other = (
        TaggedInteractions.from_frames(frame(rated), frame(tagged), value="stars")
        for frame in (pd.DataFrame, pl.DataFrame)
    )
    assert (one.interactions != other.interactions).nnz == 0
    pd.testing.assert_frame_equal(one.item_tags, other.item_tags)
    for ids in ("user_ids", "item_ids", "item_names"):
        np.testing.assert_array_equal(getattr(one, ids), getattr(other, ids))


def test_feedback_in_polars_refines_alike():
    refiner = FeedbackRefiner(TPECRExplainer(FACTORS, DATA.item_tags).fit(DATA.interactions))
    said = {
        "user": [3, 3, 7],
        "tag": ["tag_1", "tag_2", "tag_1"],
        "feedback": ["like", "set", "dislike"],
        "value": [None, 0.5, 2.0],
    }
    one, other = (refiner.refine_batch(frame(said)) for frame in (pd.DataFrame, pl.DataFrame))
    pd.testing.assert_frame_equal(one, other)


def test_tags_in_polars_train_pair_and_are_saved(tmp_path):
    tags = in_polars(DATA.item_tags, "item")
    model = FactorizationMachine(tags, n_factors=3, max_epochs=2, random_state=0)
    assert model.fit(DATA.interactions).tag_names_.tolist() == list(DATA.item_tags)
    pd.testing.assert_frame_equal(
        pair_tags(tags, max_pairs=2), pair_tags(DATA.item_tags, max_pairs=2), check_names=False
    )
    explainer = TPECRExplainer(FACTORS, tags).fit(DATA.interactions)
    loaded = TPECRExplainer.load(explainer.save(tmp_path / "kept"))
    np.testing.assert_array_equal(loaded.fit(DATA.interactions).item_ids_, explainer.item_ids_)


def test_ids_in_a_series_are_ids():
    ids = pl.Series([f"u{u}" for u in range(60)])
    explainer = TPECRExplainer(FACTORS, DATA.item_tags.to_numpy()).fit(
        DATA.interactions, user_ids=ids, item_names=pl.Series([f"film {v}" for v in range(40)])
    )
    assert explainer.explain("u3", 7).item_name == "film 7"
    assert explainer.user_ids_.tolist() == ids.to_list()


def test_missing_values_are_named():
    tags = in_polars(DATA.item_tags.astype(float), "item")
    tags = tags.with_columns(pl.when(pl.col("tag_1") > 0).then(None).otherwise(0.0).alias("tag_1"))
    with pytest.raises(ValueError, match=r"NaN or infinite weights, the first on tag 'tag_1'"):
        TPECRExplainer(FACTORS, tags).fit(DATA.interactions)
    rated = pl.DataFrame({"user": ["a", None], "item": [1, 2]})
    tagged = pl.DataFrame({"item": [1, 2], "tag": ["x", "y"]})
    with pytest.raises(ValueError, match="must not have missing ids, got 1"):
        TaggedInteractions.from_frames(rated, tagged)
    with pytest.raises(TypeError, match=r"got LazyFrame; .* from a lazy one with its collect\(\)"):
        TaggedInteractions.from_frames(rated.lazy(), tagged)


def test_anything_else_is_left_alone():
    for other in (None, np.eye(2), DATA.item_tags, DATA.interactions, [1, 2]):
        assert in_pandas(other, ids="item") is other
