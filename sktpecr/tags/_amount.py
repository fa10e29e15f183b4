"""How much an answer has to count until it shows in the list."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sktpecr._inputs._feedback import AMOUNTS
from sktpecr._utils._ranking import top_items
from sktpecr._utils._rounding import deviation

# Past a crossing by this share of the numbers that cross, so that no rounding undoes it.
_PAST = 1e-9
# In standard deviations of what items are worth; with 2, of the first hundred at least 85 stay in
# the median at "more", on MovieLens-1M and goodbooks.
_TASTE = 2.0


@dataclass(frozen=True)
class Amount:
    """What it takes to see more of a tag, or less of it."""

    strength: float  # what the evidence has to be multiplied by; 0 where nothing has to be done
    before: int  # how many of the tag's items are in the list
    wanted: int  # `count` misses it where there are fewer, or the list would lose too much
    count: int  # how many are in the list at this strength
    available: int  # how many of the tag's items could be listed
    kept: int  # how many items of the first list are still in it
    n: int  # length of the list

    @property
    def met(self) -> bool:
        """Whether as many as asked for are in the list, or as few."""
        more = self.wanted >= self.before
        return self.count >= self.wanted if more else self.count <= self.wanted

    def __str__(self) -> str:
        changed = f"{self.before} -> {self.count} of the first {self.n}, {self.kept} of which stay"
        if self.met:
            return changed
        if self.count == self.available < self.wanted:
            return f"{changed}: no more in the catalogue"
        if self.wanted > self.available:
            return f"{changed}: {self.count} of the {self.available} in the catalogue"
        return f"{changed}: {self.wanted} would replace too much of the list"


def wanted_count(amount: str, before: int, n: int, liked: bool) -> int:
    """Return how many of a tag's items an amount asks for, from 0 to n."""
    # 1, 2 or 4 more than `before`, or fewer; from "more" on at most half as many for a dislike.
    if amount not in AMOUNTS:
        raise ValueError(f"amount must be one of {', '.join(map(repr, AMOUNTS))}, got {amount!r}")
    step = AMOUNTS[amount]
    if liked:
        return min(before + step, n)
    half = before // 2 if step > 1 else before
    return max(min(before - step, half), 0)


def by_taste(evidence: NDArray, base: NDArray, candidates: NDArray, listed: NDArray) -> NDArray:
    """Return evidence of a like which counts the less the further an item is from the list."""
    # `evidence` (n_items,) is above 0 on the tag's items, `base` (n_items,) what items are worth
    # before the answer; `listed` are the columns of the list that makes of the candidates.
    # Evidence times exp(z / 2), z how far the item stands behind the best of the tag that is not
    # listed yet, in standard deviations. Alike in sign, and in order within the tag where evidence
    # is, so that more liking still never lowers an item of the tag against another: but the rest of
    # the list stays, where evidence as it is brings the whole tag.
    unlisted = candidates.copy()
    unlisted[listed] = False
    of_tag = np.flatnonzero(evidence)
    to_come = of_tag[unlisted[of_tag]]
    spread = deviation(base[candidates]) if len(to_come) else 0.0
    if not spread:
        return evidence
    shaped = np.zeros(len(evidence))
    behind = np.minimum(base[of_tag] - base[to_come].max(), 0.0)
    shaped[of_tag] = evidence[of_tag] * np.exp(behind / (_TASTE * spread))
    return shaped


def enough(
    base: NDArray,
    moves: NDArray,
    candidates: NDArray,
    wanted: Sequence[int],
    n: int = 10,
    keep: float = 0.5,
    first: NDArray | None = None,
) -> list[NDArray]:
    """Return as much of what an answer adds to scores as brings each number of items wanted."""
    # See `solve_amounts`; `moves` (n_items,) may be 0 on all items, and then nothing is moved.
    largest = moves.max()
    if not largest and not moves.any():
        return [moves] * len(wanted)
    listed = top_items(base, candidates, n)
    if largest > 0:
        moves = by_taste(moves, base, candidates, listed)
    found = solve_amounts(base, moves, candidates, wanted, n, keep, first, listed)
    return [each.strength * moves for each in found]


