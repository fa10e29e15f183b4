"""How far an explanation can be trusted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from sktpecr._utils._rounding import spread

if TYPE_CHECKING:
    from sktpecr.explanation._explanation import Explanation
    from sktpecr.tags._tag_model import Population

# Changes of tags, in standard deviations, that faithfulness is tried on, and how many.
_TRIAL_STD, _TRIALS = 0.5, 200
# Below this share of the difference, or of what changes of tags do, tags explain nothing.
_TOO_LITTLE = 0.1
# And above this share all is said.
_ALL = 0.995
# The composite function is off by more than this share of the spread of the user's scores.
_OFF = 0.1
# This share of the signs changes with the seed.
_FICKLE = 0.1


@dataclass(frozen=True)
class Certificate:
    """What an explanation accounts for, and what it does not.

    ``explanation.certificate``; not built by hand.

    Parameters
    ----------
    completeness_error : float
        Distance of base value, contributions and residual together from the value that is
        explained, relative to the user's largest score. 0 up to rounding.
    tag_share : float
        Share that the tags together have in what moves the score from the average user's: the
        change of the composite function's score from average tag preferences to the user's own,
        beside the rest, which no tag sees. 0 to 1, NaN where there is no difference.
    composite_distance : float
        Distance of the composite function from the recommender's own score, in standard
        deviations of the user's scores over items. 0 where the generator is exact.
    faithfulness : float
        R^2 of what the importances predict on changes of tags that they were not made from:
        squared correlation with the composite function's scores over 200 random changes of all
        tags around the user. NaN where no change moves the score.
    seed_spearman, seed_sign_flips : float
        Rank correlation with the importances that another seed gives, and share of signs that
        differ. 1 and 0 for what is not sampled; the correlation is NaN where all are alike.

    Notes
    -----
    The random changes have a standard deviation of 0.5 per tag, in units of the population's.

    Examples
    --------
    >>> from sklearn.decomposition import TruncatedSVD
    >>> from sktpecr import TPECRExplainer
    >>> from sktpecr.datasets import make_tagged_interactions
    >>> data = make_tagged_interactions(random_state=0)
    >>> explainer = TPECRExplainer(TruncatedSVD(8, random_state=0), data.item_tags)
    >>> certificate = explainer.fit(data.interactions).explain(0, data.item_ids[0]).certificate
    >>> bool(certificate.faithfulness > 0.999)
    True
    >>> print(certificate)
    Tags account for all that moves this score from the average user's.
    """

    completeness_error: float
    tag_share: float
    composite_distance: float
    faithfulness: float
    seed_spearman: float
    seed_sign_flips: float

    @property
    def residual_share(self) -> float:
        """Share that no tag sees of what moves the score from the average user's."""
        return 1.0 - self.tag_share

    def __str__(self) -> str:
        sentences = []
        if np.isnan(self.tag_share):
            sentences.append("Nothing moves this score from the average user's.")
        elif self.tag_share < _TOO_LITTLE:
            sentences.append(
                f"Tags do not explain this item: they account for {self.tag_share:.0%} of what "
                f"moves its score from the average user's."
            )
        elif self.tag_share > _ALL:
            sentences.append("Tags account for all that moves this score from the average user's.")
        else:
            sentences.append(
                f"Tags account for {self.tag_share:.0%} of what moves this score from the average "
                f"user's; the rest is taste that no tag sees."
            )
        if self.faithfulness < _TOO_LITTLE:
            sentences.append("What the importances predict of other tag preferences is not so.")
        if self.composite_distance > _OFF:
            sentences.append(
                f"The generator misses this user's score by {self.composite_distance:.2g} "
                f"standard deviations of the user's scores."
            )
        if self.seed_sign_flips > _FICKLE:
            sentences.append(
                f"Another seed turns {self.seed_sign_flips:.0%} of the signs of the importances."
            )
        return " ".join(sentences).replace("%", " %")


