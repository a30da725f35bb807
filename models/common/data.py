"""Blood-smear frames and their cells: reading BCCD, training windows, grid targets.

A frame is 640x480 RGB; a model sees its exact 4x4 box mean, 160x120. A cell is a box in
frame pixels and a class index into `CLASSES`. Nothing here knows a network.
"""

import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

CLASSES = ("background", "RBC", "WBC", "Platelets")
WIDTH, HEIGHT = 160, 120
STRIDE = 8
GRID_W, GRID_H = WIDTH // STRIDE, HEIGHT // STRIDE
DOWNSCALE = 4
MARGIN = 40
"""Mirrored border, in frame pixels, that training windows may reach into."""
SIGMA = np.array([0.0, 0.6, 1.0, 0.5])
"""Spread, in grid cells, of a cell's mark in the target, by class."""


@dataclass(frozen=True)
class Frame:
    """One annotated frame: `pixels` HxWx3 uint8, `boxes` Nx4 (x0 y0 x1 y1), `labels` N."""

    name: str
    pixels: np.ndarray
    boxes: np.ndarray
    labels: np.ndarray


def read_frames(data: Path, split: str) -> list[Frame]:
    """Reads the frames that `<data>/cells-bccd/<split>.txt` names."""
    root = data / "cells-bccd"
    names = (root / f"{split}.txt").read_text().split()
    return [_read_frame(root, name) for name in names]


def _read_frame(root: Path, name: str) -> Frame:
    with Image.open(root / "images" / f"{name}.jpg") as image:
        pixels = np.asarray(image.convert("RGB"))
    tree = ElementTree.parse(root / "annotations" / f"{name}.xml").getroot()
    boxes, labels = [], []
    for cell in tree.iter("object"):
        corners = [int(cell.find(f"bndbox/{key}").text) for key in ("xmin", "ymin", "xmax", "ymax")]
        boxes.append(corners)
        labels.append(CLASSES.index(cell.find("name").text))
    boxes = np.array(boxes, np.float32).reshape(-1, 4)
    return Frame(name, pixels, boxes, np.array(labels, np.int64))


