"""Junk in every parameter of every public callable: an answer, or an error that was meant."""

import datetime as dt
import inspect
import traceback
import warnings
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import scipy.sparse as sp

import sktpecr
from sktpecr import (
    Conversation,
    FeedbackRefiner,
    GaussianGenerator,
    TPECRExplainer,
    attribution,
    datasets,
    evaluation,
    metrics,
    plotting,
    published,
    recommenders,
    solvers,
)
from sktpecr.attribution import ExactAttribution

mpl.use("Agg")
PACKAGE = str(Path(sktpecr.__file__).parent)
DATA = datasets.make_tagged_interactions(n_users=12, n_items=15, n_tags=3, random_state=0)
RNG = np.random.RandomState(0)
FACTORS = RNG.normal(size=(12, 4)), RNG.normal(size=(15, 4))
USER, ITEM, TAG = DATA.user_ids[3], DATA.item_ids[4], "tag_1"


def fitted(**how):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return TPECRExplainer(FACTORS, DATA.item_tags, **how).fit(
            DATA.interactions, user_ids=DATA.user_ids
        )


EXPLAINER = fitted()
REFINER = FeedbackRefiner(EXPLAINER)
REFINEMENT = REFINER.refine(USER, like=TAG)
EXPLANATION = EXPLAINER.explain(USER, ITEM)
TALK = Conversation(EXPLAINER, USER)
TURN = TALK.like(TAG)
LIST = list(DATA.item_ids[:5])
PREFERENCES = EXPLAINER.extractor_.tag_preferences(FACTORS[0])

JUNK = [
    *(None, True, -1, 1.5, float("nan"), float("inf"), 10**30),
    *("", "junk", b"junk", "x" * 500, [], {}, [None], ["junk"], [[1], [2, 3]]),
    *({"junk": 1}, {TAG: object()}, {TAG: "much"}, (each for each in [1])),
    *(np.zeros(0), np.zeros((2, 2, 2)), np.array("x"), np.array([True, False])),
    *(np.full((12, 15), np.inf), pd.DataFrame({"a": ["x"]}), sp.csr_matrix((1, 1))),
    *(object(), len, Path("/nowhere/at/all"), dt.date(2020, 1, 1)),
]


def made(kind, *arguments, **fit):
    """Return a constructor followed by fit: constructors store, and fit checks."""

    def call(**parameters):
        return kind(**parameters).fit(*arguments, **fit)

    call.__signature__ = inspect.signature(kind)
    return call


def methods(of, **valid):
    """Yield public methods, with arguments that are right."""
    for name, given in valid.items():
        yield f"{type(of).__name__}.{name}", getattr(of, name), given


FEEDBACK = dict.fromkeys(("like", "dislike", "set", "strength", "units", "amount", "until", "keep"))


