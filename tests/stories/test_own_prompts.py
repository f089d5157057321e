"""The story of prompts that a person has copied and changed: just the agents that a change concerns work again."""

from __future__ import annotations

import pytest
from conftest import Desk, sh

RUNNERS = {"echo": sh("cat > $(head -c 4 /dev/urandom | od -An -tx1 | tr -d ' ').txt")}
PHASES = {"work": {"runner": "echo", "agents": {"poet": {}, "critic": {}, "third": {"role": "qa"}}}}


@pytest.fixture
def own(desk: Desk) -> Desk:
    """A desk with two roles of its own, which share a part, beside a shipped role."""
    desk.configure(PHASES, RUNNERS, prompts="my/prompts")
    desk.write("my/prompts/poet.md.j2", "Write about {{ project.name }}.\n{% include '_tone.md.j2' %}\n")
    desk.write("my/prompts/critic.md.j2", "Read what {{ peers[0].agent }} writes.\n{% include '_tone.md.j2' %}\n")
    desk.write("my/prompts/_tone.md.j2", "Be brief.\n")
    return desk


def attempts(desk: Desk) -> list[int]:
    return [desk.attempts("work", agent) for agent in ("poet", "critic", "third")]


def test_changed_prompt_runs_exactly_the_agents_that_it_concerns(own: Desk) -> None:
    own.run()
    assert own.read("runs/demo/work/agents/poet/attempts/001/prompt.md") == "Write about demo.\nBe brief.\n"
    assert attempts(own) == [1, 1, 1]
    own.run()
    assert attempts(own) == [1, 1, 1]
    own.write("my/prompts/poet.md.j2", "Sing about {{ project.name }}.\n")
    own.run()
    assert attempts(own) == [2, 1, 1]
    own.write("my/prompts/_tone.md.j2", "Be kind.\n")  # the poet's no longer includes it
    own.run()
    assert attempts(own) == [2, 2, 1]
    sent = own.path / "runs/demo/work/agents/critic/attempts/002/prompt.md"
    assert sent.read_text() == "Read what poet writes.\nBe kind.\n"
    (own.path / "my/prompts").rename(own.path / "prompts of mine")  # the same words from another place
    own.configure(PHASES, RUNNERS, prompts=str(own.path / "prompts of mine"))
    own.run()
    assert attempts(own) == [2, 2, 1]


def test_mistake_is_told_before_anything_runs_and_looking_still_works(own: Desk) -> None:
    own.write("my/prompts/critic.md.j2", "Read.\n{{ reader }}\n")
    for words in ((), ("-n",)):
        done = own.run(*words, check=1)
        assert done.said.startswith("phasegate: my/prompts/critic.md.j2:2: unknown placeholder `reader`; known: agent, ")
        assert len(done.said.splitlines()) == 1
    assert not (own.path / "runs").exists()
    own.write("my/prompts/critic.md.j2", "Read.\n")
    own.run()
    own.write("my/prompts/critic.md.j2", "{{ reader }}\n")
    assert "work" in own.run("status").out
