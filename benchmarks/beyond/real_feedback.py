"""Beyond the paper: feedback that people really gave, or could have given; nobody is simulated.

Each user's ratings are split by time: recommenders know the first 70 % of everybody's, the middle
15 % tell what a user wants that was never asked for, and the last 15 % judge. The tag whose share
of the middle films is the farthest above its share of the first ones, by a test of two
proportions, is a like; the farthest below, a dislike. The oracle reads the last films themselves.
Placebos are the user's other tags, each counting the same or as often as others chose it. What a
method gains with the tag beyond what it gains with those of others is its lift. Rivals: the closed
form, the plain step on embeddings, and a bonus on the tag's films.

Tags that users typed are their own words: where she stands on a tag that others gave to films is
held against whether she ever typed it, and a like on what she typed on one of the first films
against the films that she rated well after those.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score

from benchmarks.beyond.dated_films import STRENGTHS, Dates, gain, gains, item_tags, means, split
from benchmarks.beyond.rivals import PlainStep
from benchmarks.common.data import load_dated
from benchmarks.common.rows import Row, mean_row, prefix, row
from benchmarks.common.world import trained
from sktpecr import FeedbackRefiner, TPECRExplainer

# Scores that are dot products: every tag is tried on every user.
_MODELS = ("mf", "als")
_MAIN = 1.0
# Films of a user in each window.
_LEAST_FILMS = 5
_CLEAR = 2.0  # standard errors
# A word is a tag that so many users typed, on so many films.
_TYPED_BY, _TYPED_ON = 2, 5


def real_feedback(
    data_name: str, data_dir: Path | None, model_name: str | None, figures_dir: Path | None
) -> list[Row]:
    """Return what likes and dislikes that later films and typed words tell do for later films."""
    tables = load_dated(data_name, data_dir)
    dates = split(tables.ratings)
    genres = item_tags(tables.genres, dates.items)
    typed = tables.typed[tables.typed["item_id"].isin(dates.items)]
    rows = []
    for name in _MODELS:
        model, _ = trained(name, dates.first, genres)
        where = prefix("beyond feedback", data_name, name)
        rows += later_films(f"{where} later films", dates, model, genres)
        rows += words(f"{where} words", dates, model, typed)
        rows += likes_of_words(f"{where} likes of words", dates, model, typed)
    return rows


def surplus(first: NDArray, later: NDArray, n_first: NDArray, n_later: NDArray) -> NDArray:
    """Return by how much tags' shares grew, in standard errors: a test of two proportions.

    Counts of each tag are of shape (n_users, n_tags), of all films of shape (n_users, 1).
    """
    share = (first + later) / (n_first + n_later)
    error = np.sqrt(share * (1 - share) * (1 / n_first + 1 / n_later))
    growth = later / n_later - first / n_first
    return np.divide(growth, error, out=np.zeros_like(growth), where=error > 0)


def against_others(gained: NDArray, chosen: NDArray) -> tuple[NDArray, NDArray, NDArray]:
    """Return the gains of chosen tags, and the means over other tags: of all, as others choose.

    Gains are of shape (n_users, n_tags, ...), chosen columns of shape (n_users,).
    """
    users = np.arange(len(gained))
    others = np.ones(gained.shape[:2])
    others[users, chosen] = 0
    often = others * np.bincount(chosen, minlength=gained.shape[1])
    weighed = []
    for weights in (others, often):
        # With nobody who chose another tag, all others count the same.
        weights = np.where(weights.any(axis=1, keepdims=True), weights, others)
        weights = weights / weights.sum(axis=1, keepdims=True)
        weighed.append(np.einsum("ut,ut...->u...", weights, gained))
    return gained[users, chosen], *weighed


def later_films(where: str, dates: Dates, model: Any, genres: pd.DataFrame) -> list[Row]:
    """Judge likes and dislikes that were never asked for on the films that came last."""
    parts = dates.first, dates.middle, dates.last
    counts = [np.asarray(part.sum(axis=1)) for part in parts]
    users = np.flatnonzero((np.hstack(counts) >= _LEAST_FILMS).all(axis=1))
    counts = [each[users] for each in counts]
    of_tags = [part[users] @ genres.to_numpy(dtype=float) for part in parts]
    grew, at_last = (surplus(of_tags[0], of_tags[then], counts[0], counts[then]) for then in (1, 2))
    explainer = TPECRExplainer(model, genres).fit(dates.first, user_ids=dates.users)
    seen = dates.first + dates.middle
    judged = [(seen[[user]].toarray()[0] == 0, dates.last[[user]].indices) for user in users]
    known = [{"user": dates.users[user]} for user in users]
    informed = [{"interactions": seen[[user]]} for user in users]
    rows = [row(where, "users", len(users)), row(where, "films", counts[2].sum())]
    rows += means(f"{where} middle films told", "", _informed(explainer, known, informed, judged))
    for kind, sign in (("like", 1), ("dislike", -1)):
        chosen, oracle = ((sign * each).argmax(axis=1) for each in (grew, at_last))
        rows.append(mean_row(f"{where} {kind}", "oracle chose the same", chosen == oracle))
        ours, closed, plain = (
            FeedbackRefiner(explainer, solver=solver)
            for solver in ("auto", "closed_form", PlainStep())
        )
        tags = np.tile(genres.columns.to_numpy(), (len(users), 1))
        gained = gains(ours, kind, tags, known, judged)
        told, *others = against_others(gained, chosen)
        rivals = {
            "other tags": others[0],
            "tags of others": others[1],
            "oracle": gained[np.arange(len(users)), oracle],
        }
        lifts = {
            name: own - placebo
            for name, each in {
                "closed form": gains(closed, kind, tags, known, judged),
                "plain": gains(plain, kind, tags, known, judged),
                "boost": boosted(ours, sign, genres.to_numpy() > 0, known, judged),
            }.items()
            for own, _, placebo in [against_others(each, chosen)]
        }
        one = np.take_along_axis(tags, chosen[:, np.newaxis], axis=1)
        further = gains(ours, kind, one, informed, judged)[:, 0]
        for at, strength in enumerate(STRENGTHS):
            name = f"{where} {kind} {strength:g}"
            rows += means(name, "", told[:, at])
            for rival, each in rivals.items():
                rows += means(name, f" {rival}", each[:, at])
                rows += means(name, f" - {rival}", told[:, at] - each[:, at])
            for rival, lift in lifts.items():
                rows += means(name, f" lift {rival}", lift[:, at])
                rows += means(name, f" lift - {rival}", (told - others[1] - lift)[:, at])
            rows += means(name, " after middle films told", further[:, at])
        at = STRENGTHS.index(_MAIN)
        clear = sign * grew[np.arange(len(users)), chosen] >= _CLEAR
        for some, mask in (("of other days", dates.apart[users]), ("clear", clear)):
            name = f"{where} {kind} {_MAIN:g} {some}"
            rows.append(row(name, "users", mask.sum()))
            rows += means(name, "", told[mask, at])
            rows += means(name, " - tags of others", (told - others[1])[mask, at])
        agree = [
            spearmanr(sign * own, each[:, at, 0])[0] for own, each in zip(grew, gained, strict=True)
        ]
        rows.append(mean_row(f"{where} {kind} {_MAIN:g}", "Spearman of surplus and gain", agree))
    return rows


def boosted(refiner: Any, sign: int, has: NDArray, users: Any, judged: Any) -> NDArray:
    """Return gains as `gains` does, of a bonus on a tag's films: strength is that in deviations."""
    found = []
    for user, films in zip(users, judged, strict=True):
        before = refiner.sweep(**user, strengths=[0])[0].scores_before.astype(np.float64)
        moved = sign * before.std() * np.multiply.outer(STRENGTHS, has.T)
        found.append(
            [
                [gain(before, before + moved[at, tag], *films) for at in range(len(STRENGTHS))]
                for tag in range(has.shape[1])
            ]
        )
    return np.array(found)


