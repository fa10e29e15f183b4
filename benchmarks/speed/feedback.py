"""P8: a turn of feedback, in closed form and by the paper's gradient steps."""

from __future__ import annotations

import statistics
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.common.rows import Row, row
from benchmarks.speed.places import Place, World
from benchmarks.speed.timing import cpu_seconds, medians, same
from sktpecr import CVAEGenerator, FeedbackRefiner, TPECRExplainer
from sktpecr._inputs._feedback import Feedback
from sktpecr.solvers import OnlineSolver
from sktpecr.solvers._pairs import Pairs
from sktpecr.tags._user import User

# Small steps: what a turn costs does not hang on where it goes, and none of them may diverge.
_RATE, _PULL, _EPOCHS, _BATCH = 1e-5, 0.01, 15, 128


def turns(place: Place) -> list[Row]:
    """One at a time through the public door, and those of many users."""
    world = place.world()
    name = f"speed P8 {world.name} feedback turn"
    refiner = FeedbackRefiner(world.explainer(), solver="closed_form")
    tags = list(world.tags)
    rows = []
    for kind in ("like", "dislike"):
        times = [
            cpu_seconds(
                lambda number=number, kind=kind: refiner.refine(
                    number, **{kind: tags[number % len(tags)]}
                )
            )
            for number in range(min(500, len(world.users)))
        ]
        median = statistics.median(times)
        rows.append(row(name, f"ms, one {kind}, median", 1e3 * median, holds=median < 1e-3))
    rows += _amounts(world, name)
    rows += _many(place, world, name)
    return rows + (_online(place) if place.data == "synthetic" else [])


def _many(place: Place, world: World, name: str) -> list[Row]:
    """Of many users in one call, with lists, beside one call each."""
    tags, n_users = list(world.tags), min(512 if place.full else 40, len(world.users))
    explainer, rows = world.explainer(), []
    for solver in ("auto", "closed_form"):
        refiner = FeedbackRefiner(explainer, solver=solver)
        for kind in ("like", "dislike"):
            said = pd.DataFrame({"user": range(n_users), "feedback": kind})
            said["tag"] = [tags[number % len(tags)] for number in range(n_users)]

            def one_by_one(
                refiner: FeedbackRefiner = refiner, said: pd.DataFrame = said, kind: str = kind
            ) -> list[str]:
                lists = [
                    refiner.refine(user, **{kind: {tag: 1.0}}).recommend(10)["item"]
                    for user, tag in zip(said["user"], said["tag"], strict=True)
                ]
                return [item for each in lists for item in each]

            def together(refiner: FeedbackRefiner = refiner, said: pd.DataFrame = said) -> Any:
                return refiner.refine_batch(said)["item"].tolist()

            # Two products round differently: near ties may change places.
            if np.mean(np.array(together()) == np.array(one_by_one())) < 0.999:
                raise AssertionError("the lists of the batch differ from those one by one")
            spent, alone = medians(together, one_by_one, repeats=3 if place.full else 1)
            what = f"turns a second in batch, {kind}, {solver}, with lists"
            rows += [
                row(name, what, n_users / spent, holds=n_users / spent >= 2_000),
                row(name, f"times one by one, {kind}, {solver}", alone / spent),
            ]
    return rows


def _amounts(world: World, name: str) -> list[Row]:
    """By the default solver: an amount with the next list, and all three with one of them."""
    refiner, tags = FeedbackRefiner(world.explainer()), list(world.tags)
    rows = []
    for kind in ("like", "dislike"):
        for amounts, most in ((["more"], 1e-3), (["a bit", "more", "a lot"], 2e-3)):

            def turn(number: int, kind: str = kind, amounts: list[str] = amounts) -> None:
                said = {kind: tags[number % len(tags)]}
                refiner.sweep(number, **said, amounts=amounts)[0].recommend(10)

            numbers = range(min(200, len(world.users)))
            times = [cpu_seconds(partial(turn, number)) for number in numbers]
            median = statistics.median(times)
            what = f"ms, {kind}, {len(amounts)} amounts and a list, median"
            rows.append(row(name, what, 1e3 * median, holds=median < most))
    return rows


