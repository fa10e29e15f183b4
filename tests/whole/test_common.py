"""scikit-learn's own checks over the estimators; what is exempted says why."""

import pytest
from sklearn.base import clone
from sklearn.decomposition import TruncatedSVD
from sklearn.utils.estimator_checks import (
    check_get_feature_names_out_error,
    check_param_validation,
    check_set_output_transform,
    check_set_output_transform_pandas,
    check_transformer_get_feature_names_out,
    check_transformer_get_feature_names_out_pandas,
    parametrize_with_checks,
)

from sktpecr import (
    CVAEGenerator,
    FeedbackRefiner,
    GaussianGenerator,
    InversionGenerator,
    MLPGenerator,
    TagPreferenceExtractor,
    TPECRExplainer,
)
from sktpecr.recommenders import (
    FactorizationMachine,
    MatrixFactorization,
    NeuralCollaborativeFiltering,
)
from sktpecr.recommenders.trained._base import TrainedRecommender


def recommender():
    return TruncatedSVD(1, random_state=0)


ESTIMATORS = [
    TagPreferenceExtractor(recommender()),
    GaussianGenerator(),
    CVAEGenerator(hidden_dims=(16,), latent_dim=4, max_epochs=30, batch_size=32, device="cpu"),
    MLPGenerator(hidden_dims=(16,), max_epochs=30, batch_size=32, device="cpu"),
    InversionGenerator(hidden_dims=(16,), max_epochs=30, batch_size=32, device="cpu"),
    TPECRExplainer(recommender()),
    FeedbackRefiner(TPECRExplainer(recommender())),
    MatrixFactorization(2, max_epochs=2, device="cpu"),
    FactorizationMachine(n_factors=2, max_epochs=2, device="cpu"),
    NeuralCollaborativeFiltering(2, hidden_dims=(4, 2), max_epochs=2, device="cpu"),
]
TRANSFORMERS = [estimator for estimator in ESTIMATORS if hasattr(estimator, "transform")]


def name_of(estimator):
    return type(estimator).__name__


def expected_to_fail(estimator):
    if not isinstance(estimator, TrainedRecommender):
        return {}
    reason = "wants predict to return one number per row, and a recommender scores every item"
    return {f"check_estimator_sparse_{kind}": reason for kind in ("array", "matrix")}


@parametrize_with_checks(ESTIMATORS, expected_failed_checks=expected_to_fail)
def test_scikit_learn_common_checks(estimator, check):
    check(estimator)


# Six that parametrize_with_checks leaves out.


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=name_of)
def test_param_validation(estimator):
    check_param_validation(name_of(estimator), clone(estimator))


# The check itself renames columns between fit and transform and does not expect the warning.
@pytest.mark.filterwarnings("ignore:X has feature names, but:UserWarning")
@pytest.mark.filterwarnings("ignore:X does not have valid feature names:UserWarning")
@pytest.mark.parametrize(
    "check",
    [
        check_set_output_transform,
        check_set_output_transform_pandas,
        check_transformer_get_feature_names_out,
        check_transformer_get_feature_names_out_pandas,
        check_get_feature_names_out_error,
    ],
    ids=lambda check: check.__name__,
)
@pytest.mark.parametrize("estimator", TRANSFORMERS, ids=name_of)
def test_transformer_checks(estimator, check):
    check(name_of(estimator), clone(estimator))