def downscale(pixels: np.ndarray) -> np.ndarray:
    """The 4x4 box mean, rounded half up: what the board computes from its camera frame."""
    height, width, channels = pixels.shape
    blocks = pixels.reshape(height // DOWNSCALE, DOWNSCALE, width // DOWNSCALE, DOWNSCALE, channels)
    return ((blocks.astype(np.uint32).sum((1, 3)) + 8) // 16).astype(np.uint8)


def to_input(pixels: np.ndarray) -> np.ndarray:
    """A 160x120 RGB picture as the model's float32 [3, 120, 160] in 0..1."""
    return np.ascontiguousarray(pixels.transpose(2, 0, 1)).astype(np.float32) / np.float32(255)


def target(boxes: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Soft class map [4, 15, 20] for boxes in model pixels; a centre's own grid cell is 1."""
    heat = np.zeros((len(CLASSES), GRID_H, GRID_W), np.float32)
    rows, columns = np.mgrid[:GRID_H, :GRID_W] + 0.5
    for box, label in zip(boxes, labels):
        x, y = (box[0] + box[2]) / 2 / STRIDE, (box[1] + box[3]) / 2 / STRIDE
        spread = np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * SIGMA[label] ** 2))
        spread[min(int(y), GRID_H - 1), min(int(x), GRID_W - 1)] = 1
        np.maximum(heat[label], spread, out=heat[label])
    heat[0] = np.maximum(0, 1 - heat[1:].sum(0))
    return heat / heat.sum(0)


class Windows:
    """Random training windows: turned, mirrored, scaled, recoloured; mirrored past the border."""

    def __init__(self, frames: list[Frame], rng: np.random.Generator):
        self.rng = rng
        self.frames = [_with_margin(frame) for frame in frames]
        self.pictures = [Image.fromarray(frame.pixels) for frame in self.frames]

    def sample(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """One augmented (input, target) from frame `index`."""
        turned = self.rng.random() < 0.5
        image, boxes, labels = self._cut(index, (HEIGHT, WIDTH) if turned else (WIDTH, HEIGHT))
        if turned:
            image, boxes = image.transpose(1, 0, 2), boxes[:, [1, 0, 3, 2]]
        image, boxes = _mirror(image, boxes, self.rng)
        return to_input(self._recolour(image)), target(boxes, labels)

    def _cut(self, index: int, size: tuple[int, int]):
        """Scales a random window of a frame to `size`; drops cells mostly outside it."""
        rng, frame, picture = self.rng, self.frames[index], self.pictures[index]
        frame_size = np.array(size) * DOWNSCALE
        scale_max = min(1.15, *(picture.size / frame_size))
        scale, stretch = rng.uniform(0.75, scale_max), rng.uniform(0.95, 1.05)
        extent = np.minimum(frame_size * scale * [stretch, 1 / stretch], picture.size)
        corner = rng.uniform(0, picture.size - extent)
        window = (*corner, *(corner + extent))
        cut = picture.resize(size, Image.Resampling.BOX, window)
        moved = (frame.boxes - np.tile(corner, 2)) * np.tile(size / extent, 2)
        clipped = np.clip(moved, 0, size * 2)
        keep = _area(clipped) >= 0.3 * _area(moved)
        return np.asarray(cut), clipped[keep], frame.labels[keep]

    def _recolour(self, image: np.ndarray) -> np.ndarray:
        """Brightness, contrast, white balance, gamma, sensor noise."""
        rng = self.rng
        value = (image / np.float32(255)) ** np.float32(rng.uniform(0.75, 1.3))
        mean = value.mean()
        grey = value.mean(2, keepdims=True)
        value = grey + (value - grey) * rng.uniform(0.7, 1.3)
        value = mean + (value - mean) * rng.uniform(0.7, 1.25)
        value = value * (rng.uniform(0.8, 1.15) * rng.uniform(0.93, 1.07, 3)).astype(np.float32)
        noise = rng.standard_normal(value.shape, np.float32)
        value = value + noise * np.float32(rng.uniform(0, 0.02))
        return np.clip(value * 255 + 0.5, 0, 255).astype(np.uint8)


def _area(boxes: np.ndarray) -> np.ndarray:
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])


def _mirror(image, boxes, rng):
    """Mirrors picture and boxes, each axis with even odds."""
    if rng.random() < 0.5:
        image = image[:, ::-1]
        boxes = np.stack([WIDTH - boxes[:, 2], boxes[:, 1], WIDTH - boxes[:, 0], boxes[:, 3]], 1)
    if rng.random() < 0.5:
        image = image[::-1]
        boxes = np.stack([boxes[:, 0], HEIGHT - boxes[:, 3], boxes[:, 2], HEIGHT - boxes[:, 1]], 1)
    return image, boxes


def _with_margin(frame: Frame) -> Frame:
    """The frame with a mirrored margin, its mirrored cells boxed; cells on the edge stay halved."""
    height, width, _ = frame.pixels.shape
    pixels = np.pad(frame.pixels, ((MARGIN, MARGIN), (MARGIN, MARGIN), (0, 0)), "symmetric")
    boxes = []
    for flip_x in (None, 0, 2 * width):
        for flip_y in (None, 0, 2 * height):
            copy = frame.boxes.copy()
            if flip_x is not None:
                copy[:, [0, 2]] = flip_x - frame.boxes[:, [2, 0]]
            if flip_y is not None:
                copy[:, [1, 3]] = flip_y - frame.boxes[:, [3, 1]]
            boxes.append(copy + MARGIN)
    return Frame(frame.name, pixels, np.concatenate(boxes), np.tile(frame.labels, 9))