def _online(place: Place) -> list[Row]:
    """By gradient steps, beside the loop that scores everything in every step."""
    world = place.world(users=5_000)
    # Tags of as many items as MovieLens-10M's largest, median and a small one have.
    shares = {"largest": 4_281 / 7_254, "median": 342 / 7_254, "small": 40 / 7_254}
    rng, n_items = np.random.RandomState(1), len(world.tags)
    for number, share in enumerate(shares.values()):
        column = np.zeros(n_items, dtype=np.int8)
        column[rng.permutation(n_items)[: max(1, round(share * n_items))]] = 1
        world.tags.iloc[:, number] = column
    # Trained as far as it is: what a step costs does not hang on it.
    generator = CVAEGenerator(max_epochs=2, random_state=0)
    explainer = world.explainer(generator=generator)
    solver = OnlineSolver(
        optimizer="sgd",
        learning_rate=_RATE,
        regularization=_PULL,
        n_epochs=_EPOCHS,
        batch_size=_BATCH,
        random_state=0,
    )
    refiner, rows = FeedbackRefiner(explainer, solver=solver), []
    for tag, kind in zip(world.tags, shares, strict=False):
        found: dict[str, Any] = {}

        def ours(tag: str = tag, found: dict[str, Any] = found) -> None:
            found["ours"] = refiner.refine(0, like=tag).requested

        def naive(tag: str = tag, found: dict[str, Any] = found) -> None:
            found["naive"] = _naive(explainer, tag, n_items)

        mine, loop = medians(ours, naive, repeats=3 if place.full else 1)
        start = explainer.tag_preferences_[0]
        moved = found["naive"] - start
        worst = same(found["ours"] - start, moved, 1e-6)
        name = f"speed P8 {world.name} online update, {kind} tag"
        rows += [
            row(name, "items of the tag", int(world.tags[tag].sum())),
            row(name, "largest difference of what moved, relative", worst),
            row(
                name,
                "ms",
                1e3 * mine,
                holds=mine <= 45e-3 if kind == "largest" else None,
            ),
            row(
                name,
                "times a loop that scores all items in each step",
                loop / mine,
                holds=loop >= 12 * mine,
            ),
        ]
    return rows


def _naive(explainer: TPECRExplainer, tag: str, n_items: int) -> NDArray:
    """Return where tag preferences end, by autograd from end to end, every item scored."""
    import torch

    tag_model = explainer.tag_model_
    generator = explainer.generator_
    layers = [
        [(torch.from_numpy(W), torch.from_numpy(b)) for W, b in part]
        for part in (generator._encoder, generator._decoder)
    ]
    own = torch.from_numpy(tag_model.user_embeddings[0].astype(np.float64))
    items = torch.from_numpy(np.asarray(tag_model.recommender.item_embeddings, dtype=np.float64))

    def run(part: Any, X: Any) -> Any:
        for number, (W, b) in enumerate(part, start=1):
            X = X @ W + b
            X = torch.nn.functional.leaky_relu(X, 0.01) if number < len(part) else X
        return X

    start = tag_model.tag_preferences_of(own.numpy())
    preferences = torch.tensor(start, requires_grad=True)
    step = torch.optim.SGD([preferences], lr=_RATE)
    said = Feedback.parse(tag_model.tags, tag, None, None, 1.0)
    pairs = Pairs(tag_model, User.of(tag_model, 0), said, "bpr", np.random.RandomState(0))
    for _ in range(_EPOCHS):
        for batch in pairs.batches(_BATCH):
            step.zero_grad()
            latent = run(layers[0], torch.cat([own, preferences]))
            embedding = run(layers[1], torch.cat([latent, preferences]))
            scores = items @ embedding
            better, worse = torch.from_numpy(batch.rows.T)
            loss = -torch.nn.functional.logsigmoid(scores[better] - scores[worse]).sum()
            loss = loss + _PULL * (embedding - own).square().sum()
            loss.backward()
            step.step()
    return preferences.detach().numpy()
