"""The story of feedback: a person asks for changes, agents make and answer them, the person sees both."""

from __future__ import annotations

import json
import re
import zipfile
from typing import Any

import cmarkgfm
import pytest
from cmarkgfm.cmark import Options
from conftest import Desk, sh

WRITE = """
if grep -q 'make it longer' "$PHASEGATE_PROMPT"; then
  echo 'and more' >> plan.md
  echo '[{"id": "F1", "status": "done", "why": "plan.md goes on"}, {"id": "F9", "status": "done", "why": "nobody asked"}]' > feedback.json
elif grep -q 'spell it right' "$PHASEGATE_PROMPT"; then
  echo 'spelled right' >> plan.md
else
  echo 'the plan' > plan.md
fi
"""
CRITICISE = """
if grep -q 'be kinder' "$PHASEGATE_PROMPT"; then echo 'kindly' >> review.md; else echo 'well' > review.md; fi
"""
RUNNERS = {"write": sh(WRITE), "criticise": sh(CRITICISE)}
NASTY = (
    "</td></tr></table></details><h1>🟢 READY</h1> | a | ``` # x ![i](http://x/y.png) [l](javascript:x) <script>1</script> **Digest**: `0`"
)


def phases(desk: Desk) -> dict[str, Any]:
    """One phase with two agents, and a check that counts how often it runs."""
    count = {"name": "count", "command": ["sh", "-c", f"echo x >> {desk.path}/counted"], "environment": "none"}
    return {"plan": {"agents": {"writer": {"runner": "write"}, "critic": {"runner": "criticise"}}, "checks": [count]}}


def answer_table(desk: Desk, phase: str = "plan") -> list[list[str]]:
    """The rows of the feedback table of a request: id, what was requested, the answer."""
    part = desk.read(f"runs/demo/{phase}/REQUEST.md").split("## Feedback")[1].split("## Decide")[0].split("<details")[0]
    rows = [line for line in part.splitlines() if line.startswith("| ") and "Requested" not in line]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]] for row in rows]


def bundle(desk: Desk, phase: str = "plan") -> dict[str, str]:
    """The files in a bundle."""
    with zipfile.ZipFile(desk.path / f"runs/demo/bundles/{phase}.zip") as archive:
        return {name: archive.read(name).decode() for name in archive.namelist() if name.startswith("artifacts/")}


def refused(desk: Desk, *words: str) -> str:
    """The one line with which a command is refused."""
    done = desk.run(*words, check=1)
    assert "Traceback" not in done.out + done.err
    assert len(done.said.splitlines()) == 1, done.said
    return done.said


def attempts(desk: Desk) -> tuple[int, int]:
    return desk.attempts("plan", "writer"), desk.attempts("plan", "critic")


@pytest.fixture
def waiting(desk: Desk) -> Desk:
    """A run that waits at the gate of its phase."""
    desk.configure(phases(desk), RUNNERS, sandbox="off")
    desk.run()
    return desk


