"""Draws our own blood-smear frames, so that demos and golden files need nobody's pictures.

    python models/cells/render.py [--seed N] [--out DIR]

Writes twelve 160x120 RGB PNGs and `truth.json` (class, centre and diameter of every cell, in
model pixels). The same seed draws the same frames. Cells absorb light, so overlaps darken.
"""

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter

WIDTH, HEIGHT = 160, 120
FINE = 3
"""Drawing pixels per model pixel and axis."""
FOLDER = Path(__file__).resolve().parent
LIGHT = np.array([0.76, 0.78, 0.74], np.float32)
RBC_ABSORBS = np.array([0.06, 0.30, 0.34], np.float32)
PLASMA_ABSORBS = np.array([0.10, 0.20, 0.03], np.float32)
NUCLEUS_ABSORBS = np.array([0.50, 0.65, 0.04], np.float32)
PLATELET_ABSORBS = np.array([0.38, 0.42, 0.04], np.float32)


@dataclass(frozen=True)
class Look:
    """What makes a frame easy or hard."""

    rbc: int
    wbc: int = 1
    platelets: int = 1
    overlap: float = 0.0
    blur: float = 0.7
    contrast: float = 1.0
    gradient: float = 0.05
    noise: float = 0.006


LOOKS = {
    "plain-1": Look(rbc=9),
    "plain-2": Look(rbc=11, platelets=2),
    "plain-3": Look(rbc=7, platelets=0),
    "sparse": Look(rbc=4, wbc=0, platelets=2),
    "no-white": Look(rbc=13, wbc=0, platelets=1),
    "two-white": Look(rbc=8, wbc=2),
    "shaded": Look(rbc=11, gradient=0.25),
    "crowded-1": Look(rbc=32, overlap=0.7, blur=1.3),
    "crowded-2": Look(rbc=36, wbc=0, platelets=2, overlap=0.75, blur=1.4),
    "soft": Look(rbc=20, overlap=0.5, blur=4.0),
    "faint": Look(rbc=22, overlap=0.5, contrast=0.2, noise=0.02),
    "grainy": Look(rbc=24, overlap=0.55, noise=0.08),
}


