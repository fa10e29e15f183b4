"""scikit-learn's own checks over the estimators, none exempted."""

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
    MLPGenerator,
    TagPreferenceExtractor,
    TPECRExplainer,
)


def recommender():
    return TruncatedSVD(1, random_state=0)


ESTIMATORS = [
    TagPreferenceExtractor(recommender()),
    GaussianGenerator(),
    CVAEGenerator(hidden_dims=(16,), latent_dim=4, max_epochs=30, batch_size=32, device="cpu"),
    MLPGenerator(hidden_dims=(16,), max_epochs=30, batch_size=32, device="cpu"),
    TPECRExplainer(recommender()),
    FeedbackRefiner(TPECRExplainer(recommender())),
]
TRANSFORMERS = [estimator for estimator in ESTIMATORS if hasattr(estimator, "transform")]


def name_of(estimator):
    return type(estimator).__name__


@parametrize_with_checks(ESTIMATORS)
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
