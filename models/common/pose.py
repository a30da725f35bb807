"""Video frames of a mouse and its labelled points, and how points are read from heat maps.

A frame is 396x406, grey, the mouse from the side above and from below underneath. A model sees the
exact 2x2 box mean of it, with zeros added to the right and below: 208x208. It gives a heat map of
104x104 for each point, so that a cell of a map is 4 pixels of the frame. Points are (x, y) in frame
pixels, the centre of the first pixel being (0, 0); those that nobody labelled are NaN.
"""

import csv
from pathlib import Path

import numpy as np
from PIL import Image

from .samples import Samples

SIZE, MAP = 208, 104
DOWNSCALE, CELL = 2, 4
POINTS = 17
TEST_SHARE = 0.2
SPLIT_SEED = 52
WINDOW = 2
"""How many cells around the highest one take part in the point's place, to each side."""
NEAR = 10
"""Frame pixels within which a point counts as found."""


def read(data: Path) -> tuple[Samples, Samples]:
    """Train and test: whole frames uint8 [N, 406, 396], truth float32 [N, 17, 2]."""
    root = data / "pose-mirror-mouse" / "mirror-mouse-example"
    with open(root / "CollectedData.csv", newline="") as file:
        rows = list(csv.reader(file))[3:]
    frames = np.stack([_grey(root / row[0]) for row in rows])
    points = [[float(value or "nan") for value in row[1:]] for row in rows]
    whole = Samples(frames, np.array(points, np.float32).reshape(-1, POINTS, 2))
    order = np.random.default_rng(SPLIT_SEED).permutation(len(whole))
    held = round(TEST_SHARE * len(whole))
    return whole.part(np.sort(order[held:])), whole.part(np.sort(order[:held]))


def _grey(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image.convert("L"))


def test(data: Path) -> Samples:
    """The held-out frames as inputs, and their points."""
    frames = read(data)[1]
    return Samples(np.stack([to_input(frame) for frame in frames.inputs]), frames.truth)


def to_input(frame: np.ndarray) -> np.ndarray:
    """Float32 [1, 208, 208] in 0..1."""
    height, width = (side // DOWNSCALE for side in frame.shape)
    blocks = frame[: height * DOWNSCALE, : width * DOWNSCALE].astype(np.float32)
    small = np.zeros((1, SIZE, SIZE), np.float32)
    small[0, :height, :width] = blocks.reshape(height, DOWNSCALE, width, DOWNSCALE).mean((1, 3))
    return small / np.float32(255)


def to_cells(points: np.ndarray) -> np.ndarray:
    """Frame pixels to cells of a heat map, the centre of the first cell being (0, 0)."""
    return (points + 0.5) / CELL - 0.5


def epoch(train: Samples, rng: np.random.Generator) -> Samples:
    """Each frame turned, scaled, shifted and with another contrast; truth in cells."""
    varied = [_varied(frame, points, rng) for frame, points in zip(train.inputs, train.truth)]
    inputs, truth = zip(*varied)
    return Samples(np.stack(inputs), np.stack(truth).astype(np.float32))


def _varied(frame: np.ndarray, points: np.ndarray, rng: np.random.Generator):
    angle, scale = np.radians(rng.uniform(-8, 8)), rng.uniform(0.88, 1.12, 2)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) * scale
    middle = np.array(frame.shape[::-1]) / 2
    shift = middle + rng.uniform(-25, 25, 2) - turn @ middle
    back = np.linalg.inv(turn)
    matrix = np.column_stack([back, -back @ shift]).ravel()
    image = Image.fromarray(frame).transform(
        frame.shape[::-1], Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR
    )
    moved = points @ turn.T + shift
    outside = ((moved < 0) | (moved >= frame.shape[::-1])).any(1, keepdims=True)
    value = to_input(np.asarray(image)) ** np.float32(rng.uniform(0.7, 1.4))
    value = value * np.float32(rng.uniform(0.7, 1.3))
    noise = rng.standard_normal(value.shape, np.float32) * np.float32(rng.uniform(0, 0.02))
    return np.clip(value + noise, 0, 1), to_cells(np.where(outside, np.nan, moved))


def points(maps: np.ndarray) -> np.ndarray:
    """Points [17, 2] of one output [17, 104, 104]: the mean place around the highest cells."""
    found = np.empty((len(maps), 2))
    for row, heat in enumerate(maps):
        top, left = np.unravel_index(heat.argmax(), heat.shape)
        rows = np.arange(max(top - WINDOW, 0), min(top + WINDOW + 1, heat.shape[0]))
        columns = np.arange(max(left - WINDOW, 0), min(left + WINDOW + 1, heat.shape[1]))
        part = heat[np.ix_(rows, columns)]
        found[row] = (part.sum(0) @ columns, part.sum(1) @ rows) / part.sum()
    return (found + 0.5) * CELL - 0.5


def score(maps: np.ndarray, samples: Samples) -> dict[str, float]:
    """Distance of found and labelled points in frame pixels, and the share that is near."""
    away = np.stack([points(output) for output in maps]) - samples.truth
    distance = np.hypot(away[..., 0], away[..., 1])
    distance = distance[~np.isnan(distance)]
    return {
        "error_px": round(float(distance.mean()), 2),
        "error_px_median": round(float(np.median(distance)), 2),
        "near": round(float((distance <= NEAR).mean()), 4),
    }
