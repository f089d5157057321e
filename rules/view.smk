"""The view: commands that only look. They may run while a run is going on."""


localrules:
    bundles,
    status,


rule bundles:
    """List the bundles of the run: --config phase=PHASE format=table|json (both may be left out)."""
    log:
        f"{RUN_DIR}/logs/bundles.log",
    params:
        command=command("list_bundles", RUN_DIR),
        options=lambda wildcards: CALL.view_options(),
    shell:
        "exec {params.command:q} {params.options:q}"


rule status:
    """Say where the run stands, phase by phase: --config format=table|json."""
    log:
        f"{RUN_DIR}/logs/status.log",
    params:
        command=command("show_status", RUN_DIR),
        options=lambda wildcards: CALL.view_options(),
    shell:
        "exec {params.command:q} {params.options:q}"
