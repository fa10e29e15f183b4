"""What is held out, and that nothing that was learned from is measured on."""

import numpy as np
import pytest
import scipy.sparse as sp

from sktpecr import FeedbackRefiner, TPECRExplainer
from sktpecr.evaluation import (
    choose_tag,
    evaluate_control,
    evaluate_explanations,
    evaluate_generation,
    evaluate_refinement,
    explained_tags,
    split_interactions,
)
from sktpecr.evaluation._held_out import list_lengths, measured_rows

RANDOM = np.random.RandomState(0)
N_USERS, N_ITEMS = 30, 40
FACTORS = RANDOM.normal(size=(N_USERS, 4)), RANDOM.normal(size=(N_ITEMS, 4))
TAGS = np.eye(4)[np.arange(N_ITEMS) % 4]
X = sp.csr_matrix(RANDOM.uniform(size=(N_USERS, N_ITEMS)) < 0.3, dtype=float).tolil()
X[29] = 0
X = X.tocsr()
NAMES = [f"u{row}" for row in range(N_USERS)]
TRAINED = NAMES[:20]


def fitted(train_users=TRAINED, user_ids=NAMES, tags=TAGS, interactions=X):
    explainer = TPECRExplainer(FACTORS, tags)
    return explainer.fit(interactions, user_ids=user_ids, train_users=train_users)


EXPLAINER = fitted()


def unseen(users=range(20, 29)):
    return [(f"u{u}", v) for u in users for v in np.flatnonzero(X[[u]].toarray()[0] == 0)]


class TestSplit:
    @pytest.mark.parametrize("container", [sp.csr_matrix, sp.coo_matrix, sp.csr_array, np.asarray])
    def test_every_interaction_goes_to_one_side_with_its_value(self, container):
        values = RANDOM.uniform(0.5, 5.0, size=(60, 80)) * (RANDOM.uniform(size=(60, 80)) < 0.3)
        given = container(values)
        train, held_out = split_interactions(given, 0.25, random_state=1)
        assert train.shape == values.shape
        found = train.toarray()
        assert (found[tuple(held_out.T)] == 0).all()
        found[tuple(held_out.T)] = values[tuple(held_out.T)]
        np.testing.assert_array_equal(found, values)
        assert len(set(map(tuple, held_out))) == len(held_out)
        # A binomial share, within five standard deviations.
        n = np.count_nonzero(values)
        assert abs(len(held_out) - n / 4) < 5 * np.sqrt(n * 3 / 16)

    def test_order_is_random_and_repeatable(self):
        first, second, other = (
            split_interactions(np.ones((9, 9)), 0.5, random_state=seed) for seed in (0, 0, 1)
        )
        np.testing.assert_array_equal(first[1], second[1])
        assert first[1].tolist() != other[1].tolist()
        assert first[1].tolist() != sorted(first[1].tolist())

    def test_stored_zeros_and_duplicates_are_what_they_mean_and_the_input_stays(self):
        data, rows, columns = np.array([1.0, 2.0, 0.0]), [0, 0, 1], [0, 0, 1]
        given = sp.coo_matrix((data, (rows, columns)), shape=(2, 2))
        kept, held_out = split_interactions(given, 0.5, random_state=0)
        assert kept.nnz + len(held_out) == 1
        assert kept.nnz == 0 or kept[0, 0] == 3.0
        assert given.nnz == 3
        twice = sp.csr_matrix((np.ones(400), np.zeros(400, int), [0, 400]), shape=(1, 1))
        kept, held_out = split_interactions(twice, 0.5, random_state=0)
        assert kept.nnz + len(held_out) == 1
        stored = sp.csr_matrix(X)
        stored.data[0] = 0.0
        split_interactions(stored, random_state=0)
        assert stored.nnz == X.nnz

    @pytest.mark.parametrize("test_size", [0, 1, -0.2, 2, np.nan])
    def test_shares_that_are_none_are_refused(self, test_size):
        with pytest.raises(ValueError, match="test_size must be between 0 and 1, got"):
            split_interactions(X, test_size)


