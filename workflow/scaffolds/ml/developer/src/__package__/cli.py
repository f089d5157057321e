"""The commands train, evaluate and predict."""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from . import about
from .classifier import Prediction, predict
from .dataset import MAX_TEXT_LENGTH, fingerprint
from .errors import InputError, ProjectError
from .evaluation import evaluate_model
from .store import METRICS_FILE, load_model
from .training import DEFAULT_SEED, train_model

PROBABILITY_DIGITS = 6


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return 0, or 1 after an error that was printed to standard error."""
    options = build_parser().parse_args(arguments)
    try:
        options.command(options)
        sys.stdout.flush()
    except ProjectError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        # The reader has gone; without this the interpreter would complain when it closes stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        print(f"error: {error.filename}: {error.strerror}", file=sys.stderr)
        return 1
    return 0


def build_parser() -> argparse.ArgumentParser:
    """The command line. Default paths lie in $MODEL_HOME, or else in the current folder."""
    home = Path(os.environ.get("MODEL_HOME", "."))
    data = {"type": Path, "default": home / "data" / "messages.csv", "metavar": "FILE"}
    folder = {"type": Path, "default": home / "model", "metavar": "DIR", "dest": "folder"}

    parser = argparse.ArgumentParser(
        prog=about.NAME, description="Sort short support messages into categories."
    )
    parser.add_argument("--version", action="version", version=f"{about.NAME} {about.VERSION}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    train = commands.add_parser("train", help="learn from labelled messages and save the model")
    train.add_argument("--data", help="labelled messages (default: data/messages.csv)", **data)
    train.add_argument("--out", help="folder for the model (default: model)", **folder)
    train.add_argument("--seed", type=int, default=DEFAULT_SEED, help="chooses what is held out")
    train.set_defaults(command=_train)

    evaluate = commands.add_parser("evaluate", help="measure the model on held-out messages")
    evaluate.add_argument("--data", help="the file the model was trained on", **data)
    evaluate.add_argument("--model", help="folder of the model (default: model)", **folder)
    evaluate.set_defaults(command=_evaluate)

    classify = commands.add_parser("predict", help="classify messages, one JSON line each")
    classify.add_argument("texts", nargs="*", metavar="TEXT", help="default: lines of stdin")
    classify.add_argument("--model", help="folder of the model (default: model)", **folder)
    classify.set_defaults(command=_predict)
    return parser


def _train(options: argparse.Namespace) -> None:
    card = train_model(options.data, options.folder, options.seed)
    print(f"Trained on {card.n_train} messages; model saved in {options.folder}")


def _evaluate(options: argparse.Namespace) -> None:
    metrics = evaluate_model(options.data, options.folder)
    print(
        f"Accuracy {metrics['accuracy']:.3f}, macro F1 {metrics['macro_f1']:.3f} on "
        f"{metrics['n_test']} held-out messages (always '{metrics['baseline_label']}': "
        f"{metrics['baseline_accuracy']:.3f})"
    )
    print(f"{'label':<12}{'precision':>10}{'recall':>10}{'f1':>10}{'support':>10}")
    for label, row in metrics["per_class"].items():
        figures = "".join(f"{row[name]:>10.3f}" for name in ("precision", "recall", "f1"))
        print(f"{label:<12}{figures}{row['support']:>10}")
    print(f"Metrics written to {options.folder / METRICS_FILE}")


def _predict(options: argparse.Namespace) -> None:
    texts = options.texts or _stdin_texts()
    for number, text in enumerate(texts, start=1):
        _require_usable(number, text)
    pipeline, _ = load_model(options.folder)
    for prediction in predict(pipeline, texts):
        print(_as_json(prediction))


def _stdin_texts() -> list[str]:
    """The lines of standard input that are not blank."""
    try:
        content = sys.stdin.buffer.read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"standard input is not UTF-8 text: {error}") from error
    texts = [line.rstrip("\r") for line in content.split("\n") if line.strip()]
    if not texts:
        raise InputError("nothing to classify: give texts as arguments or lines on stdin")
    return texts


def _require_usable(number: int, text: str) -> None:
    if not fingerprint(text):
        raise InputError(f"text {number} has no letters or digits: {text!r}")
    if len(text) > MAX_TEXT_LENGTH:
        raise InputError(f"text {number} is longer than {MAX_TEXT_LENGTH} characters")


def _as_json(prediction: Prediction) -> str:
    probabilities = {
        label: round(value, PROBABILITY_DIGITS) for label, value in prediction.probabilities.items()
    }
    return json.dumps(
        {"text": prediction.text, "label": prediction.label, "probabilities": probabilities}
    )
