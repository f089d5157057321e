"""Train a model from a data file."""

from pathlib import Path

from .classifier import fit
from .dataset import load_dataset
from .splitting import split_messages
from .store import ModelCard, save_model

DEFAULT_SEED = 42


def train_model(data: Path, folder: Path, seed: int = DEFAULT_SEED) -> ModelCard:
    """Fit a model to the training part of `data` and save it with its card in `folder`."""
    dataset = load_dataset(data)
    train = split_messages(dataset.messages, seed).train
    pipeline = fit(train, seed)
    return save_model(folder, pipeline, seed=seed, n_train=len(train), data_sha256=dataset.sha256)
