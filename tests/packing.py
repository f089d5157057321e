"""Make the manifest and the bundle of the phase `plan` of runs/demo again, with nothing but Python: packing.py TARGET COMPRESSION.

A program, so that any interpreter can do it in any surroundings (tests/proof/test_reproduction.py).
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from workflow.proof import bundles, manifest  # noqa: E402

if __name__ == "__main__":
    target, compression = Path(sys.argv[1]), int(sys.argv[2])
    decided = {"feedback": None, "approvals": {}, "beside": {}}
    made = manifest.make_manifest(Path("runs/demo"), "plan", ["writer"], [], {"kind": "required", "policy": "digest"}, decided)
    bundles.pack(Path("runs/demo"), made, target, compression)
    print(sys.version.split()[0])