def words(where: str, dates: Dates, model: Any, typed: pd.DataFrame) -> list[Row]:
    """Rank every typist's own words among all words by where she stands on them."""
    found = []
    for user in np.intersect1d(typed["user_id"].unique(), dates.users):
        own, others = words_of_others(typed, user)
        tags = item_tags(others, dates.items)
        typed_it = np.isin(tags.columns, own["tag"])
        if typed_it.all() or not typed_it.any():
            continue
        rated = dates.items[dates.first[[np.searchsorted(dates.users, user)]].indices]
        unseen = others[~others["item_id"].isin(rated)]
        everything = typed[typed["tag"].isin(tags.columns)]
        scores = {
            "left in": _state(model, dates, user, item_tags(everything, dates.items)),
            "taken out": _state(model, dates, user, tags),
            "all her films taken out": _state(model, dates, user, item_tags(unseen, dates.items)),
            "popularity": others.groupby("tag")["user_id"].nunique(),
            "count of her films": _counted(dates, user, tags),
        }
        both = [scores[name].rank() for name in ("taken out", "popularity")]
        scores["both"] = both[0] + both[1]
        areas = {
            name: roc_auc_score(typed_it, each.reindex(tags.columns, fill_value=0))
            for name, each in scores.items()
        }
        found.append({"words": typed_it.sum(), "among": len(typed_it), **areas})
    table = pd.DataFrame(found)
    rows = [row(where, "users", len(table)), row(where, "words", table["words"].sum())]
    rows.append(row(where, "words to choose from", table["among"].mean()))
    table["both - popularity"] = table["both"] - table["popularity"]
    for name in ("left in", "popularity", "count of her films"):
        table[f"taken out - {name}"] = table["taken out"] - table[name]
    return rows + [mean_row(where, f"AUC {name}", table[name]) for name in table.columns[2:]]


