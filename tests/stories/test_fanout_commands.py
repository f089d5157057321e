"""The story of tasks that are done by a program: two change the same lines, one fails, and the others go on."""

from __future__ import annotations

import re
import sys

import yaml
from conftest import Desk

SHOP = "def total(cart):\n    return sum(cart)\n"
ACCEPT = '{python} -c "from shop import total; assert total({cart}) == {result}"'


def task(name: str, needs: list[str], touches: list[str], *accept: str) -> dict[str, object]:
    """A task as a plan holds it."""
    return {"id": name, "title": f"Add {name}", "needs": needs, "touches": touches, "accept": list(accept)}


PLAN = [
    task("discount", [], ["src/shop.py"], ACCEPT.format(python=sys.executable, cart="[10]", result=9)),
    task("shipping", [], ["shipping.md"], ACCEPT.format(python=sys.executable, cart="[]", result=5)),
    task("tax", [], ["tax.md"]),
    task("invoice", ["tax"], ["invoice.md"]),
    task("receipt", ["invoice"], ["receipt.md"]),
    task("labels", ["discount"], ["labels.md"], "grep -q 0.9 src/shop.py"),
]

# Edits what its task says. `shipping` writes down what it did, and also edits a file that it does not declare: where its prompt shows
# two sides, it keeps the merged one and adds its part. `tax` fails the first time.
WORKER = """
import json, os, pathlib, re, sys
name = json.loads(pathlib.Path(os.environ["PHASEGATE_BRIEF"]).read_text())["task"]["id"]
prompt = pathlib.Path(os.environ["PHASEGATE_PROMPT"]).read_text()
shop = pathlib.Path("src/shop.py")
sides = re.search("<<<<<<< .*\\n(.*)\\n=======\\n(.*)\\n>>>>>>> ", prompt)
if name == "tax" and "/001/" in os.environ["PHASEGATE_BRIEF"]:
    sys.exit("the tax office is closed")
if name == "discount":
    shop.write_text(shop.read_text().replace("sum(cart)", "sum(cart) * 0.9"))
    sys.exit()
if name == "shipping":
    mine = sides[2] if sides else "    return sum(cart) + 5"
    kept = sides[1] if sides and "--stubborn" not in sys.argv else "    return sum(cart)"
    shop.write_text(shop.read_text().replace(kept, kept + mine.partition("sum(cart)")[2]))
pathlib.Path(name + ".md").write_text(f"{name}: done\\n")
"""


def configure(desk: Desk, *words: str) -> None:
    """A phase that plans and brings the shop, and one that works the plan off."""
    desk.write("plan.yaml", yaml.safe_dump(PLAN))
    plan = desk.read("plan.yaml")
    begin = f"mkdir -p plan src && cat > plan/tasks.yaml <<'END'\n{plan}END\nprintf '{SHOP}' > src/shop.py"
    phases = {
        "planning": {"gate": "none", "agents": {"architect": {"runner": "plan"}}},
        "build": {"agents": {"builder": {"runner": "work", "for_each": "plan/tasks.yaml"}}},
    }
    runners = {"plan": ["sh", "-c", begin], "work": ["{python}", "-c", WORKER, *words]}
    desk.configure(phases, runners)


def paid(desk: Desk) -> dict[str, int]:
    """How many attempts each task has made."""
    return {str(row["id"]): desk.attempts("build", f"builder/tasks/{row['id']}") for row in PLAN}


def statuses(desk: Desk) -> dict[str, str]:
    return {row["id"]: row["status"] for row in desk.outcome("build", "builder")["tasks"]}


def test_the_later_of_two_works_again_and_one_that_fails_holds_up_only_what_needs_it(desk: Desk) -> None:
    configure(desk)
    stop = desk.run(check=1)
    assert statuses(desk) == {
        "discount": "succeeded", "labels": "succeeded", "shipping": "succeeded",
        "tax": "failed", "invoice": "skipped", "receipt": "skipped",
    }  # fmt: skip
    assert paid(desk) == {"discount": 1, "shipping": 2, "tax": 1, "invoice": 0, "receipt": 0, "labels": 1}
    assert "build is blocked (NEEDS ATTENTION)" in stop.last[-5]
    assert desk.read("runs/demo/project/src/shop.py") == SHOP.replace("sum(cart)", "sum(cart) * 0.9 + 5")
    prompt = desk.read("runs/demo/build/agents/builder/tasks/shipping/attempts/002/prompt.md")
    sides = re.search(r"^<<<<<<< .*\n    return sum\(cart\) \* 0.9\n=======\n    return sum\(cart\) \+ 5\n>>>>>>> ", prompt, re.MULTILINE)
    assert sides, prompt

    page = desk.read("runs/demo/build/REQUEST.md")
    assert page.startswith("# 🔴 NEEDS ATTENTION")
    (graph,) = re.findall(r"```mermaid\n(.*?)```", page, re.DOTALL)
    drawn = dict(re.findall(r'^  t\d+\["(\w+)<br/>.*"\]:::(\w+)$', graph, re.MULTILINE))
    assert drawn == statuses(desk) | {"tax": "wrong"}
    text = page.replace("\\", "")
    assert (
        "builder/tasks/discount and builder/tasks/shipping changed the same lines of src/shop.py (line 2). "
        "builder/tasks/shipping worked once more on the merged tree (attempt 2): **its second result was merged"
    ) in text
    assert "- **shipping** changed files outside of what it touches: <code>src/shop.py</code>" in text
    assert re.search(r"- \*\*tax\*\*: the program ended with exit code 1\. Again: `.* retry .*builder/tasks/tax", text)
    assert "skipped, since they build on these: invoice, receipt" in text

    stop = desk.run("retry", "--config", "phase=build")
    assert "build waits for your review (READY FOR REVIEW)" in stop.last[-5]
    assert set(statuses(desk).values()) == {"succeeded"}
    assert paid(desk) == {"discount": 1, "shipping": 2, "tax": 2, "invoice": 1, "receipt": 1, "labels": 1}
    made = {item["path"] for item in desk.json("runs/demo/build/manifest.json")["artifacts"]}
    assert made == {"src/shop.py", "shipping.md", "tax.md", "invoice.md", "receipt.md", "labels.md"}


def test_a_second_attempt_that_does_not_keep_both_sides_is_a_conflict_that_names_them(desk: Desk) -> None:
    """Its own command says so: on top of the merged tree it is not true any more that an order without goods costs the shipping."""
    configure(desk, "--stubborn")
    desk.run(check=1)
    outcome = desk.outcome("build", "builder")
    (clash,) = outcome["conflicts"]
    assert (clash["between"], clash["files"], clash["lines"]) == (
        ["builder/tasks/discount", "builder/tasks/shipping"],
        ["src/shop.py"],
        {"src/shop.py": [[2, 2]]},
    )
    assert outcome["status"] == "conflict"
    assert paid(desk)["shipping"] == 2
    assert desk.read("runs/demo/project/src/shop.py") == SHOP.replace("sum(cart)", "sum(cart) * 0.9")
    text = desk.read("runs/demo/build/REQUEST.md").replace("\\", "")
    assert "builder/tasks/discount and builder/tasks/shipping changed the same lines of src/shop.py (line 2)" in text
    assert not (desk.path / "runs/demo/project/shipping.md").exists()
