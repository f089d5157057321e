"""The gate: what is shown to a person is packed, named by its digest, and described in REQUEST.md.

Expects merge, validation, hygiene and outcomes of a phase. Promises bundle, manifest, digest and request. Only functions look
at the markers that people make; a later phase depends on the digest, so what was approved is what is built on.
"""


localrules:
    request_review,


checkpoint request_review:
    """Pack what a phase made and ask a person to review it."""
    input:
        merge=rules.merge_phase.output.merge,
        validation=rules.validate_phase.output.validation,
        hygiene=rules.score_hygiene.output.hygiene,
        criteria=lambda wildcards: CALL.criteria(wildcards.phase),
        outcomes=outcomes_of_phase,
        digests=upstream_digests,
    output:
        bundle=f"{RUN_DIR}/bundles/{{phase}}.zip",
        manifest=f"{RUN_DIR}/{{phase}}/manifest.json",
        digest=f"{RUN_DIR}/{{phase}}/digest",
        request=report(
            f"{RUN_DIR}/{{phase}}/REQUEST.md",
            caption="../workflow/report/captions/request.rst",
            category="Requests",
            labels={"phase": "{phase}", "file": "REQUEST.md"},
        ),
    log:
        f"{RUN_DIR}/logs/{{phase}}.request_review.log",
    params:
        command=command("request_review", RUN_DIR),
        options=lambda wildcards: CALL.request_options(wildcards.phase),
        guard=lambda wildcards: CALL.guard(wildcards.phase),
    shell:
        "exec {params.command:q} {wildcards.phase:q} --options {params.options:q} --guard {params.guard:q} 2> {log:q}"


for name in PLAN.phases:

    rule:
        name:
            name
        input:
            phase_files(name),

    workflow.get_rule(name).docstring = f"Carry the run on up to the gate of {name}."


rule quickstart:
    """Start a project: --config type=webapp|analytics|ml name=NAME; runs its first phase and stops at the gate."""
    input:
        [phase_files(name) for name in CALL.first_phases()],


rule retry:
    """Let agents that failed work again, then go on: --config phase=PHASE agent=AGENT (both may be left out)."""
    input:
        [phase_files(name) for name in PLAN.phases],


rule adopt:
    """Take commits that a person made in project/ into a phase, then go on: --config phase=PHASE by=NAME."""
    input:
        [phase_files(name) for name in PLAN.phases],