def solve_amounts(
    base: NDArray,
    evidence: NDArray,
    candidates: NDArray,
    wanted: Sequence[int | str],
    n: int = 10,
    keep: float = 0.5,
    first: NDArray | None = None,
    listed: NDArray | None = None,
) -> list[Amount]:
    """Return the smallest strengths at which as many of a tag's items are listed as wanted."""
    # `base` (n_items,) is what items are worth before the answer, `evidence` (n_items,) what the
    # answer adds to that at strength 1, `candidates` which items may be listed. Of the first list
    # the share `keep` has to stay: less is reached where it would not. `first` is the list that
    # counts for `keep`, by default the best by `base`, which are `listed` where they are known.
    # Values are linear in the strength, and only the tag's items move. So j of them are in the
    # list as soon as j of them are ahead of the (n - j + 1)-th best of the others: the strength
    # is the j-th smallest of (that one's value - base) / evidence. Exact, without a search, and
    # the count is monotone in the strength.
    of_tag = np.flatnonzero(evidence)
    liked = bool((evidence[of_tag] > 0).any())
    if liked == bool((evidence[of_tag] < 0).any()):
        raise ValueError(
            "evidence must be above 0 on the tag's items for a like, or below 0 for a dislike, and "
            "0 on the others; got "
            + ("both signs" if liked else "0 everywhere: no item that can be listed has the tag")
        )
    moving = of_tag[candidates[of_tag]]
    still = candidates.copy()
    still[moving] = False
    others = top_items(base, still, n)
    own_base, own_moves = base[moving], evidence[moving]
    # Nothing else is ever listed. In order of columns, which is that of ties; nearly all of them
    # are in it already, which a stable sort makes use of.
    columns = np.sort(np.concatenate([moving, others]), kind="stable")
    values, moves = base[columns], evidence[columns]
    in_first = np.zeros(len(base), dtype=bool)
    listed = top_items(base, candidates, n) if listed is None else listed
    in_first[listed if first is None else first] = True
    least = keep * np.count_nonzero(in_first)
    before, kept_before = int((evidence[listed] != 0).sum()), int(in_first[listed].sum())
    in_first = in_first[columns]
    # Where there are fewer others than places, the tag's items have the rest of the list.
    ahead = np.concatenate([base[others], np.full(n - len(others), -np.inf)])
    sign, everything = 1 if liked else -1, np.ones(len(columns), dtype=bool)

    def listed_at(strength: float) -> tuple[float, int, int]:
        """Return a strength, how many of the tag's items it lists, how many of the first list."""
        best = top_items(values + strength * moves, everything, n)
        return strength, int((moves[best] != 0).sum()), int(in_first[best].sum())

    def enough(wanted: int) -> Amount:
        goal = min(wanted, len(moving), n) if liked else wanted
        for count in range(goal, before, -sign):
            crossing = _crossing(own_base, own_moves, ahead, count, n)
            strength, reached, kept = listed_at(crossing)
            if kept >= least and sign * (reached - before) > 0:
                break
        else:
            strength, reached, kept = 0.0, before, kept_before
        return Amount(strength, before, wanted, reached, len(moving), kept, n)

    return [
        enough(wanted_count(each, before, n, liked) if isinstance(each, str) else each)
        for each in wanted
    ]


def _crossing(base: NDArray, evidence: NDArray, others: NDArray, count: int, n: int) -> float:
    """Return the strength from which on so many items of the tag are listed, or so few."""
    liked = evidence[0] > 0
    # A dislike has to bring one more of the others in than stand there with one more of the tag.
    rival = others[n - count] if liked else others[n - count - 1]
    if not np.isfinite(rival):
        return 0.0
    # Sorted so that the strength asked for is in place `count`: others ahead one by one.
    crossings = (rival - base) / evidence
    place = count - 1 if liked else len(crossings) - 1 - count
    at = float(np.partition(crossings, place)[place])
    scale = max(abs(rival), float(np.abs(base).max())) / float(np.abs(evidence).max())
    return float(max(at, 0.0) + _PAST * scale)
