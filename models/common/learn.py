"""The training loop of the small models: AdamW, one cycle, averaged weights."""

import copy
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from .samples import Samples

Epochs = Callable[[np.random.Generator], Samples]
"""What one epoch is made of: the training samples, varied anew each time."""


@dataclass(frozen=True)
class Recipe:
    """What a training run is made of."""

    epochs: int
    rate: float
    seed: int
    batch: int = 32
    decay: float = 0.01
    average: float = 0.99
    """How much of the weight average stays at each step."""
    half: bool = False
    """Whether matrix products are made in bfloat16, far faster where the processor has AMX."""


def learn(net: nn.Module, epochs_of: Epochs, recipe: Recipe, loss_of) -> nn.Module:
    """Trains `net` to a small `loss_of(net(inputs), truth)`; returns its weight average."""
    rng = np.random.default_rng(recipe.seed)
    per_epoch = len(epochs_of(np.random.default_rng(0))) // recipe.batch
    optimizer = torch.optim.AdamW(net.parameters(), recipe.rate, weight_decay=recipe.decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, recipe.rate, recipe.epochs * per_epoch, pct_start=0.15
    )
    averaged = copy.deepcopy(net).eval()
    start = time.monotonic()
    for epoch in range(recipe.epochs):
        samples, losses = epochs_of(rng), []
        order = rng.permutation(len(samples))[: per_epoch * recipe.batch]
        for batch in order.reshape(per_epoch, -1):
            part = samples.part(batch)
            with torch.autocast("cpu", torch.bfloat16, enabled=recipe.half):
                found = net(torch.from_numpy(part.inputs))
            loss = loss_of(found, torch.from_numpy(part.truth))
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            _average(averaged, net, recipe.average if epoch else 0.0)
            losses.append(loss.item())
        if epoch % 5 == 4 or epoch + 1 == recipe.epochs:
            elapsed = time.monotonic() - start
            print(f"epoch {epoch + 1}: loss {np.mean(losses):.4f}, {elapsed:.0f} s", flush=True)
    return averaged


def varied(samples: Samples, augment) -> Epochs:
    """Epochs of all samples, their inputs put through `augment(inputs, rng)`."""
    return lambda rng: Samples(augment(samples.inputs, rng), samples.truth)


@torch.no_grad()
def _average(averaged: nn.Module, net: nn.Module, keep: float):
    """Moves the averaged weights and statistics a step towards the current ones."""
    for mean, value in zip(averaged.state_dict().values(), net.state_dict().values()):
        if mean.is_floating_point():
            mean.lerp_(value, 1 - keep)
        else:
            mean.copy_(value)
