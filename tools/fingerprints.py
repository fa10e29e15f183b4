"""Print a checksum of what the library says of the shipped films: the same code, the same lines.

Usage: python tools/fingerprints.py. Run it before a change that is to change nothing, and after.
"""

import hashlib
import json
import warnings

import numpy as np
from implicit.als import AlternatingLeastSquares
from implicit.bpr import BayesianPersonalizedRanking

from sktpecr import Conversation, FeedbackRefiner, TPECRExplainer, published_explainer
from sktpecr.attribution import ExactAttribution, LimeAttribution, ShapleyAttribution
from sktpecr.datasets import load_movielens


def checksum(*values: object) -> str:
    """Return the first digits of the SHA-256 of arrays, texts and tables, bit for bit."""
    digest = hashlib.sha256()
    for value in values:
        if isinstance(value, np.ndarray) and value.dtype != object:
            digest.update(np.ascontiguousarray(value).tobytes())
        else:
            text = value.to_csv() if hasattr(value, "to_csv") else json.dumps(value, default=str)
            digest.update(text.encode())
    return digest.hexdigest()[:16]


def main() -> None:
    """Explain, refine, talk and write batches, and print a line for each."""
    data = load_movielens()
    known = {"user_ids": data.user_ids, "item_names": data.item_names}
    users, films = data.user_ids[5:200:40], data.item_ids[10:1200:250]
    models = {
        "ALS": AlternatingLeastSquares(factors=32, random_state=0, num_threads=1),
        "BPR": BayesianPersonalizedRanking(factors=32, random_state=0, num_threads=1),
    }
    for name, model in models.items():
        model.fit(data.interactions, show_progress=False)
        for attribution in (ExactAttribution(), LimeAttribution(random_state=0, n_samples=256)):
            explainer = TPECRExplainer(
                model, data.item_tags, attribution=attribution, random_state=0
            ).fit(data.interactions, **known)
            parts = [
                part
                for user in users
                for film in films
                for one in [explainer.explain(user, film)]
                for part in (one.importances, one.contributions, [one.residual, one.score])
            ]
            print(name, type(attribution).__name__, "explanations", checksum(*parts))
            print(name, "contrast", checksum(explainer.contrast(users[0], *films[:2]).to_frame()))
        print(name, "batch", checksum(explainer.explain_batch(users, 5, 3)))
        shapley = ShapleyAttribution(random_state=0, n_permutations=3)
        explained = TPECRExplainer(model, data.item_tags, attribution=shapley).fit(
            data.interactions, **known
        )
        print(name, "Shapley", checksum(explained.explain(users[0], films[0]).contributions))
        print(name, "profile", checksum(explainer.profile(users[0])))
        found = explainer.counterfactual(users[1], films[2], k=20)
        print(name, "counterfactual", checksum(found.to_frame()))
        print(name, "lists", checksum(*(explainer.recommend(user, 20) for user in users)))
        solvers = ("closed_form", "bayesian", "online", "embedding")[: 4 if name == "ALS" else 2]
        for solver in solvers:
            refiner = FeedbackRefiner(explainer, solver=solver)
            refined = [refiner.refine(user, like="War", dislike="Comedy") for user in users[:3]]
            parts = [part for one in refined for part in (one.embedding, one.recommend(20))]
            print(name, solver, checksum(*parts))
        talk = Conversation(explainer, users[2])
        talk.like("Film-Noir")
        talk.set({"Western": 1.0})
        talk.reject(talk.recommend(1)["item"].iloc[0])
        print(name, "conversation", checksum(talk.refinement.embedding, talk.recommend(20)))
    published = published_explainer(models["ALS"], data.item_tags, random_state=0)
    published.set_params(generator__max_epochs=2).fit(data.interactions, **known)
    print("published", checksum(published.explain(users[0], films[0]).importances))


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main()
