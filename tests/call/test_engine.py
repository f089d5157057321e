"""Where Phasegate adjusts Snakemake: that what it adjusts is there, and that nothing but the speed changes."""

from __future__ import annotations

from functools import partial
from types import SimpleNamespace

import pytest
from snakemake.persistence import PersistenceBase

from workflow.call import engine


@pytest.mark.parametrize("value", [None, True, 1, 1.5, "words", ["a", "list"], ("a", "tuple"), {"a": {"mapping": 1}}, {"set"}])
def test_parameters_of_jobs_are_written_as_snakemake_writes_them(value: object, monkeypatch: pytest.MonkeyPatch) -> None:
    before = PersistenceBase.__dict__["_serialize_param"]
    monkeypatch.setattr(PersistenceBase, "_serialize_param", before)  # so that it is put back
    engine.write_params_plainly()
    assert PersistenceBase.__dict__["_serialize_param"] is not before
    persistence = SimpleNamespace(_serialize_param_builtin=partial(PersistenceBase._serialize_param_builtin, None))
    plainly = PersistenceBase.__dict__["_serialize_param"].fget(persistence)
    assert plainly(value) == PersistenceBase._serialize_param_pandas(persistence, value)
