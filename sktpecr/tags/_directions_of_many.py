"""Directions of many users at once: one product with the items' outer products for all scatters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sktpecr.tags._directions import (
    FULL_WORD,
    HISTORY_PULL,
    KEPT_WORD,
    RIDGE,
    ROUNDINGS,
    SHARE_RAISED,
    TASTE_TEMPERATURE,
    Directions,
)

# Items whose outer products are there at a time.
_BLOCK_ITEMS = 1_024
# Sides that count for less than this share of all are told apart one by one, in double precision.
_THIN = 1e-3


class _Pairs(NamedTuple):
    """A row for each tag that somebody speaks of."""

    owner: NDArray  # Row of the user
    tags: NDArray
    liked: NDArray  # or else disliked
    factors: NDArray  # Strengths, as shares of the user's largest


def combined_of_many(
    directions: Directions,
    wishes: Sequence[dict[int, float]],
    scores: NDArray,
    spreads: Sequence[float],
    histories: Sequence[NDArray],
) -> NDArray:
    """Return each user's `combined` to rounding, NaN where it has to be asked for one by one."""
    # `scores` (n_users, n_items), `spreads` (n_users,) their standard deviations; returns
    # (n_users, n_factors).
    strongest = [max(map(abs, each.values())) for each in wishes]
    pairs = _Pairs(
        np.repeat(np.arange(len(wishes)), [len(each) for each in wishes]),
        np.array([tag for each in wishes for tag in each]),
        np.array([wish > 0 for each in wishes for wish in each.values()]),
        np.array(
            [
                abs(wish) / most
                for each, most in zip(wishes, strongest, strict=True)
                for wish in each.values()
            ]
        ),
    )
    apart, scatters = _told_apart(directions, pairs, scores, spreads, histories)
    towards = _units(directions, np.linalg.solve(scatters, apart[:, :, np.newaxis])[:, :, 0])
    towards = _units(directions, towards + _pulls(directions, pairs, histories))
    found, sizes = np.zeros((len(wishes), towards.shape[1])), np.zeros(len(wishes))
    np.add.at(found, pairs.owner, pairs.factors[:, np.newaxis] * towards)
    np.add.at(sizes, pairs.owner, np.linalg.norm(towards, axis=1))
    found = _units(directions, found, sizes)
    words = np.einsum("ij,ij->i", directions.tag_matrix[pairs.tags], found[pairs.owner])
    words = np.where(pairs.liked, words, -words)
    least = KEPT_WORD + 1.0 - np.maximum(FULL_WORD / np.maximum(pairs.factors, 1e-6), 1.0)
    for user in np.unique(pairs.owner[~(words >= least)]):
        if np.isnan(found[user]).any():
            continue
        own = pairs.owner == user
        scatter = np.tensordot(pairs.factors[own], scatters[own], axes=1)
        try:
            found[user] = directions.keep_words(found[user], scatter, wishes[user])
        except (ValueError, np.linalg.LinAlgError):
            found[user] = np.nan
    return found


