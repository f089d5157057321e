"""The view: commands that only look. They may run while a run is going on."""


localrules:
    bundles,
    status,


rule bundles:
    """List the bundles of the run: --config phase=PHASE format=table|json (both may be left out)."""
    params:
        options=lambda wildcards: CALL.view_options(),
    log:
        f"{RUN_DIR}/logs/bundles.log",
    shell:
        "exec {PYTHON:q} {SCRIPTS:q}/list_bundles.py {RUN_DIR:q} {params.options:q}"


rule status:
    """Say where the run stands, phase by phase: --config format=table|json."""
    params:
        options=lambda wildcards: CALL.view_options(),
    log:
        f"{RUN_DIR}/logs/status.log",
    shell:
        "exec {PYTHON:q} {SCRIPTS:q}/show_status.py {RUN_DIR:q} {params.options:q}"
