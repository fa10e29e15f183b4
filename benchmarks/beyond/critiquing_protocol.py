"""Critiques by the protocol of the field: how soon a simulated user sees what she looks for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray
from tqdm.auto import tqdm

from sktpecr._utils._ranking import ranks_of, top_items

# Lists in which the item is looked for.
CUTOFFS = (1, 5, 10, 20)


class Session(Protocol):
    """A talk of one method with one user."""

    def scores(self) -> NDArray:
        """Return the scores of all items by what was said so far."""

    def answer(self, tag: int, liked: bool) -> None:
        """Take in what the user says about a tag."""

    def question(self, tags: NDArray, candidates: NDArray) -> int:
        """Return which of some tags to ask about; needed for the policy "asked" alone."""


Method = Callable[[int], Session]


def simulate_critiques(
    methods: Mapping[str, Method],
    pairs: Sequence[tuple[int, int]],
    item_tags: Any,
    interactions: sp.csr_matrix,
    *,
    policy: str = "most_telling",
    answers: str = "positive",
    noise: float = 0.0,
    take_out: bool = False,
    max_turns: int = 10,
    k: int = 10,
    random_state: int = 0,
) -> pd.DataFrame:
    """Let simulated users, each with an item in mind, criticise lists until they see it."""
    # `methods`: from a user's row to a Session. `pairs`: rows of users and columns of the items
    # that they look for, which no method has seen. Users answer by `item_tags` (n_items, n_tags);
    # what they have in `interactions` (n_users, n_items) is never listed.
    # `policy`, of which tag a user speaks, each once: "most_telling", that whose share of the
    # list is the farthest from what her item has, the rarer one if several are; "popular", the
    # one on most items; "random"; "asked", the one that the method asks about, which is answered
    # whatever it is.
    # `answers`: only of tags that the item has ("positive"), only of those that it has not
    # ("negative"), or "both"; the share `noise` of them is the contrary. `take_out`: items shown
    # are not shown again.
    # Returned is a row per method and case: "success@1" to "success@20", whether the item came so
    # far up within the turns; "turns" until it was in the list, `max_turns` if it never was;
    # "history rank", the mean share of all items that stand above an item of the history in the
    # end.
    # The protocol of LLC (Luo et al., "Latent linear critiquing for conversational recommender
    # systems", WWW 2020) and BK-VAE. A user has nothing to say once all her tags are said;
    # "turning the page" is a method that ignores answers, with `take_out`.
    choices = {"policy": (policy, (*_POLICIES, "asked")), "answers": (answers, tuple(_SPEAKS_OF))}
    for parameter, (value, known) in choices.items():
        if value not in known:
            raise ValueError(
                f"{parameter} must be one of {', '.join(map(repr, known))}, got {value!r}"
            )
    if not 0 <= noise <= 1:
        raise ValueError(f"noise must be a probability from 0 to 1, got {noise!r}")
    tags = (sp.csr_matrix(item_tags) != 0).astype(np.float64).tocsr()
    talk = _Talk(tags, policy, answers, noise, take_out, max_turns, k)
    return pd.DataFrame(
        {"method": name, "case": case, "user": pair[0], "item": pair[1], **talk.of(*told)}
        for name, method in methods.items()
        for case, pair in enumerate(tqdm(pairs, desc=name, delay=3, disable=None))
        for told in [
            (method(pair[0]), interactions[[pair[0]]].indices, pair[1], [random_state, case])
        ]
    )


class _Talk(NamedTuple):
    """What is the same for all talks."""

    tags: sp.csr_matrix
    policy: str
    answers: str
    noise: float
    take_out: bool
    max_turns: int
    k: int

    def of(self, session: Session, history: NDArray, item: int, seed: list[int]) -> dict[str, Any]:
        """Return how one talk went."""
        rng = np.random.RandomState(seed)
        candidates = np.ones(self.tags.shape[0], dtype=bool)
        candidates[history] = False
        candidates[item] = True
        best, turns = candidates.sum(), self.max_turns
        for turn, rank in enumerate(self._turns(session, candidates, item, rng)):
            best = min(best, rank)
            if rank <= self.k:
                turns = turn
                break
        scores = session.scores()
        above = len(scores) - np.searchsorted(np.sort(scores), scores[history], side="right")
        return {
            **{f"success@{cutoff}": float(best <= cutoff) for cutoff in CUTOFFS},
            "turns": turns,
            "history rank": float(above.mean() / len(scores)) if len(history) else np.nan,
        }

    def _turns(
        self, session: Session, candidates: NDArray, item: int, rng: np.random.RandomState
    ) -> Iterator[int]:
        """Yield the rank of the item before the first turn and after each."""
        on_item = self.tags[[item]].toarray().ravel() > 0
        popularity = np.asarray(self.tags.sum(axis=0)).ravel()
        free = (popularity > 0) & (popularity < self.tags.shape[0])
        if self.policy != "asked":
            free &= _SPEAKS_OF[self.answers](on_item)
        for turn in range(self.max_turns + 1):
            scores = session.scores()
            yield int(ranks_of(np.array([item]), scores, candidates)[0])
            listed = top_items(scores, candidates, self.k)
            draw, contrary = rng.uniform(), rng.uniform() < self.noise
            if self.take_out:
                candidates[listed] = False
            if turn == self.max_turns or not free.any():
                if not self.take_out:
                    return  # the list stays what it is
                continue
            left = np.flatnonzero(free)
            if self.policy == "asked":
                tag = session.question(left, candidates)
            else:
                shares = np.asarray(self.tags[listed].mean(axis=0)).ravel()
                tag = _POLICIES[self.policy](left, on_item, shares, popularity, draw)
            free[tag] = False
            session.answer(tag, bool(on_item[tag]) != contrary)


def _most_telling(
    left: NDArray, on_item: NDArray, shares: NDArray, popularity: NDArray, draw: float
) -> int:
    far = np.abs(on_item - shares)[left].round(9)
    return int(left[np.lexsort((popularity[left], -far))[0]])


def _popular(
    left: NDArray, on_item: NDArray, shares: NDArray, popularity: NDArray, draw: float
) -> int:
    return int(left[np.argmax(popularity[left])])


def _random(
    left: NDArray, on_item: NDArray, shares: NDArray, popularity: NDArray, draw: float
) -> int:
    return int(left[int(draw * len(left))])


_POLICIES = {"most_telling": _most_telling, "popular": _popular, "random": _random}
_SPEAKS_OF: dict[str, Callable[[NDArray], NDArray]] = {
    "positive": lambda on_item: on_item,
    "negative": lambda on_item: ~on_item,
    "both": lambda on_item: np.ones_like(on_item),
}
