"""Settings: how files and --config are laid over each other, what is refused, and that each key changes what is done."""

from __future__ import annotations

import copy
import json
import re
import shutil
import socket
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from conftest import INTAKE, ROOT, Desk, sh
from planted import TOKENS
from signers import ANN, BOB, make_key, write_allowed

from workflow import files
from workflow.call import engine, opening
from workflow.call.model import Call
from workflow.errors import ConfigError, RunError, UsageError
from workflow.gate import decisions, verdict
from workflow.plan import commandline, documents, presets, settings
from workflow.plan.phases import Agent
from workflow.plan.policies import Signed
from workflow.proof import bundles
from workflow.proof.hygiene import limits
from workflow.view import notices
from workflow.work import environments, prompts, retries, sandbox, spending, touching
from workflow.work.runners import from_brief

SCHEMA = documents.schema("config")


def load(folder: Path, *words: str) -> settings.Settings:
    return settings.load(ROOT, folder, commandline.parse(list(words)))


def config(folder: Path, text: str, name: str = "config/config.yaml") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def refused(folder: Path, *words: str) -> str:
    with pytest.raises((ConfigError, UsageError)) as caught:
        load(folder, *words)
    return str(caught.value)


# Layers


def test_shipped_config_says_what_the_schema_says() -> None:
    def defaults_of(part: dict[str, Any]) -> dict[str, Any]:
        found = {}
        for name, child in part["properties"].items():
            if "properties" in child:
                found[name] = defaults_of(child)
            elif "default" in child:
                found[name] = child["default"]
        return found

    shipped = yaml.load((ROOT / "config" / "config.yaml").read_text(), documents.Loader)
    assert list(shipped) == list(SCHEMA["properties"])
    assert {key: value for key, value in shipped.items() if key != "phases"} == defaults_of(SCHEMA)


def test_each_layer_is_laid_over_the_one_before_key_by_key(tmp_path: Path) -> None:
    assert load(tmp_path)["retry"]["retries"] == 2
    config(tmp_path, "retry: {retries: 3, factor: 5}\ntimeout: 100\n")
    one = config(tmp_path, "retry: {retries: 4}\n", "one.yaml")
    two = config(tmp_path, "retry: {max_delay: 9}\nbundle: {compression: 0}\n", "two.yaml")
    assert [load(tmp_path)["retry"][key] for key in ("retries", "factor", "max_delay")] == [3, 5, 60]
    found = load(tmp_path, "--configfile", str(one), str(two), "--config", "retry={jitter: 0}", "timeout=200")
    assert found["retry"] == load(tmp_path)["retry"] | {"retries": 4, "max_delay": 9, "jitter": 0}
    assert (found["timeout"], found["bundle"], found["sandbox"]) == (200, {"compression": 0}, "auto")


def test_lists_are_replaced_and_runners_added(tmp_path: Path) -> None:
    config(tmp_path, "runners: {mine: {command: [a]}}\nretry: {exit_codes: [9]}\n")
    more = config(tmp_path, "runners: {yours: {command: [b]}, mine: {prompt: file}}\n", "more.yaml")
    found = load(tmp_path, "--configfile", str(more))
    assert (found["runners"]["mine"]["command"], found["runners"]["mine"]["prompt"]) == (["a"], "file")
    assert found["runners"]["yours"] == {
        "command": ["b"], "prompt": "stdin", "env": [], "usage": "none", "model": None, "home": "private", "shares": [],
        "network": "on", "setup": [], "files": {},
    }  # fmt: skip
    assert found["retry"]["exit_codes"] == [9]


def test_entry_that_is_named_like_a_preset_is_laid_over_it_key_by_key(tmp_path: Path) -> None:
    config(tmp_path, "runners: {codex: {model: gpt-5.2, env: [MY_KEY]}}\n")
    found = load(tmp_path)["runners"]
    assert (found["codex"]["model"], found["codex"]["env"], found["codex"]["usage"]) == ("gpt-5.2", ["MY_KEY"], "codex")
    assert found["codex"]["command"] == presets.entry("codex")["command"]
    assert found["claude"]["usage"] == "claude"


def test_runner_without_a_command_is_refused_where_it_stands(tmp_path: Path) -> None:
    config(tmp_path, "\nrunners:\n  mine: {prompt: file}\n")
    said = "config.yaml:3: `runners.mine` lacks the required key `command`; presets with one: claude, codex, gemini, opencode, pi, api"
    assert said in refused(tmp_path)


def test_several_runners_may_be_named_on_the_command_line(tmp_path: Path) -> None:
    assert load(tmp_path, "--config", "runner=codex, pi")["runner"] == ["codex", "pi"]
    assert load(tmp_path, "--config", "runner=codex")["runner"] == "codex"


def test_phases_are_replaced_as_a_whole(tmp_path: Path) -> None:
    assert list(load(tmp_path)["phases"])[0] == "planning"
    config(tmp_path, "phases: {planning: {agents: {me: {}}}}\n")
    found = load(tmp_path)["phases"]
    assert list(found) == ["planning"]
    assert list(found["planning"]["agents"]) == ["me"]
    assert found["planning"]["artifacts"] == {"required": [], "optional": []}