def certify(
    population: Population, embedding: NDArray, column: int, explanation: Explanation
) -> Certificate:
    """Measure how far an explanation can be trusted.

    Parameters
    ----------
    population : Population
        What the explainer learned.
    embedding : ndarray of shape (n_factors,)
        The user's embedding.
    column : int
        Column of the item.
    explanation : Explanation
        What was said of them.

    Returns
    -------
    Certificate
        The measurements.
    """
    scores = population.scores_of(embedding).astype(np.float64)
    importances, contributed = explanation.importances, float(explanation.contributions.sum())
    parts = explanation.base_value + contributed + explanation.residual
    changes = random_changes(np.random.RandomState(0), len(importances))
    spearman, _, flips = 1.0, 1.0, 0.0
    own_seed = population.attribution.get_params().get("random_state")
    for other in redrawn(population, [0 if own_seed != 0 else 1]):
        preferences = population.tag_preferences_of(embedding)
        drawn = other.attribute(preferences, embedding, [column]).importances[0]
        spearman, _, flips = agreement(importances, drawn)
    return Certificate(
        completeness_error=_ratio(abs(parts - explanation.value), np.abs(scores).max()),
        tag_share=_tag_share(population, embedding, column, explanation),
        composite_distance=_ratio(abs(explanation.prediction - explanation.score), scores.std()),
        faithfulness=faithfulness(population, embedding, column, importances, changes),
        seed_spearman=spearman,
        seed_sign_flips=flips,
    )


def _tag_share(
    population: Population, embedding: NDArray, column: int, explanation: Explanation
) -> float:
    """Return the share of tags in the difference from the average user, whatever the method."""
    score = explanation.score
    average = float(population.scores_of(population.average_user)[column])
    without = population.composite(
        population.mean[np.newaxis], embedding[np.newaxis].astype(np.float64), [column]
    )
    by_tags = explanation.prediction - float(without[0, 0])
    apart = abs(by_tags) + abs(score - average - by_tags)
    # What is rounding beside the scores themselves is no difference.
    precision = np.finfo(population.tag_preferences.dtype).eps
    if not apart > 16 * precision * max(abs(score), abs(average)):
        return np.nan
    return abs(by_tags) / apart


def random_changes(random_state: np.random.RandomState, n_tags: int) -> NDArray:
    """Draw the changes that faithfulness is tried on, in standard deviations of the tags."""
    return _TRIAL_STD * random_state.standard_normal((_TRIALS, n_tags))


def faithfulness(
    population: Population, embedding: NDArray, column: int, importances: NDArray, changes: NDArray
) -> float:
    """Return the squared correlation of what importances predict with what happens.

    Parameters
    ----------
    population : Population
        What the explainer learned.
    embedding : ndarray of shape (n_factors,)
        The user's embedding.
    column : int
        Column of the item.
    importances : ndarray of shape (n_tags,)
        What is tried.
    changes : ndarray of shape (n, n_tags)
        Changes of the tags, in standard deviations.

    Returns
    -------
    float
        0 to 1; NaN where nothing changes.
    """
    own = embedding.astype(np.float64)
    asked = population.tag_preferences_of(own) + changes * population.std
    scores = population.composite(asked, own[np.newaxis], [column])[:, 0]
    predicted = changes @ importances
    if not spread(np.column_stack([scores, predicted]), scores.dtype).all():
        return np.nan
    return float(np.corrcoef(predicted, scores)[0, 1] ** 2)


def redrawn(population: Population, seeds: Iterable[int]) -> Iterator[Any]:
    """Yield the attribution with other seeds; nothing if it draws nothing.

    Parameters
    ----------
    population : Population
        What the explainer learned.
    seeds : iterable of int
        The seeds.

    Yields
    ------
    object
        Fitted attributions.
    """
    if "random_state" not in population.attribution.get_params():
        return
    learned = population.learners
    known = (
        population.tag_preferences[learned].astype(np.float64),
        population.user_embeddings[learned].astype(np.float64),
    )
    for seed in seeds:
        attribution = clone(population.attribution).set_params(random_state=seed)
        yield attribution.fit(population.composite, *known)


def agreement(first: NDArray, second: NDArray) -> tuple[float, float, float]:
    """Return how alike two sets of importances are.

    Parameters
    ----------
    first, second : ndarray of shape (n_tags,)
        Importances.

    Returns
    -------
    tuple of float
        Spearman's rho (NaN where one of them is constant), Jaccard overlap of the five largest
        in size, share of signs that differ.
    """
    from scipy.stats import spearmanr

    top = [set(np.argsort(-np.abs(weights))[:5].tolist()) for weights in (first, second)]
    flips = float(np.mean(np.sign(first) != np.sign(second)))
    # An item that never changes its rank has no importances to correlate.
    constant = np.ptp(first) == 0 or np.ptp(second) == 0
    rho = np.nan if constant else float(spearmanr(first, second).statistic)
    return rho, len(top[0] & top[1]) / len(top[0] | top[1]), flips


def _ratio(part: float, whole: float) -> float:
    """Return part / whole, where nothing of nothing is nothing."""
    if not part:
        return 0.0
    return float(part / whole) if whole > 0 else np.inf
