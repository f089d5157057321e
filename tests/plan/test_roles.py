"""Roles: a folder of one's own is laid over the shipped templates, and its mistakes are told before anything is paid for."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from conftest import INTAKE, ROOT

from workflow.errors import ConfigError, RunError
from workflow.plan import documents, roles
from workflow.plan.settings import Settings
from workflow.work import prompts, trees

SHIPPED = sorted(path.name for path in roles.PROMPTS.glob("*.j2"))


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """An empty folder for templates of one's own."""
    folder = tmp_path / "my prompts"
    folder.mkdir()
    return folder


def hashes(mine: Path | None) -> dict[str, str]:
    """The hash of each role."""
    return {role: roles.prompt_sha256(role, mine) for role in roles.names(mine)}


@pytest.mark.parametrize("name", SHIPPED)
def test_one_changed_copy_concerns_exactly_the_roles_that_are_made_of_it(mine: Path, name: str) -> None:
    before, made_of = hashes(None), {role: roles.parts(role) for role in roles.names()}
    (mine / name).write_bytes((roles.PROMPTS / name).read_bytes())
    assert hashes(mine) == before
    (mine / name).write_text((roles.PROMPTS / name).read_text() + "\nOne more rule.\n")
    assert {role for role, value in hashes(mine).items() if value != before[role]} == {role for role in before if name in made_of[role]}


def test_template_of_a_new_name_is_a_new_role_made_of_templates_from_both_folders(mine: Path) -> None:
    (mine / "poet.md.j2").write_text("{% extends '_layout.md.j2' %}\n{% block task %}{% include '_form.md.j2' %}{% endblock %}\n")
    (mine / "_form.md.j2").write_text("Fourteen lines for {{ project.name }}.\n")
    roles.check(mine, intake())
    assert set(roles.names(mine)) - set(roles.names()) == {"poet"}
    found = roles.parts("poet", mine)
    assert (found["_form.md.j2"], found["_layout.md.j2"]) == (mine / "_form.md.j2", roles.PROMPTS / "_layout.md.j2")
    before = hashes(mine)
    (mine / "_form.md.j2").write_text("Four lines.\n")
    assert {role for role, value in hashes(mine).items() if value != before[role]} == {"poet"}


def test_what_a_comment_names_is_no_part_of_a_prompt(mine: Path) -> None:
    (mine / "poet.md.j2").write_text("{# {% include '_kind.md.j2' %} #}\n{%- from '_macros.md.j2' import paths -%}\n{{ paths([run]) }}\n")
    assert list(roles.parts("poet", mine)) == ["poet.md.j2", "_macros.md.j2"]


def intake() -> dict[str, Any]:
    filled: dict[str, Any] = documents.fill_defaults(INTAKE, documents.schema("intake"))
    return filled


def test_shipped_templates_copied_as_they_are_have_no_mistake(mine: Path) -> None:
    for name in SHIPPED:
        (mine / name).write_bytes((roles.PROMPTS / name).read_bytes())
    roles.check(mine, intake())


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("{{ nobody }}", 1, "unknown placeholder `nobody`; known: agent, artifacts, "),
        ("{% if false %}\n{{ nobody }}{% endif %}", 2, "unknown placeholder `nobody`; known: "),
        ("\n{{ intake.goals.tertiary }}", 2, "`intake.goals` has no key `tertiary`; known: primary, secondary, success_criteria"),
        ("\n\n{{ unclosed", 3, "unexpected end of template"),
        ("{% if run %}", 1, "Unexpected end of template."),
        ("{{ run | shout }}", 1, "No filter named 'shout'."),
        ("one\n{% include 'gone.md.j2' %}", 2, "there is no template `gone.md.j2`, neither in "),
        ("one\n{% include role ~ '.md.j2' %}", 2, "the name of a template must stand there as text"),
        ("{% include %}", 1, "unexpected 'end of statement block'"),
    ],
)
def test_mistake_in_an_own_template_is_one_line_with_file_and_line(mine: Path, text: str, line: int, said: str) -> None:
    (mine / "qa.md.j2").write_text(text)
    with pytest.raises(ConfigError) as caught:
        roles.check(mine, intake())
    assert str(caught.value).startswith(f"{mine}/qa.md.j2:{line}: {said}")
    assert "\n" not in str(caught.value)


