"""The story of secrets that slip into files, prompts and logs: found before packing, named by place, shown nowhere."""

from __future__ import annotations

import json
from pathlib import Path

from conftest import Desk, sh
from planted import TOKENS, body

DECLARED = {"API_TOKEN": "declared " + body(24, 9), "DB_PASSWORD": "pass/" + body(12, 11) + "&?"}
ALIKE = ("AWS Secret Key", "Mailchimp Access Key", "Twilio API Key", "Discord Bot Token")
SHAPES = {kind: token for kind, token in TOKENS.items() if kind not in ALIKE}
CODE = "\n".join(f"value_{place} = '''{token}'''" for place, token in enumerate(SHAPES.values()))


def everything_shown(desk: Desk) -> dict[str, str]:
    """All that a person is shown or sent: pages, records, logs, patches; not the files themselves and their repository."""
    found = {}
    for path in sorted((desk.path / "runs").rglob("*")):
        inside = set(path.relative_to(desk.path / "runs").parts[1:2]) | {path.name}
        if path.is_file() and not inside & {"project", "project.git", "bundles", "intake.yaml", "prompt.md", "brief.json"}:
            found[str(path)] = path.read_text(errors="replace")
    for path in (desk.path / ".snakemake/log").glob("*"):
        found[str(path)] = path.read_text(errors="replace")
    return found


def parts(secret: str) -> list[str]:
    """What must not be seen of a secret: any whole line of it that is more than its name."""
    return [line for line in secret.splitlines() if "PRIVATE" not in line and len(line) > 8]


def assert_shown_nowhere(desk: Desk, secrets: dict[str, str], *said: str) -> None:
    shown = everything_shown(desk) | {f"output {place}": text for place, text in enumerate(said)}
    leaked = [(kind, place) for kind, secret in secrets.items() for part in parts(secret) for place, text in shown.items() if part in text]
    assert leaked == []
    assert any(place.endswith("REQUEST.md") for place in shown)


def test_twenty_planted_secrets_are_found_at_their_place_and_none_is_printed(desk: Desk) -> None:
    """Eighteen by shape in a file, one declared value in a log, one in a prompt."""
    code = desk.write("stuff/code.py", CODE)
    desk.brief(goals={"primary": f"Use the key {DECLARED['DB_PASSWORD']} of the database."})
    desk.env = DECLARED
    script = f'cat; cp {code} settings.py; echo "token=$API_TOKEN"; printf \'%s\' "$API_TOKEN" | base64 -w0'
    check = {"name": "prints", "command": ["sh", "-c", "cat settings.py; exit 1"], "environment": "none"}
    runner = {"command": sh(script), "env": list(DECLARED)}
    desk.configure({"plan": {"agents": {"writer": {"runner": "tool"}}, "checks": [check]}}, {"tool": runner}, sandbox="off")
    done = desk.run(check=1)
    rows = desk.json("runs/demo/plan/validation.json")["secrets"]
    artifacts = {row["kind"]: row["line"] for row in rows if row["place"] == "artifact"}
    lines = {kind: CODE[: CODE.index(token)].count("\n") + 1 for kind, token in SHAPES.items()}
    assert artifacts == lines
    assert len(SHAPES) == 18
    assert {row["kind"] for row in rows if row["place"] == "prompt"} == {"value of DB_PASSWORD"}
    logged = {(Path(row["path"]).name, kind) for row in rows if row["place"] == "log" for kind in row["kind"].split(", ")}
    assert {("output.log", "value of API_TOKEN"), ("output.log", "value of DB_PASSWORD")} <= logged
    assert {kind for name, kind in logged if name == "prints.log"} == set(SHAPES)

    found = set(artifacts) | {kind for _, kind in logged if kind.startswith("value of")}
    print(f"{len(found)} of {len(SHAPES) + len(DECLARED)} planted secrets found")
    assert found == {*SHAPES, *(f"value of {name}" for name in DECLARED)}
    said = [done.out, done.err]
    for words in (
        ["status"],
        ["status", "--config", "format=json"],
        ["diff"],
        ["logs", "--config", "agent=plan_writer"],
        ["verify"],
        ["bundles"],
    ):
        looked = desk.run(*words, check=None)
        said += [looked.out, looked.err]
    assert "[redacted: GitHub Token]" in said[6]
    assert "token=[redacted: value of API_TOKEN]" in said[8]
    assert_shown_nowhere(desk, SHAPES | DECLARED, *said)
    assert "plan is blocked" in done.last[-5]
    assert "artifact settings.py:1 holds a secret: " in done.last[-5]
    assert "<code>secret:settings.py:1</code>" in desk.read("runs/demo/plan/REQUEST.md")
    assert "[redacted: GitHub Token]" in desk.read("runs/demo/plan/agents/writer/changes.patch")


