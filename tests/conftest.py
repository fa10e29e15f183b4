"""What tests of several rooms ask of: made once, so nobody may change it.

The package is imported when it is asked for: a worker reads this file before it counts coverage.
"""

import pandas as pd
import pytest


def _made():
    from sktpecr.datasets import make_tagged_interactions

    return make_tagged_interactions(n_users=60, n_items=80, n_tags=5, random_state=0)


@pytest.fixture(scope="session")
def data():
    """Interactions of 60 users with 80 items of 5 tags; looked at again at the end."""
    shared = _made()
    yield shared
    untouched = _made()
    assert (shared.interactions != untouched.interactions).nnz == 0
    pd.testing.assert_frame_equal(shared.item_tags, untouched.item_tags)


@pytest.fixture(scope="session")
def explainer(data):
    """Return an explainer of 8 factors, fitted on `data` and its user ids."""
    from sklearn.decomposition import TruncatedSVD

    from sktpecr import TPECRExplainer

    explainer = TPECRExplainer(TruncatedSVD(8, random_state=0), data.item_tags)
    return explainer.fit(data.interactions, user_ids=data.user_ids)
