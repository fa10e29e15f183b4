"""The training of small networks: losses, schedule, stopping, divergence."""

import numpy as np
import pytest
import torch
from scipy.integrate import trapezoid
from sklearn.exceptions import ConvergenceWarning
from skorch.dataset import Dataset

from sktpecr._utils import _torch_training
from sktpecr._utils._torch_training import TensorBatches, Training
from sktpecr.generators._networks import (
    CVAELoss,
    CVAEModule,
    MLPModule,
    SquaredError,
    layers_of,
    train,
)

ROWS = np.random.RandomState(0).normal(size=(90, 6))


def training(**changes):
    defaults = {
        "learning_rate": 1e-2,
        "batch_size": 16,
        "max_epochs": 8,
        "patience": 8,
        "validation_fraction": 0.1,
        "schedule": "one-cycle",
        "device": "cpu",
        "seed": 3,
        "title": "test",
    }
    return Training(**{**defaults, **changes})


def train_mlp(**changes):
    return train(
        MLPModule, {"dims": [6, 5, 4]}, SquaredError(), ROWS, ROWS[:, :4], training(**changes)
    )


def test_cvae_loss_is_equation_5_in_sums():
    random = np.random.RandomState(0)
    decoded, target = random.normal(size=(2, 10, 4))
    mean, log_variance = random.normal(size=(2, 10, 3))
    # KL(N(m, s^2) || N(0, 1)) by numerical integration, one latent variable at a time.
    grid = np.linspace(-15, 15, 20_001)
    divergence = 0.0
    for m, lv in zip(mean.ravel(), log_variance.ravel(), strict=True):
        log_q = -0.5 * (grid - m) ** 2 / np.exp(lv) - 0.5 * (lv + np.log(2 * np.pi))
        log_p = -0.5 * grid**2 - 0.5 * np.log(2 * np.pi)
        divergence += trapezoid(np.exp(log_q) * (log_q - log_p), grid)
    expected = (((decoded - target) ** 2).sum() + 0.3 * divergence) / 10
    tensors = [torch.from_numpy(array) for array in (decoded, mean, log_variance)]
    found = CVAELoss(0.3)(tuple(tensors), torch.from_numpy(target))
    assert float(found) == pytest.approx(expected, rel=1e-6)


