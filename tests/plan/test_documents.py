"""YAML documents: what is refused, and that each message names file, line, key and what is allowed."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from workflow.plan import documents

PATH = Path("some/config.yaml")


def problems(text: str, schema: str = "config") -> list[str]:
    return documents.problems(documents.parse(text, PATH), schema)


def refused(text: str) -> str:
    with pytest.raises(documents.DocumentError) as caught:
        documents.parse(text, PATH)
    return str(caught.value)


def test_key_that_stands_twice_is_refused_with_both_lines() -> None:
    text = "runner: scaffold\nretry:\n  retries: 1\n  factor: 2\n  retries: 2\n"
    assert refused(text) == "some/config.yaml:5: key `retries` stands twice (first on line 3); keep one"


def test_same_key_in_two_places_is_no_duplicate() -> None:
    assert documents.parse("a: {x: 1}\nb: {x: 1}\nc: [{x: 1}, {x: 1}]\n", PATH).data["c"] == [{"x": 1}, {"x": 1}]


@pytest.mark.parametrize("text", ["a: [1, 2\nb: 3\n", "a: b: c\n", "a:\n\t- x\n", "a: 'open\n", "a: 1\n---\nb: 2\n", "a: *gone\n"])
def test_bad_yaml_is_one_line_with_file_and_line(text: str) -> None:
    said = refused(text)
    assert said.startswith("some/config.yaml:")
    assert said.split(":")[1].isdigit()
    assert "not valid YAML" in said
    assert "\n" not in said


@pytest.mark.parametrize(("text", "kind"), [("- a\n- b\n", "list"), ("only words\n", "str"), ("42\n", "int")])
def test_file_that_is_no_mapping_is_refused(text: str, kind: str) -> None:
    assert refused(text) == f"some/config.yaml:1: must be a mapping of keys to values, not a {kind}"


@pytest.mark.parametrize("text", ["", "\n\n", "# only a comment\n", "---\n"])
def test_empty_file_is_an_empty_mapping(text: str) -> None:
    document = documents.parse(text, PATH)
    assert document.data == {}
    assert documents.problems(document, "config") == []


def test_empty_intake_lacks_each_required_key_on_a_line_of_its_own() -> None:
    assert problems("", "intake") == [
        "some/config.yaml:1: the file lacks the required key `goals`",
        "some/config.yaml:1: the file lacks the required key `project`",
    ]


def test_missing_file_and_file_that_is_no_text_are_named(tmp_path: Path) -> None:
    with pytest.raises(documents.DocumentError, match=r"gone\.yaml: there is no such file"):
        documents.load(tmp_path / "gone.yaml")
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(documents.DocumentError, match=r"binary\.yaml: cannot be read"):
        documents.load(tmp_path / "binary.yaml")
    with pytest.raises(documents.DocumentError, match="cannot be read"):
        documents.load(tmp_path)


@pytest.mark.parametrize(("key", "shown"), [("1", "key `1`"), ("007", "key `007`"), ("true", "key `true`"), ("null", "key `null`")])
def test_key_that_is_no_text_is_refused_with_a_hint(key: str, shown: str) -> None:
    assert refused(f"phases:\n  {key}: {{}}\n") == f"some/config.yaml:2: {shown} is not a text; put it in quotes"


def test_key_that_is_a_list_is_refused() -> None:
    assert refused("? [a, b]\n: c\n") == "some/config.yaml:1: key is not a text; put it in quotes"


@pytest.mark.parametrize("word", ["off", "on", "no", "yes", "Off", "NO"])
def test_words_of_yaml_1_1_are_texts(word: str) -> None:
    assert documents.parse(f"sandbox: {word}\n", PATH).data == {"sandbox": word}


def test_sandbox_off_needs_no_quotes_and_booleans_are_booleans() -> None:
    assert problems("sandbox: off\n") == []
    data = documents.parse("a: true\nb: False\nc: TRUE\n", PATH).data
    assert [data["a"], data["b"], data["c"]] == [True, False, True]


@pytest.mark.parametrize("value", [".nan", ".inf", "-.inf", "+.INF", ".NaN"])
def test_numbers_that_no_limit_holds_against_are_refused(value: str) -> None:
    assert problems(f"timeout: {value}\n") == [f"some/config.yaml:1: `timeout` is '{value}'; allowed: number"]


def test_usual_numbers_stay_numbers() -> None:
    data = documents.parse("a: -1\nb: .5\nc: -2.5\nd: +3.0\ne: 1.5e+3\n", PATH).data
    assert list(data.values()) == [-1, 0.5, -2.5, 3.0, 1500.0]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("runer: x\n", "1: unknown key `runer`; did you mean `runner`? known: budget, "),
        ("retry:\n  retires: 1\n", "2: unknown key `retry.retires`; did you mean `retries`? known: base_delay, "),
        ("\nqqq: 1\n", "2: unknown key `qqq`; known: budget, "),
    ],
)
def test_unknown_key_is_named_with_the_known_ones_and_the_nearest(text: str, said: str) -> None:
    (only,) = problems(text)
    assert only.startswith(f"some/config.yaml:{said}")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("timeout: soon\n", "1: `timeout` is 'soon'; allowed: number"),
        ("run: 5\n", "1: `run` is 5; allowed: string or null"),
        ("runners:\n", "1: `runners` is null; allowed: object"),
        ("max_parallel_agents: true\n", "1: `max_parallel_agents` is true; allowed: integer"),
        ("max_parallel_agents: 2.0\n", "1: `max_parallel_agents` is 2.0; allowed: integer"),
        ("gate:\n  policy: open\n", "2: `gate.policy` is 'open'; allowed: marker, digest, signed"),
        ("sandbox: maybe\n", "1: `sandbox` is 'maybe'; allowed: auto, require, off"),
        ("bundle: {compression: 10}\n", "1: `bundle.compression` is 10; allowed: at most 9"),
        ("bundle: {compression: -1}\n", "1: `bundle.compression` is -1; allowed: at least 0"),
        ("timeout: 0\n", "1: `timeout` is 0; allowed: more than 0"),
        ("intake: ''\n", "1: `intake` is empty; it needs a value"),
        ("run: a b\n", "1: `run` is 'a b'; allowed: text that matches ^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"),
        ('run: "demo\\n"\n', "1: `run` is 'demo\\n'; allowed: text that matches ^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"),
        (
            "runners:\n  tool: {usage: much}\n",
            "2: `runners.tool.usage` is 'much'; allowed: none, claude, codex, gemini, opencode, pi, api, aider, mini-swe-agent",
        ),
        ("runners:\n  tool: {command: []}\n", "2: `runners.tool.command` is empty; it needs a value"),
        (
            "phases:\n  build one: {agents: {a: {}}}\n",
            "2: `phases` has the name 'build one'; allowed: names that match ^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$",
        ),
    ],
)
def test_message_names_file_line_key_and_what_is_allowed(text: str, said: str) -> None:
    assert problems(text) == [f"some/config.yaml:{said}"]


def test_problem_deep_in_a_list_is_named_by_its_own_line() -> None:
    text = """\