def callables(folder):
    """Yield what is called, what to call, and arguments that are right."""
    who, pair = {"user": USER}, {"user": USER, "item": ITEM}
    yield "TPECRExplainer", made(TPECRExplainer, DATA.interactions), {"recommender": FACTORS}
    yield from methods(TPECRExplainer(FACTORS, DATA.item_tags), fit={"X": DATA.interactions})
    yield from methods(
        EXPLAINER,
        explain=pair,
        recommend=who,
        profile=who,
        reasons=who,
        contrast=pair | {"other": DATA.item_ids[5]},
        counterfactual=pair,
        suggest_question=who,
        contributions={"users": [USER], "items": [ITEM]},
        explain_batch={"users": [USER]},
        reasons_batch={"users": [USER]},
        transform={"X": DATA.interactions},
        score={"X": DATA.interactions},
    )
    yield "FeedbackRefiner", made(FeedbackRefiner, DATA.interactions), {"explainer": EXPLAINER}
    said = pd.DataFrame({"user": [USER], "tag": [TAG], "feedback": ["like"]})
    yield from methods(
        REFINER,
        refine=who | {"like": TAG},
        preview=who | {"like": TAG},
        sweep=who | {"like": TAG, "strengths": [1.0]},
        refine_batch={"feedback": said},
    )
    yield from methods(REFINEMENT, recommend={}, rank={"item": ITEM}, explain={"item": ITEM})
    yield from methods(REFINEMENT, to_text={}, listed={}, plot={})
    yield from methods(EXPLANATION, without={"tags": [TAG]}, to_text={}, plot={})
    yield "Conversation", Conversation, {"explainer": EXPLAINER, "user": USER}
    yield (
        "Conversation.from_json",
        Conversation.from_json,
        {
            "text": TALK.to_json(),
            "explainer": EXPLAINER,
        },
    )
    yield from methods(
        TALK.fork(),
        recommend={},
        explain={"item": ITEM},
        like={"tags": TAG},
        dislike={"tags": TAG},
        set={"tags": {TAG: 1.0}},
        say={"like": TAG},
        preview={"like": TAG},
        preview_amounts={"like": TAG},
        contrast={"item": ITEM, "other": DATA.item_ids[5]},
        reject={"item": ITEM},
        hide={"tag": TAG},
        suggest_question={},
    )
    yield from methods(TURN, to_text={})
    first, second = np.arange(1, 16), np.arange(15, 0, -1)
    one = sp.csr_matrix(np.ones((2, 3)))
    ranks = {"before": first, "after": second}
    several = [EXPLAINER.explain(USER, item) for item in LIST[:2]]
    table = EXPLAINER.explain_batch([USER], n_items=2)
    measured = pd.DataFrame({"method": ["a"], "tag": ["x"], "d": [0.0], "map": [0.5]})
    texts = ["war and love", "love and war", "war", "love", "a film"]
    either = {"explainers": EXPLAINER, "pairs": [(USER, ITEM)]}
    right = {
        "falling_map": ranks | {"relevant": [1]},
        "falling_rank": ranks | {"item": 1},
        "falling_recall": ranks | {"relevant": [1]},
        "list_overlap": ranks,
        "sign_sense": {"contributions": one, "likings": np.ones((2, 3))},
        "claims_true": dict.fromkeys(("likings", "shares", "expected"), np.full(3, 0.5)),
        "tags_on_item": {"item_tags": one, "items": [0], "tags": [1]},
        "same_top_tag": {"first": one, "second": one},
        "contribution_stability": {"first": one, "second": one},
        "lowered_in_list": ranks | {"item": 1, "others": [2, 3]},
        "plot_contributions": {"explanation": EXPLANATION},
        "plot_control": {"measured": measured},
        "plot_everybody": {"table": table},
        "plot_importances": {"explanations": several},
        "plot_list": {"explanations": several},
        "plot_profile": {"profile": EXPLAINER.profile(USER)},
        "plot_refinement": {"refinement": REFINEMENT},
        "plot_related": {"tags": DATA.item_tags},
        "split_interactions": {"X": DATA.interactions},
        "evaluate_generation": {"explainers": EXPLAINER, "users": [USER]},
        "evaluate_control": {"explainers": EXPLAINER, "users": [USER]},
        "choose_tag": {"explainer": EXPLAINER, "scenario": "more", **pair},
        "evaluate_refinement": {"refiners": REFINER, "pairs": [(USER, ITEM)], "scenario": "more"},
        "read_at_overlap": {"cases": measured, "overlap": 0.9},
        "evaluate_conversation": {"refiners": REFINER, "pairs": [(USER, ITEM)], "max_turns": 1},
        "explained_tags": {"explainer": EXPLAINER, "pairs": [(USER, ITEM)]},
        "evaluate_explanations": either,
        "evaluate_calibration": either | {"refiner": REFINER},
        "reasons_score": {"explainer": EXPLAINER, "X": DATA.interactions},
        "stability_score": {"explainer": EXPLAINER, "X": DATA.interactions},
        "swap_score": {"explainer": EXPLAINER, "X": DATA.interactions},
        "summarize": {"cases": measured, "n_resamples": 10},
        "load_movielens": {},
        "fetch_movielens": {"name": "1m", "local_path": folder},
        "fetch_goodreads": {"local_path": folder},
        "make_tagged_interactions": {"n_users": 9, "n_items": 9},
        "make_tpecr_synthetic": {"n_users": 9, "n_items": 9},
        "pair_tags": {"item_tags": DATA.item_tags},
        "clean_tags": {"item_tags": pd.DataFrame({"item": [1, 2], "tag": ["a", "b"]})},
        "tags_from_features": {"features": pd.DataFrame({"year": [1990, 2001, 2010]})},
        "tags_from_text": {"texts": texts, "min_items": 1},
        "published_explainer": {"recommender": FACTORS, "item_tags": DATA.item_tags},
        "published_refiner": {"explainer": EXPLAINER},
    }
    for module in (metrics, plotting, evaluation, datasets, published):
        for name in module.__all__:
            thing = getattr(module, name)
            if inspect.isfunction(thing):
                yield f"{module.__name__.split('.')[-1]}.{name}", thing, right[name]
    rows = pd.DataFrame({"user": [1, 2], "item": [1, 2]})
    tagged = pd.DataFrame({"item": [1, 2], "tag": ["a", "b"]})
    kind = datasets.TaggedInteractions
    yield (
        "TaggedInteractions",
        kind,
        {
            "interactions": DATA.interactions,
            "item_tags": DATA.item_tags,
            "user_ids": DATA.user_ids,
            "item_ids": DATA.item_ids,
        },
    )
    frames = {"interactions": rows, "item_tags": tagged}
    yield "TaggedInteractions.from_frames", kind.from_frames, frames
    yield from methods(DATA, drop_rare={}, counts={})
    as_recommender = recommenders.as_recommender
    yield "as_recommender", as_recommender, {"model": FACTORS}
    yield (
        "FactorRecommender",
        recommenders.FactorRecommender,
        {
            "user_factors": FACTORS[0],
            "item_factors": FACTORS[1],
        },
    )
    parts = (attribution.LimeAttribution, attribution.ShapleyAttribution, ExactAttribution)
    for part in parts:
        composite = EXPLAINER.tag_model_.composite
        yield part.__name__, made(part, composite, PREFERENCES, FACTORS[0]), {}
    yield "GaussianGenerator", made(GaussianGenerator, PREFERENCES, FACTORS[0]), {}
    fit = GaussianGenerator().fit(PREFERENCES, FACTORS[0])
    yield from methods(fit, predict={"X": PREFERENCES})
    for solver in (solvers.BayesianSolver, solvers.ClosedFormSolver):

        def refined(solver=solver, **parameters):
            return FeedbackRefiner(EXPLAINER, solver=solver(**parameters)).refine(USER, like=TAG)

        refined.__signature__ = inspect.signature(solver)
        yield solver.__name__, refined, {}