def test_one_training_step_equals_a_plain_implementation():
    """Forward, loss, gradient and Adam in numpy for one batch, noise included."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        module = CVAEModule(4, 2, (5,), 3, torch.Generator().manual_seed(1)).double()
    noise = torch.randn((7, 3), generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    rows = torch.from_numpy(ROWS[:7])

    def plain_loss(parameters):
        (W0, b0, W1, b1), (W2, b2, W3, b3) = parameters[:4], parameters[4:]

        def leaky(x):
            return np.where(x > 0, x, 0.01 * x)

        X = ROWS[:7]
        mean, log_variance = np.split(leaky(X @ W0.T + b0) @ W1.T + b1, 2, axis=1)
        z = mean + np.exp(log_variance / 2) * noise.numpy()
        out = leaky(np.hstack([z, X[:, 4:]]) @ W2.T + b2) @ W3.T + b3
        kl = 0.5 * (mean**2 + np.exp(log_variance) - log_variance - 1).sum()
        return (((out - X[:, :4]) ** 2).sum() + 0.2 * kl) / 7

    # The noise is drawn in float32 or float64 by the type of the mean, which is float64 here.
    torch_noise = torch.randn
    try:
        torch.randn = lambda *args, **kwargs: noise
        loss = CVAELoss(0.2)(module.train()(rows), rows[:, :4])
    finally:
        torch.randn = torch_noise
    parameters = [p.detach().numpy().copy() for p in module.parameters()]
    assert float(loss.detach()) == pytest.approx(plain_loss(parameters), rel=1e-10)
    loss.backward()
    for i, parameter in enumerate(module.parameters()):
        for index in list(np.ndindex(parameters[i].shape))[::7]:
            moved = [p.copy() for p in parameters]
            moved[i][index] += 1e-6
            ahead = plain_loss(moved)
            moved[i][index] -= 2e-6
            slope = (ahead - plain_loss(moved)) / 2e-6
            assert float(parameter.grad[index]) == pytest.approx(slope, rel=1e-4, abs=1e-7)


def test_batches_go_through_every_row_once_in_a_new_order_each_epoch():
    data = Dataset(torch.arange(20.0)[:, None], torch.arange(20.0))
    batches = TensorBatches(data, 6, torch.Generator().manual_seed(0))
    epochs = [torch.cat([y for _, y in batches]).tolist() for _ in range(2)]
    assert len(batches) == 4
    assert [sorted(epoch) for epoch in epochs] == [list(range(20))] * 2
    assert epochs[0] != epochs[1]
    assert torch.cat([y for _, y in TensorBatches(data, 6)]).tolist() == list(range(20))


def test_one_cycle_goes_up_to_the_peak_and_down_again():
    rates = np.array([_torch_training._rate("one-cycle", t) for t in np.linspace(0, 1, 201)])
    assert rates[0] == pytest.approx(0.04)
    assert rates.max() == pytest.approx(1.0, abs=2e-3)
    assert rates.argmax() == 30
    assert (np.diff(rates[:31]) > 0).all()
    assert (np.diff(rates[31:]) < 0).all()
    assert rates[-1] == pytest.approx(0.001)
    assert {_torch_training._rate("constant", t) for t in rates} == {1.0}


def test_the_best_validation_epoch_is_kept():
    module, history = train_mlp(max_epochs=60, learning_rate=0.2, schedule="constant")
    best = min(row["valid_loss"] for row in history)
    order = np.random.RandomState(3).permutation(90)[:9]
    with torch.no_grad():
        rows = torch.from_numpy(ROWS[np.sort(order)]).float()
        found = SquaredError()(module(rows), rows[:, :4])
    assert float(found) == pytest.approx(best, rel=1e-5)


def test_training_stops_when_patience_is_out():
    _, history = train_mlp(max_epochs=500, patience=3, learning_rate=0.2, schedule="constant")
    assert len(history) < 500
    losses = [row["valid_loss"] for row in history]
    assert int(np.argmin(losses)) == len(losses) - 4


def test_no_validation_trains_to_the_end():
    _, history = train_mlp(validation_fraction=0.0)
    assert [row["epoch"] for row in history] == list(range(1, 9))
    assert "valid_loss" not in history[0]


def test_same_seed_same_weights_and_no_global_state_touched():
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    first, again, other = train_mlp()[0], train_mlp()[0], train_mlp(seed=4)[0]
    for (a, _), (b, _), (c, _) in zip(
        layers_of(first.network), layers_of(again.network), layers_of(other.network), strict=True
    ):
        np.testing.assert_array_equal(a, b)
        assert (a != c).any()
    assert torch.equal(torch_state, torch.get_rng_state())
    assert (numpy_state == np.random.get_state()[1]).all()  # noqa: NPY002


class Explodes(SquaredError):
    """A loss that is NaN from its n-th batch on."""

    def __init__(self, after):
        super().__init__()
        self.left = after

    def forward(self, output, target):
        self.left -= 1
        return super().forward(output, target) * (1.0 if self.left >= 0 else float("nan"))


def explode(after):
    return train(MLPModule, {"dims": [6, 5, 4]}, Explodes(after), ROWS, ROWS[:, :4], training())


def test_divergence_keeps_the_last_good_weights_and_says_so():
    with pytest.warns(ConvergenceWarning, match=r"diverged in epoch 3; .* up to epoch 2 is kept"):
        module, history = explode(after=2 * 7 + 2)
    assert len(history) == 3
    for weights, bias in layers_of(module.network):
        assert np.isfinite(weights).all()
        assert np.isfinite(bias).all()


def test_divergence_from_the_first_epoch_is_an_error():
    with pytest.raises(ValueError, match=r"diverged in epoch 1: .* lower learning_rate"):
        explode(after=2)


def test_an_interrupt_is_not_swallowed():
    class Interrupts(SquaredError):
        def forward(self, output, target):
            raise KeyboardInterrupt

    for n_epochs in (1, 8):
        how = training(max_epochs=n_epochs)
        with pytest.raises(KeyboardInterrupt):
            train(MLPModule, {"dims": [6, 4]}, Interrupts(), ROWS, ROWS[:, :4], how)


def test_training_works_inside_inference_mode():
    with torch.inference_mode():
        inside = layers_of(train_mlp()[0].network)
    for (first, _), (second, _) in zip(inside, layers_of(train_mlp()[0].network), strict=True):
        np.testing.assert_array_equal(first, second)


@pytest.mark.skipif(torch.cuda.is_available(), reason="is about machines without a GPU")
def test_devices_that_are_not_there_are_named():
    with pytest.raises(ValueError, match="device is 'cuda', but torch sees no GPU"):
        train_mlp(device="cuda")
    with pytest.raises(ValueError, match="device must be 'auto' or a torch device"):
        train_mlp(device="abacus")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_training_on_a_gpu_comes_back_to_the_cpu():
    module, _ = train_mlp(device="cuda")
    assert all(p.device.type == "cpu" for p in module.parameters())