def _told_apart(
    directions: Directions,
    pairs: _Pairs,
    scores: NDArray,
    spreads: Sequence[float],
    histories: Sequence[NDArray],
) -> tuple[NDArray, NDArray]:
    """Return the mean item to raise less that to lower, and the scatter, for each pair."""
    items = directions.items
    counted = np.empty((len(scores), len(items)), dtype=items.dtype)
    within = np.zeros((len(pairs.owner), len(items)), dtype=items.dtype)
    weights = np.empty_like(within)
    sums = np.empty((2, len(pairs.owner), 1))  # what items of the tag count together, and others
    shares = np.where(pairs.liked, SHARE_RAISED[True], 1 - SHARE_RAISED[False])
    for user, own in enumerate(scores):
        taste = counted[user]
        np.subtract(own, own.max(), out=taste)
        taste /= (spreads[user] or 1.0) * TASTE_TEMPERATURE
        np.exp(taste, out=taste)
        taste[histories[user]] = 0.0
    everything = counted.sum(axis=1, dtype=np.float64)
    for pair, (user, tag, share) in enumerate(zip(pairs.owner, pairs.tags, shares, strict=True)):
        columns = directions.items_of(tag)
        inside = counted[user, columns]
        total = float(inside.sum(dtype=np.float64))
        rest = everything[user] - total
        sums[:, pair, 0] = total, rest
        if min(total, rest) < _THIN * everything[user] or not total:
            sums[:, pair] = np.nan
            continue
        within[pair, columns] = inside
        np.multiply(counted[user], items.dtype.type((1 - share) / rest), out=weights[pair])
        weights[pair, columns] = inside * items.dtype.type(share / total)
    weights[np.isnan(sums[0, :, 0])] = 0.0
    of_tag = (within @ items).astype(np.float64)
    of_others = ((counted @ items).astype(np.float64)[pairs.owner] - of_tag) / sums[1]
    of_tag /= sums[0]
    scatters = _second_moments(items, weights)
    whole = np.trace(scatters, axis1=1, axis2=2)
    for means, share in ((of_tag, shares), (of_others, 1 - shares)):
        weighted = share[:, np.newaxis] * means
        scatters -= weighted[:, :, np.newaxis] * means[:, np.newaxis]
    sizes, n_factors = np.trace(scatters, axis1=1, axis2=2), items.shape[1]
    scatters += (RIDGE * sizes / n_factors)[:, np.newaxis, np.newaxis] * np.eye(n_factors)
    rounding = ROUNDINGS * n_factors * np.finfo(items.dtype).eps * whole
    scatters[~(sizes > rounding)] = np.eye(n_factors) * np.nan
    return np.where(pairs.liked[:, np.newaxis], of_tag - of_others, of_others - of_tag), scatters


def _second_moments(items: NDArray, weights: NDArray) -> NDArray:
    """Return the weighted sums of the items' outer products, a matrix for each row of weights."""
    n_factors = items.shape[1]
    above = np.triu_indices(n_factors)
    sums = np.zeros((len(above[0]), len(weights)), dtype=items.dtype)
    added = np.empty_like(sums)
    products = np.empty((len(above[0]), _BLOCK_ITEMS), dtype=items.dtype)
    for start in range(0, len(items), _BLOCK_ITEMS):
        some = np.ascontiguousarray(items[start : start + _BLOCK_ITEMS].T)
        there, row = products[:, : some.shape[1]], 0
        for first in range(n_factors):
            np.multiply(some[first], some[first:], out=there[row : row + n_factors - first])
            row += n_factors - first
        sums += np.matmul(there, weights[:, start : start + _BLOCK_ITEMS].T, out=added)
    place = np.zeros((n_factors, n_factors), dtype=np.intp)
    place[above] = np.arange(len(sums))
    moments = np.ascontiguousarray(sums.T, dtype=np.float64)
    return moments.take(np.maximum(place, place.T), axis=1)


def _pulls(directions: Directions, pairs: _Pairs, histories: Sequence[NDArray]) -> NDArray:
    """Return what the user's history adds to each direction."""
    means = np.zeros((len(pairs.owner), directions.items.shape[1]))
    for pair, (user, tag, liked) in enumerate(
        zip(pairs.owner, pairs.tags, pairs.liked, strict=True)
    ):
        kept = histories[user]
        if not liked:
            kept = kept[~np.isin(kept, directions.items_of(tag), assume_unique=True)]
        if len(kept):
            means[pair] = directions.items[kept].mean(axis=0)
    usual = np.sqrt(np.trace(directions.covariance))
    sizes = np.where(pairs.liked, HISTORY_PULL[True], HISTORY_PULL[False])
    return sizes[:, np.newaxis] * _units(directions, means, usual)


def _units(directions: Directions, rows: NDArray, sizes: NDArray | float = 0.0) -> NDArray:
    """Return directions scaled to movement 1, none where they are only rounding."""
    covariance, eps = directions.covariance, np.finfo(directions.items.dtype).eps
    lengths = np.linalg.norm(rows, axis=1)
    movements = np.sqrt(np.maximum(np.einsum("ij,ij->i", rows @ covariance, rows), 0.0))
    nothing = (lengths <= ROUNDINGS * eps * sizes) | (
        movements <= np.sqrt(8 * eps * np.trace(covariance)) * lengths
    )
    return np.where(
        nothing[:, np.newaxis], 0.0, rows / np.where(nothing, 1.0, movements)[:, np.newaxis]
    )