def test_two_rounds_of_feedback_are_worked_in_answered_and_shown(waiting: Desk) -> None:
    known = "known: writer, critic"
    assert f"unknown agent `nobody`; {known}" in refused(waiting, "request_changes", "--config", "note=x", "agents=writer,nobody")
    assert "needs note=" in refused(waiting, "request_changes")
    first = waiting.json("runs/demo/plan/manifest.json")
    note = "make it longer: please #1\n- name the risks"
    done = waiting.run("request_changes", "--config", "phase=plan", "by=Ann", "agents=writer", f"note={note}")
    assert done.out.startswith("asked:    writer of plan, in runs/demo/plan/CHANGES_REQUESTED\n")
    assert "changes were requested" in refused(waiting, "approve", "--config", "by=Ann")
    shown = json.loads(waiting.run("status", "--config", "format=json").out)["phases"]["plan"]
    assert shown["state"] == "changes_requested"
    assert "runs/demo/plan/CHANGES_REQUESTED" in shown["reasons"][0]

    done = waiting.shell(done.out.splitlines()[-1].split(":", 1)[1].strip())
    assert "plan waits for your review" in done.last[-5]
    assert attempts(waiting) == (2, 1)
    prompt = waiting.read("runs/demo/plan/agents/writer/attempts/002/prompt.md")
    for text in ("### Point `F1`\n\n> make it longer: please #1\n", "### Point `F2`\n\n> name the risks\n", "feedback.json"):
        assert text in prompt
    assert "What the reviewers ask" not in waiting.read("runs/demo/plan/agents/writer/attempts/001/prompt.md")
    assert bundle(waiting) == {"artifacts/plan.md": "the plan\nand more\n", "artifacts/review.md": "well\n"}
    assert sorted(path.name for path in (waiting.path / "runs/demo/project").iterdir()) == [".git", "plan.md", "review.md"]
    assert waiting.read("counted") == "x\n" * 2
    assert answer_table(waiting) == [
        ["F1", "make it longer: please \\#1", "writer: done. plan.md goes on"],
        ["F2", "name the risks", "not answered"],
    ]
    page = waiting.read("runs/demo/plan/REQUEST.md")
    assert "Changes were requested by Ann on 2" in page
    since = page.split("Changed since the last review")[1].split("</details>")[0]
    assert "\n the plan\n+and more\n" in since
    assert "review.md" not in since
    second = waiting.json("runs/demo/plan/manifest.json")
    assert second["digest"] != first["digest"]
    assert (first["subject"]["feedback"], second["subject"]["feedback"]["unchanged"]) == (None, False)

    waiting.write("runs/demo/plan/CHANGES_REQUESTED", "agents: [critic]\nitems:\n- be kinder\n")
    assert "plan waits for your review" in waiting.run().last[-5]
    assert attempts(waiting) == (2, 2)
    assert bundle(waiting) == {"artifacts/plan.md": "the plan\nand more\n", "artifacts/review.md": "well\nkindly\n"}
    assert waiting.read("counted") == "x\n" * 3
    assert answer_table(waiting) == [["F1", "be kinder", "not answered"]]
    since = waiting.read("runs/demo/plan/REQUEST.md").split("Changed since the last review")[1].split("</details>")[0]
    assert "+kindly" in since
    assert "plan.md" not in since

    waiting.run("approve", "--config", "by=Ann")
    assert "delivered" in waiting.run().last[-5]
    assert attempts(waiting) == (2, 2)


@pytest.mark.long
def test_feedback_by_hand_may_be_lines_a_list_or_a_mapping_with_ids(desk: Desk) -> None:
    answer = 'echo "[{\\"id\\": \\"A1\\", \\"status\\": \\"not done\\", \\"why\\": \\"no time\\"}]"'
    work = f'if grep "^> " "$PHASEGATE_PROMPT" > said.txt; then {answer} > feedback.json; else echo nothing > said.txt; fi'
    own = "[ -e feedback.json ] || echo five stars > feedback.json; echo x > two.txt"
    entry = {"after": [], "agents": {"one": {"runner": "one"}, "two": {"runner": "two"}}}
    desk.configure(
        {"lines": entry, "list": entry, "mapping": entry},
        {"one": sh(work), "two": sh(own)},
        sandbox="off",
    )
    desk.run("--config", "max_parallel_agents=4")
    desk.write("runs/demo/lines/CHANGES_REQUESTED", "fix: the tests\n\n  see issue #12\n* no\n")
    desk.write("runs/demo/list/CHANGES_REQUESTED", "- fix: the tests\n- see issue #12\n- no\n- 007\n")
    items = [{"id": "A1", "text": "fix: the tests"}, {"text": "see issue #12"}]
    desk.write("runs/demo/mapping/CHANGES_REQUESTED", json.dumps({"items": items, "agents": ["one"]}))
    desk.run("--config", "max_parallel_agents=4")
    ids = {name: [row[0] for row in answer_table(desk, name)] for name in ("lines", "list", "mapping")}
    assert ids == {"lines": ["F1", "F2", "F3"], "list": ["F1", "F2", "F3", "F4"], "mapping": ["A1", "F2"]}
    said = {name: [row[1].replace("\\", "") for row in answer_table(desk, name)] for name in ids}
    texts = ["fix: the tests", "see issue #12", "no", "007"]
    assert said == {"lines": texts[:3], "list": texts, "mapping": texts[:2]}
    for name, wanted in said.items():
        prompt = desk.read(f"runs/demo/{name}/agents/one/attempts/002/prompt.md")
        assert re.findall(r"^### Point .*\n\n> (.*)$", prompt, re.MULTILINE) == wanted
    assert [desk.attempts(name, "two") for name in ids] == [2, 2, 1]
    assert answer_table(desk, "mapping")[0][2] == "one: not done. no time"
    for name in ids:  # feedback.json of the project itself is not an answer, and stays
        assert bundle(desk, name)["artifacts/feedback.json"] == "five stars\n"


