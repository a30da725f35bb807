"""From a trained net to the files of its folder."""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from . import learn, onnxfile, suite

OPSET = 17
GOLDEN_COUNT = 4


def start(what: str, recipe: learn.Recipe) -> tuple[Path, learn.Recipe]:
    """Reads the command line and seeds; returns the data folder and the recipe to follow."""
    parser = argparse.ArgumentParser(description=what.splitlines()[0])
    parser.add_argument("--data", type=Path, default=suite.DEFAULT_DATA)
    parser.add_argument("--epochs", type=int, default=recipe.epochs)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.set_flush_denormal(True)
    torch.manual_seed(recipe.seed)
    return args.data, replace(recipe, epochs=args.epochs)


def write(net: nn.Module, path: Path, example: np.ndarray, time_axis: int | None = None):
    """Exports the net for inputs like `example` (with batch axis); checks what came out.

    With `time_axis` that axis of input and output is left open and called `T`.
    """
    name, output = suite.INPUT, suite.OUTPUT
    axes = None if time_axis is None else {name: {time_axis: "T"}, output: {time_axis: "T"}}
    torch.onnx.export(
        net.eval(),
        (torch.from_numpy(example),),
        str(path),
        input_names=[name],
        output_names=[output],
        opset_version=OPSET,
        dynamic_axes=axes,
        dynamo=False,
    )
    onnxfile.fold_constants(path)
    onnxfile.check(path)
    with torch.no_grad():
        expected = net(torch.from_numpy(example)).numpy()
    worst = np.abs(onnxfile.run(path, example) - expected).max()
    if worst > 1e-4:
        raise ValueError(f"{path.name}: differs from the net by {worst}")
    print(f"{path.name}: {path.stat().st_size} bytes, {onnxfile.operators(path)}")


def finish(folder: Path, data: Path, golden_count: int = GOLDEN_COUNT):
    """Writes calibration and golden files from the float file; prints its score."""
    entry, test = suite.entry(folder.name), suite.entry(folder.name).test(data)
    if entry.calibration:
        calibration = entry.calibration(data).inputs
        np.savez_compressed(folder / "calibration.npz", **{suite.INPUT: calibration})
    spread = np.linspace(0, len(test) - 1, golden_count).round().astype(int)
    golden = test.inputs[spread]
    outputs = onnxfile.run(entry.float_path, golden)
    np.savez_compressed(folder / "golden.npz", **{suite.INPUT: golden, suite.OUTPUT: outputs})
    print(entry.score(onnxfile.run(entry.float_path, test.inputs), test))
