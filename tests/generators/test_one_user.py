"""The network at one user is the whole network at that user's embedding, forward and back."""

from itertools import pairwise

import numpy as np
import pytest

from sktpecr.generators._layers import backward, forward
from sktpecr.generators._one_user import OneUser

N_FACTORS, N_TAGS, LATENT = 5, 3, 4


def layers(rng, *sizes):
    return [
        (rng.normal(size=(n_in, n_out)), rng.normal(size=n_out)) for n_in, n_out in pairwise(sizes)
    ]


@pytest.mark.parametrize("hidden", [(7,), (7, 6), (7, 6, 8)])
def test_embedding_and_gradient_are_those_of_encoder_and_decoder(hidden):
    rng = np.random.RandomState(len(hidden))
    encoder = layers(rng, N_FACTORS + N_TAGS, *hidden, LATENT)
    decoder = layers(rng, LATENT + N_TAGS, *hidden, N_FACTORS)
    embedding, preferences, weights = (rng.normal(size=n) for n in (N_FACTORS, N_TAGS, N_FACTORS))
    latent, in_encoder = forward(encoder, np.concatenate([embedding, preferences])[np.newaxis])
    expected, in_decoder = forward(decoder, np.hstack([latent, preferences[np.newaxis]]))
    at_decoder = backward(decoder, in_decoder, weights[np.newaxis])
    at_encoder = backward(encoder, in_encoder, at_decoder[:, :LATENT])
    found, back = OneUser(encoder, decoder, embedding)(preferences)
    np.testing.assert_allclose(found, expected[0], rtol=1e-10)
    gradient = at_decoder[0, LATENT:] + at_encoder[0, N_FACTORS:]
    np.testing.assert_allclose(back(weights), gradient, rtol=1e-10)