def test_empty_config_file_changes_nothing(tmp_path: Path) -> None:
    before = load(tmp_path).values
    config(tmp_path, "# nothing yet\n")
    assert load(tmp_path).values == before


def test_problem_is_named_in_the_file_that_it_stands_in(tmp_path: Path) -> None:
    config(tmp_path, "timeout: 5\n")
    more = config(tmp_path, "\nsandbox: never\ntimeouts: 3\n", "more.yaml")
    assert refused(tmp_path, "--configfile", str(more)).splitlines() == [
        f"{more}:2: `sandbox` is 'never'; allowed: auto, require, off",
        f"{more}:3: unknown key `timeouts`; did you mean `timeout`? known: {', '.join(sorted(SCHEMA['properties']))}",
    ]
    found = load(tmp_path, "--configfile", str(config(tmp_path, "runner: scaffold\n", "good.yaml")))
    assert found.where("timeout") == f"{tmp_path}/config/config.yaml:1"
    assert found.where("runner") == f"{tmp_path}/good.yaml:1"
    assert found.where("phases", "planning").startswith(f"{ROOT}/config/config.yaml:")


def test_config_file_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    assert refused(tmp_path, "--configfile", "gone.yaml") == "gone.yaml: there is no such file"


# --config


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("timeout=99999", "--config timeout=99999: above the ceiling 7200 that limits.timeout sets"),
        ("timeout=7200.5", "--config timeout=7200.5: above the ceiling 7200 that limits.timeout sets"),
        ("max_parallel_agents=9", "--config max_parallel_agents=9: above the ceiling 8 that limits.max_parallel_agents sets"),
        ("timeout=.inf", "--config: `timeout` is '.inf'; allowed: number"),
        ("timeout=.nan", "--config: `timeout` is '.nan'; allowed: number"),
        ("timeout=0", "--config: `timeout` is 0; allowed: more than 0"),
        ("timeout=", "--config: `timeout` is null; allowed: number"),
        ("timeout=soon", "--config: `timeout` is 'soon'; allowed: number"),
        ("max_parallel_agents=0", "--config: `max_parallel_agents` is 0; allowed: at least 1"),
        ("max_parallel_agents=two", "--config: `max_parallel_agents` is 'two'; allowed: integer"),
        ("max_parallel_agents=1.5", "--config: `max_parallel_agents` is 1.5; allowed: integer"),
        ("sandbox=no", "--config: `sandbox` is 'no'; allowed: auto, require, off"),
        ("bundle={compression: 10}", "--config: `bundle.compression` is 10; allowed: at most 9"),
        ("bundle={compresion: 1}", "--config: unknown key `bundle.compresion`; did you mean `compression`? known: compression"),
        ("run=a/b", "--config: `run` is 'a/b'; allowed: text that matches ^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"),
        ("limits={timeout: 1}", "--config limits={timeout: 1}: unknown key `limits`; only config files may set it"),
        ("phases={}", "--config phases={}: unknown key `phases`; only config files may set it"),
        ("runners={}", "--config runners={}: unknown key `runners`; only config files may set it"),
    ],
)
def test_bad_config_word_is_one_line(tmp_path: Path, word: str, said: str) -> None:
    assert refused(tmp_path, "--config", word) == said


def test_unknown_config_word_lists_settings_and_parameters(tmp_path: Path) -> None:
    said = refused(tmp_path, "--config", "tiemout=5")
    assert said.startswith("--config tiemout=5: unknown key `tiemout`; known: ")
    assert {"timeout", "max_parallel_agents", "note", "phase", "name"} <= set(said.split("known: ")[1].split(", "))
    assert "limits" not in said.split("known: ")[1]


def test_ceiling_holds_for_config_words_and_not_for_files(tmp_path: Path) -> None:
    config(tmp_path, "timeout: 9000\n")
    assert load(tmp_path)["timeout"] == 9000
    assert load(tmp_path, "--config", "timeout=7200", "max_parallel_agents=8")["timeout"] == 7200
    assert "above the ceiling" in refused(tmp_path, "--config", "timeout=8000")
    more = config(tmp_path, "limits: {timeout: 20}\n", "more.yaml")
    assert load(tmp_path)["limits"] == {"max_parallel_agents": 8, "timeout": 7200}
    assert "the ceiling 20 " in refused(tmp_path, "--configfile", str(more), "--config", "timeout=21")


def test_names_on_the_command_line_stay_texts(tmp_path: Path) -> None:
    assert load(tmp_path, "--config", "run=007")["run"] == "007"
    assert load(tmp_path, "--config", "run=no", "intake=1.yaml", "sandbox=off")["run"] == "no"
    assert load(tmp_path, "--config", "run=null")["run"] is None
    assert load(tmp_path, "--config", "run=")["run"] is None
    assert load(tmp_path, "--config", "environments=no")["environments"] == "no"


# Every key of the schema changes something


