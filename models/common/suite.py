"""The models: test set, score, and calibration samples of those by which quantizers are compared.

What a tool makes of a model is judged by its raw outputs over the whole test set; nothing here
knows how they came about, so every tool is scored by the same lines.
"""

import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from . import data as bccd
from . import decode, nuclei, patches, peptides, pose, spectra, vowels
from .samples import Samples, by_class, by_value

MODELS = Path(__file__).resolve().parents[1]
DEFAULT_DATA = MODELS.parents[1] / "shared" / "data"
INPUT, OUTPUT = "input", "probabilities"
CALIBRATION_SEED = 60
CELLS_CALIBRATION = 32
RESAMPLES, RESAMPLE_SEED = 400, 61


@dataclass(frozen=True)
class Entry:
    """One model. `headline` names the score that counts, `rising` whether more is better.

    One without calibration samples is for float executors alone.
    """

    name: str
    test: Callable[[Path], Samples]
    calibration: Callable[[Path], Samples] | None
    score: Callable[[np.ndarray, Samples], dict[str, float]]
    headline: str
    rising: bool = True

    @property
    def float_path(self) -> Path:
        """The model's float file."""
        return MODELS / self.name / f"{self.name}.float.onnx"


def entry(name: str) -> Entry:
    """The model called `name`."""
    return next(entry for entry in ENTRIES if entry.name == name)


def fidelity_db(outputs: np.ndarray, reference: np.ndarray) -> float:
    """Power of the float outputs over that of the difference to them, in decibels."""
    noise = np.square(outputs.astype(np.float64) - reference).mean()
    power = np.square(reference.astype(np.float64)).mean()
    return float("inf") if noise == 0 else round(10 * np.log10(power / noise), 2)


def advantage_95(entry: Entry, ours: np.ndarray, theirs: np.ndarray, test: Samples) -> list[float]:
    """The 95 % interval of how much better `ours` scores, by resampling the test set's samples."""
    rng, gains = np.random.default_rng(RESAMPLE_SEED), []
    for _ in range(RESAMPLES):
        drawn = rng.integers(0, len(test), len(test))
        part = test.part(drawn)
        gain = entry.score(ours[drawn], part)[entry.headline]
        gain -= entry.score(theirs[drawn], part)[entry.headline]
        gains.append(gain if entry.rising else -gain)
    return [round(float(value), 5) + 0.0 for value in np.percentile(gains, (2.5, 97.5))]


def accuracy(probabilities: np.ndarray, samples: Samples) -> dict[str, float]:
    """Share of right classes, and the mean log loss, from probabilities [N, classes]."""
    found = probabilities.reshape(len(samples), -1)
    right = found[np.arange(len(samples)), samples.truth]
    return {
        "accuracy": _rounded((found.argmax(1) == samples.truth).mean()),
        "log_loss": _rounded(-np.log(np.maximum(right, 1 / 512)).mean()),
    }


def ranking(probabilities: np.ndarray, samples: Samples) -> dict[str, float]:
    """Area under the ROC curve (ties count half) and what `accuracy` has, two classes."""
    active = probabilities.reshape(len(samples), -1)[:, 1]
    _, rank, count = np.unique(active, return_inverse=True, return_counts=True)
    mean_rank = (np.cumsum(count) - (count - 1) / 2)[rank]
    positive = samples.truth == 1
    negatives, positives = (~positive).sum(), positive.sum()
    above = mean_rank[positive].sum() - positives * (positives + 1) / 2
    area = above / (positives * negatives)
    return {"auc": _rounded(area)} | accuracy(probabilities, samples)


def fractions(found: np.ndarray, samples: Samples) -> dict[str, float]:
    """Root mean square error over all fractions, and the largest error."""
    error = found.reshape(samples.truth.shape) - samples.truth
    return {
        "rmse": round(float(np.sqrt(np.square(error).mean())), 5),
        "error_max": round(float(np.abs(error).max()), 5),
    }


def frames(probabilities: np.ndarray, samples: Samples) -> dict[str, float]:
    """Share of right frames, and of utterances that are right at their last frame.

    Probabilities are [windows, speakers, frames].
    """
    right = probabilities.argmax(1) == samples.truth[..., 0]
    last = samples.truth[..., 1] == 1
    return {"accuracy": _rounded(right.mean()), "accuracy_last": _rounded(right[last].mean())}


def cells(grids: np.ndarray, samples: Samples) -> dict[str, float]:
    """Detection scores as `score.py` has them. Truth is BCCD's frames."""
    manifest = tomllib.loads((MODELS / "cells" / "manifest.toml").read_text())
    q = np.clip(np.rint(grids * 256) - 128, -128, 127).astype(np.int8)
    least = manifest["task"]["score_min"]
    found = [decode.detections(decode.candidates(grid), least) for grid in q]
    scores = decode.score(list(samples.truth), found).summary()["all"]
    return {key: scores[key] for key in ("f1", "count_error")}


def _rounded(value) -> float:
    return round(float(value), 4)


def _cells_test(data: Path) -> Samples:
    return _cell_samples(data, "val", slice(None))


def _cells_calibration(data: Path) -> Samples:
    """Training frames, evenly spaced in the list."""
    count = len(bccd.read_frames(data, "train"))
    spread = np.linspace(0, count - 1, CELLS_CALIBRATION).round().astype(int)
    return _cell_samples(data, "train", spread)


def _cell_samples(data: Path, split: str, which) -> Samples:
    read = bccd.read_frames(data, split)
    truth = np.empty(len(read), object)
    truth[:] = read
    truth = truth[which]
    inputs = np.stack([bccd.to_input(bccd.downscale(frame.pixels)) for frame in truth])
    return Samples(inputs, truth)


def _vowels_test(data: Path) -> Samples:
    return vowels.samples(vowels.read(data).test)


def _vowels_calibration(data: Path) -> Samples:
    train = vowels.samples(vowels.read(data).train)
    return train.part(by_class(train.truth, 10, CALIBRATION_SEED))


def _tcn_test(data: Path) -> Samples:
    return vowels.windows(vowels.test_stream(data))


def _raman_test(data: Path) -> Samples:
    return spectra.samples(spectra.read(data)[1])


def _raman_calibration(data: Path) -> Samples:
    train = spectra.samples(spectra.read(data)[0])
    return train.part(by_value(train.truth[:, 0], 32, ends=True))


def _peptides_test(data: Path) -> Samples:
    return peptides.read(data)[1]


def _peptides_calibration(data: Path) -> Samples:
    train = peptides.read(data)[0]
    return train.part(by_class(train.truth, 128, CALIBRATION_SEED))


ENTRIES = (
    Entry("cells", _cells_test, _cells_calibration, cells, "f1"),
    Entry("raman", _raman_test, _raman_calibration, fractions, "rmse", False),
    Entry("peptides", _peptides_test, _peptides_calibration, ranking, "auc"),
    Entry("vowels-gru", _vowels_test, _vowels_calibration, accuracy, "accuracy"),
    Entry("vowels-lstm", _vowels_test, _vowels_calibration, accuracy, "accuracy"),
    Entry("tcn", _tcn_test, vowels.train_windows, frames, "accuracy"),
    Entry("nuclei-unet", nuclei.test, None, nuclei.score, "f1"),
    Entry("peptide-encoder", _peptides_test, None, ranking, "auc"),
    Entry("mouse-pose", pose.test, None, pose.score, "error_px", False),
    Entry("cell-generator", patches.test, None, patches.score, "told"),
)
QUANTIZED = tuple(entry for entry in ENTRIES if entry.calibration)
"""The models by which quantizers are compared."""
