"""The work: one named rule per agent, one job per task of an agent that fans out, and the merge of what a phase's agents did.

Expects the phase's `base.json` and, per agent or task, a brief that says all it is told. Promises one `outcome.json` per
agent and task (also when it failed) and the phase's `merge.json`. Where two changed the same lines, the job that merges lets the
later one work once more; so it counts as an agent, too, and runs where agents run.
"""

for agent in PLAN.agents():

    rule:
        name:
            agent.rule
        input:
            brief=lambda wildcards, agent=agent: CALL.brief(agent),
            base=f"{RUN_DIR}/{agent.phase}/base.json",
            parents=[f"{RUN_DIR}/{agent.phase}/agents/{name}/outcome.json" for name in agent.needs],
            tasks=(lambda wildcards, agent=agent: task_outcomes(agent)) if agent.for_each else [],
        output:
            outcome=report(
                f"{RUN_DIR}/{agent.phase}/agents/{agent.name}/outcome.json",
                caption="../workflow/report/captions/outcome.rst",
                category="Outcomes",
                subcategory=agent.phase,
                labels={"phase": agent.phase, "agent": agent.name},
            ),
        log:
            f"{RUN_DIR}/logs/{agent.phase}.{agent.name}.log",
        retries: 1
        resources:
            agents=1,
        params:
            command=command("gather_tasks" if agent.for_each else "run_agent", RUN_DIR),
            phase=agent.phase,
            agent=agent.name,
            policy=lambda wildcards, agent=agent: CALL.policy(agent),
            guard=CALL.guard(agent.phase),
        shell:
            "exec {params.command:q} {params.phase:q} {params.agent:q} --policy {params.policy:q} --guard {params.guard:q} 2> {log:q}"

    workflow.get_rule(agent.rule).docstring = (
        f"Let the {'tasks of the ' if agent.for_each else ''}agent {agent.name} do {'their' if agent.for_each else 'its'} part of {agent.phase}."
    )


if FANNED:

    localrules:
        fan_out,

    checkpoint fan_out:
        """Find out which tasks an agent has."""
        input:
            brief=lambda wildcards: CALL.brief(PLAN.agent(wildcards.phase, wildcards.agent)),
            base=f"{RUN_DIR}/{{phase}}/base.json",
        output:
            tasks=f"{RUN_DIR}/{{phase}}/agents/{{agent}}/tasks.json",
        log:
            f"{RUN_DIR}/logs/{{phase}}.{{agent}}.fan_out.log",
        params:
            command=command("fan_out", RUN_DIR),
            guard=lambda wildcards: CALL.guard(wildcards.phase),
        shell:
            "exec {params.command:q} {wildcards.phase:q} {wildcards.agent:q} --guard {params.guard:q} 2> {log:q}"

    rule run_task:
        """Let a task of an agent be done."""
        input:
            brief=lambda wildcards: CALL.task_brief(*wildcards),
            base=f"{RUN_DIR}/{{phase}}/base.json",
            parents=lambda wildcards: CALL.task_parents(*wildcards),
        output:
            outcome=f"{RUN_DIR}/{{phase}}/agents/{{agent}}/tasks/{{task}}/outcome.json",
        log:
            f"{RUN_DIR}/logs/{{phase}}.{{agent}}.{{task}}.log",
        retries: 1
        resources:
            agents=1,
        params:
            command=command("run_agent", RUN_DIR),
            policy=lambda wildcards: CALL.task_policy(*wildcards),
            guard=lambda wildcards: CALL.task_guard(*wildcards),
            show=lambda wildcards: CALL.task_show(wildcards.phase),
        shell:
            "exec {params.command:q} {wildcards.phase:q} {wildcards.agent:q}/tasks/{wildcards.task:q}"
            " --policy {params.policy:q} --guard {params.guard:q} {params.show:q} 2> {log:q}"


rule merge_phase:
    """Merge the commits of a phase's agents in config order; one whose lines another one changed, too, works once more."""
    input:
        base=rules.start_phase.output.base,
        outcomes=outcomes_of_phase,
        adoptions=lambda wildcards: CALL.adoptions(wildcards.phase),
    output:
        merge=report(
            f"{RUN_DIR}/{{phase}}/merge.json",
            caption="../workflow/report/captions/merge.rst",
            category="Proof",
            subcategory="{phase}",
            labels={"phase": "{phase}", "file": "merge.json"},
        ),
    log:
        f"{RUN_DIR}/logs/{{phase}}.merge_phase.log",
    resources:
        agents=1,
    params:
        command=command("merge_phase", RUN_DIR),
        policies=lambda wildcards: CALL.work_policies(wildcards.phase),
        agents=names_of_agents,
        guard=lambda wildcards: CALL.guard(wildcards.phase),
    shell:
        "exec {params.command:q} {wildcards.phase:q} {params.agents:q} --policies {params.policies:q} --guard {params.guard:q} 2> {log:q}"
