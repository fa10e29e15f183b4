"""Rows of a sparse matrix against scipy's slices."""

import numpy as np
import pytest
import scipy.sparse as sp

from sktpecr._utils._sparse_rows import columns_of_rows

MATRIX = sp.random(12, 9, density=0.3, format="csr", random_state=0)


@pytest.mark.parametrize("rows", [[], [3], [5, 0, 5, 11], list(range(12))])
def test_columns_are_those_of_slices(rows):
    counts, columns = columns_of_rows(MATRIX, np.array(rows, dtype=np.intp))
    expected = [MATRIX[row].indices for row in rows]
    np.testing.assert_array_equal(counts, [len(each) for each in expected])
    np.testing.assert_array_equal(columns, np.concatenate([*expected, []]))
