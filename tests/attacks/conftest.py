"""The run that is attacked: it has two phases that wait for signatures, and is made once and copied for each attack."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from runs import Run
from signers import SignedRun, held_run

from attacks.held import reopened


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run that waits for signatures, and keys beside it."""
    folder = tmp_path_factory.mktemp("template")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        run = Run()
        run.start()
        held_run(run, Path("keys"))
        run.shown("the build", "build", ("plan",))
    return folder


@pytest.fixture
def held(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SignedRun:
    """A copy of it, in which the test stands."""
    folder = tmp_path / "held"
    shutil.copytree(template, folder, symlinks=True)
    monkeypatch.chdir(folder)
    return reopened()
