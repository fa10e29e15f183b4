"""What each item of a user's history adds to a score, and through which tag."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sktpecr.attribution import AccountAttribution

OTHER_TAGS, EVERYBODY = "(no tag of the item)", "(what is not of these items)"


def evidence_table(
    attribution: AccountAttribution,
    column: int,
    item_embedding: NDArray,
    tag_matrix: NDArray,
    from_average: NDArray,
    parts: NDArray,
    item_ids: NDArray,
    tag_names: NDArray,
) -> pd.DataFrame:
    """Return a row for each item taken, a column for each own tag; they sum to the score."""
    # `from_average` (n_factors,) is the user's embedding less the average user's, `parts` (n_taken,
    # n_factors) what each item taken adds to it. A column sums to the tag's contribution, all of it
    # to the score less the average user's.
    tags, directions = attribution.directions(column, tag_matrix)
    moved = np.vstack([parts, from_average - parts.sum(axis=0)])
    by_tag = moved @ directions.T
    left = moved @ item_embedding - by_tag.sum(axis=1)
    return pd.DataFrame(
        np.column_stack([by_tag, left]),
        index=pd.Index([*item_ids, EVERYBODY], name="item"),
        columns=pd.Index([*tag_names[tags], OTHER_TAGS], name="tag"),
    )