class TestLengths:
    def test_counts_and_shares(self):
        assert list_lengths(10, 40) == {"@10": 10}
        assert list_lengths([5, 0.14, np.int64(1000)], 40) == {"@5": 5, "@14%": 6, "@1000": 1000}
        assert list_lengths((0.125, 1.0), 40) == {"@12.5%": 5, "@1": 1}
        assert list_lengths(0.001, 40) == {"@0.1%": 1}

    @pytest.mark.parametrize("k", [0, -1, 1.5, np.nan, np.inf, "10", True, None, [10, 0]])
    def test_what_is_no_length_is_refused(self, k):
        with pytest.raises(ValueError, match="k must be a number of items, or a share of them"):
            list_lengths(k, 40)

    def test_no_length_is_refused(self):
        with pytest.raises(ValueError, match="k must hold at least one length"):
            list_lengths([], 40)


class TestMeasuredRows:
    def test_by_default_all_with_interactions_that_were_not_learned_from(self):
        tag_model = EXPLAINER._tag_model
        assert measured_rows([tag_model], None, False).tolist() == list(range(20, 29))
        assert measured_rows([tag_model], None, True).tolist() == list(range(29))

    def test_nobody_that_any_explainer_learned_from(self):
        both = [EXPLAINER._tag_model, fitted(NAMES[:24])._tag_model]
        assert measured_rows(both, None, False).tolist() == list(range(24, 29))
        with pytest.raises(ValueError, match="learned from 1 of the 2 users, such as 'u22'"):
            measured_rows(both, ["u25", "u22"], False)

    def test_named_users_are_measured_once(self):
        assert measured_rows([EXPLAINER._tag_model], ["u25", "u21", "u25"], False).tolist() == [
            21,
            25,
        ]


PAIRS = unseen()
SEEN = ("u20", int(X[[20]].indices[0]))
WAY_OUT = r"fit the explainer with train_users= .* or pass allow_train_users=True"
CALLS = {
    "generation": lambda users, **allow: evaluate_generation(EXPLAINER, users, **allow),
    "control": lambda users, **allow: evaluate_control(EXPLAINER, users, **allow),
    "explained tags": lambda users, **allow: explained_tags(
        EXPLAINER, [(u, 0) for u in users], **allow
    ),
    "explanations": lambda users, **allow: evaluate_explanations(
        EXPLAINER, [(u, 0) for u in users], **allow
    ),
    "refinement": lambda users, **allow: evaluate_refinement(
        FeedbackRefiner(EXPLAINER), unseen([int(u[1:]) for u in users]), "like", **allow
    ),
}


@pytest.mark.parametrize("name", CALLS)
def test_users_that_were_learned_from_are_refused_unless_allowed(name):
    with pytest.raises(ValueError, match=f"learned from 1 of .* users, such as 'u7'; {WAY_OUT}"):
        CALLS[name](["u21", "u7", "u22"])
    assert len(CALLS[name](["u21", "u7", "u22"], allow_train_users=True))
    assert len(CALLS[name](["u21", "u23"]))


def test_an_explainer_that_learned_from_all_says_so():
    explainer = fitted(None)
    for evaluate in (evaluate_generation, evaluate_control):
        with pytest.raises(ValueError, match=f"learned from every user; {WAY_OUT}"):
            evaluate(explainer)
        assert set(evaluate(explainer, allow_train_users=True, return_cases=True)["user"]) == set(
            NAMES[:29]
        )


def test_every_explainer_that_is_compared_is_asked_whom_it_learned_from():
    late = fitted(NAMES[5:29])
    both = {"early": EXPLAINER, "late": late}
    with pytest.raises(ValueError, match="learned from 1 of the 1 users, such as 'u21'"):
        evaluate_control(both, ["u21"])
    with pytest.raises(ValueError, match="learned from 1 of the 1 users, such as 'u21'"):
        evaluate_explanations(both, [("u21", 0)])
    refiners = {name: FeedbackRefiner(explainer) for name, explainer in both.items()}
    with pytest.raises(ValueError, match="learned from 1 of the 1 users, such as 'u21'"):
        evaluate_refinement(refiners, unseen([21]), "like")
    with pytest.raises(ValueError, match="learned from every user"):
        evaluate_generation({"early": EXPLAINER, "rest": fitted(NAMES[20:29])})


