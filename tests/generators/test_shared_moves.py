"""A conditional autoencoder at a user's tag preferences plus moves: one product after the other."""

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sktpecr.generators._layers import forward
from sktpecr.generators._shared_moves import SharedMoves


def network(rng, *widths):
    return [
        (rng.normal(size=(n_in, n_out)) / np.sqrt(n_in), rng.normal(size=n_out))
        for n_in, n_out in pairwise(widths)
    ]


@given(
    seed=st.integers(0, 2**32 - 1),
    n_hidden=st.integers(1, 3),
    n_moves=st.sampled_from([1, 7, 512, 1030]),
    dtype=st.sampled_from([np.float32, np.float64]),
)
def test_scores_are_those_of_the_whole_network_at_every_move(seed, n_hidden, n_moves, dtype):
    rng = np.random.RandomState(seed)
    encoder = network(rng, 5 + 3, *[8] * n_hidden, 4)
    decoder = network(rng, 4 + 3, *[6] * n_hidden, 5)
    moves = rng.normal(size=(n_moves, 3)).astype(dtype)
    centre, embedding, items = rng.normal(size=3), rng.normal(size=5), rng.normal(size=(9, 5))
    biases = rng.normal(size=9)
    rows = centre + moves.astype(np.float64)
    latent = forward(encoder, np.hstack([np.tile(embedding, (n_moves, 1)), rows]))[0]
    expected = forward(decoder, np.hstack([latent, rows]))[0] @ items.T + biases
    found = SharedMoves(encoder, decoder, moves).scores(centre, embedding, items, biases)
    assert found.dtype == dtype
    close = 1e-5 if dtype == np.float32 else 1e-12
    np.testing.assert_allclose(found, expected, atol=close * np.abs(expected).max())


def test_moves_are_kept_for_the_next_user():
    rng = np.random.RandomState(0)
    encoder, decoder = network(rng, 8, 8, 4), network(rng, 7, 6, 5)
    shared = SharedMoves(encoder, decoder, rng.normal(size=(20, 3)))
    first, second = rng.normal(size=(2, 3)), rng.normal(size=(2, 5))
    items = rng.normal(size=(9, 5))
    alone = [shared.scores(*user, items, 0.0) for user in zip(first, second, strict=True)]
    again = shared.scores(first[0], second[0], items, 0.0)
    np.testing.assert_array_equal(again, alone[0])
    assert np.abs(alone[0] - alone[1]).max() > 0.1
