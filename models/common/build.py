"""The steps that both models share, from frames to files and scores."""

import argparse
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from . import data, export, fit, nets

MODELS = Path(__file__).resolve().parents[1]
SAMPLES = MODELS / "cells" / "samples"
GOLDEN_SAMPLES = ("01-plain-2", "05-two-white", "07-crowded-1", "09-soft")
DEFAULT_DATA = MODELS.parents[1] / "shared" / "data"


def build(folder: Path, net_of, recipe: fit.Recipe):
    """Trains, exports and quantizes the model of `folder`, as its command line says."""
    args = _arguments(recipe)
    float_path, int8_path = folder / f"{folder.name}.float.onnx", folder / f"{folder.name}.onnx"
    frames = data.read_frames(args.data, "train")
    if not args.quantize_only:
        recipe = replace(recipe, epochs=args.epochs)
        export.write_float(_train(net_of, recipe, frames, args.threads), float_path)
    export.write_int8(float_path, int8_path, inputs_of(frames))
    write_golden(int8_path, folder / "golden.npz")


def _train(net_of, recipe: fit.Recipe, frames: list[data.Frame], threads: int):
    """A trained net, folded."""
    torch.manual_seed(recipe.seed)
    torch.set_num_threads(threads)
    net = net_of()
    print(f"{nets.macs(net)} MACs", flush=True)
    start = time.monotonic()
    net = export.fold(fit.fit(net, frames, recipe))
    print(f"{nets.params(net)} parameters, trained in {time.monotonic() - start:.0f} s")
    return net


def _arguments(recipe: fit.Recipe):
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, default=DEFAULT_DATA)
    parser.add_argument("--epochs", type=int, default=recipe.epochs)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--quantize-only", action="store_true", help="keep the float file")
    return parser.parse_args()


def inputs_of(frames: list[data.Frame]) -> np.ndarray:
    """The frames as the board would see them."""
    return np.stack([data.to_input(data.downscale(frame.pixels)) for frame in frames])


def samples(stems) -> np.ndarray:
    """Our own rendered frames, as model inputs."""
    pictures = [np.asarray(Image.open(SAMPLES / f"{stem}.png")) for stem in stems]
    return np.stack([data.to_input(picture) for picture in pictures])


def write_golden(model: Path, path: Path):
    """Inputs that are ours and what the int8 file makes of them, as float and as int8."""
    inputs = samples(GOLDEN_SAMPLES)
    outputs = export.run(model, inputs)
    np.savez_compressed(
        path,
        input=inputs,
        input_q=export.quantize_input(inputs),
        output=outputs,
        output_q=export.quantize_output(outputs),
    )
