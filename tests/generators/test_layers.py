"""Dense networks as arrays, against torch."""

import numpy as np
import pytest
import torch

from sktpecr.generators._layers import backward, forward, with_scaled_input, with_scaled_output
from sktpecr.generators._networks import dense, layers_of


@pytest.fixture
def network():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return dense([5, 7, 6, 3]).double()


X = np.random.RandomState(0).normal(size=(11, 5))


def test_forward_equals_torch(network):
    expected = network(torch.from_numpy(X)).detach().numpy()
    np.testing.assert_allclose(forward(layers_of(network), X)[0], expected, rtol=1e-12)


def test_backward_equals_autograd(network):
    inputs = torch.from_numpy(X).requires_grad_()
    weights = np.random.RandomState(1).normal(size=(11, 3))
    (network(inputs) * torch.from_numpy(weights)).sum().backward()
    layers = layers_of(network)
    found = backward(layers, forward(layers, X)[1], weights)
    np.testing.assert_allclose(found, inputs.grad.numpy(), rtol=1e-10, atol=1e-12)


def test_scales_fold_into_the_weights(network):
    layers = layers_of(network)
    mean, scale = np.arange(5.0), np.array([1.0, 2.0, 0.5, 3.0, 10.0])
    out_mean = np.array([1.0, -2.0, 3.0])
    folded = with_scaled_output(with_scaled_input(layers, mean, scale), out_mean, 7.0)
    expected = 7.0 * forward(layers, (X - mean) / scale)[0] + out_mean
    np.testing.assert_allclose(forward(folded, X)[0], expected, rtol=1e-10)
