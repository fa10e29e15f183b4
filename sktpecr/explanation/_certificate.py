"""How far an explanation can be trusted."""

from __future__ import annotations

from dataclasses import dataclass

# What importances predict of other tag preferences is not so below this R^2.
_TOO_LITTLE = 0.1
# Nor do they fit what they were made from.
_UNFIT = 0.25
# Own tags have to tell more than chance by so much of the variance.
_MORE_THAN_CHANCE = 0.05
# The composite function is off by more than this share of the spread of the user's scores.
_OFF = 0.1
# This share of the signs changes with the seed.
_FICKLE = 0.1

# Of an item's own tags another comes first, had other users been learned from, more often.
_KEPT = 0.8


@dataclass(frozen=True)
class Certificate:
    """What an explanation accounts for, and what it does not.

    ``explanation.certificate``; do not make one yourself.

    Parameters
    ----------
    completeness_error : float
        Distance of base value, contributions and residual together from the value that is
        explained, relative to the user's largest score. 0 up to rounding.
    told : float
        Share of the variance over users of the item's score, less their level, that its own tags
        tell: R^2 of the account, see :class:`~sktpecr.attribution.AccountAttribution`.
    told_by_chance : float
        The same for as many tags that are given to items at random.
    kept : float
        How often the own tag that contributes most stays the first when weights, average and level
        are learned from half of the users: share of ten random halves. NaN where the score is no
        dot product, or no own tag contributes.
    composite_distance : float
        Distance of the composite function from the recommender's own score, in standard
        deviations of the user's scores over items. 0 where the generator is exact, and for the
        account, which asks no generator.
    faithfulness : float
        R^2 of what the importances predict on changes of tags that they were not made from:
        squared correlation with the composite function's scores over 200 random changes of all
        tags around the user. NaN where no change moves the score, and for the account, which
        says nothing of changes with all other tags held.
    fidelity : float
        R^2 of the surrogate that importances were read from; 1 where there is none to fit, NaN for
        the account, of which `told` says it.
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
    >>> bool(certificate.told > certificate.told_by_chance)
    True
    >>> print(certificate)
    Its tags explain ... % of the differences between people's scores of it; random tags would ...
    """

    completeness_error: float
    told: float
    told_by_chance: float
    kept: float
    composite_distance: float
    faithfulness: float
    fidelity: float
    seed_spearman: float
    seed_sign_flips: float

    @property
    def is_chance(self) -> bool:
        """Whether the item's tags explain its scores no better than random tags would."""
        return not self.told >= self.told_by_chance + _MORE_THAN_CHANCE

    def __str__(self) -> str:
        told = f"Its tags explain {self.told:.0%} of the differences between people's scores of it"
        if self.is_chance:
            sentences = [f"{told}, no more than random tags would ({self.told_by_chance:.0%})."]
        else:
            sentences = [f"{told}; random tags would explain {self.told_by_chance:.0%}."]
        if self.kept < _KEPT:
            sentences.append(
                f"Learned from other halves of the users, the first tag stays the same in "
                f"{self.kept:.0%} of cases."
            )
        if self.fidelity < _UNFIT:
            sentences.append(
                f"The importances reproduce {self.fidelity:.0%} of the changes of what they "
                f"explain; if that is a rank that hardly changes, try reach='median'."
            )
        if self.faithfulness < _TOO_LITTLE:
            sentences.append("The importances do not predict what other tag preferences would do.")
        if self.composite_distance > _OFF:
            sentences.append(
                f"The generator misses this user's score by {self.composite_distance:.2g} "
                f"standard deviations of the user's scores."
            )
        if self.seed_sign_flips > _FICKLE:
            sentences.append(
                f"Another seed reverses {self.seed_sign_flips:.0%} of the signs of the importances."
            )
        return " ".join(sentences).replace("%", " %")
