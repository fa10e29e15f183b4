"""A folder is another job's as soon as anything that can change a row is another."""

import joblib
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from sktpecr import FeedbackRefiner, GaussianGenerator, TPECRExplainer
from sktpecr.attribution import AccountAttribution, LimeAttribution
from sktpecr.explanation._fingerprint import fingerprints, hashed

RNG = np.random.RandomState(0)
USERS, ITEMS = RNG.normal(size=(30, 4)), RNG.normal(size=(50, 4))
TAGS = (RNG.uniform(size=(50, 5)) < 0.4).astype(float)
X = sp.random(30, 50, density=0.2, random_state=0, format="csr")


def fitted(**changed):
    given = {
        "users": USERS,
        "items": ITEMS,
        "tags": TAGS,
        "X": X,
        "user_ids": [f"user_{number}" for number in range(30)],
        "item_ids": [f"item_{number}" for number in range(50)],
        "item_names": [f"Film {number}" for number in range(50)],
        "tag_names": list("abcde"),
        "attribution": AccountAttribution(random_state=0),
        "generator": GaussianGenerator(),
        **changed,
    }
    tags = pd.DataFrame(given["tags"], index=given["item_ids"], columns=given["tag_names"])
    explainer = TPECRExplainer(
        (given["users"], given["items"]),
        tags,
        attribution=given["attribution"],
        generator=given["generator"],
    )
    return explainer.fit(given["X"], user_ids=given["user_ids"], item_names=given["item_names"])


def changed_at(array, value=9.0, row=17):
    """Return an array that differs in a single number, and not in the first row."""
    changed = array.copy()
    changed[row, 3] += value
    return changed


TAGS_CHANGED = TAGS.copy()
TAGS_CHANGED[17, 3] = 1 - TAGS[17, 3]
CHANGES = {
    "users": ({"users": changed_at(USERS)}, "model"),
    "items": ({"items": changed_at(ITEMS)}, "model"),
    "interactions": ({"X": sp.csr_matrix(changed_at(X.toarray()))}, "interactions"),
    "user ids": ({"user_ids": [f"user_{n + (n == 29)}" for n in range(30)]}, "user ids"),
    "item ids": ({"item_ids": [f"item_{n + (n == 49)}" for n in range(50)]}, "item ids"),
    "item names": ({"item_names": [f"Film {n + (n == 49)}" for n in range(50)]}, "item ids"),
    "item tags": ({"tags": TAGS_CHANGED}, "item tags"),
    "tag weights": ({"tags": np.where(TAGS > 0, TAGS + (np.arange(5) == 3), 0)}, "item tags"),
    "tag names": ({"tag_names": list("abcdf")}, "item tags"),
    "seed": ({"attribution": AccountAttribution(random_state=1)}, "attribution"),
    "ridge": ({"attribution": AccountAttribution(random_state=0, ridge=0.4)}, "attribution"),
    "attribution": ({"attribution": LimeAttribution(n_samples=50, random_state=0)}, "explainer"),
}


@pytest.mark.parametrize(
    ("batch", "name"),
    [
        *(("explain_batch", name) for name in CHANGES),
        # Which are read from the same account beside any other attribution.
        *(("reasons_batch", name) for name in CHANGES if name != "attribution"),
    ],
)
def test_each_input_alone_makes_another_job(tmp_path, batch, name):
    pytest.importorskip("pyarrow")
    getattr(fitted(), batch)(to=tmp_path / "out")
    getattr(fitted(), batch)(to=tmp_path / "out")  # the same once more
    change, said = CHANGES[name]
    with pytest.raises(ValueError, match=f"parts of another job .*{said} was"):
        getattr(fitted(**change), batch)(to=tmp_path / "out")


def test_an_explainer_that_was_fitted_anew_is_told_in_words(tmp_path):
    pytest.importorskip("pyarrow")
    fitted().explain_batch(to=tmp_path / "out")
    change, said = CHANGES["attribution"]
    words = f"{said} was another.*this is not the explainer that began it: load that, "
    with pytest.raises(ValueError, match=words):
        fitted(**change).explain_batch(to=tmp_path / "out")
    unseeded = fitted(attribution=LimeAttribution(n_samples=20, random_state=None))
    with pytest.warns(UserWarning, match="LimeAttribution had no seed: .* save this one"):
        unseeded.explain_batch(to=tmp_path / "other")


def test_seeds_of_lime_count():
    one, same, other = (
        fingerprints(
            fitted(attribution=LimeAttribution(n_samples=50, random_state=seed)).tag_model_
        )
        for seed in (0, 0, 1)
    )
    assert one == same
    assert {name for name in one if one[name] != other[name]} == {"attribution"}


@pytest.mark.parametrize(("noise", "changed"), [(1e-7, set()), (0.1, {"attribution"})])
def test_rounding_of_what_was_learned_does_not_count(noise, changed):
    one, other = fitted().tag_model_, fitted().tag_model_
    for value in vars(other.attribution).values():
        numbers = value.data if sp.issparse(value) else value
        if isinstance(numbers, np.ndarray) and numbers.dtype.kind == "f":
            numbers *= 1 + noise * RNG.uniform(-1, 1, size=numbers.shape)
    found = fingerprints(other)
    assert {name for name, said in fingerprints(one).items() if found[name] != said} == changed


def test_pairs_count(tmp_path):
    pytest.importorskip("pyarrow")
    explainer = fitted()
    pairs = pd.DataFrame({"user": ["user_1", "user_2"], "item": ["item_4", "item_5"]})
    explainer.explain_batch(pairs=pairs, to=tmp_path / "out")
    for other in (
        pairs.assign(item=["item_4", "item_6"]),
        pairs.assign(user=["user_1", "user_3"]),
        pairs.assign(rank=[3, 3]),
    ):
        with pytest.raises(ValueError, match="lists was"):
            explainer.explain_batch(pairs=other, to=tmp_path / "out")


def test_from_a_file_it_is_the_same(tmp_path):
    joblib.dump(fitted(), tmp_path / "explainer.joblib")
    loaded = joblib.load(tmp_path / "explainer.joblib", mmap_mode="r")
    assert isinstance(loaded.tag_model_.user_embeddings, np.memmap)
    assert fingerprints(loaded.tag_model_) == fingerprints(fitted().tag_model_)


def test_equal_values_however_they_are_stored():
    array = RNG.normal(size=(7, 5))
    assert hashed(array) == hashed(np.asfortranarray(array)) == hashed(array[::-1][::-1])
    assert hashed(array) != hashed(array.T)
    assert hashed(array) != hashed(array.reshape(5, 7))
    ids = np.array(["a", "b", 3], dtype=object)
    assert hashed(ids) == hashed(np.array(["".join(["a"]), "b", 3], dtype=object))
    assert hashed(ids) != hashed(np.array(["a", "b", "3"], dtype=object))


@pytest.mark.parametrize("name", CHANGES)
def test_refinements_are_another_job_as_well(tmp_path, name):
    pytest.importorskip("pyarrow")
    said = pd.DataFrame({"user": ["user_1"], "tag": ["a"], "feedback": ["like"]})
    FeedbackRefiner(fitted()).refine_batch(said, to=tmp_path / "out")
    FeedbackRefiner(fitted()).refine_batch(said, to=tmp_path / "out")
    change, what = CHANGES[name]
    with pytest.raises(ValueError, match=f"parts of another job .*{what} was"):
        FeedbackRefiner(fitted(**change)).refine_batch(said, to=tmp_path / "out")
