"""Raman spectra of mixtures of three minerals, and their fractions.

303 spectra of 1500 points, every one of another mixture. A quarter is held out, evenly
spread over the albite fraction; the pure minerals are left to train. A spectrum becomes
`sqrt(max(x, 0) / max x)`: shot noise then has about the same size everywhere, and weak bands
keep some of int8's steps.
"""

import csv
from pathlib import Path

import numpy as np

from .samples import Samples, by_value

MINERALS = ("albite", "quartz", "orthoclase")
POINTS = 1500
TEST_SHARE = 0.25


def read(data: Path) -> tuple[Samples, Samples]:
    """Train and test: measured intensities [N, 1500] and their truth [N, 3], which sums to 1."""
    with open(data / "spectra-raman" / "Raman_spectra_mixtures.csv", newline="") as file:
        rows = list(csv.reader(file))[1:]
    table = np.array(rows, np.float64)[:, 1:]
    whole = Samples(table[:, 3:], table[:, :3].astype(np.float32))
    mixtures = np.flatnonzero(whole.truth.max(1) < 1)
    count = round(TEST_SHARE * len(whole))
    test = np.zeros(len(whole), bool)
    test[mixtures[by_value(whole.truth[mixtures, 0], count, ends=False)]] = True
    return whole.part(~test), whole.part(test)


def samples(measured: Samples) -> Samples:
    """Inputs float32 [N, 1, 1500] in 0..1, and the truth as it is."""
    light = np.maximum(measured.inputs, 0)
    inputs = np.sqrt(light / light.max(1, keepdims=True)).astype(np.float32)
    return Samples(inputs[:, None], measured.truth)


def epoch(measured: Samples, rng: np.random.Generator) -> Samples:
    """Every spectrum once, half of them mixed with another one, all of them varied.

    Light adds up, so a mixture's intensities and fractions are those of its parts, weighted.
    What varies is what does between instruments: offset of the axis, slope of the response,
    baseline and noise.
    """
    count = len(measured)
    mixed = rng.random((count, 1)) < 0.5
    share = np.where(mixed, rng.random((count, 1)), 1)
    other = measured.part(rng.permutation(count))
    light = share * measured.inputs + (1 - share) * other.inputs
    truth = share * measured.truth + (1 - share) * other.truth
    axis = np.linspace(-1, 1, POINTS)
    light = light / light.max(1, keepdims=True)
    light = np.stack([np.roll(row, shift) for row, shift in zip(light, rng.integers(-1, 2, count))])
    response = 1 + rng.normal(0, 0.03, (count, 1)) * axis
    level = np.abs(rng.normal(0, 0.003, (count, 1)))
    baseline = level * (1 + rng.uniform(-1, 1, (count, 1)) * axis)
    noise = rng.normal(0, rng.uniform(0, 0.003, (count, 1)), light.shape)
    return samples(Samples(light * response + baseline + noise, truth.astype(np.float32)))
