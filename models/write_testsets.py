"""Writes test set and calibration samples of each model, for tools that read files.

    python models/write_testsets.py [--data DIR] [--into target/testsets] [MODEL ...]

Makes `<into>/<model>/test.npz` and, where quantizers are compared by the model,
`<into>/<model>/calibration.npz`; array `input`, samples first.
They are derived from the reference data and stay out of the repository, but for the
`calibration.npz` that lie in the models' folders and hold the same.
"""

import argparse
from pathlib import Path

import numpy as np
from common import suite


def main():
    """Writes what the command line names, or all."""
    names = [entry.name for entry in suite.ENTRIES]
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, default=suite.DEFAULT_DATA)
    parser.add_argument("--into", type=Path, default=suite.MODELS.parent / "target" / "testsets")
    parser.add_argument("models", nargs="*", metavar="MODEL", help=", ".join(names))
    args = parser.parse_args()
    for name in args.models or names:
        entry = suite.entry(name)
        folder = args.into / name
        folder.mkdir(parents=True, exist_ok=True)
        for kind in ("test", "calibration") if entry.calibration else ("test",):
            samples = getattr(entry, kind)(args.data)
            np.savez_compressed(folder / f"{kind}.npz", **{suite.INPUT: samples.inputs})
            print(f"{folder / kind}.npz: {samples.inputs.shape} {samples.inputs.dtype}")


if __name__ == "__main__":
    main()
