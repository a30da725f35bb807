"""Blocks that fold to Conv, Relu and Add, and what a network of them costs."""

import torch
from torch import nn

from .data import HEIGHT, WIDTH


def conv(inputs: int, outputs: int, size: int = 3, stride: int = 1, groups: int = 1):
    """Convolution with batch normalization, to be folded on export."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, size, stride, size // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
    )


def separable(inputs: int, outputs: int, stride: int = 1):
    """Depthwise 3x3, Relu, pointwise: no activation at the end."""
    depthwise = conv(inputs, inputs, 3, stride, groups=inputs)
    return nn.Sequential(depthwise, nn.ReLU(), conv(inputs, outputs, 1))


class Residual(nn.Module):
    """relu(x + body(x))."""

    def __init__(self, body: nn.Module):
        super().__init__()
        self.body = body
        self.relu = nn.ReLU()

    def forward(self, x):
        return self.relu(x + self.body(x))


def separable_residual(channels: int) -> Residual:
    """A residual block around one separable convolution."""
    return Residual(separable(channels, channels))


def plain_residual(channels: int) -> Residual:
    """A residual block around two 3x3 convolutions."""
    return Residual(nn.Sequential(conv(channels, channels), nn.ReLU(), conv(channels, channels)))


def macs(net: nn.Module) -> int:
    """Multiply-accumulates of one inference, convolutions alone."""
    total = 0

    def add(layer, _, output):
        nonlocal total
        total += output[0].numel() * layer.weight[0].numel()

    hooks = [m.register_forward_hook(add) for m in net.modules() if isinstance(m, nn.Conv2d)]
    with torch.no_grad():
        net(torch.zeros(1, 3, HEIGHT, WIDTH))
    for hook in hooks:
        hook.remove()
    return total


def params(net: nn.Module) -> int:
    """Weights and biases."""
    return sum(p.numel() for p in net.parameters())