class Smear:
    """A frame being drawn: transmitted light at `FINE` resolution, and the cells so far."""

    def __init__(self, look: Look, rng: np.random.Generator):
        self.look, self.rng = look, rng
        self.light = np.broadcast_to(LIGHT, (HEIGHT * FINE, WIDTH * FINE, 3)).copy()
        rows, columns = np.mgrid[: HEIGHT * FINE, : WIDTH * FINE]
        self.x, self.y = ((axis + np.float32(0.5)) / FINE for axis in (columns, rows))
        self.cells = []

    def draw(self) -> np.ndarray:
        """Draws every cell of the look, then the optics; returns 160x120 RGB bytes."""
        for _ in range(self.look.wbc):
            self._place("WBC", self.rng.uniform(19, 25), self._white)
        for _ in range(self.look.rbc):
            self._place("RBC", self.rng.uniform(12, 15), self._red)
        for _ in range(self.look.platelets):
            self._place("Platelets", self.rng.uniform(4.2, 5.5), self._platelet)
        return self._optics()

    def _place(self, name: str, radius: float, draw):
        """Finds room for a cell, less exacting on each try, draws it and notes it."""
        inset = 0.75 * radius
        for attempt in range(200):
            x = self.rng.uniform(inset, WIDTH - inset)
            y = self.rng.uniform(inset, HEIGHT - inset)
            slack = self.look.overlap if name == "RBC" else 0.0
            if all(
                np.hypot(x - c["x"], y - c["y"]) > (radius + c["diameter"] / 2) * (1.02 - slack)
                for c in self.cells
            ):
                draw(x, y, radius)
                cell = {"class": name, "x": x, "y": y, "diameter": 2 * radius}
                self.cells.append({k: v if k == "class" else round(v, 1) for k, v in cell.items()})
                return

    def _blob(self, x: float, y: float, radius: float, wobble: float, edge: float = 1.0):
        """Coverage 0..1 of a bent disc, and the distance from its centre in radii."""
        rng, dx, dy = self.rng, self.x - x, self.y - y
        angle = np.arctan2(dy, dx)
        bend = sum(
            rng.normal(0, wobble / k) * np.cos(k * angle + rng.uniform(0, 7)) for k in (2, 3)
        )
        distance = np.hypot(dx, dy) / (radius * (1 + bend))
        return np.clip((1 - distance) * radius / edge + 0.5, 0, 1), distance

    def _absorb(self, coverage: np.ndarray, colour: np.ndarray):
        self.light *= 1 - coverage[..., None] * colour * self.look.contrast

    def _red(self, x, y, radius):
        cover, distance = self._blob(x, y, radius, 0.06, 1.4)
        pallor = self.rng.choice([0.15, 0.45, 0.7]) * np.exp(-((distance / 0.45) ** 2))
        rim = 1 + 0.25 * np.exp(-(((distance - 0.85) / 0.12) ** 2))
        self._absorb(cover * (1 - pallor) * rim, RBC_ABSORBS * self.rng.uniform(0.8, 1.15))

    def _white(self, x, y, radius):
        cover, _ = self._blob(x, y, radius, 0.04, 2.0)
        self._absorb(cover * self._granules(0.5), PLASMA_ABSORBS)
        nucleus = np.zeros_like(cover)
        start, lobes = self.rng.uniform(0, 7), self.rng.integers(2, 5)
        for lobe in range(lobes):
            angle = start + lobe * 1.5
            away = radius * self.rng.uniform(0.38, 0.48)
            size = radius * self.rng.uniform(0.34, 0.42)
            spot = x + away * np.cos(angle), y + away * np.sin(angle)
            nucleus = np.maximum(nucleus, self._blob(*spot, size, 0.12)[0])
        self._absorb(nucleus * self._granules(0.25), NUCLEUS_ABSORBS)

    def _platelet(self, x, y, radius):
        cover, _ = self._blob(x, y, radius, 0.15, 2.5)
        self._absorb(cover * self._granules(0.4), PLATELET_ABSORBS)

    def _granules(self, depth: float) -> np.ndarray:
        """Smooth noise around 1, for cytoplasm and chromatin."""
        grain = gaussian_filter(self.rng.standard_normal(self.x.shape, np.float32), FINE)
        return np.clip(1 + depth * grain / grain.std() / 2, 0, 1.6)

    def _optics(self) -> np.ndarray:
        """Focus, uneven light, the 160x120 box mean, sensor noise."""
        look, rng = self.look, self.rng
        light = gaussian_filter(self.light, (look.blur * FINE, look.blur * FINE, 0))
        angle = rng.uniform(0, 7)
        slope = (self.x / WIDTH - 0.5) * np.cos(angle) + (self.y / HEIGHT - 0.5) * np.sin(angle)
        light *= 1 + look.gradient * slope[..., None]
        light = light.reshape(HEIGHT, FINE, WIDTH, FINE, 3).mean((1, 3))
        light += rng.normal(0, look.noise, light.shape)
        return np.clip(light * 255 + 0.5, 0, 255).astype(np.uint8)


def main():
    """Draws every look into the output folder."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--out", type=Path, default=FOLDER / "samples")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    truth = []
    for index, (name, look) in enumerate(LOOKS.items()):
        smear = Smear(look, np.random.default_rng([args.seed, index]))
        file = f"{index:02}-{name}.png"
        Image.fromarray(smear.draw()).save(args.out / file, optimize=True)
        truth.append({"file": file, "cells": smear.cells})
    (args.out / "truth.json").write_text(json.dumps(truth, indent=1) + "\n")


if __name__ == "__main__":
    main()
