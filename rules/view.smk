"""The view and the decisions: commands that need no job. They are carried out while the Snakefile is parsed
(`workflow/call/acts.py`); the rules stand here so that `snakemake --list-target-rules` is the manual.
"""


rule status:
    """Say where the run stands and why, phase by phase: --config format=table|json."""
    input:
        [],


rule runs:
    """List all runs of this working directory: --config format=table|json."""
    input:
        [],


rule metrics:
    """Measure the run and write metrics.json and metrics.prom: --config format=table|json|csv table=phases|agents|attempts|checks|gates."""
    input:
        [],


rule bundles:
    """List the bundles of the run: --config phase=PHASE format=table|json."""
    input:
        [],


rule verify:
    """Recompute every hash, digest and chain, and say per phase what holds: --config format=table|json."""
    input:
        [],


rule diff:
    """Show the change of a phase: --config phase=PHASE against=base|reviewed."""
    input:
        [],


rule logs:
    """Show what an agent printed: --config agent=PHASE_AGENT follow=yes|no."""
    input:
        [],


rule report:
    """Write the report of the run, one page that loads nothing: runs/RUN/report.html."""
    input:
        [],


rule doctor:
    """Say which runners and which sandbox work here, and what to install: --config format=table|json."""
    input:
        [],


rule publish:
    """Push what was approved as a branch: --config remote=URL|PATH branch=NAME phase=PHASE (patches=FOLDER: write patch files)."""
    input:
        [],


rule approve:
    """Approve what the request of a phase shows: --config phase=PHASE by=NAME note="..." waive="ITEM=REASON; ..." budget_usd=AMOUNT key=PATH tasks=TASK,TASK|all."""
    input:
        [],


rule request_changes:
    """Ask for changes: --config phase=PHASE note="..." agents=AGENT,AGENT by=NAME key=PATH tasks=TASK,TASK."""
    input:
        [],


rule rollback:
    """Go back to the gate of a phase: --config to=PHASE apply=yes|no (no: preview)."""
    input:
        [],


rule restore:
    """Undo a rollback: --config from=ROLLBACK_....md."""
    input:
        [],
