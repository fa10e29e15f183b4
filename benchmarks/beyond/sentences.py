"""Sentences to read and judge, with what their readers took beside them.

    python -m benchmarks.beyond.sentences --data-dir DIR --seed 22
    python -m benchmarks.beyond.sentences --data-dir DIR --data goodbooks --tags shelves-300

Users and an item of each one's first ten are drawn by seed, ALS of 64 factors. Below each sentence:
the item's tags; for each tag named, its share of what the reader took against the share of the
average reader; and titles taken, those nearest to the item in the model first, then some at random.
Whether a product team would ship a sentence is for people to say.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.beyond.reasons_named import FEWEST, N_LISTED, Tagged, tagged, trained
from benchmarks.common.data import load
from sktpecr import Explanation, TPECRExplainer
from sktpecr.attribution import AccountAttribution
from sktpecr.datasets._titles import spoken_title

_SENTENCES, _NEAREST, _AT_RANDOM = 10, 8, 6
_FOLDERS = {"movielens-1m": "movielens-1m", "goodbooks": "goodbooks-10k"}


def titles(data_name: str, data_dir: Path) -> NDArray:
    """Return the title of each item."""
    items = pd.read_parquet(data_dir / _FOLDERS[data_name] / "items.parquet")
    item_ids = load(data_name, data_dir).item_ids
    found = items.set_index("item_id")["title"].reindex(item_ids).astype(str)
    return found.map(spoken_title).to_numpy()


def drawn(
    explainer: TPECRExplainer, data: Tagged, seed: int, n: int = _SENTENCES
) -> list[tuple[int, int]]:
    """Draw users, and one item of the first ten of each."""
    rng = np.random.RandomState(seed)
    enough = np.flatnonzero(np.diff(data.interactions.indptr) >= FEWEST)
    users = rng.permutation(enough)[:n].tolist()
    return [
        (user, int(explainer.recommend(user, n=N_LISTED)["item"].iloc[rng.randint(N_LISTED)]))
        for user in users
    ]


def page(
    explanation: Explanation,
    account: AccountAttribution,
    data: Tagged,
    names: NDArray,
    rng: np.random.RandomState,
) -> str:
    """Return a sentence and what a judge has to see beside it."""
    user, item = explanation.user, explanation.item
    taken = data.interactions[user].indices
    carried = (account.carried_ > 0).astype(np.float64)
    shares = np.asarray(carried[taken].mean(axis=0)).ravel()
    # The average reader's share, by what all readers took together.
    counts = np.asarray(data.interactions.getnnz(axis=0), dtype=np.float64)
    usual = (counts @ carried) / counts.sum()
    columns = {str(name): column for column, name in enumerate(data.tag_names)}
    near = account.alike(item, taken)
    nearest = taken[np.argsort(-near, kind="stable")[:_NEAREST]]
    others = rng.permutation(np.setdiff1d(taken, nearest))[:_AT_RANDOM]
    lines = [
        f"{names[item]}  <- user {user}",
        f"  {explanation.to_text()}",
        f"  tags: {', '.join(map(str, data.tag_names[account.carried_[item].indices]))}",
        *(
            f"  {each.tag}: liking {each.liking:+.1f}, {shares[at]:.0%} of {len(taken)} taken, "
            f"usually {usual[at]:.0%}"
            for each in explanation.reasons
            for at in [columns[str(each.tag)]]
        ),
        f"  nearest taken: {'; '.join(names[nearest])}",
        f"  others taken: {'; '.join(names[others])}",
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--data", nargs="+", default=["movielens-1m", "goodbooks"])
    parser.add_argument("--tags", nargs="+", default=["genres", "shelves-300"])
    parser.add_argument("--model", default="als")
    parser.add_argument("--seed", type=int, default=20)
    given = parser.parse_args()
    for data_name, kind in zip(given.data, given.tags, strict=True):
        data = tagged(data_name, given.data_dir, kind)
        names = titles(data_name, given.data_dir)
        explainer = TPECRExplainer(
            trained(given.model, data.interactions, 0, 0.0),
            data.item_tags,
            tag_names=data.tag_names,
            random_state=0,
        ).fit(data.interactions, item_names=names)
        account = explainer.tag_model_.account
        rng = np.random.RandomState(given.seed)
        print(f"\n{data_name}, {given.model}, {kind}, seed {given.seed}")
        for number, (user, item) in enumerate(drawn(explainer, data, given.seed), start=1):
            print(f"\n{number}. {page(explainer.explain(user, item), account, data, names, rng)}")


if __name__ == "__main__":
    main()
