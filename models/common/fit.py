"""The training loop: soft-target cross-entropy, AdamW, one cosine, averaged weights."""

import copy
import time
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from .data import Frame, Windows


@dataclass(frozen=True)
class Recipe:
    """What a training run is made of; `class_weight` weighs grid cells by their target."""

    epochs: int
    rate: float
    seed: int
    class_weight: tuple[float, float, float, float]
    batch: int = 8
    decay: float = 0.02
    average: float = 0.997
    warmup: float = 0.08


def fit(net: nn.Module, frames: list[Frame], recipe: Recipe) -> nn.Module:
    """Trains `net`, whose outputs are logits, and returns its weight average."""
    rng = np.random.default_rng(recipe.seed)
    windows = Windows(frames, rng)
    steps = recipe.epochs * (len(frames) // recipe.batch)
    optimizer = torch.optim.AdamW(net.parameters(), recipe.rate, weight_decay=recipe.decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, recipe.rate, steps, pct_start=recipe.warmup
    )
    net = net.to(memory_format=torch.channels_last)
    averaged = copy.deepcopy(net)
    start, done = time.monotonic(), 0
    for epoch in range(recipe.epochs):
        order = rng.permutation(len(frames))[: len(frames) // recipe.batch * recipe.batch]
        losses = []
        for batch in order.reshape(-1, recipe.batch):
            inputs, targets = (np.stack(part) for part in zip(*map(windows.sample, batch)))
            logits = net(torch.from_numpy(inputs))
            loss = grid_loss(logits, torch.from_numpy(targets), recipe.class_weight)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            done += 1
            _average(averaged, net, min(recipe.average, (1 + done) / (10 + done)))
            losses.append(loss.item())
        if epoch % 10 == 9 or epoch + 1 == recipe.epochs:
            elapsed = time.monotonic() - start
            print(f"epoch {epoch + 1}: loss {np.mean(losses):.4f}, {elapsed:.0f} s", flush=True)
    return averaged.eval()


def grid_loss(logits: torch.Tensor, targets: torch.Tensor, class_weight) -> torch.Tensor:
    """Cross-entropy against soft targets, cells weighted by class."""
    weight = (targets * torch.tensor(class_weight)[None, :, None, None]).sum(1)
    entropy = -(targets * torch.log_softmax(logits, 1)).sum(1)
    return (weight * entropy).sum() / weight.sum()


@torch.no_grad()
def _average(averaged: nn.Module, net: nn.Module, keep: float):
    """Moves the averaged weights and statistics a step towards the current ones."""
    for mean, value in zip(averaged.state_dict().values(), net.state_dict().values()):
        if mean.is_floating_point():
            mean.lerp_(value, 1 - keep)
        else:
            mean.copy_(value)
