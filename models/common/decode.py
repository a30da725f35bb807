"""From the int8 grid to cells, confidence and scores, in integers as the runtime does it.

`p = q + 128` is a probability in 256ths. Nothing here is fitted; thresholds are arguments.
"""

from dataclasses import dataclass

import numpy as np

from .data import CLASSES, DOWNSCALE, STRIDE, Frame

CANDIDATE_MIN = 32
"""Least p of a grid cell that takes part in the frame's confidence."""


@dataclass(frozen=True)
class Candidate:
    """A local maximum of its class: grid position, class index, p in 0..255."""

    row: int
    column: int
    label: int
    p: int

    @property
    def centre(self) -> tuple[int, int]:
        """(x, y) in model pixels."""
        return self.column * STRIDE + STRIDE // 2, self.row * STRIDE + STRIDE // 2


def candidates(q: np.ndarray) -> list[Candidate]:
    """Candidates of an int8 grid [4, rows, columns], in raster order."""
    p = q.astype(np.int32) + 128
    label = p[1:].argmax(0) + 1
    best = np.take_along_axis(p, label[None], 0)[0]
    peak = np.take_along_axis(_peaks(p), label[None], 0)[0]
    rows, columns = np.nonzero(peak & (best >= CANDIDATE_MIN))
    return [
        Candidate(int(r), int(c), int(label[r, c]), int(best[r, c])) for r, c in zip(rows, columns)
    ]


def _peaks(p: np.ndarray) -> np.ndarray:
    """Where p exceeds its earlier 3x3 neighbours in raster order and matches its later ones."""
    _, rows, columns = p.shape
    padded = np.pad(p, ((0, 0), (1, 1), (1, 1)), constant_values=-1)
    peak = np.ones(p.shape, bool)
    for dy in range(3):
        for dx in range(3):
            neighbour = padded[:, dy : dy + rows, dx : dx + columns]
            if (dy, dx) < (1, 1):
                peak &= p > neighbour
            elif (dy, dx) > (1, 1):
                peak &= p >= neighbour
    return peak


def detections(found: list[Candidate], score_min: int) -> list[Candidate]:
    """The candidates that are reported as cells."""
    return [candidate for candidate in found if candidate.p >= score_min]


def confidence(found: list[Candidate]) -> int:
    """0..255: how far, on average, the frame's candidates are from an even chance."""
    if not found:
        return 255
    return sum(min(255, abs(2 * candidate.p - 256)) for candidate in found) // len(found)


@dataclass
class Score:
    """Counts by class over a set of frames."""

    hits: np.ndarray
    found: np.ndarray
    true: np.ndarray
    count_error: np.ndarray
    count_error_all: float
    frames: int

    def summary(self) -> dict:
        """Precision, recall, F1 and mean count error by class and over all."""
        names = CLASSES[1:]
        rows = {n: _row(self.hits[i], self.found[i], self.true[i]) for i, n in enumerate(names)}
        rows["all"] = _row(self.hits.sum(), self.found.sum(), self.true.sum())
        for i, name in enumerate(names):
            rows[name]["count_error"] = round(float(self.count_error[i] / self.frames), 3)
        rows["all"]["count_error"] = round(self.count_error_all / self.frames, 3)
        return rows


def _row(hits, found, true) -> dict:
    ratios = {
        "precision": hits / max(found, 1),
        "recall": hits / max(true, 1),
        "f1": 2 * hits / max(found + true, 1),
    }
    return {name: round(float(value), 4) for name, value in ratios.items()}


def score(frames: list[Frame], found: list[list[Candidate]]) -> Score:
    """Matches each frame's detections, best p first, to the true centres of their class."""
    kinds = len(CLASSES) - 1
    total = Score(*(np.zeros(kinds, np.int64) for _ in range(4)), 0, len(frames))
    for frame, cells in zip(frames, found):
        true = np.bincount(frame.labels, minlength=kinds + 1)[1:]
        count = np.bincount([c.label for c in cells], minlength=kinds + 1)[1:]
        total.hits += _hits(frame, cells)
        total.found += count
        total.true += true
        total.count_error += abs(count - true)
        total.count_error_all += abs(int(count.sum()) - int(true.sum()))
    return total


def _hits(frame: Frame, cells: list[Candidate]) -> np.ndarray:
    """Greedy matches by class, within half a box's larger side and at least one grid cell."""
    boxes = frame.boxes / DOWNSCALE
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    radius = np.maximum((boxes[:, 2:] - boxes[:, :2]).max(1) / 2, STRIDE)
    free = np.ones(len(boxes), bool)
    hits = np.zeros(len(CLASSES) - 1, np.int64)
    for cell in sorted(cells, key=lambda cell: -cell.p):
        distance = np.hypot(*(centres - np.array(cell.centre)).T)
        distance[~(free & (frame.labels == cell.label) & (distance <= radius))] = np.inf
        if distance.size and np.isfinite(distance.min()):
            nearest = distance.argmin()
            free[nearest] = False
            hits[cell.label - 1] += 1
    return hits