def test_gate_opens_by_mending_by_a_waiver_with_a_reason_or_by_the_configuration(desk: Desk) -> None:
    token = TOKENS["Stripe Access Key"]
    phases = {"plan": {"agents": {"writer": {"runner": "tool"}}}, "build": {"agents": {"maker": {"runner": "make"}}}}
    runners = {
        "tool": sh(f"mkdir -p 'te;st'; echo; echo 'k = {token}' > 'te;st/key.md'"),
        "make": sh("cat > prompt.txt; cp te*/key.md copy.md"),
    }
    desk.configure(phases, runners)
    done = desk.run(check=1)
    assert "plan is blocked (NEEDS ATTENTION): artifact te;st/key.md:1 holds a secret: Stripe Access Key" in done.last[-5]
    desk.touch("plan")
    assert "is blocked" in desk.run(check=1).last[-5]
    refused = desk.run("approve", check=1).said
    assert 'waive="secret:te%3Bst/key.md:1=why"' in refused
    desk.run("approve", "--config", "by=Ann", "waive=secret:te%3Bst/key.md:1=a key of the test account")
    done = desk.run(check=1)
    assert "waived secret:te%3Bst/key.md:1: a key of the test account" in "; ".join(
        desk.json("runs/demo/status.json")["phases"]["plan"]["reasons"]
    )
    places = [(row["place"], row["path"]) for row in desk.json("runs/demo/build/validation.json")["secrets"]]
    assert places == [("artifact", "copy.md"), ("artifact", "prompt.txt")]  # its own prompt quotes what was decided on before

    desk.configure(phases, runners, secrets={"allow": ["copy.md", "prompt.txt"]})
    done = desk.run()
    assert "build waits for your review (READY FOR REVIEW)" in done.last[-5]
    assert "2 more that the configuration allows" in desk.read("runs/demo/build/REQUEST.md")
    assert [row["allowed"] for row in desk.json("runs/demo/build/validation.json")["secrets"]] == [True, True]
    assert (desk.attempts("plan", "writer"), desk.attempts("build", "maker")) == (1, 1)
    assert_shown_nowhere(desk, {"stripe": token}, done.err, refused)


def test_secrets_in_names_in_other_encodings_and_in_pieces_of_a_log_are_found(desk: Desk) -> None:
    token, other = TOKENS["GitHub Token"], TOKENS["Hugging Face Token"]
    desk.env = {"API_TOKEN": DECLARED["API_TOKEN"]}
    value = DECLARED["API_TOKEN"]
    script = f"""
touch {token}.txt; echo {token} > {token}.txt
printf '%s' '{other}' | iconv -t UTF-16LE > wide.txt
printf '%s' '{value[:5]}'; sleep 0.4; printf '%s\\n' '{value[5:]}'
head -c 65530 /dev/zero | tr '\\0' x; printf ' %s\\n' '{other}'
"""
    desk.configure({"plan": {"agents": {"writer": {"runner": "tool"}}}}, {"tool": {"command": sh(script), "env": ["API_TOKEN"]}})
    desk.run(check=1)
    rows = [(row["place"], row["path"], row["line"], row["kind"]) for row in desk.json("runs/demo/plan/validation.json")["secrets"]]
    log = "agents/writer/attempts/001/output.log"
    assert rows == [
        ("artifact", "[redacted: GitHub Token].txt", 0, "GitHub Token"),
        ("artifact", "[redacted: GitHub Token].txt", 1, "GitHub Token"),
        ("artifact", "wide.txt", 1, "Hugging Face Token"),
        ("log", log, 1, "value of API_TOKEN"),
        ("log", log, 2, "Hugging Face Token"),
    ]
    assert not [part for part in (value, other) if part in desk.read(f"runs/demo/plan/{log}")]
    page = desk.read("runs/demo/plan/REQUEST.md")
    assert token not in page
    assert token.replace("_", "\\_") not in page


def test_scan_that_cannot_be_done_is_unknown_and_keeps_the_gate_closed(desk: Desk, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    (broken / "detect_secrets").mkdir(parents=True)
    (broken / "detect_secrets/__init__.py").write_text("raise ImportError('gone', name='detect_secrets')\n")
    desk.env = {"PYTHONPATH": str(broken)}
    desk.configure({"plan": {"agents": {"writer": {"runner": "tool"}}}}, {"tool": sh("echo fine > fine.md")})
    done = desk.run(check=1)
    assert "the scan for secrets could not be done (unknown is not a pass)" in done.last[-5]
    assert desk.json("runs/demo/plan/validation.json")["status"] == "unknown"
    assert "unknown: the scanner for secrets is not installed (detect\\_secrets)" in desk.read("runs/demo/plan/REQUEST.md")
    assert "secrets:scan=why" in desk.run("approve", check=1).said


def test_clean_phase_says_that_it_was_scanned_and_by_what(desk: Desk) -> None:
    desk.configure({"plan": {"agents": {"writer": {"runner": "tool"}}}}, {"tool": sh("echo fine > fine.md")})
    desk.run()
    scan = desk.json("runs/demo/plan/validation.json")["scan"]
    assert (scan["status"], scan["files"], scan["scanner"]["name"]) == ("clean", 3, "detect-secrets")
    assert "| Secrets | none found in 3 files, prompts and logs by detect-secrets " in desk.read("runs/demo/plan/REQUEST.md")
    assert json.dumps(scan).isascii()
