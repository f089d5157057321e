"""The start: the repository of the run, and the commit that each phase starts from.

Expects the frozen intake (written by the main process) and, for a later phase, the digests of the phases before it.
Promises `start.json` and one `base.json` per phase.
"""


localrules:
    start_run,
    start_phase,


rule start_run:
    """Make the repository of the run, empty or from the intake's source."""
    input:
        intake=CALL.intake_path(),
    output:
        start=f"{RUN_DIR}/start.json",
    log:
        f"{RUN_DIR}/logs/start_run.log",
    params:
        command=command("start_run", RUN_DIR),
        tree=CALL.tree_limits(),
    shell:
        "exec {params.command:q} --tree {params.tree:q} 2> {log:q}"


rule start_phase:
    """Merge the phases before this one into the commit that its agents start from."""
    input:
        start=rules.start_run.output.start,
        digests=upstream_digests,
    output:
        base=f"{RUN_DIR}/{{phase}}/base.json",
    log:
        f"{RUN_DIR}/logs/{{phase}}.start_phase.log",
    params:
        command=command("start_phase", RUN_DIR),
        after=names_upstream,
        guard=lambda wildcards: CALL.guard(wildcards.phase),
    shell:
        "exec {params.command:q} {wildcards.phase:q} {params.after:q} --guard {params.guard:q} 2> {log:q}"