phases:
  build:
    agents: {maker: {}}
    checks:
      - name: first
        command: ["true"]
      - name: second
        command: ["true"]
        timeout: -1
"""
    assert problems(text) == ["some/config.yaml:9: `phases.build.checks.1.timeout` is -1; allowed: more than 0"]


def test_all_problems_are_told_in_the_order_of_the_lines() -> None:
    text = "bundle: {compression: 11}\ntimeout: x\nzzz: 1\nretry:\n  retries: -1\n"
    assert [line.split(":")[1] for line in problems(text)] == ["1", "2", "3", "5"]


def test_long_value_is_shortened_in_a_message() -> None:
    (line,) = problems(f"timeout: {'x' * 500}\n")
    assert len(line) < 150
    assert "..." in line


def test_defaults_fill_every_place_that_was_left_out() -> None:
    data = documents.parse("phases: {build: {agents: {maker: }, checks: [{name: a, command: [x]}]}}\n", PATH).data
    data["phases"]["build"]["agents"]["maker"] = {}
    filled = documents.fill_defaults(data, documents.schema("config"))
    assert filled["retry"] == {
        "retries": 2, "base_delay": 0.7, "factor": 2.0, "max_delay": 60, "jitter": 0.25,
        "exit_codes": [75, 101], "messages": ["rate limit", "transient network"],
    }  # fmt: skip
    build = filled["phases"]["build"]
    assert build["artifacts"] == {"required": [], "optional": []}
    assert build["agents"]["maker"]["needs"] == []
    assert build["checks"] == [{"name": "a", "command": ["x"], "purpose": "", "timeout": None, "environment": "python"}]
    assert data == {"phases": {"build": {"agents": {"maker": {}}, "checks": [{"name": "a", "command": ["x"]}]}}}


def test_filling_twice_changes_nothing_and_keeps_what_was_given() -> None:
    data = {"project": {"name": "x", "type": "ml", "version": "9.9.9"}, "goals": {"primary": "p"}, "risks": [{"description": "r"}]}
    once = documents.fill_defaults(data, documents.schema("intake"))
    assert documents.fill_defaults(once, documents.schema("intake")) == once
    assert once["project"]["version"] == "9.9.9"
    assert once["risks"] == [{"description": "r", "likelihood": "medium", "impact": "medium", "mitigation": ""}]


@pytest.mark.parametrize("name", ["config", "intake"])
def test_each_schema_is_a_good_schema_and_each_key_says_what_it_is(name: str) -> None:
    import jsonschema

    schema = documents.schema(name)
    jsonschema.Draft202012Validator.check_schema(schema)

    def silent(part: dict, path: str) -> list[str]:
        found = []
        for key, child in part.get("properties", {}).items():
            here = f"{path}.{key}"
            found += ([] if child.get("description") else [here]) + silent(child, here)
        for word in ("items", "additionalProperties"):
            if isinstance(part.get(word), dict):
                found += silent(part[word], f"{path}.*")
        return found

    assert silent(schema, name) == []


def test_where_names_the_nearest_line() -> None:
    document = documents.parse(yaml.safe_dump({"a": {"b": [1, 2]}}), PATH)
    assert document.where("a", "b", 1) == "some/config.yaml:4"
    assert document.where("a", "b", 7, "x") == "some/config.yaml:2"
    assert document.where("nowhere") == "some/config.yaml:1"
