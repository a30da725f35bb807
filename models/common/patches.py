"""Pictures of single blood cells: 64x64 cut from BCCD's frames around each box.

A cell fills the same share of its picture whatever its size, and lies in the middle. Cells whose
picture would reach past the frame are left out.
"""

from pathlib import Path

import numpy as np
from PIL import Image

from . import data as bccd
from .samples import Samples

SIZE = 64
CLASSES = bccd.CLASSES[1:]
MARGIN = 1.25
"""Side of a picture, in longer sides of the cell's box."""
EACH = 300
"""Pictures of each class in an epoch."""
LATENT = 24
"""Numbers, normally distributed, that say how a picture is to look, besides its class."""
TEST_EACH, TEST_SEED = 50, 53


def read(data: Path, split: str) -> Samples:
    """Pictures uint8 [N, 64, 64, 3] and their classes [N]."""
    pictures, classes = [], []
    for frame in bccd.read_frames(data, split):
        image = Image.fromarray(frame.pixels)
        for (left, top, right, bottom), label in zip(frame.boxes, frame.labels):
            half = MARGIN * max(right - left, bottom - top) / 2
            x, y = (left + right) / 2, (top + bottom) / 2
            window = (x - half, y - half, x + half, y + half)
            if half < 1 or min(window) < 0 or x + half > image.width or y + half > image.height:
                continue
            cut = image.resize((SIZE, SIZE), Image.Resampling.BILINEAR, window)
            pictures.append(np.asarray(cut))
            classes.append(label - 1)
    return Samples(np.stack(pictures), np.array(classes))


def to_planes(pictures: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Float32 [N, 6, 64, 64]: RGB in 0..1, then a plane for each class that is 1 for the own."""
    colours = pictures.transpose(0, 3, 1, 2).astype(np.float32) / np.float32(255)
    own = np.eye(len(CLASSES), dtype=np.float32)[classes][:, :, None, None]
    planes = np.broadcast_to(own, (len(classes), len(CLASSES), SIZE, SIZE))
    return np.concatenate([colours, planes], 1)


def epoch(train: Samples, rng: np.random.Generator) -> Samples:
    """As many pictures of each class, turned and mirrored; truth is the picture."""
    rows = [rng.choice(np.flatnonzero(train.truth == c), EACH) for c in range(len(CLASSES))]
    part = train.part(np.concatenate(rows))
    turned = [
        np.rot90(picture[:, ::-1] if rng.random() < 0.5 else picture, rng.integers(0, 4))
        for picture in part.inputs
    ]
    planes = to_planes(np.stack(turned), part.truth)
    return Samples(planes, planes[:, :3].copy())


def test(data: Path) -> Samples:
    """Latents, as many of each class; truth is held-out pictures of the same classes."""
    held, rng = read(data, "val"), np.random.default_rng(TEST_SEED)
    classes = np.repeat(np.arange(len(CLASSES)), TEST_EACH)
    rows = [rng.choice(np.flatnonzero(held.truth == c), TEST_EACH, False) for c in set(classes)]
    latents = rng.standard_normal((len(classes), LATENT), np.float32)
    own = np.eye(len(CLASSES), dtype=np.float32)[classes]
    return Samples(np.concatenate([latents, own], 1), held.inputs[np.concatenate(rows)])


def statistics(pictures: np.ndarray) -> np.ndarray:
    """Nine numbers for each of the pictures [N, 3, 64, 64]: means, spreads, means in the middle."""
    middle = pictures[:, :, SIZE // 4 : -SIZE // 4, SIZE // 4 : -SIZE // 4]
    parts = pictures.mean((2, 3)), pictures.std((2, 3)), middle.mean((2, 3))
    return np.concatenate(parts, 1)


def score(made: np.ndarray, samples: Samples) -> dict[str, float]:
    """Whether made pictures have the colours of their class, and vary as real ones do.

    `told`: the share whose class is told by the nearest class mean of real pictures' statistics;
    `told_real`: the same of the real ones. `spread`: between pictures of a class, the mean standard
    deviation of the statistics over that of the real ones.
    """
    classes = samples.inputs[:, LATENT:].argmax(1)
    real = samples.truth.transpose(0, 3, 1, 2).astype(np.float32) / np.float32(255)
    made, real = statistics(made), statistics(real)
    scale = np.stack([real[classes == c].std(0) for c in set(classes)])
    means = np.stack([real[classes == c].mean(0) for c in set(classes)])
    spread = np.stack([made[classes == c].std(0) for c in set(classes)])

    def told(found: np.ndarray) -> float:
        away = np.square((found[:, None] - means) / scale.mean(0)).sum(2)
        return round(float((away.argmin(1) == classes).mean()), 4)

    ratio = round(float((spread / scale).mean()), 3)
    return {"told": told(made), "told_real": told(real), "spread": ratio}
