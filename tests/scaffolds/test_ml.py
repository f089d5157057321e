"""The text classifier: delivered, trained from outside, measured against guessing, asked for predictions."""

from __future__ import annotations

import csv
import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import Done
from deliveries import Delivery, own_suite_finds

LABELS = ["account", "billing", "shipping", "technical"]


@pytest.fixture
def ml(delivered: Callable[[str], Delivery]) -> Delivery:
    """The delivered classifier."""
    return delivered("ml")


def use(made: Delivery, *words: str, check: int = 0) -> Done:
    """Paste the printed start command with further words."""
    return made.desk.shell([*shlex.split(made.start_line()), *words], check)


def metrics(folder: Path) -> dict[str, Any]:
    """What an evaluation wrote."""
    return json.loads((folder / "metrics.json").read_text())


def test_the_run_passes_its_data_phase_without_a_gate_and_is_delivered(ml: Delivery) -> None:
    assert [stop.last[-5].partition(": ")[2] for stop in ml.stops] == [
        "planning waits for your review (READY FOR REVIEW)",
        "development waits for your review (READY FOR REVIEW)",
        "testing waits for your review (READY FOR REVIEW)",
        "delivered: all 5 phases are done",
    ]
    data = ml.desk.json(f"runs/{ml.run}/data/manifest.json")
    assert [item["path"] for item in data["artifacts"]] == ["data/messages.csv", "docs/data.md"]


@pytest.mark.long
def test_the_printed_command_trains_measures_and_predicts(ml: Delivery, tmp_path: Path) -> None:
    done = use(ml)
    answer = json.loads(done.out.splitlines()[-1])
    assert answer["label"] == "billing"
    found = metrics(ml.project / "model")
    rows = found["confusion_matrix"]["rows"]
    assert found["n_test"] == sum(map(sum, rows))
    assert found["accuracy"] == round(sum(rows[spot][spot] for spot in range(4)) / found["n_test"], 6)
    assert found["baseline_accuracy"] == round(sum(rows[LABELS.index(found["baseline_label"])]) / found["n_test"], 6)
    assert found["accuracy"] > 2 * found["baseline_accuracy"]
    assert found["macro_f1"] > 0.6
    with (ml.project / "data/messages.csv").open(newline="") as file:
        count = len(list(csv.DictReader(file)))
    assert found["n_train"] + found["n_test"] == count
    assert f"Accuracy {found['accuracy']:.3f}" in done.out

    again = tmp_path / "again"
    use(ml, "train", "--out", str(again))
    use(ml, "evaluate", "--model", str(again))
    assert metrics(again) == found, "training twice gives the same figures"
    texts = ["Where is my parcel? It was sent last week.", "I forgot my password and cannot sign in.", answer["text"]]
    answers = [json.loads(line) for line in use(ml, "predict", "--model", str(again), *texts).out.splitlines()]
    assert [found["label"] for found in answers] == ["shipping", "account", "billing"]
    assert answers[2] == answer
    for found in answers:
        assert sorted(found["probabilities"]) == LABELS
        assert sum(found["probabilities"].values()) == pytest.approx(1, abs=1e-5)
        assert found["probabilities"][found["label"]] == max(found["probabilities"].values())


def test_bad_rows_and_bad_questions_are_refused_by_name(ml: Delivery, tmp_path: Path) -> None:
    data = tmp_path / "messages.csv"
    data.write_text("id,text,label\nM1,Where is it?,shiping\nM2,!!!,billing\nM1,I was charged twice,billing\n")
    done = use(ml, "train", "--data", str(data), "--out", str(tmp_path / "model"), check=1)
    assert done.err.splitlines()[1:] == [
        "  row 2, column 'label': 'shiping' is not one of account, billing, shipping, technical",
        "  row 3, column 'text': has no letters or digits",
        "  row 4, column 'id': 'M1' is already used in row 2",
    ]
    assert not (tmp_path / "model").exists()
    assert "run 'train' first" in use(ml, "predict", "--model", str(tmp_path / "model"), "hello", check=1).err
    assert "has no letters or digits" in use(ml, "predict", "...", check=1).err


@pytest.mark.parametrize(
    ("path", "old", "new"),
    [
        ("splitting.py", "if fingerprint(m.text) not in held_out", "if fingerprint(m.text)"),
        ("evaluation.py", "split.test])]", "split.train])][: len(truth)]"),
        ("classifier.py", "likeliest = max(", "likeliest = min("),
    ],
    ids=["tested-on-what-was-learned", "guesses-for-other-messages", "the-least-likely-label"],
)
@pytest.mark.long
def test_a_planted_bug_turns_the_classifiers_own_suite_red(ml: Delivery, tmp_path: Path, path: str, old: str, new: str) -> None:
    assert own_suite_finds(ml, tmp_path / "project", f"src/{ml.package}/{path}", old, new)
