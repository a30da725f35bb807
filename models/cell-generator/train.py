"""Trains `cell-generator`, which makes pictures of blood cells, and writes its files.

    python models/cell-generator/train.py [--data DIR] [--epochs N] [--threads N]

A variational autoencoder that knows each cell's class; its decoder is the model. DIR holds
`cells-bccd`. Needs `models/requirements.txt`.
"""

import sys
from pathlib import Path

import torch
from torch import nn

FOLDER = Path(__file__).resolve().parent
sys.path.insert(0, str(FOLDER.parent))

from common import export, learn, nets, patches, ship  # noqa: E402

RECIPE = learn.Recipe(epochs=30, rate=2e-3, seed=35, batch=32, half=True)
WIDTHS = (16, 32, 64, 96, 128)
SMALLEST = patches.SIZE // 2 ** (len(WIDTHS) - 1)
NOISE = 0.2
"""Of a pixel, in the model of what pictures are like: more makes the latents more alike."""
PLANES = 3 + len(patches.CLASSES)


def unfold(inputs: int, outputs: int) -> nn.Sequential:
    """Twice the size by a transposed convolution with batch normalization."""
    return nn.Sequential(
        nn.ConvTranspose2d(inputs, outputs, 4, 2, 1, bias=False), nn.BatchNorm2d(outputs)
    )


class Decoder(nn.Module):
    """Latents and the class to a picture."""

    def __init__(self):
        super().__init__()
        features = patches.LATENT + len(patches.CLASSES)
        self.first = nn.Linear(features, WIDTHS[-1] * SMALLEST**2)
        self.grow = nn.ModuleList(unfold(*ends) for ends in zip(WIDTHS[:0:-1], WIDTHS[-2::-1]))
        self.last = nn.Conv2d(WIDTHS[0], 3, 3, padding=1)

    def forward(self, x):
        """[N, 27] to RGB in 0..1, [N, 3, 64, 64]."""
        x = torch.relu(self.first(x)).reshape(-1, WIDTHS[-1], SMALLEST, SMALLEST)
        for layer in self.grow:
            x = torch.relu(layer(x))
        return torch.sigmoid(self.last(x))


class Autoencoder(nn.Module):
    """Pictures with their classes' planes to latents and back."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(PLANES, WIDTHS[0], 3, padding=1)
        self.shrink = nn.ModuleList(
            nets.conv(*ends, stride=2) for ends in zip(WIDTHS[:-1], WIDTHS[1:])
        )
        self.last = nn.Linear(WIDTHS[-1] * SMALLEST**2, 2 * patches.LATENT)
        self.decoder = Decoder()

    def forward(self, planes):
        """The picture again, and mean and log variance of its latents."""
        x = torch.relu(self.first(planes))
        for layer in self.shrink:
            x = torch.relu(layer(x))
        mean, log_variance = self.last(x.flatten(1)).float().chunk(2, 1)
        latents = mean
        if self.training:
            latents = mean + torch.randn_like(mean) * (log_variance / 2).exp()
        return self.decoder(torch.cat([latents, planes[:, 3:, 0, 0]], 1)), mean, log_variance


def loss(found, truth: torch.Tensor) -> torch.Tensor:
    """Squared error of the pixels, and how far the latents are from normally distributed."""
    picture, mean, log_variance = found
    error = (picture.float() - truth).square().flatten(1).sum(1) / (2 * NOISE**2)
    away = (mean.square() + log_variance.exp() - log_variance - 1).sum(1) / 2
    return (error + away).mean() / 100


@torch.no_grad()
def rmse(net: Autoencoder, held) -> float:
    """Of held-out pictures, encoded and decoded."""
    planes = torch.from_numpy(patches.to_planes(held.inputs, held.truth))
    return float((net(planes)[0] - planes[:, :3]).square().mean().sqrt())


if __name__ == "__main__":
    data, recipe = ship.start(__doc__, RECIPE)
    train = patches.read(data, "train")
    net = learn.learn(Autoencoder(), lambda rng: patches.epoch(train, rng), recipe, loss)
    print(f"held-out pictures come back with an RMSE of {rmse(net, patches.read(data, 'val')):.4f}")
    decoder = export.fold(net.decoder)
    ship.write(decoder, FOLDER / "cell-generator.float.onnx", patches.test(data).inputs[:1])
    ship.finish(FOLDER, data)
