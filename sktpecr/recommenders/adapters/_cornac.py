"""Recommenders made of models of Cornac."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.exceptions import NotFittedError

from sktpecr.recommenders._adapter_error import AdapterError
from sktpecr.recommenders._factor_recommender import FactorRecommender, kept
from sktpecr.recommenders._fold_in import RatingsFoldIn
from sktpecr.recommenders.adapters._factors import ranked_fold_in, with_user_biases
from sktpecr.recommenders.differentiable._torch_recommender import TorchRecommender


def from_cornac(model: Any) -> FactorRecommender | TorchRecommender:
    """Read MF, BPR or NeuMF of Cornac."""
    name = type(model).__name__
    if model.uid_map is None:
        raise NotFittedError(f"this {name} is not fitted; call its fit(train_set) first")
    # The maps may know users of a test set, too, behind those that were trained on.
    ids: dict[str, Any] = {
        "user_ids": sorted(model.uid_map, key=model.uid_map.get)[: model.num_users],
        "item_ids": sorted(model.iid_map, key=model.iid_map.get)[: model.num_items],
    }
    network = getattr(model, "model", None)
    if all(hasattr(network, part) for part in ("gmf", "mlp", "logit")):
        return _from_neumf(network, ids)
    if getattr(model, "u_factors", None) is None or not hasattr(model, "i_biases"):
        raise AdapterError(
            f"{name} of Cornac keeps neither u_factors, i_factors and i_biases, as MF and BPR do, "
            f"nor a torch model with gmf, mlp and logit, as NeuMF(backend='pytorch') does; give "
            f"DistilledRecommender a function predict(users, items) that asks "
            f"model.score(user, item) for each pair"
        )
    # Copies: these train in place.
    users, items, item_biases = (
        kept(np.asarray(each)) for each in (model.u_factors, model.i_factors, model.i_biases)
    )
    if not hasattr(model, "u_biases"):  # BPR
        return FactorRecommender(
            users, items, item_biases, fold_in=ranked_fold_in(users, items), **ids
        )
    item_biases = item_biases + item_biases.dtype.type(model.global_mean)
    users, items = with_user_biases(users, items, model.u_biases)
    fold_in = RatingsFoldIn(items, item_biases)
    return FactorRecommender(users, items, item_biases, fold_in=fold_in, **ids)


def _from_neumf(network: Any, ids: dict[str, Any]) -> TorchRecommender:
    # Not at the top: torch takes a second to import, and most recommenders need none.
    from sktpecr.recommenders.trained._modules import NeuMFLogit

    sides = []
    for side in ("user_embedding", "item_embedding"):
        tables = [getattr(part, side).weight for part in (network.gmf, network.mlp)]
        sides.append(np.hstack([table.detach().cpu().numpy() for table in tables]))
    n_factors = network.gmf.user_embedding.weight.shape[1]
    score = NeuMFLogit(n_factors, network.mlp.mlp_model, network.logit)
    return TorchRecommender(score, *sides, feedback_loss="bce", **ids)
