"""The story of hygiene: every phase has its score, a limit closes the gate, a person may waive it, and unknown is not a pass."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from conftest import Desk, sh

RUNNERS = {
    "tidy": sh("mkdir -p src; echo 'print(1)' > src/main.py; echo 'Run src/main.py.' > README.md"),
    "untidy": sh("echo 'import os' > src/stray.py; cp README.md README.md.bak; echo x >> README.md"),
}
ONE: dict[str, Any] = {"plan": {"agents": {"writer": {"runner": "tidy"}}}, "build": {"agents": {"maker": {"runner": "untidy"}}}}


def limited(**limits: int) -> dict[str, Any]:
    """The two phases, the second one with limits of its own."""
    return ONE | {"build": ONE["build"] | {"hygiene": limits}}


def cleanliness(desk: Desk, phase: str) -> str:
    page = desk.read(f"runs/demo/{phase}/REQUEST.md")
    return next(line for line in page.splitlines() if line.startswith("| Cleanliness"))


def test_untidy_phase_blocks_and_may_be_waived_by_name(desk: Desk) -> None:
    desk.configure(limited(min_score=95, max_orphans=1), RUNNERS)
    desk.run()
    desk.touch("plan")
    done = desk.run(check=1)
    assert "the hygiene score is 94; at least 95 is asked for" in done.err
    assert "the number of orphan files is 2; at most 1 may be there" in done.err
    desk.touch("build")
    desk.run(check=1)
    refused = desk.run("approve", "--config", "phase=build", "waive=hygiene:min_score=the backup goes next week", check=1)
    assert "the number of orphan files is 2" in refused.said
    desk.run("approve", "--config", "phase=build", "by=Ann", "waive=hygiene:min_score=next week; hygiene:max_orphans=next week")
    desk.run()
    assert desk.json("runs/demo/status.json")["state"] == "delivered"
    assert desk.json("runs/demo/build/manifest.json")["subject"]["hygiene"] == {
        "score": 94, "orphans": 2, "min_score": 95, "max_orphans": 1, "unknown": [], "violations": ["min_score", "max_orphans"]
    }  # fmt: skip


def test_requests_and_the_summary_show_score_findings_and_trend(desk: Desk) -> None:
    desk.configure(ONE, RUNNERS)
    desk.run()
    desk.touch("plan")
    desk.run()
    assert cleanliness(desk, "plan").startswith("| Cleanliness | 100 of 100, grade A+: orphans 30 of 30")
    assert cleanliness(desk, "build").startswith("| Cleanliness | 94 of 100, grade A (-6 since plan): orphans 25 of 30")
    assert "- <code>src/stray.py:1</code> unused import os (dead code, −1)" in desk.read("runs/demo/build/REQUEST.md")
    summary = desk.path / "runs/demo/hygiene_summary.json"
    rows = [(row["phase"], row["score"], row["trend"]) for row in desk.json("runs/demo/hygiene_summary.json")["phases"]]
    assert rows == [("plan", 100, None), ("build", 94, {"since": "plan", "delta": -6})]
    before = (summary.read_bytes(), summary.stat().st_mtime_ns)
    desk.run()
    assert (summary.read_bytes(), summary.stat().st_mtime_ns) == before
    summary.unlink()
    desk.run()
    assert summary.read_bytes() == before[0]


def test_limit_that_is_set_later_runs_no_agent_and_leaves_digests_without_limits_alone(desk: Desk) -> None:
    desk.configure(ONE, RUNNERS)
    desk.run()
    desk.touch("plan")
    desk.run()
    digests = [desk.read(f"runs/demo/{name}/digest") for name in ("plan", "build")]
    desk.configure(limited(min_score=99), RUNNERS)
    assert "the hygiene score is 94; at least 99 is asked for" in desk.run(check=1).err
    desk.configure(limited(min_score=94), RUNNERS)
    desk.run()
    assert desk.read("runs/demo/plan/digest") == digests[0]
    assert desk.read("runs/demo/build/digest") != digests[1]
    desk.configure(ONE, RUNNERS)
    desk.run()
    assert [desk.read(f"runs/demo/{name}/digest") for name in ("plan", "build")] == digests
    assert (desk.attempts("plan", "writer"), desk.attempts("build", "maker")) == (1, 1)


def test_missing_scanner_is_unknown_everywhere_and_keeps_a_limited_gate_closed(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "gone").mkdir()
    (tmp_path / "gone/vulture.py").write_text("raise ImportError('gone', name='vulture')\n")
    desk.env = {"PYTHONPATH": str(tmp_path / "gone")}
    desk.configure({"plan": ONE["plan"]}, RUNNERS)
    desk.run()
    assert desk.json("runs/demo/hygiene_summary.json")["unknown"] == ["vulture"]
    assert "unknown (orphans 30 of 30" in cleanliness(desk, "plan")
    assert "dead code unknown (vulture is not installed" in cleanliness(desk, "plan")
    desk.configure({"plan": ONE["plan"]}, RUNNERS, hygiene={"min_score": 1})
    done = desk.run(check=1)
    assert "the hygiene score is unknown, not measured by vulture (unknown is not a pass); at least 1 is asked for" in done.err
    assert "hygiene:min_score=why" in desk.run("approve", check=1).said


def test_hostile_tree_is_scored_and_acts_on_nothing(desk: Desk) -> None:
    script = r"""
printf 'a\0b' > nul.py; printf 'x = a%s\n' "$(printf '.b%.0s' $(seq 20000))" > deep.py; head -c 3000000 /dev/zero | tr '\0' a > line.txt
printf '[%.0s' $(seq 50000) > deep.ipynb; printf x > "$(printf 'we\nird\377.txt')"; printf x > '$(touch pwned)|`x`<script>.md'
printf '[tool.vulture]\nexclude = ["*"]\n' > pyproject.toml; printf 'import sys\nsys.exit(0)\n' > sitecustomize.py; printf x > -rf
ln -s loop loop; ln -s nul.py link.py; d=d; for n in $(seq 80); do d=$d/deep; done; mkdir -p $d; echo x > $d/x.txt
"""
    desk.configure({"plan": {"agents": {"writer": {"runner": "hostile"}}}}, {"hostile": sh(script)})
    desk.run()
    found = desk.json("runs/demo/plan/hygiene.json")
    reasons = {row["path"]: row["reason"] for row in found["findings"] if row["component"] != "orphans"}
    assert isinstance(found["score"], int)
    assert reasons["nul.py"] == "cannot be parsed as Python"
    assert reasons["deep.py"] == "is nested too deeply to be searched for dead code"
    assert reasons["deep.ipynb"] == "is nested too deeply to be read as a notebook"
    assert reasons["line.txt"] == "has 3000000 bytes; large is from 1048576 on"
    assert all(row["path"].isprintable() and row["reason"].isprintable() for row in found["findings"])
    assert "link.py" not in reasons
    assert not list(desk.path.rglob("pwned"))
    assert "<script>" not in desk.read("runs/demo/plan/REQUEST.md")


def test_rollback_puts_the_record_away_and_restore_brings_it_back(desk: Desk) -> None:
    desk.configure(ONE, RUNNERS)
    desk.run()
    desk.touch("plan")
    desk.run()
    before = desk.read("runs/demo/build/hygiene.json")
    desk.run("rollback", "--config", "to=plan")
    assert not (desk.path / "runs/demo/build/hygiene.json").exists()
    assert [row["phase"] for row in desk.json("runs/demo/hygiene_summary.json")["phases"]] == ["plan"]
    desk.run("restore")
    assert desk.read("runs/demo/build/hygiene.json") == before