def likes_of_words(where: str, dates: Dates, model: Any, typed: pd.DataFrame) -> list[Row]:
    """Judge likes on words typed on first films by films that were rated well after those."""
    columns: dict[str, list[NDArray]] = {"": [], " other words": [], " plain": []}
    n_words = n_films = 0
    for user in np.intersect1d(typed["user_id"].unique(), dates.users):
        at = np.searchsorted(dates.users, user)
        own, others = words_of_others(typed, user)
        tags = item_tags(others, dates.items)
        on_first = own["item_id"].isin(dates.items[dates.first[[at]].indices])
        chosen = np.isin(tags.columns, own.loc[on_first, "tag"])
        # A word that she typed on later films alone is neither.
        never = ~np.isin(tags.columns, own["tag"])
        judged = [(dates.first[[at]].toarray()[0] == 0, dates.well[[at]].indices)]
        if not chosen.any() or not never.any() or not len(judged[0][1]):
            continue
        n_words, n_films = n_words + chosen.sum(), n_films + len(judged[0][1])
        explainer = TPECRExplainer(model, tags).fit(dates.first, user_ids=dates.users)
        for name, solver, some in (
            ("", "auto", chosen),
            (" other words", "auto", never),
            (" plain", PlainStep(), chosen),
        ):
            refiner = FeedbackRefiner(explainer, solver=solver)
            tried = [tags.columns.to_numpy()[some]]
            gained = gains(refiner, "like", tried, [{"user": user}], judged)[0]
            columns[name].append(gained.mean(axis=0))
    found = {name: np.array(each) for name, each in columns.items()}
    rows = [row(where, "users", len(found[""])), row(where, "words", n_words)]
    rows.append(row(where, "films", n_films))
    for at, strength in enumerate(STRENGTHS):
        name = f"{where} {strength:g}"
        for rival, each in found.items():
            rows += means(name, rival, each[:, at])
            if rival:
                rows += means(name, f" -{rival}", found[""][:, at] - each[:, at])
    return rows


def words_of_others(typed: pd.DataFrame, user: Any) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return what a user typed, and words of others off the films that she typed them on."""
    is_own = typed["user_id"] == user
    pair = pd.MultiIndex.from_frame(typed[["item_id", "tag"]])
    others = typed[~pair.isin(pair[is_own])]
    by_tag = others.groupby("tag")[["user_id", "item_id"]].transform("nunique")
    is_word = (by_tag["user_id"] >= _TYPED_BY) & (by_tag["item_id"] >= _TYPED_ON)
    return typed[is_own], others[is_word]


def _state(model: Any, dates: Dates, user: Any, tags: pd.DataFrame) -> pd.Series:
    tags = tags.loc[:, tags.any()]
    explainer = TPECRExplainer(model, tags).fit(dates.first, user_ids=dates.users)
    return explainer.profile(user).set_index("tag")["vs_population"]


def _counted(dates: Dates, user: Any, tags: pd.DataFrame) -> pd.Series:
    """Return how the tags' shares of a user's films stand to everybody's, without a model."""
    films = np.maximum(np.asarray(dates.first.sum(axis=1)), 1)
    shares = dates.first @ tags.to_numpy(dtype=float) / films
    own = shares[np.searchsorted(dates.users, user)]
    return pd.Series(
        (own - shares.mean(axis=0)) / np.maximum(shares.std(axis=0), 1e-12), tags.columns
    )


def _informed(explainer: Any, known: Any, informed: Any, judged: Any) -> NDArray:
    """Return gains of shape (n_users, n_metrics) from folding in the films of the middle."""
    refiner = FeedbackRefiner(explainer, solver="closed_form")
    anything = explainer.tag_names_[0]
    found = []
    for users in zip(known, informed, strict=True):
        before, after = (
            refiner.sweep(**user, like=anything, strengths=[0])[0].scores for user in users
        )
        found.append((before, after))
    return np.array([gain(*scores, *films) for scores, films in zip(found, judged, strict=True)])
