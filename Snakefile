"""Phasegate: deliver a software project in gated phases with agents.

Path grammar, relative to the working directory (README.md and config/README.md explain every part):

    runs/<run>/intake.yaml run.json start.json     the brief, frozen; who started it; the commit it starts from
    runs/<run>/<phase>/base.json                   the commit that the phase's agents start from
    runs/<run>/<phase>/agents/<agent>/outcome.json one per agent: what came of its work
    runs/<run>/<phase>/agents/<agent>/tasks.json, tasks/<task>/outcome.json      the same per task, where an agent fans out
    runs/<run>/<phase>/merge.json validation.json  the merged result, and what checks found in it
    runs/<run>/<phase>/hygiene.json                how tidy the merged tree is
    runs/<run>/<phase>/manifest.json digest REQUEST.md and bundles/<phase>.zip: what is shown to a person
    runs/<run>/<phase>/APPROVED                    made by a person only; no job reads or writes it

A gate is not a job: the input functions of `all` judge it live and ask for the next phase where it is open.
"""

import gc

gc.disable()  # building the DAG takes a fifth less

from snakemake.utils import min_version

from workflow.call import engine, opening

min_version("9.20")
CALL = opening.begin(Path(workflow.basedir), workflow.is_main_process)
RUN, RUN_DIR, PLAN = CALL.run, str(CALL.run_dir), CALL.plan
engine.cap_agents(workflow, CALL)
engine.write_params_plainly()


wildcard_constraints:
    phase="|".join(map(re.escape, PLAN.phases)),
    agent="[^/]+",
    task="[^/]+",


include: "rules/common.smk"
include: "rules/start.smk"
include: "rules/work.smk"
include: "rules/proof.smk"
include: "rules/gate.smk"
include: "rules/view.smk"


rule all:
    """Carry the run on to the next closed gates."""
    default_target: True
    input:
        [phase_files(name) for name in PLAN.phases],


onstart:
    engine.settle_in(workflow, CALL)


onerror:
    CALL.failed = True
