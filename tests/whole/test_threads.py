"""One fitted explainer, many threads and processes: the answers of one, and nothing left behind."""

import multiprocessing
import os
import random
import sys
import threading
import time
import warnings
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
import torch
from joblib import Parallel, delayed

from sktpecr import FeedbackRefiner, GaussianGenerator, TPECRExplainer
from sktpecr.attribution import LimeAttribution, ShapleyAttribution
from sktpecr.datasets import make_tagged_interactions
from sktpecr.recommenders import TorchRecommender
from sktpecr.solvers import EmbeddingSolver, OnlineSolver

DATA = make_tagged_interactions(n_users=40, n_items=30, n_tags=4, random_state=0)
RNG = np.random.RandomState(0)
FACTORS = RNG.normal(size=(40, 5)), RNG.normal(size=(30, 5))
N_THREADS, SECONDS = 8, float(os.environ.get("SKTPECR_SECONDS", "1.0"))


def net(users, items):
    return torch.tanh(users * items).sum(dim=1)


def fit(recommender=FACTORS, **params):
    explainer = TPECRExplainer(recommender, DATA.item_tags, **params)
    return explainer.fit(DATA.interactions, user_ids=DATA.user_ids)


EXPLAINERS = {
    "exact": (fit, ["auto", "bayesian"]),
    "LIME through torch": (
        lambda: fit(
            TorchRecommender(net, *FACTORS),
            generator=GaussianGenerator(),
            attribution=LimeAttribution(n_samples=50, random_state=0),
        ),
        ["auto", OnlineSolver(n_epochs=5), EmbeddingSolver(n_epochs=5)],
    ),
    "Shapley by orders": (
        lambda: fit(
            TorchRecommender(net, *FACTORS),
            generator=GaussianGenerator(),
            attribution=ShapleyAttribution(max_enumerated=0, n_permutations=4, random_state=0),
        ),
        ["auto"],
    ),
}


def ask(explainer, solvers, number):
    """Return what is answered to question number so-and-so, as bytes."""
    user, item = DATA.user_ids[number % 40], DATA.item_ids[number % 30]
    explanation = explainer.explain(user, item)
    solver = solvers[number % len(solvers)]
    refined = FeedbackRefiner(explainer, solver=solver).refine(user, like=["tag_1"])
    new = explainer.recommend(interactions=[item, DATA.item_ids[0]], n=4)
    return (
        explanation.importances.tobytes(),
        explanation.to_text(),
        refined.embedding.tobytes(),
        refined.recommend(5).to_csv(),
        new.to_csv(),
    )


def global_state():
    """Return what belongs to the whole process, and is not ours to change.

    But for the filters of warnings, which pandas sets and resets in every thread that makes a
    frame.
    """
    return {
        "numpy": str(np.random.get_state()),  # noqa: NPY002
        "python": random.getstate(),
        "torch": torch.get_rng_state().tolist(),
        "threads": (torch.get_num_threads(), torch.get_num_interop_threads()),
        "dtype": torch.get_default_dtype(),
        "grad": (torch.is_grad_enabled(), torch.is_inference_mode_enabled()),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "errors": np.geterr(),
        "printing": np.get_printoptions(),
        "options": pd.get_option("display.width"),
        "switches": sys.getswitchinterval(),
    }


@pytest.fixture
def restless():
    """Have threads take turns a hundred times as often."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(5e-5)
    yield
    sys.setswitchinterval(interval)


@pytest.mark.parametrize("name", EXPLAINERS)
def test_eight_threads_answer_as_one(name, restless):
    make, solvers = EXPLAINERS[name]
    serial = make()
    expected = [ask(serial, solvers, number) for number in range(6)]
    # A fresh one: nothing that is computed once has been computed yet.
    shared = make()
    before = global_state()
    start, wrong = threading.Barrier(N_THREADS), []
    end = time.monotonic() + SECONDS

    def work(first):
        try:
            start.wait(20)
            number = first
            while time.monotonic() < end or number < first + 6:
                if ask(shared, solvers, number % 6) != expected[number % 6]:
                    wrong.append(number % 6)
                number += 1
        except Exception as error:
            wrong.append(repr(error))

    threads = [threading.Thread(target=work, args=(3 * i,)) for i in range(N_THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SECONDS + 60)
    assert not any(thread.is_alive() for thread in threads)
    assert wrong == []
    assert global_state() == before


def test_threads_that_ask_an_explainer_without_fit(restless):
    expected = TPECRExplainer(FACTORS, DATA.item_tags).explain(3, DATA.item_ids[2]).to_text()
    for _ in range(10):
        shared = TPECRExplainer(FACTORS, DATA.item_tags)
        with ThreadPoolExecutor(N_THREADS) as pool:
            asked = [pool.submit(shared.explain, 3, DATA.item_ids[2]) for _ in range(N_THREADS)]
            found = [each.result(20).to_text() for each in asked]
        assert found == [expected] * N_THREADS


def test_fit_leaves_global_state(restless):
    """Training too, also while others train."""
    from sktpecr import CVAEGenerator, InversionGenerator

    def train(number):
        makes = (CVAEGenerator, InversionGenerator)
        generator = makes[number % 2](hidden_dims=(6,), max_epochs=2, random_state=0)
        return (
            fit(generator=generator, random_state=0)
            .explain(DATA.user_ids[1], DATA.item_ids[1])
            .to_text()
        )

    expected = [train(0), train(1)]
    before = global_state()
    found = Parallel(n_jobs=4, backend="threading")(delayed(train)(i) for i in range(8))
    assert found == expected * 4
    assert global_state() == before


def ask_many(explainer, numbers):
    return [ask(explainer, ["auto"], number) for number in numbers]


@pytest.mark.parametrize(
    "method",
    [each for each in ("fork", "spawn") if each in multiprocessing.get_all_start_methods()],
)
def test_processes_answer_as_this_one(method):
    explainer = EXPLAINERS["LIME through torch"][0]()
    expected = ask_many(explainer, range(3))
    context = multiprocessing.get_context(method)
    with ProcessPoolExecutor(2, mp_context=context) as pool:
        for answers in pool.map(ask_many, [explainer] * 2, [range(3)] * 2, timeout=120):
            assert answers == expected


def test_fork_while_threads_ask():
    """A child that is forked in the middle of other threads' questions gets its own answers."""
    if "fork" not in multiprocessing.get_all_start_methods():
        pytest.skip("no fork")
    explainer = fit()
    expected = ask_many(explainer, range(3))
    stop = threading.Event()

    def keep_asking():
        while not stop.is_set():
            ask(explainer, ["auto"], 5)

    threads = [threading.Thread(target=keep_asking) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        context = multiprocessing.get_context("fork")
        with ProcessPoolExecutor(2, mp_context=context) as pool:
            assert list(pool.map(ask_many, [explainer] * 4, [range(3)] * 4, timeout=60)) == (
                [expected] * 4
            )
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def batch(explainer, n_jobs):
    table = explainer.explain_batch(n_items=2, n_tags=2, n_jobs=n_jobs, batch_size=10)
    return table.to_csv()


@pytest.mark.parametrize("outer", ["threading", "loky"])
def test_joblib_in_joblib(outer):
    explainer = fit()
    expected = batch(explainer, None)
    with warnings.catch_warnings():
        # joblib makes the inner one serial, and a worker that rests too long is no fault.
        warnings.simplefilter("ignore")
        found = Parallel(n_jobs=2, backend=outer, timeout=120)(
            delayed(batch)(explainer, 2) for _ in range(3)
        )
    assert found == [expected] * 3