def parameters_of(thing, given):
    """Return the names of the parameters, those behind two stars as well."""
    names = inspect.signature(thing).parameters.values()
    if any(each.kind == each.VAR_KEYWORD for each in names):
        return list(FEEDBACK)
    return [each.name for each in names if each.kind != each.VAR_POSITIONAL]


# What this package passes on as it is, with a message that stands in a line of scikit-learn's.
CHECKS = ("sklearn/utils/", "sklearn/base.py")


def fault(error, parameter):
    """Say what is wrong with an error, None if nothing is."""
    if isinstance(error, OSError):  # the system's own, of a path
        return None
    if not isinstance(error, ValueError | TypeError | ImportError | RuntimeError):
        return f"{type(error).__name__}: {error}"
    files = [frame.filename for frame in traceback.extract_tb(error.__traceback__)]
    own = [number for number, file in enumerate(files) if file.startswith(PACKAGE)]
    beyond = files[own[-1] + 1 :] if own else files
    # What checks of scikit-learn's find, they say in their own words.
    by_checks = any(each in files[-1] or each in "".join(beyond[:1]) for each in CHECKS)
    if beyond and not by_checks:
        return f"from {files[-1]}: {type(error).__name__}: {error}"
    return None


def junk_for(name, parameter):
    """Yield what is no use as a parameter: no number of processes, and nothing to download."""
    for junk in JUNK:
        starts = parameter == "n_jobs" and isinstance(junk, int)
        if not starts and not ("fetch_" in name and parameter == "local_path" and junk is None):
            yield junk


def test_junk_gets_an_answer_or_an_error_that_was_meant(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    n_calls, n_refused, faults = 0, 0, []
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        for name, thing, given in callables(tmp_path):
            for parameter in parameters_of(thing, given):
                for junk in junk_for(name, parameter):
                    n_calls += 1
                    try:
                        thing(**given | {parameter: junk})
                    except Exception as error:
                        n_refused += 1
                        wrong = fault(error, parameter)
                        if wrong is not None:
                            faults.append(f"{name}({parameter}={junk!r:.40}): {wrong:.200}")
            plt.close("all")
    with capsys.disabled():
        print(f" {n_calls} calls, {n_refused} refused ", end="")
    assert not faults, f"{len(faults)} faults:\n" + "\n".join(faults[:40])
