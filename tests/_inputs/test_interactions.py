"""Rows of interactions as users bring them."""

import numpy as np
import pandas as pd
import pytest
from sklearn.decomposition import TruncatedSVD

from sktpecr._inputs._tables import check_interactions


def test_a_pivot_table_with_holes_says_how_to_fill_them():
    pivot = pd.DataFrame({"a": [1.0, np.nan], "b": [np.nan, 2.0]})
    with pytest.raises(ValueError, match=r"X has 2 missing values .*X\.fillna\(0\)"):
        check_interactions(TruncatedSVD(), pivot)
    found = check_interactions(TruncatedSVD(), pivot.fillna(0))
    assert found.toarray().tolist() == [[1, 0], [0, 2]]
