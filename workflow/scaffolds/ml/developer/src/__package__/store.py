"""Save a model with a card that describes it, and load only what its card vouches for.

A joblib file runs code when it is loaded. The checksum finds damage and mix-ups; it does not make
a folder from a stranger safe, since a stranger can write the card as well.
"""

import hashlib
import io
import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import joblib
import sklearn
from sklearn.pipeline import Pipeline

from . import about
from .errors import ModelError
from .files import write_bytes, write_json

FORMAT_VERSION = 1
MODEL_FILE = "model.joblib"
CARD_FILE = "model.json"
METRICS_FILE = "metrics.json"


@dataclass(frozen=True)
class ModelCard:
    """What a saved model is, where it comes from and which file it belongs to."""

    format_version: int
    project: str
    project_version: str
    purpose: str
    goal: str
    labels: list[str]
    seed: int
    n_train: int
    data_sha256: str
    model_sha256: str
    scikit_learn: str


def save_model(
    folder: Path, pipeline: Pipeline, *, seed: int, n_train: int, data_sha256: str
) -> ModelCard:
    """Write model and card to `folder`; metrics of the model that was there before are removed."""
    buffer = io.BytesIO()
    joblib.dump(pipeline, buffer)
    card = ModelCard(
        format_version=FORMAT_VERSION,
        project=about.NAME,
        project_version=about.VERSION,
        purpose=about.DESCRIPTION,
        goal=about.GOAL,
        labels=[str(label) for label in pipeline.classes_],
        seed=seed,
        n_train=n_train,
        data_sha256=data_sha256,
        model_sha256=hashlib.sha256(buffer.getvalue()).hexdigest(),
        scikit_learn=sklearn.__version__,
    )
    (folder / METRICS_FILE).unlink(missing_ok=True)
    write_bytes(folder / MODEL_FILE, buffer.getvalue())
    write_json(folder / CARD_FILE, asdict(card))
    return card


def load_model(folder: Path) -> tuple[Pipeline, ModelCard]:
    """The model in `folder` and its card.

    Raises ModelError, before anything is unpickled, when the card is missing, is of another
    format or scikit-learn version, or does not match the model file.
    """
    card = _read_card(folder / CARD_FILE)
    path = folder / MODEL_FILE
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: {error.strerror}; run 'train' first") from error
    if hashlib.sha256(content).hexdigest() != card.model_sha256:
        raise ModelError(f"{path} is not the file that {CARD_FILE} describes; run 'train' again")
    return joblib.load(io.BytesIO(content)), card


def _read_card(path: Path) -> ModelCard:
    try:
        values = json.loads(path.read_bytes())
    except OSError as error:
        raise ModelError(f"{path}: {error.strerror}; run 'train' first") from error
    except ValueError as error:
        raise ModelError(f"{path} is not valid JSON ({error}); run 'train' again") from error
    _require_compatible(path, values)
    return ModelCard(**values)


def _require_compatible(path: Path, values: Any) -> None:
    version = values.get("format_version") if isinstance(values, dict) else None
    if version != FORMAT_VERSION:
        raise ModelError(
            f"{path}: format version {version!r}, but {FORMAT_VERSION} is needed; run 'train' again"
        )
    wrong = {field.name for field in fields(ModelCard)} ^ values.keys()
    if wrong:
        raise ModelError(f"{path}: missing or unknown keys {sorted(wrong)}; run 'train' again")
    if values["scikit_learn"] != sklearn.__version__:
        raise ModelError(
            f"{path}: made with scikit-learn {values['scikit_learn']}, this is "
            f"{sklearn.__version__}; run 'train' again"
        )
