"""How far an explanation can be trusted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

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
