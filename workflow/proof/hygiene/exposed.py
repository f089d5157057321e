"""Secrets of the whole merged tree: what the scan of each phase looks for in its own files, in all files of now.

The scanner, its limits and what is allowed are those of `proof/exposure.py`; a secret is named by place and kind only.
"""

from __future__ import annotations

from collections.abc import Sequence

from workflow.proof import exposure
from workflow.proof.hygiene.scoring import MEASURED, NOTHING, SECRETS, WEIGHTS, Finding, Result, Unmeasured, in_order
from workflow.work import leaks
from workflow.work.redaction import Values

SCANNER = "detect-secrets"


class Search:
    """A search that gets one file after the other, and remembers where it could not go on."""

    def __init__(self, values: Values, allow: Sequence[str]) -> None:
        """`values` are declared ones, `allow` globs of files whose secrets are known to be none."""
        self._scan = exposure.Scan(values, list(allow))
        self._failed = ""

    def look(self, path: str, content: bytes) -> None:
        """Take in one file."""
        if self._failed:
            return
        try:
            self._scan.look("artifact", path, content)
        except leaks.Unscanned as error:
            self._failed = str(error)

    def result(self) -> Result:
        """The component `secrets`. Raises Unmeasured where a file could not be searched."""
        if self._failed:
            raise Unmeasured(SCANNER, f"{SCANNER}: {self._failed}")
        if not self._scan.files:
            return Result(SECRETS, NOTHING, reason="no files", scanner=SCANNER)
        from workflow.work import shapes

        rows = self._scan.found.values()
        found = [
            Finding(row["path"], row["line"] or None, f"holds a secret: {row['kind']}", WEIGHTS[SECRETS])
            for row in rows
            if not row["allowed"]
        ]
        allowed = sum(row["allowed"] for row in rows)
        said = [f"{allowed} allowed by the configuration"] if allowed else []
        said += [f"of {len(self._scan.cut)} files only the beginning was searched"] if self._scan.cut else []
        return Result(SECRETS, MEASURED, in_order(found), "; ".join(said), SCANNER, shapes.VERSION)
