"""Peptides and whether they act against microbes, split so that no close relative is shared.

A peptide is up to 40 residues, L (upper case) or D (lower case); longer ones are left out.
It becomes 40 token indices: 0 fills up behind its end. Peptides that share much of their
three-letter words, directly or through others, are one family; a family is held out whole.
"""

import csv
from pathlib import Path

import numpy as np

from .samples import Samples

LETTERS = "ACDEFGHIKLMNPQRSTVWY"
TOKENS = 1 + 2 * len(LETTERS)
LENGTH = 40
TEST_SHARE = 0.25
ALIKE = 0.4
"""Least share of common three-letter words (Jaccard) for two peptides to be of one family."""
SPLIT_SEED = 50


def read(data: Path) -> tuple[Samples, Samples]:
    """Train and test: inputs int64 [N, 40], truth [N], 1 for active."""
    with open(data / "peptides-dbaasp" / "peptides.csv", newline="") as file:
        rows = [(row["Sequence"], int(row["activity"])) for row in csv.DictReader(file)]
    rows = [row for row in rows if len(row[0]) <= LENGTH]
    sequences = [sequence for sequence, _ in rows]
    whole = Samples(
        np.stack([to_input(sequence) for sequence in sequences]),
        np.array([activity for _, activity in rows]),
    )
    test = _held_out(_families(sequences))
    return whole.part(~test), whole.part(test)


def to_input(sequence: str) -> np.ndarray:
    """Token indices, int64 [40]."""
    letters = LETTERS + LETTERS.lower()
    tokens = np.zeros(LENGTH, np.int64)
    tokens[: len(sequence)] = [1 + letters.index(letter) for letter in sequence]
    return tokens


def augment(tokens: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Now and then a residue is exchanged for another one of its handedness."""
    letters = len(LETTERS)
    other = rng.integers(1, 1 + letters, tokens.shape) + letters * (tokens > letters)
    exchanged = (rng.random(tokens.shape) < 0.04) & (tokens > 0)
    return np.where(exchanged, other, tokens)


def _families(sequences: list[str]) -> np.ndarray:
    """A family's number for each sequence: that of its first member."""
    words = [_words(sequence) for sequence in sequences]
    holders: dict[str, list[int]] = {}
    for row, own in enumerate(words):
        for word in own:
            holders.setdefault(word, []).append(row)
    sizes = np.array([len(own) for own in words])
    family = np.arange(len(words))
    for row, own in enumerate(words):
        common = np.bincount(np.concatenate([holders[w] for w in own]), minlength=len(words))
        share = common / (sizes[row] + sizes - common)
        joined = np.unique(family[share >= ALIKE])
        family[np.isin(family, joined)] = joined[0]
    return family


def _words(sequence: str) -> set[str]:
    """All runs of three letters, the ends marked."""
    plain = f"^{sequence.upper()}$"
    return {plain[at : at + 3] for at in range(len(plain) - 2)}


def _held_out(family: np.ndarray) -> np.ndarray:
    """Which samples are held out: random whole families, up to the share of the test set."""
    names, sizes = np.unique(family, return_counts=True)
    order = np.random.default_rng(SPLIT_SEED).permutation(len(names))
    filled = np.cumsum(sizes[order])
    return np.isin(family, names[order[filled <= TEST_SHARE * len(family)]])
