"""Measure a saved model on the messages that were held out from its training."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sklearn.metrics import accuracy_score, confusion_matrix, precision_recall_fscore_support

from .classifier import predict
from .dataset import LABELS, load_dataset
from .errors import ModelError
from .files import write_json
from .splitting import split_messages
from .store import METRICS_FILE, load_model

DIGITS = 6


def evaluate_model(data: Path, folder: Path) -> dict[str, Any]:
    """Evaluate the model in `folder`, write metrics.json beside it and return the metrics.

    The held-out messages are found again from the seed on the model's card. Raises ModelError when
    `data` is not the file that the model was trained on, because some of the messages that would
    be held out now may have been learned then.
    """
    dataset = load_dataset(data)
    pipeline, card = load_model(folder)
    if dataset.sha256 != card.data_sha256:
        raise ModelError(f"{folder} was not trained on {data}; run 'train' with this file first")
    split = split_messages(dataset.messages, card.seed)
    truth = [message.label for message in split.test]
    guesses = [p.label for p in predict(pipeline, [message.text for message in split.test])]
    majority = majority_label([message.label for message in split.train])
    metrics = {
        **score(truth, guesses),
        "baseline_label": majority,
        "baseline_accuracy": round(truth.count(majority) / len(truth), DIGITS),
        "data_sha256": dataset.sha256,
        "n_train": len(split.train),
        "n_test": len(split.test),
        "seed": card.seed,
    }
    write_json(folder / METRICS_FILE, metrics)
    return metrics


def majority_label(labels: Sequence[str]) -> str:
    """The most frequent label; of several, the first in the alphabet."""
    counts = Counter(labels)
    return min(counts, key=lambda label: (-counts[label], label))


def score(truth: Sequence[str], guesses: Sequence[str]) -> dict[str, Any]:
    """Accuracy, macro F1, figures per class and the confusion matrix (rows: truth)."""
    columns = precision_recall_fscore_support(
        truth, guesses, labels=list(LABELS), average=None, zero_division=0
    )
    per_class = {
        label: {
            "precision": round(float(precision), DIGITS),
            "recall": round(float(recall), DIGITS),
            "f1": round(float(f1), DIGITS),
            "support": int(support),
        }
        for label, precision, recall, f1, support in zip(LABELS, *columns, strict=True)
    }
    return {
        "accuracy": round(float(accuracy_score(truth, guesses)), DIGITS),
        "macro_f1": round(float(columns[2].mean()), DIGITS),
        "per_class": per_class,
        "confusion_matrix": {
            "labels": list(LABELS),
            "rows": confusion_matrix(truth, guesses, labels=list(LABELS)).tolist(),
        },
    }
