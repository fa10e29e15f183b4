"""One item explained for one user, and how far that can be trusted."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sktpecr.attribution import AccountAttribution
from sktpecr.attribution._resampled import contributions_by
from sktpecr.explanation._certificate import Certificate
from sktpecr.explanation._evidence import evidence_table
from sktpecr.explanation._explanation import Explanation
from sktpecr.explanation._faithfulness import agreement, faithfulness, random_changes, redrawn
from sktpecr.explanation._reasons import tell
from sktpecr.recommenders._fold_in_parts import fold_in_parts
from sktpecr.recommenders._protocol import optional
from sktpecr.tags._tag_model import TagModel
from sktpecr.tags._user import User


def explain_item(tag_model: TagModel, user: User, column: int) -> Explanation:
    """Explain one item for a user."""
    extractor, attribution = tag_model.extractor, tag_model.attribution
    embedding = user.embedding
    preferences = tag_model.tag_preferences_of(embedding)
    vs_population = tag_model.vs_mean(preferences)
    attributed = attribution.attribute(preferences, embedding, [column])
    contributions, likings = attributed.told(vs_population)
    contributions = contributions[0]
    base_value, value = float(attributed.base_values[0]), float(attributed.values[0])
    scores = tag_model.scores_of(embedding)
    prediction = tag_model.composite(preferences[np.newaxis], embedding[np.newaxis], [column])
    item_tags = extractor.tags_of(column)
    asked = [(tag, more) for tag, more in user.asked.items() if item_tags[tag] > 0]
    accounted = attributed if isinstance(attribution, AccountAttribution) else None
    errors, n_trained = attributed.standard_errors, optional(tag_model.recommender, "n_trained")
    return Explanation(
        user=user.label,
        item=tag_model.catalogue.items[column],
        item_name=tag_model.catalogue.item_names[column],
        method=tag_model.method,
        unit=attribution.unit,
        tag_names=extractor.tag_names_,
        item_tags=item_tags,
        tag_preferences=preferences,
        vs_population=vs_population,
        vs_own_average=preferences - scores.mean(),
        likings=likings,
        importances=attributed.importances[0],
        contributions=contributions,
        base_value=base_value,
        activity=0.0 if attributed.activity is None else float(attributed.activity[0]),
        residual=value - base_value - float(contributions.sum()),
        value=value,
        score=_own_score(tag_model, user, column, float(scores[column])),
        prediction=float(prediction[0, 0]),
        fidelity=float(attributed.fidelity[0] * tag_model.fidelity(column, user.is_folded)),
        standard_errors=None if errors is None else errors[0],
        scored_by_tags=n_trained is not None and column >= n_trained,
        asked_more=tuple(tag_model.tags[tag] for tag, more in asked if more),
        asked_less=tuple(tag_model.tags[tag] for tag, more in asked if not more),
        _is_row=user.is_row_number(tag_model),
        _measure=partial(certify, tag_model, embedding, column),
        _tell=partial(tell, tag_model, user, column, attributed=accounted),
        _weigh=_weighing(tag_model, user, column),
    )


def _own_score(tag_model: TagModel, user: User, column: int, score: float) -> float:
    """Return what a distilled box says itself of a user it knows, else the score as it is."""
    ask, X = optional(tag_model.recommender, "own_score"), tag_model.catalogue.interactions
    is_known = user.row is not None and not user.turns and not user.is_folded
    return score if ask is None or X is None or not is_known else ask(user.row, column, X)


def _weighing(tag_model: TagModel, user: User, column: int) -> Callable[[], pd.DataFrame] | None:
    """Return what makes the table of evidence; None where a history does not add up to a score."""
    catalogue, recommender = tag_model.catalogue, tag_model.recommender
    tag_matrix, X = tag_model.extractor.tag_matrix_, catalogue.interactions
    if tag_matrix is None or X is None or user.turns or not len(user.history):
        return None
    row_number = user.row
    if row_number is None or not isinstance(tag_model.attribution, AccountAttribution):
        return None

    def weigh() -> pd.DataFrame:
        row = X[row_number]
        parts = fold_in_parts(recommender, row)
        if parts is None:
            raise ValueError(
                f"evidence needs a recommender that folds users in linearly, as ALS and SVD do; "
                f"{type(recommender).__name__} does not"
            )
        return evidence_table(
            tag_model.account,
            column,
            np.asarray(recommender.item_embeddings[column], dtype=np.float64),
            tag_matrix,
            user.embedding.astype(np.float64) - tag_model.average_user,
            parts,
            catalogue.item_ids[row.indices],
            tag_model.tags.array(),
        )

    return weigh


def certify(
    tag_model: TagModel, embedding: NDArray, column: int, explanation: Explanation
) -> Certificate:
    """Measure how far an explanation can be trusted."""
    # `embedding` (n_factors,).
    scores = tag_model.scores_of(embedding).astype(np.float64)
    importances, account = explanation.importances, tag_model.account
    parts = explanation.base_value + explanation.contributions.sum() + explanation.residual
    off = _ratio(abs(explanation.prediction - explanation.score), scores.std())
    faithful, spearman, flips = np.nan, 1.0, 0.0
    if tag_model.attribution is not account:
        changes = random_changes(np.random.RandomState(0), len(importances))
        faithful = faithfulness(tag_model, embedding, column, importances, changes)
        own_seed = tag_model.attribution.get_params().get("random_state")
        for other in redrawn(tag_model, [0 if own_seed != 0 else 1]):
            preferences = tag_model.tag_preferences_of(embedding)
            drawn = other.attribute(preferences, embedding, [column]).importances[0]
            spearman, _, flips = agreement(importances, drawn)
    return Certificate(
        completeness_error=_ratio(abs(parts - explanation.value), np.abs(scores).max()),
        told=float(account.explained_[column]),
        told_by_chance=float(account.explained_by_chance_[column]),
        kept=_kept(tag_model, embedding, column),
        # The account generates nothing, and says nothing of what would be generated.
        composite_distance=0.0 if tag_model.attribution is account else off,
        faithfulness=faithful,
        fidelity=np.nan if tag_model.attribution is account else explanation.fidelity,
        seed_spearman=spearman,
        seed_sign_flips=flips,
    )


def _kept(tag_model: TagModel, embedding: NDArray, column: int) -> float:
    """Return how often the own tag that does most is the same, learned from half of the users."""
    account, tag_matrix = tag_model.account, tag_model.extractor.tag_matrix_
    own = np.flatnonzero((tag_model.extractor.tags_of(column) > 0) & account.used_)
    told = account.attribute(tag_model.tag_preferences_of(embedding), embedding, [column])
    contributions, _ = told.told(account.scale_)
    first = int(np.abs(contributions[0]).argmax())
    if tag_matrix is None or account.average_item_ is None or not contributions[0, first]:
        return np.nan
    item = np.asarray(tag_model.recommender.item_embeddings[column], dtype=np.float64)
    of_level = account.average_item_, account.level_, account.ridge
    firsts = []
    for half in tag_model.halves:
        found = contributions_by(half, embedding, item, tag_matrix[own], *of_level)
        firsts.append(own[np.abs(found).argmax()])
    same = account.aliases_[firsts] == account.aliases_[first]
    return float(np.mean(same)) if firsts else np.nan


def _ratio(part: float, whole: float) -> float:
    """Return part / whole, where nothing of nothing is nothing."""
    if not part:
        return 0.0
    return float(part / whole) if whole > 0 else np.inf


def profile_of(tag_model: TagModel, user: User) -> pd.DataFrame:
    """Return a user's tag preferences, the one furthest above the population first."""
    preferences = tag_model.tag_preferences_of(user.embedding)
    _, likings = tag_model.account.attribute(preferences, user.embedding, [0]).told(preferences)
    frame = pd.DataFrame(
        {
            "tag": tag_model.tags.array(),
            "preference": preferences,
            "vs_population": tag_model.vs_mean(preferences),
            "vs_own_average": preferences - tag_model.scores_of(user.embedding).mean(),
            "liking": likings,
        }
    )
    return frame.sort_values("vs_population", ascending=False, kind="stable").reset_index(drop=True)
