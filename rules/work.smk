"""The work: one named rule per agent, and the merge of what a phase's agents did.

Expects the phase's `base.json` and, per agent, a brief that says all it is told. Promises one `outcome.json` per
agent (also when it failed) and the phase's `merge.json`.
"""


localrules:
    merge_phase,


for agent in PLAN.agents():

    rule:
        name:
            agent.rule
        input:
            brief=lambda wildcards, agent=agent: CALL.brief(agent),
            base=f"{RUN_DIR}/{agent.phase}/base.json",
            parents=[f"{RUN_DIR}/{agent.phase}/agents/{name}/outcome.json" for name in agent.needs],
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
            command=command("run_agent", RUN_DIR),
            phase=agent.phase,
            agent=agent.name,
            policy=lambda wildcards, agent=agent: CALL.policy(agent),
            guard=CALL.guard(agent.phase),
        shell:
            "exec {params.command:q} {params.phase:q} {params.agent:q} --policy {params.policy:q} --guard {params.guard:q} 2> {log:q}"

    workflow.get_rule(agent.rule).docstring = f"Let the agent {agent.name} do its part of {agent.phase}."


rule merge_phase:
    """Merge the commits of a phase's agents in config order."""
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
    params:
        command=command("merge_phase", RUN_DIR),
        agents=names_of_agents,
        guard=lambda wildcards: CALL.guard(wildcards.phase),
    shell:
        "exec {params.command:q} {wildcards.phase:q} {params.agents:q} --guard {params.guard:q} 2> {log:q}"