def leaves(part: dict[str, Any], path: str = "") -> Iterator[str]:
    """Every leaf of the schema; `*` stands for any name, `[]` for any item; a list of plain values is a leaf."""
    here = f"{path}." if path else ""
    if "properties" in part:
        for name, child in part["properties"].items():
            yield from leaves(child, f"{here}{name}")
    elif isinstance(part.get("additionalProperties"), dict):
        yield from leaves(part["additionalProperties"], f"{here}*")
    elif "properties" in part.get("items", {}):
        yield from leaves(part["items"], f"{here}[]")
    else:
        yield path


BASE: dict[str, Any] = {
    "runners": {"tool": {"command": sh("echo made > made.txt")}, "spare": {"command": ["true"]}},
    "phases": {
        "plan": {"agents": {"writer": {"runner": "tool"}}},
        "build": {
            "agents": {"maker": {"runner": "tool"}, "helper": {}},
            "checks": [{"name": "first", "command": ["true"], "environment": "none"}],
        },
    },
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working directory in which the real snakemake has stopped at the first gate."""
    desk = Desk(tmp_path_factory.mktemp("finished"))
    desk.brief()
    desk.write("config/config.yaml", yaml.safe_dump(BASE, sort_keys=False))
    desk.run()
    return desk.path


@dataclass
class Bench:
    """A working directory with a config, and what Phasegate makes of it."""

    folder: Path
    finished: Path
    monkeypatch: pytest.MonkeyPatch
    values: dict[str, Any] = field(default_factory=dict)

    def put(self, key: str, value: Any) -> None:
        """Set a key of the config file, by its dotted path."""
        *parts, last = [int(part) if part.isdigit() else part for part in key.split(".")]
        here: Any = self.values
        for part in parts:
            here = here.setdefault(part, {}) if isinstance(here, dict) else here[part]
        here[last] = value
        config(self.folder, yaml.safe_dump(self.values, sort_keys=False))

    def call(self, *words: str) -> Call:
        """The opening of a call, as the Snakefile makes it (a dry run writes nothing)."""
        self.monkeypatch.chdir(self.folder)
        self.monkeypatch.setenv("PWD", str(self.folder))
        self.monkeypatch.setattr(sys, "argv", ["snakemake", "-n", *words])
        return opening.begin(ROOT, True)

    def agent(self, call: Call, name: str) -> Agent:
        return next(agent for agent in call.plan.agents() if agent.name == name)

    def brief(self, name: str) -> dict[str, Any]:
        """What an agent is told."""
        call = self.call()
        return files.read_json(Path(call.brief(self.agent(call, name))))

    def policy(self, name: str = "writer") -> dict[str, Any]:
        """How an agent's attempts are carried out."""
        call = self.call()
        return json.loads(call.policy(self.agent(call, name)))

    def limits(self, phase: str) -> list[float]:
        """The time limits of a phase's checks."""
        return list(json.loads(self.call().check_options(phase))["timeouts_s"].values())

    def criteria(self, phase: str) -> dict[str, Any]:
        """What a phase is held against."""
        return files.read_json(Path(self.call().criteria(phase)))

    def argv(self, name: str) -> list[str]:
        """The command of an agent."""
        return from_brief(self.brief(name)["runner"]).argv("PROMPT", Path("/p.md"), Path("/b.json"))

    def prompt(self, name: str) -> str:
        """What an agent is told, in words."""
        brief = self.brief(name)
        base = files.read_json(self.finished / "runs/demo/plan/base.json")["commit"]
        return prompts.render(
            brief, self.finished / "runs/demo/project.git", base, self.finished / "runs/demo", [], self.policy(name)["prompts"]
        )

    def run_copy(self) -> Path:
        """A run of our own, in which the phase `plan` has been carried out once."""
        if not (self.folder / "runs").exists():
            shutil.copytree(self.finished / "runs", self.folder / "runs", symlinks=True)
        return self.folder / "runs" / "demo"

    def script(self, name: str, *words: str) -> None:
        """Run one of the programs that the rules call."""
        program = [sys.executable, str(ROOT / "scripts" / f"{name}.py"), "runs/demo", *words]
        subprocess.run(program, cwd=self.folder, check=True, capture_output=True, stdin=subprocess.DEVNULL)

    def outcome(self, command: list[str]) -> dict[str, Any]:
        """Let the agent `writer` really work, with this command."""
        if self.values["runners"]["tool"]["command"] != command:
            self.put("runners.tool.command", command)
        brief, policy, folder = self.brief("writer"), self.policy(), self.run_copy() / "plan" / "agents" / "writer"
        shutil.rmtree(folder)
        files.write_json(folder / "brief.json", brief)
        self.script("run_agent", "plan", "writer", "--policy", json.dumps(policy))
        return files.read_json(folder / "outcome.json") | {"patch": (folder / "changes.patch").read_text()}

    def validation(self, phase: str = "plan") -> dict[str, Any]:
        """Hold the result of `plan` against the criteria of a phase."""
        criteria = self.criteria(phase)
        files.write_json(self.run_copy() / "plan" / "criteria.json", criteria)
        self.script("validate_phase", "plan", "--options", self.call().check_options(phase))
        return files.read_json(self.run_copy() / "plan" / "validation.json")


@pytest.fixture
def bench(tmp_path: Path, finished: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    made = Bench(tmp_path, finished, monkeypatch, copy.deepcopy(BASE))
    config(tmp_path, yaml.safe_dump(INTAKE), "config/intake.yaml")
    return made


def runner_of(name: str) -> Callable[[Bench], str]:
    return lambda bench: bench.brief(name)["runner"]["name"]


def of_runner(name: str) -> Callable[[Bench], Any]:
    return lambda bench: getattr(from_brief(bench.brief("writer")["runner"]), name)


def model_words(bench: Bench) -> list[str]:
    bench.put("runners.tool.command", ["tool", ["-m", "{model}"]])
    return bench.argv("writer")


def home_files(bench: Bench) -> dict[str, str]:
    return from_brief(bench.brief("writer")["runner"]).home_files(Path("/tree"), Path("/home/agent"))


def limited(word: str) -> Callable[[Bench], str]:
    def observe(bench: Bench) -> str:
        try:
            load(bench.folder, "--config", word)
        except UsageError:
            return "refused"
        return "taken"

    return observe


def attempts(bench: Bench) -> int:
    outcome = bench.outcome(sh("exit 75"))
    assert outcome["status"] == "failed"
    return len(outcome["attempts"])


def pause(name: str, count: int) -> Callable[[Bench], float]:
    """The delay before a repetition; without jitter, so that it is exact."""
    return lambda bench: round(retries.delay(count, bench.policy(name)["retry"] | {"jitter": 0}), 6)


def varies(name: str) -> Callable[[Bench], bool]:
    def observe(bench: Bench) -> bool:
        retry = bench.policy(name)["retry"]
        return len({retries.delay(0, retry) for _ in range(20)}) > 1

    return observe


def repeated(name: str) -> Callable[[Bench], bool]:
    """Whether an attempt that ended with 9 and said `Server is busy` is worth another one."""

    def observe(bench: Bench) -> bool:
        folder = bench.folder / "attempts" / "001"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "output.log").write_text("Server is BUSY\n")
        return retries.retryable({"status": "failed"}, {"exit_code": 9}, folder / "output.log", bench.policy(name)["retry"])

    return observe


def judged_with_another_digest(bench: Bench) -> str:
    """The verdict on a marker that names a digest which is not the one shown."""
    marker = bench.finished / "runs/demo/plan/APPROVED"
    marker.write_text("0" * 64)
    try:
        return judged(bench)
    finally:
        marker.unlink()


def signed(bench: Bench) -> str:
    """The state of a gate that wants signatures and has Ann's."""
    bench.put("gate.policy", "signed")
    return with_signature(bench).state


def with_signature(bench: Bench) -> verdict.Verdict:
    """The verdict on an approval that Ann has signed; `signers/one` lists her, `signers/two` does not."""
    bench.monkeypatch.chdir(bench.finished)
    key = bench.finished / "signers/ann"
    if not key.exists():
        write_allowed(bench.finished / "signers/one", {ANN: make_key(key.parent, "ann")})
        write_allowed(bench.finished / "signers/two", {BOB: make_key(key.parent, "bob")})
    if "allowed_signers" not in bench.values.get("gate", {}):
        bench.put("gate.allowed_signers", "signers/one")
    decisions.approve(Path("runs/demo"), "plan", [], ANN, "", "", None, Signed("signers/one"), key)
    try:
        call = bench.call()
        bench.monkeypatch.chdir(bench.finished)
        return call.judge("plan")
    finally:
        for name in ("APPROVED", "APPROVED.sig"):
            (bench.finished / "runs/demo/plan" / name).unlink()


def fans_out(bench: Bench) -> list[str]:
    return [agent.for_each for agent in bench.call().plan.agents() if agent.for_each]


def told_of_touches(bench: Bench) -> bool:
    """Whether a task of the agent has failed that changed a file outside of what it touches."""
    bench.put("phases.plan.agents.writer.for_each", "plan/tasks.yaml")
    outcome = {"artifacts": [{"path": "b"}], "deleted": [], "findings": [], "findings_count": 0, "status": "succeeded"}
    return touching.judge(outcome, ["a"], bench.brief("writer")["touches"] == "strict")["status"] == "failed"


def judged(bench: Bench) -> str:
    call = bench.call()
    bench.monkeypatch.chdir(bench.finished)
    return call.judge("plan").state


def cap(bench: Bench) -> int:
    holder = SimpleNamespace(global_resources={})
    engine.cap_agents(holder, bench.call())
    return holder.global_resources["agents"]


def protection(bench: Bench) -> str:
    try:
        return sandbox.choose(bench.policy()["sandbox"])
    except RunError as error:
        return str(error)


def required_protection() -> str:
    return next(filter(sandbox.works, sandbox.KINDS), sandbox.REFUSED)


def bundle_method(bench: Bench) -> int:
    """How the files in a bundle are packed (0 stored, 8 deflated)."""
    options = json.loads(bench.call().request_options("plan"))
    run_dir = bench.finished / "runs" / "demo"
    manifest = files.read_json(run_dir / "plan" / "manifest.json")
    made = bundles.pack(run_dir, manifest, bench.folder / "bundle.zip", options["compression"])
    with zipfile.ZipFile(made) as archive:
        return archive.infolist()[0].compress_type


def told_by_notify(bench: Bench) -> str:
    """What the command of `notify` leaves behind when a gate waits."""
    shutil.rmtree(bench.run_copy() / "history" / "notified", ignore_errors=True)
    call = bench.call()
    assert notices.send(call.run_dir, [call.judge("plan")], call.settings["notify"]) == []
    said = bench.folder / "said.txt"
    return said.read_text().strip() if said.exists() else ""


def given_prompt(bench: Bench) -> tuple[bool, str]:
    """Whether the program finds a prompt on its standard input, and what stands in the place of {prompt}."""
    patch = bench.outcome(["sh", "-c", 'head -c 20 > in.txt; printf %s "$0" | head -c 20 > arg.txt', "{prompt}"])["patch"]
    return "+# writer, phase plan" in patch.split("in.txt")[-1], "text" if "+# writer" in patch.split("+++ b/in.txt")[0] else "path"


def sees_token(bench: Bench) -> bool:
    bench.monkeypatch.setenv("PHASE_TOKEN", "secret")
    runner = from_brief(bench.brief("writer")["runner"])
    return "PHASE_TOKEN" in sandbox.environment(sandbox.Room.inside(bench.folder), runner.env, {})


def finds_environment(bench: Bench) -> bool:
    bench.put("environments", str(bench.folder / "environments"))
    return "+none" not in bench.outcome(sh('echo "${VIRTUAL_ENV:-none}" > v.txt'))["patch"]


def grader_of_checks(bench: Bench) -> list[Any]:
    """Whether a check sees the file that the phase made, and which files it sees as they were before."""
    bench.put("phases.build.checks.0.command", ["test", "-e", "made.txt"])
    found = bench.validation("build")
    return [found["status"], found["restored"]]


def has_environment(bench: Bench) -> bool:
    bench.put("environments", str(bench.folder / "environments"))
    return bench.validation("build")["environment"] is not None


def slow_check(bench: Bench) -> str:
    bench.put("phases.build.checks.0.command", ["sleep", "0.3"])
    return bench.validation("build")["checks"][0]["status"]


def first_check(key: str) -> Callable[[Bench], Any]:
    return lambda bench: bench.validation("build")["checks"][0][key]


def says(name: str, *texts: str) -> Callable[[Bench], list[bool]]:
    return lambda bench: [text in bench.prompt(name) for text in texts]


def says_mine(bench: Bench) -> bool:
    bench.folder.joinpath("mine").mkdir(exist_ok=True)
    bench.folder.joinpath("mine", "agent.md.j2").write_text("Mine.\n")
    return bench.prompt("writer") == "Mine.\n"


def store(bench: Bench) -> str:
    return environments.store(bench.policy()["environments"]).name


def refused_tree(bench: Bench) -> str:
    """Why a tree with three files of 100 bytes each is refused, if it is."""
    outcome = bench.outcome(sh("for n in 1 2 3; do head -c 100 /dev/zero > $n; done"))
    match = re.search(r"` (h[^;]*);", " ".join(outcome["errors"]))
    return match[1] if match else ""


def scanned(bench: Bench) -> str:
    """What the scan finds where an agent has left a key."""
    key = TOKENS["GitHub Token"]
    bench.outcome(sh(f"echo {key} > local.env"))
    bench.script("merge_phase", "plan", "writer")
    return bench.validation()["scan"]["status"]


def scored(bench: Bench) -> dict[str, Any]:
    """The hygiene of `plan`, whose tree holds one file of 5 bytes that nothing names, and what of it is reviewed."""
    files.write_json(bench.run_copy() / "plan" / "criteria.json", bench.criteria("plan"))
    bench.script("score_hygiene", "plan", "--options", bench.call().hygiene_options())
    record = files.read_json(bench.run_copy() / "plan" / "hygiene.json")
    return {**record, "violations": limits.subject(bench.run_copy(), "plan").get("hygiene", {}).get("violations")}


def violations(bench: Bench) -> list[str] | None:
    return scored(bench)["violations"]


def large_files(bench: Bench) -> int:
    return scored(bench)["components"]["large_files"]["found"]


def stops(amount: str) -> Callable[[Bench], str]:
    """What becomes of an agent that has used 3 calls, 100 tokens, half a dollar and a moment."""

    def observe(bench: Bench) -> str:
        used = {"model_calls": 3, "input_tokens": 60, "output_tokens": 40, "cost_usd": 0.5, "wall_s": 9.0}
        folder = bench.run_copy() / "plan" / "agents" / "writer" / "attempts" / "001"
        files.write_json(folder / "usage.json", used)
        files.write_json(folder / "exit.json", files.read_json(folder / "exit.json") | {"duration_s": 9.0})
        limits = spending.limits(json.loads(bench.call().policy(bench.agent(bench.call(), "writer")))["budgets"])
        return spending.reached(limits, spending.all_of(bench.run_copy()))

    return observe


def budget_effects(prefix: str, where: str, name: str) -> dict[str, Effect]:
    """The keys of a budget of the run, a phase, or an agent."""
    enough = {"usd": ("0.5", "USD"), "tokens": ("100", "tokens"), "model_calls": ("3", "model calls"), "wall_s": ("9", "seconds of work")}
    made = {}
    for kind, (used, unit) in enough.items():
        most: Any = float(used) if "." in used else int(used)
        said = f"the budget of {name} is spent: {used} of {used} {unit}"
        made[f"{prefix}.{kind}"] = Effect(f"{where}.{kind}", stops(kind), ((most, said), (most * 2, "")))
    return made


def produced(bench: Bench) -> str:
    return " ".join(bench.outcome(sh("echo x > x.txt"))["errors"])


def set_up(bench: Bench) -> tuple[str, bool]:
    """What an agent finds that its set-up has made, and whether that counts as its work."""
    outcome = bench.outcome(sh("cat prepared > made.txt 2>&1 || true; echo done >> made.txt"))
    return outcome["status"], "+ready" in outcome["patch"] and "b/prepared" not in outcome["patch"]


def own_home(bench: Bench) -> bool:
    """Whether an agent sees a login that is kept in the user's home."""
    home = bench.folder / "home-of-the-user"
    (home / ".tool").mkdir(parents=True, exist_ok=True)
    (home / ".tool/login").write_text("logged in")
    bench.monkeypatch.setenv("HOME", str(home))
    if "shares" not in bench.values["runners"]["tool"]:
        bench.put("runners.tool.shares", [".tool"])
    if "home" not in bench.values["runners"]["tool"]:
        bench.put("runners.tool.home", "shared")
    return "+logged in" in bench.outcome(sh("cat ~/.tool/login > l.txt; echo x > x.txt"))["patch"]


def reaches_a_server(bench: Bench) -> bool:
    """Whether an agent reaches a server on this machine; where nothing can cut it off, it does not start."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        script = (
            f"import socket; socket.create_connection(('127.0.0.1', {server.getsockname()[1]}), 2); open('r.txt', 'w').write('reached')"
        )
        return "+reached" in bench.outcome([sys.executable, "-c", script])["patch"]


def declared_names(bench: Bench) -> list[str]:
    bench.put("runners.tool.env", ["API_URL", "API_KEY"])
    return bench.call().declared()


@dataclass(frozen=True)
class Effect:
    """A key in the config file, how its effect is seen, and what is seen for some values."""

    key: str
    observe: Callable[[Bench], Any]
    seen: tuple[tuple[Any, Any], ...]


def retry_effects(prefix: str, where: str, name: str) -> dict[str, Effect]:
    """The keys of a retry policy, general or of one agent."""
    counted = ((0, 1), (1, 2))
    return {
        f"{prefix}.retries": Effect(f"{where}.retries", attempts, counted),
        f"{prefix}.base_delay": Effect(f"{where}.base_delay", pause(name, 1), ((1, 2.0), (3, 6.0))),
        f"{prefix}.factor": Effect(f"{where}.factor", pause(name, 2), ((1, 0.7), (3, 6.3))),
        f"{prefix}.max_delay": Effect(f"{where}.max_delay", pause(name, 12), ((5, 5), (7, 7))),
        f"{prefix}.jitter": Effect(f"{where}.jitter", varies(name), ((0, False), (0.5, True))),
        f"{prefix}.exit_codes": Effect(f"{where}.exit_codes", repeated(name), (([9], True), ([8], False))),
        f"{prefix}.messages": Effect(f"{where}.messages", repeated(name), ((["server is busy"], True), (["nothing"], False))),
    }


EFFECTS: dict[str, Effect] = {
    "intake": Effect(
        "intake",
        lambda bench: bench.call().intake["goals"]["primary"],
        (("config/intake.yaml", "Show that it works."), ("two.yaml", "Two.")),
    ),
    "prompts": Effect("prompts", says_mine, ((None, False), ("mine", True))),
    "run": Effect("run", lambda bench: bench.call().run, ((None, "demo"), ("second-try", "second-try"))),
    "runner": Effect("runner", runner_of("helper"), (("scaffold", "scaffold"), ("spare", "spare"))),
    "runners.*.command": Effect(
        "runners.tool.command",
        lambda bench: bench.argv("writer"),
        ((["a", "{brief}"], ["a", "/b.json"]), (["b", "-{prompt}-"], ["b", "-/p.md-"])),
    ),
    "runners.*.prompt": Effect(
        "runners.tool.prompt", given_prompt, (("stdin", (True, "path")), ("argument", (False, "text")), ("file", (False, "path")))
    ),
    "runners.*.env": Effect("runners.tool.env", sees_token, (([], False), (["PHASE_TOKEN"], True))),
    "runners.*.usage": Effect("runners.tool.usage", of_runner("usage"), (("none", "none"), ("codex", "codex"))),
    "runners.*.home": Effect("runners.tool.home", own_home, (("private", False), ("shared", True))),
    "runners.*.shares": Effect("runners.tool.shares", own_home, (([], False), ([".tool"], True))),
    "runners.*.network": Effect("runners.tool.network", reaches_a_server, (("on", True), ("off", False))),
    "runners.*.setup": Effect(
        "runners.tool.setup", set_up, (([], ("succeeded", False)), (sh("echo ready > prepared"), ("succeeded", True)))
    ),
    **budget_effects("budget", "budget", "the run"),
    "runners.*.model": Effect("runners.tool.model", model_words, ((None, ["tool"]), ("big-1", ["tool", "-m", "big-1"]))),
    "runners.*.files.*": Effect("runners.tool.files", home_files, (({}, {}), ({"a/b": "in {home}"}, {"a/b": "in /home/agent"}))),
    "max_parallel_agents": Effect("max_parallel_agents", cap, ((1, 1), (5, 5))),
    "timeout": Effect(
        "timeout",
        lambda bench: (bench.policy()["timeout_s"], bench.limits("build")[0]),
        ((60, (60, 60)), (90, (90, 90))),
    ),
    "limits.max_parallel_agents": Effect("limits.max_parallel_agents", limited("max_parallel_agents=4"), ((3, "refused"), (4, "taken"))),
    "limits.timeout": Effect("limits.timeout", limited("timeout=500"), ((499, "refused"), (500, "taken"))),
    **retry_effects("retry", "retry", "writer"),
    "gate.policy": Effect("gate.policy", judged_with_another_digest, (("digest", "stale"), ("marker", "open"))),
    "gate.allowed_signers": Effect("gate.allowed_signers", signed, (("signers/one", "open"), ("signers/two", "stale"))),
    "gate.approvals": Effect("gate.approvals", signed, ((1, "open"), (2, "waiting"))),
    "gate.approvers": Effect("gate.approvers", signed, (([], "open"), ([BOB], "stale"))),
    "gate.expires_days": Effect("gate.expires_days", signed, ((None, "open"), (1e-9, "stale"))),
    "sandbox": Effect("sandbox", protection, (("off", "none"), ("require", required_protection()))),
    "tree.max_files": Effect("tree.max_files", refused_tree, ((2, "holds 3 files"), (3, ""))),
    "tree.max_file_bytes": Effect("tree.max_file_bytes", refused_tree, ((99, "has 100 bytes"), (100, ""))),
    "tree.max_total_bytes": Effect("tree.max_total_bytes", refused_tree, ((299, "holds 300 bytes in all"), (300, ""))),
    "secrets.allow": Effect("secrets.allow", scanned, (([], "found"), (["*.env"], "clean"))),
    "secrets.public": Effect("secrets.public", declared_names, (([], ["API_KEY", "API_URL"]), (["API_URL"], ["API_KEY"]))),
    "hygiene.min_score": Effect("hygiene.min_score", violations, ((None, None), (98, []), (99, ["min_score"]))),
    "hygiene.max_orphans": Effect("hygiene.max_orphans", violations, ((None, None), (1, []), (0, ["max_orphans"]))),
    "hygiene.large_file_bytes": Effect("hygiene.large_file_bytes", large_files, ((5, 1), (6, 0))),
    "bundle.compression": Effect("bundle.compression", bundle_method, ((0, 0), (9, 8))),
    "notify": Effect("notify", told_by_notify, (([], ""), (sh('echo "$PHASEGATE_PHASE $PHASEGATE_STATE" > said.txt'), "plan waiting"))),
    "environments": Effect("environments", store, ((None, "environments"), ("/srv/venvs", "venvs"))),
    "phases.*.gate": Effect("phases.plan.gate", judged, (("required", "waiting"), ("none", "open"))),
    "phases.*.policy": Effect(
        "phases.plan.policy", lambda bench: with_signature(bench).trust, ((None, "recorded"), ("marker", "unsigned"), ("signed", "signed"))
    ),
    "phases.*.approvals": Effect("phases.plan.approvals", signed, ((None, "open"), (2, "waiting"))),
    "phases.*.approvers": Effect("phases.plan.approvers", signed, ((None, "open"), ([BOB], "stale"))),
    "phases.*.expires_days": Effect("phases.plan.expires_days", signed, ((None, "open"), (1e-9, "stale"))),
    "phases.*.types": Effect(
        "phases.build.types", lambda bench: list(bench.call().plan.phases), ((["ml"], ["plan"]), (["ml", "other"], ["plan", "build"]))
    ),
    "phases.*.after": Effect("phases.build.after", lambda bench: bench.call().plan.upstream("build"), ((None, ["plan"]), ([], []))),
    "phases.*.parallel": Effect("phases.build.parallel", lambda bench: bench.brief("helper")["needs"], ((True, []), (False, ["maker"]))),
    "phases.*.runner": Effect("phases.build.runner", runner_of("helper"), ((None, "scaffold"), ("spare", "spare"))),
    "phases.*.timeout": Effect("phases.build.timeout", lambda bench: bench.policy("helper")["timeout_s"], ((None, 1800), (7, 7))),
    **budget_effects("phases.*.budget", "phases.plan.budget", "phase plan"),
    "phases.*.hygiene.min_score": Effect("phases.plan.hygiene.min_score", violations, ((None, None), (98, []), (99, ["min_score"]))),
    "phases.*.hygiene.max_orphans": Effect("phases.plan.hygiene.max_orphans", violations, ((None, None), (1, []), (0, ["max_orphans"]))),
    "phases.*.artifacts.required": Effect(
        "phases.plan.artifacts.required", lambda bench: bench.validation()["status"], ((["*.txt"], "pass"), (["gone.txt"], "fail"))
    ),
    "phases.*.artifacts.optional": Effect(
        "phases.plan.artifacts.optional", lambda bench: bench.validation()["status"], ((["*.txt"], "pass"), (["gone.txt"], "partial"))
    ),
    "phases.*.agents.*.role": Effect(
        "phases.plan.agents.writer.role",
        says("writer", "a senior specialist", "a quality engineer"),
        ((None, [True, False]), ("qa", [False, True])),
    ),
    "phases.*.agents.*.runner": Effect("phases.build.agents.helper.runner", runner_of("helper"), ((None, "scaffold"), ("tool", "tool"))),
    "phases.*.agents.*.needs": Effect(
        "phases.build.agents.helper.needs", lambda bench: bench.brief("helper")["needs"], (([], []), (["maker"], ["maker"]))
    ),
    "phases.*.agents.*.for_each": Effect("phases.plan.agents.writer.for_each", fans_out, ((None, []), ("src/*.py", ["src/*.py"]))),
    "phases.*.agents.*.touches": Effect("phases.plan.agents.writer.touches", told_of_touches, (("findings", False), ("strict", True))),
    "phases.*.agents.*.instructions": Effect(
        "phases.plan.agents.writer.instructions", says("writer", "> Use a zebra."), (("", [False]), ("Use a zebra.", [True]))
    ),
    "phases.*.agents.*.timeout": Effect(
        "phases.build.agents.helper.timeout", lambda bench: bench.policy("helper")["timeout_s"], ((None, 1800), (8, 8))
    ),
    **retry_effects("phases.*.agents.*.retry", "phases.plan.agents.writer.retry", "writer"),
    **budget_effects("phases.*.agents.*.budget", "phases.plan.agents.writer.budget", "agent plan_writer"),
    "phases.*.agents.*.produces": Effect(
        "phases.plan.agents.writer.produces",
        produced,
        ((["*.txt"], ""), (["*.md"], "the program exited 0 but made nothing that matches *.md")),
    ),
    "phases.*.agents.*.protected": Effect(
        "phases.plan.agents.writer.protected",
        produced,
        (([], ""), (["*.txt"], "the agent changed protected files: x.txt (protected: *.txt)")),
    ),
    "phases.*.agents.*.owns": Effect(
        "phases.plan.agents.writer.owns",
        produced,
        (([], ""), (["docs/**"], "the agent wrote files that it does not own: x.txt (owns: docs/**)")),
    ),
    "phases.*.protected": Effect("phases.build.protected", grader_of_checks, (([], ["pass", []]), (["made.txt"], ["fail", ["made.txt"]]))),
    "phases.*.agents.*.allow_no_changes": Effect(
        "phases.plan.agents.writer.allow_no_changes",
        lambda bench: bench.outcome(["true"])["status"],
        ((False, "no_changes"), (True, "succeeded")),
    ),
    "phases.*.agents.*.environment": Effect(
        "phases.plan.agents.writer.environment", finds_environment, (("none", False), ("python", True))
    ),
    "phases.*.checks.[].name": Effect(
        "phases.build.checks.0.name", first_check("log"), (("one", "plan/checks/one.log"), ("two", "plan/checks/two.log"))
    ),
    "phases.*.checks.[].command": Effect("phases.build.checks.0.command", first_check("status"), ((["true"], "pass"), (["false"], "fail"))),
    "phases.*.checks.[].purpose": Effect(
        "phases.build.checks.0.purpose", says("maker", "1. first: It is a zebra."), (("", [False]), ("It is a zebra.", [True]))
    ),
    "phases.*.checks.[].timeout": Effect("phases.build.checks.0.timeout", slow_check, ((0.1, "unknown"), (60, "pass"))),
    "phases.*.checks.[].environment": Effect("phases.build.checks.0.environment", has_environment, (("none", False), ("python", True))),
}


def test_every_key_of_the_schema_has_its_effect_in_the_table() -> None:
    assert sorted(EFFECTS) == sorted(leaves(SCHEMA))


@pytest.mark.parametrize("path", EFFECTS)
def test_changed_key_changes_what_is_done(bench: Bench, path: str) -> None:
    config(bench.folder, yaml.safe_dump(INTAKE | {"goals": {"primary": "Two."}}), "two.yaml")
    bench.put("retry.base_delay", 0 if path.endswith("retries") else 0.7)
    effect, found = EFFECTS[path], []
    for value, _ in effect.seen:
        bench.put(effect.key, value)
        found.append(effect.observe(bench))
    assert found == [seen for _, seen in effect.seen]
    assert all(found[0] != other for other in found[1:])
