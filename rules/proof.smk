"""The proof: what the merged result of a phase holds, by pattern and by commands that really run.

Expects `merge.json` and the phase's criteria. Promises `validation.json` and `hygiene.json`; any file of a bundle is a
target of its own.
"""


localrules:
    extract_artifact,


rule validate_phase:
    """Hold the merged result of a phase against its artifact patterns and checks."""
    input:
        merge=rules.merge_phase.output.merge,
        criteria=lambda wildcards: CALL.criteria(wildcards.phase),
    output:
        validation=report(
            f"{RUN_DIR}/{{phase}}/validation.json",
            caption="../workflow/report/captions/validation.rst",
            category="Proof",
            subcategory="{phase}",
            labels={"phase": "{phase}", "file": "validation.json"},
        ),
    log:
        f"{RUN_DIR}/logs/{{phase}}.validate_phase.log",
    params:
        command=command("validate_phase", RUN_DIR),
        options=lambda wildcards: CALL.check_options(wildcards.phase),
        guard=lambda wildcards: CALL.guard(wildcards.phase),
    shell:
        "exec {params.command:q} {wildcards.phase:q} --options {params.options:q} --guard {params.guard:q} 2> {log:q}"


rule score_hygiene:
    """Score how tidy the merged tree of a phase is."""
    input:
        merge=rules.merge_phase.output.merge,
        criteria=lambda wildcards: CALL.criteria(wildcards.phase),
    output:
        hygiene=report(
            f"{RUN_DIR}/{{phase}}/hygiene.json",
            caption="../workflow/report/captions/hygiene.rst",
            category="Proof",
            subcategory="{phase}",
            labels={"phase": "{phase}", "file": "hygiene.json"},
        ),
    log:
        f"{RUN_DIR}/logs/{{phase}}.score_hygiene.log",
    params:
        command=command("score_hygiene", RUN_DIR),
        options=lambda wildcards: CALL.hygiene_options(),
        guard=lambda wildcards: CALL.guard(wildcards.phase),
    shell:
        "exec {params.command:q} {wildcards.phase:q} --options {params.options:q} --guard {params.guard:q} 2> {log:q}"


rule extract_artifact:
    """Take one file out of a phase's bundle."""
    input:
        bundle=f"{RUN_DIR}/bundles/{{phase}}.zip",
    output:
        artifact=f"{RUN_DIR}/{{phase}}/artifacts/{{path}}",
    log:
        f"{RUN_DIR}/logs/{{phase}}.extract_artifact/{{path}}.log",
    wildcard_constraints:
        path=".+",
    params:
        command=command("extract_artifact"),
    shell:
        "exec {params.command:q} -- {input.bundle:q} {wildcards.path:q} {output.artifact:q} 2> {log:q}"
