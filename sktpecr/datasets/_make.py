"""Synthetic interactions with tags, whose structure is known because it was planted."""

from __future__ import annotations

from numbers import Integral, Real

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.random import RandomState
from numpy.typing import NDArray
from sklearn.utils import Bunch, check_random_state
from sklearn.utils._param_validation import Interval, validate_params

from sktpecr.datasets._tagged_interactions import TaggedInteractions

_COUNT = [Interval(Integral, 1, 2**31, closed="left")]
# Users by items that are scored at once: bounds memory, changes no result.
_BLOCK = 2**22


@validate_params(
    {
        "n_users": _COUNT,
        "n_items": _COUNT,
        "n_tags": _COUNT,
        "density": [Interval(Real, 0, 1, closed="right")],
        "tags_per_item": [Interval(Real, 1, None, closed="left")],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def make_tagged_interactions(
    n_users: int = 200,
    n_items: int = 300,
    n_tags: int = 8,
    *,
    density: float = 0.05,
    tags_per_item: float = 2.0,
    random_state: int | RandomState | None = None,
) -> TaggedInteractions:
    """Make implicit feedback of users who like some tags more than others.

    Every user likes every tag to a degree drawn from a standard normal distribution, and an item
    as much as its tags on average. Items differ in popularity, and tags in how many items carry
    them (the t-th tag in proportion to 1 / (t + 1)). A user draws items without replacement, with
    odds of ``exp(2 * liking + popularity)``; how many is skewed too, as users differ in activity.

    Parameters
    ----------
    n_users : int, default=200
        Number of users. Each has at least one interaction.
    n_items : int, default=300
        Number of items. Some may have no interactions.
    n_tags : int, default=8
        Number of tags, at most `n_items`. Each is on at least one item.
    density : float, default=0.05
        Share of all (user, item) pairs with an interaction, in (0, 1]. Met on average, and as far
        as users with one interaction at least, and `n_items` at most, permit.
    tags_per_item : float, default=2.0
        Mean number of tags of an item; each has one at least. Taken as `n_tags` if larger.
    random_state : int, RandomState instance or None, default=None
        Seed or source of all random numbers. Pass an int for the same data at every call.

    Returns
    -------
    TaggedInteractions
        Interactions are all worth 1.0. Ids are such as "user_003", "item_017" and "tag_2", padded
        with zeros so that their alphabetical order is their order.

    Raises
    ------
    ValueError
        If there are more tags than items, or a parameter is out of range.

    See Also
    --------
    make_tpecr_synthetic : The synthetic data of the paper, without interactions.

    Examples
    --------
    >>> from sktpecr.datasets import make_tagged_interactions
    >>> data = make_tagged_interactions(n_users=40, n_items=30, n_tags=4, random_state=0)
    >>> data.interactions.shape, data.item_tags.columns.tolist()
    ((40, 30), ['tag_0', 'tag_1', 'tag_2', 'tag_3'])
    >>> data.user_ids[3], data.item_ids[17]
    ('user_03', 'item_17')
    """
    if n_tags > n_items:
        raise ValueError(
            f"n_tags must be at most n_items, as every tag is on some item: got n_tags={n_tags} "
            f"and n_items={n_items}; ask for fewer tags or more items"
        )
    n_users, n_items, n_tags = int(n_users), int(n_items), int(n_tags)  # True is one
    rng = check_random_state(random_state)
    has_tag = _draw_item_tags(rng, n_items, n_tags, min(float(tags_per_item), n_tags))
    liking = rng.normal(size=(n_users, n_tags))
    popularity = rng.normal(size=n_items)
    activity = rng.lognormal(sigma=0.7, size=n_users)
    n_drawn = np.rint(activity / activity.mean() * density * n_items)
    n_drawn = np.clip(n_drawn, 1, n_items).astype(np.intp)

    tag_shares = has_tag / has_tag.sum(axis=1, keepdims=True)
    columns = []
    for rows in np.array_split(np.arange(n_users), -(-n_users * n_items // _BLOCK)):
        log_odds = 2.0 * liking[rows] @ tag_shares.T + popularity
        # Largest log-odds plus Gumbel noise: draws without replacement in proportion to the odds.
        order = np.argsort(-(log_odds + rng.gumbel(size=log_odds.shape)), axis=1)
        columns += [np.sort(order[i, : n_drawn[row]]) for i, row in enumerate(rows)]
    starts = np.append(0, np.cumsum(n_drawn)).astype(np.int32)
    ones, indices = np.ones(starts[-1], dtype=np.float32), np.concatenate(columns).astype(np.int32)
    interactions = sp.csr_matrix((ones, indices, starts), shape=(n_users, n_items))
    item_ids = _ids("item", n_items)
    return TaggedInteractions(
        interactions=interactions,
        item_tags=pd.DataFrame(has_tag, index=item_ids.tolist(), columns=_ids("tag", n_tags)),
        user_ids=_ids("user", n_users),
        item_ids=item_ids,
    )


@validate_params(
    {
        "random_state": ["random_state"],
        "n_users": [Interval(Integral, 2, 2**31, closed="left")],
        "n_items": _COUNT,
        "n_tags": _COUNT,
    },
    prefer_skip_nested_validation=True,
)
def make_tpecr_synthetic(
    random_state: int | RandomState | None = None,
    *,
    n_users: int = 1000,
    n_items: int = 50,
    n_tags: int = 5,
) -> Bunch:
    """Make the synthetic recommender of the paper, whose true embeddings are known.

    Section 4.1 of [1]_: every item has one tag, every tag equally many items, and a user's score
    of an item is the user's preference for its tag. So the right embedding for any tag preference
    is known, and a generator can be held against it.

    Parameters
    ----------
    random_state : int, RandomState instance or None, default=None
        Seed or source of all random numbers. Pass an int for the same data at every call.
    n_users : int, default=1000
        Number of users, N_u in the paper.
    n_items : int, default=50
        Number of items, N_v in the paper; a multiple of `n_tags`.
    n_tags : int, default=5
        Number of tags, N_t in the paper.

    Returns
    -------
    Bunch
        With these attributes:

        tag_preferences : ndarray of shape (n_users, n_tags)
            c_u,t, independent and uniform on [0, 1).
        item_tag : ndarray of shape (n_items,)
            The one tag of each item, as a column of `tag_preferences`: the first items have tag
            0, the next tag 1, and so on.
        item_tags : DataFrame of shape (n_items, n_tags)
            The same as 0 and 1; indexed by item number, with columns "tag_0", "tag_1", ...
        item_embeddings : ndarray of shape (n_items, n_items)
            e_v, one-hot: the identity matrix.
        user_embeddings : ndarray of shape (n_users, n_items)
            e_u, from equation 9: r_uv = e_u . e_v = c_u,t for the tag t of item v. As e_v is
            one-hot, the v-th entry of e_u is c_u,t itself. For other preferences `c` of the same
            shape, such as after feedback, the true embeddings are ``c[:, item_tag]``.
        scores : ndarray of shape (n_users, n_items)
            r_uv, the dot products of both.
        train_users, test_users : ndarray
            Row numbers of a random 90 % and of the other 10 % of the users, ascending.

    Raises
    ------
    ValueError
        If the items cannot be shared out evenly to the tags, or a parameter is out of range.

    See Also
    --------
    make_tagged_interactions : Interactions of users with tastes, for any recommender.

    Notes
    -----
    The recipe is the paper's, the random numbers are not: its own draws are unknown. Which items
    carry which tag is left open there; nothing depends on it. The paper changes preferences by
    drawing some of them anew from [0, 1), once the recommender is made; that is left to the
    caller.

    References
    ----------
    .. [1] Xu et al., "A Tag-Based Post-Hoc Framework for Explainable Conversational
       Recommendation", ICTIR 2022, section 4.1, equation 9.

    Examples
    --------
    >>> import numpy as np
    >>> from sktpecr.datasets import make_tpecr_synthetic
    >>> data = make_tpecr_synthetic(random_state=0)
    >>> data.tag_preferences.shape, data.user_embeddings.shape
    ((1000, 5), (1000, 50))
    >>> item = 17
    >>> bool(np.all(data.scores[:, item] == data.tag_preferences[:, data.item_tag[item]]))
    True
    """
    if n_items % n_tags:
        raise ValueError(
            f"n_items must be a multiple of n_tags, as every tag has equally many items: got "
            f"n_items={n_items} and n_tags={n_tags}; the nearest that fits is "
            f"n_items={max(1, round(n_items / n_tags)) * n_tags}"
        )
    n_users, n_items, n_tags = int(n_users), int(n_items), int(n_tags)  # True is one
    rng = check_random_state(random_state)
    tag_preferences = rng.random_sample((n_users, n_tags))
    shuffled = rng.permutation(n_users)
    n_test = max(1, n_users // 10)
    item_tag = np.repeat(np.arange(n_tags), n_items // n_tags)
    item_embeddings = np.eye(n_items)
    user_embeddings = tag_preferences[:, item_tag]
    return Bunch(
        tag_preferences=tag_preferences,
        item_tag=item_tag,
        item_tags=pd.DataFrame(
            np.eye(n_tags, dtype=np.int8)[item_tag], columns=[f"tag_{t}" for t in range(n_tags)]
        ),
        item_embeddings=item_embeddings,
        user_embeddings=user_embeddings,
        scores=user_embeddings @ item_embeddings.T,
        train_users=np.sort(shuffled[n_test:]),
        test_users=np.sort(shuffled[:n_test]),
    )


def _draw_item_tags(rng: RandomState, n_items: int, n_tags: int, tags_per_item: float) -> NDArray:
    """Draw which items have which tags: each one at least, and no tag without items."""
    weights = 1.0 / np.arange(1, n_tags + 1)
    first = rng.choice(n_tags, size=n_items, p=weights / weights.sum())
    first[rng.permutation(n_items)[:n_tags]] = np.arange(n_tags)
    n_more = np.zeros(n_items, dtype=np.intp)
    if n_tags > 1:
        n_more = rng.binomial(n_tags - 1, (tags_per_item - 1) / (n_tags - 1), size=n_items)
    keys = np.log(weights) + rng.gumbel(size=(n_items, n_tags))
    keys[np.arange(n_items), first] = np.inf
    ranks = np.argsort(np.argsort(-keys, axis=1), axis=1)
    return (ranks <= n_more[:, None]).astype(np.int8)


def _ids(kind: str, n: int) -> NDArray:
    width = len(str(n - 1))
    return np.array([f"{kind}_{number:0{width}d}" for number in range(n)], dtype=object)
