"""What users say about tags, checked."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sktpecr._inputs._feedback import Feedback
from sktpecr._inputs._ids import Ids

NAMES = ["noir", "war", "love", "comedy"]


def parse(like=None, dislike=None, set=None, strength=1.0, names=NAMES):
    return Feedback.parse(Ids("tag", names, len(names), "tag_names"), like, dislike, set, strength)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (None, {}),
        ([], {}),
        ({}, {}),
        ("war", {1: 1.0}),
        (["war"], {1: 1.0}),
        (["love", "noir"], {2: 1.0, 0: 1.0}),
        (("love", "noir"), {2: 1.0, 0: 1.0}),
        ({"love", "noir"}, {2: 1.0, 0: 1.0}),
        (np.array(["love", "noir"]), {2: 1.0, 0: 1.0}),
        ({"war": 2, "love": 0.5}, {1: 2.0, 2: 0.5}),
        ({"war": np.float32(0.5), "love": Fraction(1, 4)}, {1: 0.5, 2: 0.25}),
        ({"war": 0.0, "love": 1.0}, {2: 1.0}),
    ],
)
@pytest.mark.parametrize("side", ["like", "dislike"])
def test_likes_and_dislikes_may_be_a_name_a_list_or_strengths(given, expected, side):
    feedback = parse(**{side: given})
    assert getattr(feedback, side) == expected
    other = "dislike" if side == "like" else "like"
    assert getattr(feedback, other) == {}
    assert feedback.set == {}
    assert bool(feedback) == bool(expected)


def test_names_may_come_from_an_iterator():
    assert parse(like=iter(["love", "noir"])).like == {2: 1.0, 0: 1.0}


def test_tags_without_names_are_columns():
    assert parse(like=2, dislike=[0], names=range(4)).like == {2: 1.0}


def test_set_takes_values_of_either_sign():
    feedback = parse(set={"noir": -1.5, "war": 0, "love": 2})
    assert feedback.set == {0: -1.5, 1: 0.0, 2: 2.0}
    assert feedback
    assert feedback.strength == 0.0


def test_strength_multiplies_all_strengths_and_leaves_set_alone():
    feedback = parse(like={"noir": 2.0}, dislike=["war"], set={"love": 3.0}, strength=0.5)
    assert feedback.like == {0: 1.0}
    assert feedback.dislike == {1: 0.5}
    assert feedback.set == {2: 3.0}
    assert feedback.strength == 1.0


@given(
    strengths=st.dictionaries(st.sampled_from(NAMES), st.floats(0, 100), min_size=1),
    strength=st.floats(0, 10),
)
def test_strength_of_feedback_is_its_largest_and_zeros_are_left_out(strengths, strength):
    feedback = parse(like=strengths, strength=strength)
    kept = {name: value * strength for name, value in strengths.items() if value * strength > 0}
    assert feedback.like == {NAMES.index(name): value for name, value in kept.items()}
    assert feedback.strength == max(kept.values(), default=0.0)
    assert bool(feedback) == bool(kept)


@pytest.mark.parametrize(
    "nothing", [{}, {"like": []}, {"like": "war", "strength": 0}, {"dislike": {"war": 0.0}}]
)
def test_saying_nothing_is_no_feedback(nothing):
    feedback = parse(**nothing)
    assert not feedback
    assert feedback.strength == 0.0
    assert str(feedback) == "no feedback"


def test_prints_as_words():
    feedback = parse(like=["noir", "war"], dislike="love", set={"comedy": -0.5})
    assert str(feedback) == "more noir, more war, less love, comedy at -0.5"


@pytest.mark.parametrize(
    ("feedback", "message"),
    [
        ({"like": "Noir"}, "unknown tag 'Noir'; did you mean 'noir'"),
        ({"dislike": ["war", "drama"]}, "unknown tag 'drama'"),
        ({"set": {"drama": 1.0}}, "unknown tag 'drama'"),
        ({"like": ["war", "noir", "war"]}, "like names 'war' twice; give it once, or a dict"),
        ({"dislike": ("love", "love")}, "dislike names 'love' twice"),
        (
            {"like": "war", "dislike": "war"},
            "contradicts itself: 'war' is in both like and dislike",
        ),
        ({"like": "war", "set": {"war": 1}}, "'war' is in both like and set"),
        ({"dislike": "war", "set": {"war": 1}}, "'war' is in both dislike and set"),
        ({"like": {"war": -1.0}}, r"like\['war'\] must be at least 0, got -1.0; .* dislike"),
        ({"dislike": {"war": -1.0}}, r"dislike\['war'\] must be at least 0"),
        ({"like": {"war": np.nan}}, r"like\['war'\] must be a finite number, got nan"),
        ({"like": {"war": np.inf}}, r"like\['war'\] must be a finite number, got inf"),
        ({"like": {"war": "much"}}, r"like\['war'\] must be a finite number, got 'much'"),
        ({"like": {"war": True}}, r"like\['war'\] must be a finite number, got True"),
        ({"like": {"war": None}}, r"like\['war'\] must be a finite number, got None"),
        ({"set": {"war": np.nan}}, r"set\['war'\] must be a finite number, got nan"),
        ({"set": {"war": "low"}}, r"set\['war'\] must be a finite number, got 'low'"),
        ({"set": ["war"]}, "set must be a dict of tag to value, got list"),
        ({"set": "war"}, "set must be a dict of tag to value, got str"),
        ({"like": "war", "strength": -1}, "strength must be at least 0, got -1"),
        ({"like": "war", "strength": np.nan}, "strength must be a finite number, got nan"),
        ({"like": "war", "strength": np.inf}, "strength must be a finite number, got inf"),
        ({"like": "war", "strength": "2"}, "strength must be a finite number, got '2'"),
        ({"like": "war", "strength": None}, "strength must be a finite number, got None"),
        ({"like": "war", "strength": True}, "strength must be a finite number, got True"),
        (
            {"like": {"war": 1e300}, "strength": 1e300},
            r"like\['war'\] times strength must be .* inf",
        ),
        ({"like": {"war": 10**400}}, "must be a finite number"),
        ({"like": [["war"]]}, "expected one tag id, got list"),
    ],
)
def test_what_cannot_be_meant_is_refused(feedback, message):
    with pytest.raises(ValueError, match=message):
        parse(**feedback)
