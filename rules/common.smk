"""Input functions that several rules share: which files belong to a phase, and which phases are reached."""


def command(script, *words):
    """A program of scripts/ with its first words, as an argument list, run as a fork where there is a server (workflow/forks)."""
    client, program = CALL.root / "workflow" / "forks" / "client.py", CALL.root / "scripts" / f"{script}.py"
    return [sys.executable, "-S", "-E", str(client), str(program), *words]


FANNED = [agent for agent in PLAN.agents() if agent.for_each]  # those whose tasks are jobs of their own
SHOWN = set()  # phases whose checkpoint Snakemake knows to be up to date; that does not change within a call


def gate_is_open(phase):
    """Whether a phase's gate is open now; while its request is still to be made, Snakemake is told to make it first."""
    if phase not in SHOWN:
        checkpoints.request_review.get(phase=phase)
        SHOWN.add(phase)
    return CALL.judge(phase).is_open


def phase_files(phase):
    """Function that names the files of a phase once every gate before it is open, and nothing until then."""

    def files_of(wildcards):
        if not all(gate_is_open(name) for name in PLAN.upstream(phase)):
            return []
        folder = f"{RUN_DIR}/{phase}"
        names = ("merge.json", "validation.json", "hygiene.json", "manifest.json", "digest", "REQUEST.md")
        tasks = [path for agent in PLAN.phases[phase].agents if agent.for_each for path in task_outcomes(agent)]
        if not CALL.tasks_are_open(phase):
            return tasks
        return [
            *agent_outcomes(phase),
            *tasks,
            *(f"{folder}/{name}" for name in names),
            f"{RUN_DIR}/bundles/{phase}.zip",
        ]

    return files_of


def agent_outcomes(phase):
    """The outcomes of all agents of a phase, in config order."""
    return [f"{RUN_DIR}/{phase}/agents/{agent.name}/outcome.json" for agent in PLAN.phases[phase].agents]


def task_outcomes(agent):
    """The outcomes of the tasks of an agent, once it is known which it has."""
    checkpoints.fan_out.get(phase=agent.phase, agent=agent.name)
    return [
        f"{RUN_DIR}/{agent.phase}/agents/{agent.name}/tasks/{task}/outcome.json"
        for task in CALL.reached_tasks(agent.phase, agent.name)
    ]


def outcomes_of_phase(wildcards):
    """`agent_outcomes` for a job."""
    return agent_outcomes(wildcards.phase)


def upstream_digests(wildcards):
    """The digests of the phases that a phase builds on: what was approved."""
    return [f"{RUN_DIR}/{name}/digest" for name in PLAN.phases[wildcards.phase].after]


def names_of_agents(wildcards):
    """The agents of a phase, in the order in which they are merged."""
    return [agent.name for agent in PLAN.phases[wildcards.phase].agents]


def names_upstream(wildcards):
    """The phases that a phase builds on."""
    return list(PLAN.phases[wildcards.phase].after)
