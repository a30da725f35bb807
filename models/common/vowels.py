"""JapaneseVowels: utterances of nine speakers as single samples and as one long stream.

An utterance is [frames, 12] of linear-prediction coefficients, 7 to 29 frames. The first
`TRAIN_EACH` of every speaker, in file order, train; the others are held out. Inputs are
standardised by the training frames' mean and deviation, channel by channel.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .samples import Samples

CHANNELS, SPEAKERS, FRAMES = 12, 9, 29
TRAIN_EACH = 18
WINDOW = 64
"""Frames of one window of a stream."""
STREAM_SEED = 40


@dataclass(frozen=True)
class Utterance:
    """Standardised `frames` [frames, 12] of `speaker` 0..8."""

    frames: np.ndarray
    speaker: int


@dataclass(frozen=True)
class Corpus:
    """Both splits, and the statistics that standardised them."""

    train: list[Utterance]
    test: list[Utterance]
    mean: np.ndarray
    deviation: np.ndarray


def read(data: Path) -> Corpus:
    """Reads `<data>/sequences-japanesevowels` and splits it."""
    text = (data / "sequences-japanesevowels" / "JapaneseVowels_TRAIN.ts").read_text()
    raw = [_parse(line) for line in text.split("@data\n", 1)[1].splitlines()]
    train, test, seen = [], [], dict.fromkeys(range(SPEAKERS), 0)
    for utterance in raw:
        (train if seen[utterance.speaker] < TRAIN_EACH else test).append(utterance)
        seen[utterance.speaker] += 1
    frames = np.concatenate([utterance.frames for utterance in train])
    mean, deviation = frames.mean(0), frames.std(0)

    def standard(utterance: Utterance) -> Utterance:
        frames = ((utterance.frames - mean) / deviation).astype(np.float32)
        return Utterance(frames, utterance.speaker)

    return Corpus(list(map(standard, train)), list(map(standard, test)), mean, deviation)


def _parse(line: str) -> Utterance:
    *channels, label = line.split(":")
    frames = np.array([channel.split(",") for channel in channels], np.float64).T
    return Utterance(frames, int(label) - 1)


def to_input(frames: np.ndarray) -> np.ndarray:
    """Float32 [29, 12]: zeros in front of a short utterance, the end of a long one."""
    padded = np.zeros((FRAMES, CHANNELS), np.float32)
    kept = frames[-FRAMES:]
    padded[FRAMES - len(kept) :] = kept
    return padded


def samples(utterances: list[Utterance]) -> Samples:
    """Inputs [N, 29, 12], truth [N]."""
    inputs = np.stack([to_input(utterance.frames) for utterance in utterances])
    return Samples(inputs, np.array([utterance.speaker for utterance in utterances]))


def stream(utterances: list[Utterance], rng: np.random.Generator) -> Samples:
    """The utterances one after the other in random order, as one sample.

    Inputs [1, 12, T]; truth [1, T, 2]: the frame's speaker, and whether its utterance ends.
    """
    order = [utterances[i] for i in rng.permutation(len(utterances))]
    frames = np.concatenate([utterance.frames for utterance in order]).T
    truth = np.zeros((frames.shape[1], 2), np.int64)
    lengths = [len(utterance.frames) for utterance in order]
    truth[:, 0] = np.repeat([utterance.speaker for utterance in order], lengths)
    truth[np.cumsum(lengths) - 1, 1] = 1
    return Samples(np.ascontiguousarray(frames)[None], truth[None])


def windows(whole: Samples) -> Samples:
    """A stream cut into whole windows of `WINDOW` frames; the rest at its end is dropped."""
    count = whole.truth.shape[1] // WINDOW
    inputs = whole.inputs[0, :, : count * WINDOW].reshape(CHANNELS, count, WINDOW)
    truth = whole.truth[0, : count * WINDOW].reshape(count, WINDOW, 2)
    return Samples(np.ascontiguousarray(inputs.transpose(1, 0, 2)), truth)


def test_stream(data: Path) -> Samples:
    """All held-out utterances as one stream, always in the same order."""
    return stream(read(data).test, np.random.default_rng(STREAM_SEED))


def train_windows(data: Path) -> Samples:
    """All training utterances as windows of one stream, always in the same order."""
    return windows(stream(read(data).train, np.random.default_rng(STREAM_SEED)))