def test_pairs_inside_the_training_interactions_are_refused():
    refiner = FeedbackRefiner(EXPLAINER)
    scenario = next(s for s in ("like", "dislike") if choose_tag(EXPLAINER, s, *SEEN) is not None)
    message = f"pairs must be interactions .* 'u20' has item {SEEN[1]} in it; see split"
    with pytest.raises(ValueError, match=message):
        evaluate_refinement(refiner, [*PAIRS, SEEN], scenario)
    # Of any of the refiners, not of the first alone.
    more = X.tolil()
    user, item = PAIRS[0]
    more[int(user[1:]), item] = 1
    knows = FeedbackRefiner(fitted(interactions=more.tocsr()))
    scenario = next(
        s for s in ("like", "dislike") if choose_tag(EXPLAINER, s, user, item) is not None
    )
    assert len(evaluate_refinement(refiner, [(user, item)], scenario))
    with pytest.raises(ValueError, match=f"{user!r} has item {item} in it"):
        evaluate_refinement({"a": refiner, "b": knows}, [(user, item)], scenario)


@pytest.mark.parametrize(
    ("other", "what"),
    [
        (lambda: fitted(TRAINED[::-1], NAMES[::-1]), "users"),
        (
            lambda: TPECRExplainer(FACTORS, TAGS, tag_names=list("abcd")).fit(
                X, user_ids=NAMES, train_users=TRAINED
            ),
            "tags",
        ),
    ],
)
def test_explainers_that_know_others_cannot_be_compared(other, what):
    both = {"one": EXPLAINER, "two": other()}
    message = f"'one' and 'two' must know the same {what} in the same order"
    for evaluate in (evaluate_generation, evaluate_control):
        with pytest.raises(ValueError, match=message):
            evaluate(both)
    with pytest.raises(ValueError, match=message):
        evaluate_explanations(both, PAIRS[:2])
    with pytest.raises(ValueError, match=message):
        evaluate_refinement({k: FeedbackRefiner(v) for k, v in both.items()}, PAIRS, "like")


BAD = {
    "no explainer": (
        lambda: evaluate_generation("explainer"),
        "explainers must be a TPECRExplainer, or a dict of name to TPECRExplainer, got str",
    ),
    "a refiner": (
        lambda: evaluate_control({"a": EXPLAINER, "b": FeedbackRefiner(EXPLAINER)}),
        "explainers must be .* got FeedbackRefiner",
    ),
    "none": (lambda: evaluate_explanations({}, PAIRS), "explainers must be .* an empty dict"),
    "an explainer": (
        lambda: evaluate_refinement(EXPLAINER, PAIRS, "like"),
        "refiners must be a FeedbackRefiner, .* got TPECRExplainer",
    ),
    "one": (
        lambda: explained_tags({"a": EXPLAINER}, PAIRS),
        "explainer must be a TPECRExplainer, got dict",
    ),
    "choice": (
        lambda: choose_tag(None, "like", "u1", 0),
        "explainer must be a TPECRExplainer, got NoneType",
    ),
    "users": (lambda: evaluate_generation(EXPLAINER, "u21"), "users must be a list of user ids"),
    "one user": (lambda: evaluate_control(EXPLAINER, 21), "users must be a list .* got 21"),
    "no users": (lambda: evaluate_control(EXPLAINER, []), "users must name at least one user"),
    "unknown": (lambda: evaluate_control(EXPLAINER, ["x"]), "unknown user 'x'"),
    "names": (
        lambda: evaluate_explanations(EXPLAINER, ["user", "item"]),
        "pairs must hold .user id, item id. each time, got 'user'",
    ),
    "triples": (
        lambda: explained_tags(EXPLAINER, [("u21", 0, 1.0)]),
        r"pairs must hold .user id, item id. each time, got \('u21', 0, 1.0\)",
    ),
    "numbers": (
        lambda: evaluate_refinement(FeedbackRefiner(EXPLAINER), [21, 22], "like"),
        "pairs must hold .* got 21",
    ),
    "item": (lambda: explained_tags(EXPLAINER, [("u21", 99)]), "item 99 is out of range"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_calls_say_what_is_wrong(name):
    call, message = BAD[name]
    with pytest.raises(ValueError, match=message):
        call()