def test_good_templates_are_not_refused(mine: Path) -> None:
    (mine / "qa.md.j2").write_text(
        "{% set many = files | length %}{% for key, value in intake.items() %}{{ loop.index }} {{ key }}{% endfor %}\n"
        "{% include ['none.md.j2', '_kind.md.j2'] %}{% include 'gone.md.j2' ignore missing %}\n"
        "{{ many }} {{ intake.goals.primary.strip() }} {{ range(3) | list }} {{ intake.project.name }}\n"
    )
    roles.check(mine, intake())


def test_file_that_no_role_is_made_of_is_refused_because_it_would_have_no_effect(mine: Path) -> None:
    (mine / "_conventoins.md.j2").write_text("Be brief.\n")
    (mine / "README.md").write_text("What I changed, and why.\n")
    with pytest.raises(ConfigError, match=r"_conventoins\.md\.j2: no role is made of this template; Phasegate's own are: .*_conventions"):
        roles.check(mine, intake())


def test_file_that_is_not_text_is_one_line(mine: Path) -> None:
    (mine / "qa.md.j2").write_bytes(b"caf\xe9")
    with pytest.raises(ConfigError, match=r"qa\.md\.j2: cannot be read \("):
        roles.check(mine, intake())


def test_missing_folder_is_one_line_that_says_how_to_make_it() -> None:
    with pytest.raises(ConfigError, match=r"`prompts`: there is no folder my/prompts; make it: cp -r .*/workflow/prompts my/prompts"):
        roles.own(Settings({"prompts": "my/prompts"}))


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    made = tmp_path / "project.git"
    trees.create(made)
    return made


def brief(**more: Any) -> dict[str, Any]:
    """As much of a brief as a prompt needs."""
    blank: dict[str, Any] = dict.fromkeys(("peers", "checks", "upstream", "attachments", "feedback"), [])
    return (
        blank
        | {"run": "demo", "phase": "work", "agent": "me", "role": "qa", "instructions": "", "artifacts": {}, "intake": intake()}
        | more
    )


class Listener(dict[str, Any]):
    """In the place of an environment and its template: keeps what it is given."""

    def get_template(self, name: str) -> Listener:
        return self

    def render(self, values: dict[str, Any]) -> str:
        self.update(values)
        return ""


def test_placeholders_that_are_told_of_are_those_that_there_are(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = Listener()
    monkeypatch.setattr(prompts, "markup", SimpleNamespace(environment=lambda folders: given))
    prompts.render(brief(), repo, trees.empty(repo), repo, [])
    assert sorted(given) == list(roles.VARIABLES)
    page = (ROOT / "config/README.md").read_text().split("## Prompts")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (`[a-z_`, ]+`) \|", page, re.MULTILINE)
    assert sorted(re.findall("[a-z_]+", " ".join(rows))) == list(roles.VARIABLES)


def test_template_that_was_changed_after_the_brief_was_written_stops_the_job(mine: Path, repo: Path) -> None:
    (mine / "qa.md.j2").write_text("First.\n")
    written = brief(prompt_template_sha256=roles.prompt_sha256("qa", mine))
    assert prompts.render(written, repo, trees.empty(repo), mine, [], mine) == "First.\n"
    (mine / "qa.md.j2").write_text("Second.\n")
    with pytest.raises(RunError, match="the prompt templates of qa were changed after this call began; run snakemake again"):
        prompts.render(written, repo, trees.empty(repo), mine, [], mine)
