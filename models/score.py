"""Scores both models and their cascade; prints one JSON object.

    python models/score.py [--data DIR] [--split val] [--samples]

The thresholds are those of the manifests. With `--samples` it scores our rendered frames
instead of BCCD's. `--tune` adds F1 by `score_min` and the cascade by confidence threshold.
"""

import argparse
import json
import tomllib
from pathlib import Path

import numpy as np
from common import build, data, decode, export

BOARD, HOST = "cells", "cells-heavy"


def main():
    """Scores float and int8 files, then the cascade of the int8 files."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, default=build.DEFAULT_DATA)
    parser.add_argument("--split", default="val")
    parser.add_argument("--samples", action="store_true")
    parser.add_argument("--tune", action="store_true")
    args = parser.parse_args()
    if args.samples:
        frames, inputs = rendered()
    else:
        frames = data.read_frames(args.data, args.split)
        inputs = build.inputs_of(frames)
    print(json.dumps(report(frames, inputs, args.tune)))


def rendered() -> tuple[list[data.Frame], np.ndarray]:
    """Our samples as frames with boxes, and as model inputs."""
    frames = []
    for entry in json.loads((build.SAMPLES / "truth.json").read_text()):
        cells = entry["cells"]
        places = np.array([[c["x"], c["y"], c["diameter"] / 2] for c in cells], np.float32)
        corners = np.concatenate([places[:, :2] - places[:, 2:], places[:, :2] + places[:, 2:]], 1)
        labels = np.array([data.CLASSES.index(cell["class"]) for cell in cells])
        stem = entry["file"].removesuffix(".png")
        frames.append(data.Frame(stem, np.empty(0), corners * data.DOWNSCALE, labels))
    return frames, build.samples(frame.name for frame in frames)


def report(frames: list[data.Frame], inputs: np.ndarray, tune: bool) -> dict:
    """Scores by file, of the cascade, and, to tune, over both thresholds."""
    scores, peaks, cells, tuned = {}, {}, {}, {}
    manifests = {name: manifest(name) for name in (BOARD, HOST)}
    for name in (BOARD, HOST):
        score_min = manifests[name]["task"]["score_min"]
        for kind in ("float.onnx", "onnx"):
            grids = export.quantize_output(
                export.run(build.MODELS / name / f"{name}.{kind}", inputs)
            )
            peaks[name] = [decode.candidates(grid) for grid in grids]
            cells[name] = [decode.detections(found, score_min) for found in peaks[name]]
            scores[f"{name}.{kind}"] = decode.score(frames, cells[name]).summary()
        tuned[name] = f1_by_score_min(frames, peaks[name])
    sure = [decode.confidence(found) for found in peaks[BOARD]]
    bar = manifests[BOARD]["cascade"]["confidence_min"]
    scores["cascade"] = cascade(frames, cells, sure, bar)
    if tune:
        bars = sorted(set(sure))
        scores["tune"] = tuned | {
            "cascade": {bar: cascade(frames, cells, sure, bar)["all"] for bar in bars},
            "confidence": dict(zip((frame.name for frame in frames), sure)),
        }
    return scores


def manifest(name: str) -> dict:
    """A model's manifest."""
    return tomllib.loads((build.MODELS / name / "manifest.toml").read_text())


def f1_by_score_min(frames: list[data.Frame], peaks) -> dict:
    """(F1, count error) over all classes for a range of detection thresholds."""
    result = {}
    for score_min in range(64, 193, 8):
        cells = [decode.detections(found, score_min) for found in peaks]
        row = decode.score(frames, cells).summary()["all"]
        result[score_min] = (row["f1"], row["count_error"])
    return result


def cascade(frames: list[data.Frame], cells: dict, sure: list[int], bar: int) -> dict:
    """The host's answer where the board's confidence is below `bar`, else the board's."""
    mixed = [h if s < bar else b for b, h, s in zip(cells[BOARD], cells[HOST], sure)]
    rows = decode.score(frames, mixed).summary()
    rows["all"]["offloaded"] = round(sum(s < bar for s in sure) / len(sure), 3)
    return rows


if __name__ == "__main__":
    main()