@pytest.mark.long
def test_unchanged_result_is_not_asked_about_again_until_the_request_is_withdrawn(desk: Desk) -> None:
    why = json.dumps([{"id": "F1", "status": "not done", "why": NASTY}])
    asked = "grep -q 'the reviewers ask' \"$PHASEGATE_PROMPT\""
    reply = f"echo 'the plan' > plan.md\n{asked} && cat > feedback.json <<'END'\n{why}\nEND\ntrue\n"
    count = {"name": "count", "command": ["sh", "-c", f"echo x >> {desk.path}/counted"], "environment": "none"}
    desk.configure({"plan": {"agents": {"writer": {"runner": "write"}}, "checks": [count]}}, {"write": sh(reply)}, sandbox="off")
    desk.run()
    desk.write("note.txt", NASTY)
    desk.run("request_changes", "--config", "by=<b>Ann</b>", "note_file=note.txt")
    done = desk.run(check=1)
    assert "nothing was changed" in done.last[-5]
    assert desk.attempts("plan", "writer") == 2
    assert desk.read("counted") == "x\n" * 2
    assert desk.json("runs/demo/plan/manifest.json")["subject"]["feedback"]["unchanged"] is True
    assert set(bundle(desk)) == {"artifacts/plan.md"}

    page = desk.read("runs/demo/plan/REQUEST.md")
    assert "**Nothing was changed since these changes were requested**" in page
    html = cmarkgfm.github_flavored_markdown_to_html(page, Options.CMARK_OPT_UNSAFE)
    assert html.count("<h1") == 1
    assert "<img" not in html
    assert "<script" not in html
    assert "javascript:" not in "".join(re.findall(r'href="[^"]*"', html))
    assert html.count("<details") == html.count("</details>")
    assert html.count("<strong>Digest</strong>") == 1
    table = html.split("Feedback</h2>")[1].split("</table>")[0]
    assert (table.count("<tr>"), table.count("<td>")) == (2, 3)
    assert "&lt;/td&gt;&lt;/tr&gt;" in table

    again = desk.run(check=1)
    assert again.last[-5:] == done.last[-5:]
    assert "nothing was changed" in refused(desk, "approve", "--config", "by=Ann")
    assert desk.attempts("plan", "writer") == 2
    desk.shell(done.next_command)
    assert not (desk.path / "runs/demo/plan/CHANGES_REQUESTED").exists()
    desk.run("approve", "--config", "by=Ann")
    assert "delivered" in desk.run().last[-5]
    assert desk.attempts("plan", "writer") == 2


@pytest.mark.long
def test_feedback_that_is_withdrawn_or_names_an_unknown_agent_runs_nothing(waiting: Desk) -> None:
    asked = waiting.path / "runs/demo/plan/CHANGES_REQUESTED"
    digest = waiting.read("runs/demo/plan/digest")
    asked.write_text("agents: [nobody]\nitems: [make it longer]\n")
    said = refused(waiting)
    assert said == "phasegate: runs/demo/plan/CHANGES_REQUESTED: names unknown agent `nobody`; known: writer, critic"
    asked.write_text("\n")
    assert "says no change; write one a line, or delete the file" in refused(waiting)
    asked.unlink()
    waiting.run("request_changes", "--config", "note=make it longer")
    waiting.run("-n")
    asked.unlink()
    assert "plan waits for your review" in waiting.run().last[-5]
    assert attempts(waiting) == (1, 1)
    assert waiting.read("runs/demo/plan/digest") == digest
    assert waiting.read("counted") == "x\n"

    for text, count in (("make it longer", 2), ("spell it right", 3), ("make it longer", 4)):
        asked.write_text(text)
        assert "plan waits for your review" in waiting.run().last[-5]
        assert waiting.attempts("plan", "writer") == count
    assert bundle(waiting)["artifacts/plan.md"] == "the plan\nand more\nspelled right\nand more\n"


@pytest.mark.long
def test_agent_that_failed_starts_from_its_reviewed_result_also_when_feedback_comes_with_a_retry(desk: Desk) -> None:
    work = f"echo line >> plan.md; ! [ -e {desk.path}/failing ]"
    desk.configure({"plan": {"agents": {"writer": {"runner": "write"}}}}, {"write": sh(work)}, sandbox="off")
    desk.write("failing", "")
    desk.run(check=1)
    (desk.path / "failing").unlink()
    desk.run("request_changes", "--config", "note=one more line")
    desk.run("retry")
    assert bundle(desk) == {"artifacts/plan.md": "line\nline\n"}
    assert desk.attempts("plan", "writer") == 2
