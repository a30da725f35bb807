"""Microscope pictures of nuclei, their label maps, and how nuclei are found in a model's output.

A picture is RGB, dark with bright nuclei (fluorescence) or bright with dark ones (stained tissue).
A model sees 256x256 of it and tells background, inside and edge of nuclei apart; the edge, a
nucleus's own outermost pixels, keeps neighbours apart.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from scipy import ndimage

from .samples import Samples

SIZE = 256
WINDOW = 128
"""Side of a training window: what a convolution learns does not depend on it."""
CLASSES = ("background", "inside", "edge")
TEST_SHARE = 0.2
SPLIT_SEED = 51
STAINED_MIN = 128
"""Least mean value of a picture of stained tissue."""
REACH = 3.0
"""How far, in pixels, a nucleus grows from its inside."""


@dataclass(frozen=True)
class Picture:
    """One picture: `pixels` HxWx3 uint8, `labels` HxW with a number for each nucleus, 0 outside."""

    pixels: np.ndarray
    labels: np.ndarray

    @property
    def stained(self) -> bool:
        """Whether it shows stained tissue."""
        return self.pixels.mean() >= STAINED_MIN


def read(data: Path) -> tuple[list[Picture], list[Picture]]:
    """Train and test: of both kinds of pictures the same random share is held out."""
    root = data / "nuclei-dsb2018"
    paths = sorted((root / "images").glob("*.png"))
    pictures = [_picture(path, root / "labels" / path.name) for path in paths]
    stained = np.array([picture.stained for picture in pictures])
    rng, held = np.random.default_rng(SPLIT_SEED), np.zeros(len(pictures), bool)
    for kind in (True, False):
        rows = rng.permutation(np.flatnonzero(stained == kind))
        held[rows[: round(TEST_SHARE * len(rows))]] = True
    train = [picture for picture, out in zip(pictures, held) if not out]
    return train, [picture for picture, out in zip(pictures, held) if out]


def _picture(path: Path, labels: Path) -> Picture:
    with Image.open(path) as image, Image.open(labels) as map_of_labels:
        return Picture(np.asarray(image.convert("RGB")), np.asarray(map_of_labels).astype(np.int32))


def test(data: Path) -> Samples:
    """The middles of the held-out pictures; truth is their label maps."""
    cuts = [
        _cut(picture, [(side - SIZE) // 2 for side in picture.labels.shape], SIZE)
        for picture in read(data)[1]
    ]
    return Samples(
        np.stack([to_input(cut.pixels, cut.pixels) for cut in cuts]),
        np.stack([cut.labels for cut in cuts]),
    )


def _cut(picture: Picture, corner, size: int) -> Picture:
    rows, columns = (slice(start, start + size) for start in corner)
    return Picture(picture.pixels[rows, columns], picture.labels[rows, columns])


def to_input(pixels: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Float32 [3, H, W]: darkest and brightest value of the whole picture become 0 and 1."""
    darkest, brightest = int(whole.min()), int(whole.max())
    value = pixels.transpose(2, 0, 1).astype(np.float32) - np.float32(darkest)
    return value / np.float32(max(brightest - darkest, 1))


def target(labels: np.ndarray) -> np.ndarray:
    """Class of each pixel, int64: an edge pixel has another label among its eight neighbours."""
    low, high = ndimage.minimum_filter(labels, 3), ndimage.maximum_filter(labels, 3)
    return np.where(labels == 0, 0, np.where(low == high, 1, 2)).astype(np.int64)


def epoch(train: list[Picture], rng: np.random.Generator) -> Samples:
    """A random window of each picture, turned, mirrored, with another contrast and noise."""
    inputs, truth = [], []
    for picture in train:
        corner = [rng.integers(0, side - WINDOW + 1) for side in picture.labels.shape]
        cut = _cut(picture, corner, WINDOW)
        value, labels = _contrast(to_input(cut.pixels, picture.pixels), rng), target(cut.labels)
        turns, mirrored = rng.integers(0, 4), rng.random() < 0.5
        value, labels = np.rot90(value, turns, (1, 2)), np.rot90(labels, turns)
        if mirrored:
            value, labels = value[:, :, ::-1], labels[:, ::-1]
        inputs.append(value)
        truth.append(labels)
    return Samples(np.stack(inputs), np.stack(truth))


def _contrast(value: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Gamma, gain by channel, noise."""
    value = value ** np.float32(rng.uniform(0.6, 1.5))
    gain = rng.uniform(0.7, 1.0) * rng.uniform(0.9, 1.1, (3, 1, 1))
    noise = rng.standard_normal(value.shape, np.float32) * np.float32(rng.uniform(0, 0.03))
    return np.clip(value * gain.astype(np.float32) + noise, 0, 1)


def objects(probabilities: np.ndarray) -> np.ndarray:
    """Label map of the nuclei in one output [3, H, W].

    A connected inside is a nucleus; it grows into those pixels near it that are not background.
    """
    found, _ = ndimage.label(probabilities.argmax(0) == 1)
    distance, nearest = ndimage.distance_transform_edt(found == 0, return_indices=True)
    return np.where((probabilities[0] < 0.5) & (distance <= REACH), found[tuple(nearest)], 0)


def score(probabilities: np.ndarray, samples: Samples) -> dict[str, float]:
    """IoU of all pixels of nuclei, and F1 of nuclei, found where their IoU is above 0.5 or 0.75.

    Counts are summed over all pictures.
    """
    common = either = 0
    hits, nuclei = np.zeros(2), 0
    for output, truth in zip(probabilities, samples.truth):
        inside = output[0] < 0.5
        common += (inside & (truth > 0)).sum()
        either += (inside | (truth > 0)).sum()
        found = objects(output)
        overlap = overlaps(found, truth)
        hits += [(overlap > least).sum() for least in (0.5, 0.75)]
        nuclei += sum(len(np.unique(labels[labels > 0])) for labels in (found, truth))
    f1 = 2 * hits / max(nuclei, 1)
    return {
        "iou": round(float(common / max(either, 1)), 4),
        "f1": round(float(f1[0]), 4),
        "f1_at_75": round(float(f1[1]), 4),
    }


def overlaps(found: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """IoU of each pair of a found and a true nucleus that share a pixel."""
    shared = (found > 0) & (truth > 0)
    pairs, common = np.unique(np.stack([found[shared], truth[shared]]), axis=1, return_counts=True)
    sizes = [np.bincount(labels.ravel()) for labels in (found, truth)]
    return common / (sizes[0][pairs[0]] + sizes[1][pairs[1]] - common)
