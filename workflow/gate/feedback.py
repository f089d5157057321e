"""Feedback: what a person wants changed in a phase, what was reviewed when they said it, and what was answered.

`CHANGES_REQUESTED` is written by `snakemake request_changes`, or by hand: a YAML mapping with `items` and `agents`, a
list of items, or plain text with one item a line. `history/feedback/<phase>.json` keeps each round: the items, whom
they are for, the version that was reviewed (so that the agents start from it), and whether a request has answered it.
An answered round stays part of the briefs of the agents that it was for. Under signed approvals nobody acts on one that does
not carry, in `CHANGES_REQUESTED.sig`, the signature of somebody who may approve.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from workflow import files
from workflow.errors import UsageError
from workflow.gate import approvals, signatures
from workflow.gate.signatures import SignatureError
from workflow.markup import plain
from workflow.plan import tasks
from workflow.plan.policies import DIGEST, Policy, Signed
from workflow.work import trees

MARKER = "CHANGES_REQUESTED"
LIMIT = 1 << 20
UNCHANGED = "changes were requested, and nothing was changed"
UNSIGNED = "changes are requested without a signature that counts, so nobody acts on it"


def read(path: Path) -> tuple[str, dict[str, Any]] | None:
    """(sha256, feedback) of a CHANGES_REQUESTED, or None where there is none. UsageError for one that cannot be used."""
    if path.is_symlink() or (path.exists() and not path.is_file()):
        raise UsageError(f"{path}: is not a plain file; write one with the changes that you want")
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    if len(content) > LIMIT:
        raise UsageError(f"{path}: is larger than {LIMIT} bytes")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: is not UTF-8 text") from error
    found = _parse(text)
    if not found["items"]:
        raise UsageError(f"{path}: says no change; write one a line, or delete the file")
    return files.sha256_bytes(content), found


def _parse(text: str) -> dict[str, Any]:
    import yaml  # each agent's job judges gates, and hardly one of them meets such a file

    try:
        data = yaml.safe_load(text)
    except yaml.YAMLError:
        data = text
    if isinstance(data, dict) and isinstance(data.get("items"), list):
        items, agents = data["items"], data.get("agents") or []
        extra = {key: str(data.get(key) or "") for key in ("by", "digest", "run", "phase")}
        extra["at"] = str(data["at"]) if files.is_time(data.get("at")) else ""
    elif isinstance(data, list):
        items, agents, extra = _as_written(data, text), [], {}
    else:
        items, agents, extra = text.splitlines(), [], {}
    return {"items": _items(items), "agents": [str(name) for name in agents], **extra}


def _as_written(data: list[Any], text: str) -> list[Any]:
    """The entries of a list; those that YAML reads as something other than the text that was typed, as typed."""
    lines = [line.strip()[2:].strip() for line in text.splitlines() if line.strip()]
    if len(lines) != len(data) or not all(line.lstrip().startswith("- ") for line in text.splitlines() if line.strip()):
        return data
    structured = [isinstance(entry, dict) and "text" in entry for entry in data]
    return [entry if kept or line[:1] in "'\"" else line for entry, line, kept in zip(data, lines, structured, strict=True)]


def _items(raw: list[Any]) -> list[dict[str, str]]:
    """The items with their ids: given ones, else F1, F2, ..."""
    found: list[dict[str, str]] = []
    for entry in raw:
        given = entry if isinstance(entry, dict) and "text" in entry else {}
        text = str(given.get("text", "") if given else entry).strip().removeprefix("- ").removeprefix("* ").strip()
        if text and entry is not None:
            found.append({"id": str(given.get("id") or f"F{len(found) + 1}"), "text": text})
    return found


def write(run_dir: Path, phase: str, note: str, agents: list[str], by: str, sign: Callable[[bytes], bytes] | None = None) -> Path:
    """Write CHANGES_REQUESTED; each line of the note is an item. UsageError for an empty note.

    `sign` gives the signature of its bytes, which is there before them.
    """
    import yaml

    items = [line.strip().removeprefix("- ").removeprefix("* ") for line in note.splitlines() if line.strip()]
    if not items:
        raise UsageError('request_changes needs note="what should change" (or note_file=FILE)')
    digest = (run_dir / phase / "digest").read_text(encoding="ascii").strip()
    record = {"agents": agents, "at": files.now(), "by": by, "digest": digest, "items": _items(items)}
    record |= {"run": run_dir.name, "phase": phase} if sign else {}
    content = yaml.safe_dump(record, sort_keys=False, allow_unicode=True, width=100).encode()
    if sign:
        files.write_bytes(run_dir / phase / f"{MARKER}.sig", sign(content))
    files.write_bytes(run_dir / phase / MARKER, content)
    return run_dir / phase / MARKER


def refusal(run_dir: Path, phase: str, policy: Policy) -> str:
    """Why a CHANGES_REQUESTED that is there does not count; empty where it does, or where no signature is asked for."""
    if not isinstance(policy, Signed):
        return ""
    path = run_dir / phase / MARKER
    try:
        found = read(path)
        signature, _ = approvals.read_marker(path.with_name(f"{MARKER}.sig"))
        record = found[1] if found else {}
        keys = signatures.read_keys(Path(policy.allowed_signers), run_dir)
        content, _ = approvals.read_marker(path)
        signatures.verify(content, signature, record.get("by", ""), keys, signatures.FEEDBACK)
    except FileNotFoundError:
        return f"there is no {MARKER}.sig"
    except (SignatureError, OSError, ValueError) as error:
        return plain(f"{MARKER} {error}")
    if not found or found[0] != files.sha256_bytes(content):
        return f"{MARKER} was replaced meanwhile"
    place = f"{record.get('run')}/{record.get('phase')}"
    if place != f"{run_dir.name}/{phase}":
        return plain(f"{MARKER} was given for {place}")
    if policy.approvers and record["by"] not in policy.approvers:
        return plain(f"{MARKER} is by {record['by']}; may ask: {', '.join(policy.approvers)}")
    return ""


def path_of(run_dir: Path, phase: str) -> Path:
    """Where the rounds of a phase are kept."""
    return run_dir / "history" / "feedback" / f"{phase}.json"


def rounds(run_dir: Path, phase: str) -> list[dict[str, Any]]:
    """All rounds of feedback on a phase, oldest first; damaged ones are left out."""
    found = files.try_read_object(path_of(run_dir, phase)).get("rounds")
    return [entry for entry in found if _is_round(entry)] if isinstance(found, list) else []


def _is_round(entry: Any) -> bool:
    if not isinstance(entry, dict) or not {"sha256", "items", "agents", "by", "at", "answered"} <= entry.keys():
        return False
    return isinstance(entry.get("reviewed"), dict) and {"digest", "commit", "tree", "agents"} <= entry["reviewed"].keys()


def settle(run_dir: Path, phase: str, agents: list[str], policy: Policy = DIGEST) -> list[dict[str, Any]]:
    """The rounds as CHANGES_REQUESTED makes them now; nothing is written.

    A new one is added with what was reviewed; one that was withdrawn before it was answered is dropped. UsageError for
    agents that the phase does not have.
    """
    manifest = files.try_read_json(run_dir / phase / "manifest.json")
    found = read(run_dir / phase / MARKER)
    kept = rounds(run_dir, phase)
    if kept and not kept[-1]["answered"] and (found is None or found[0] != kept[-1]["sha256"]):
        kept = kept[:-1]
    if found is None or manifest is None or (kept and found[0] == kept[-1]["sha256"]):
        return kept
    sha256, wanted = found
    if isinstance(policy, Signed) and (refusal(run_dir, phase, policy) or wanted["digest"] != manifest["digest"]):
        return kept
    unknown = [name for name in wanted["agents"] if name not in agents]
    if unknown:
        raise UsageError(f"{run_dir / phase / MARKER}: names unknown agent `{unknown[0]}`; known: {', '.join(agents)}")
    return [*kept, _round(run_dir, phase, sha256, wanted, agents, manifest)]


def keep(run_dir: Path, phase: str, settled: list[dict[str, Any]]) -> None:
    """Write the rounds where they changed."""
    if settled != rounds(run_dir, phase):
        files.write_json(path_of(run_dir, phase), {"rounds": settled})


def _round(run_dir: Path, phase: str, sha256: str, wanted: dict[str, Any], agents: list[str], manifest: Any) -> dict[str, Any]:
    merge = files.read_json(run_dir / phase / "merge.json")
    return {
        "sha256": sha256,
        "items": wanted["items"],
        "agents": wanted["agents"] or agents,
        "by": wanted.get("by", ""),
        "at": wanted.get("at", "") or files.now(),
        "reviewed": {
            "digest": manifest["digest"],
            "commit": merge["commit"],
            "tree": merge["tree"],
            "agents": _reviewed(run_dir, phase, merge),
        },
        "answered": False,
    }


def _reviewed(run_dir: Path, phase: str, merge: dict[str, Any]) -> dict[str, Any]:
    """What each agent had made in the version that was reviewed, also where its outcome was deleted since."""
    found = {}
    for row in merge["agents"]:
        outcome = files.try_read_json(run_dir / phase / "agents" / row["agent"] / "outcome.json") or {}
        if outcome.get("result"):
            found[row["agent"]] = {"result": outcome["result"], "base": outcome["base"]}
            for name in (tasks.unit(row["agent"], item["id"]) for item in outcome.get("tasks") or ()):
                done = files.try_read_object(run_dir / phase / "agents" / name / "outcome.json")
                if done.get("result"):
                    found[name] = {"result": done["result"], "base": done["base"]}
        elif row["commit"] not in (None, merge["base"]["commit"]):
            result, base = (trees.resolve(run_dir / "project.git", name) for name in (row["commit"], f"{row['commit']}^"))
            found[row["agent"]] = {"result": asdict(result), "base": asdict(base)}
    return found


def for_agent(settled: list[dict[str, Any]], agent: str) -> dict[str, Any] | None:
    """What the newest round that was for this agent (or for all tasks of its agent) tells it: `items`, and `previous`, where it starts."""
    mine = [entry for entry in settled if {agent, agent.split("/")[0]} & set(entry["agents"])]
    if not mine:
        return None
    return {"items": mine[-1]["items"], "round": mine[-1]["sha256"], "previous": mine[-1]["reviewed"]["agents"].get(agent)}


def pending(run_dir: Path, phase: str, subject: Mapping[str, Any], policy: Policy = DIGEST) -> str:
    """Why a CHANGES_REQUESTED keeps the gate closed: not answered yet, or answered without a change; empty where none does.

    One that nobody acts on, since its signature does not count, keeps it closed, too, and is named.
    """
    try:
        found = read(run_dir / phase / MARKER)
    except UsageError as error:
        return str(error)
    if found is None:
        return ""
    answered = subject.get("feedback") or {}
    if answered.get("sha256") != found[0]:
        why = refusal(run_dir, phase, policy)
        return f"{UNSIGNED}: {why}" if why else "changes were requested"
    return UNCHANGED if answered["unchanged"] else ""


def mark_answered(run_dir: Path, phase: str, sha256: str) -> None:
    """Note that a request has answered a round."""
    kept = [entry | {"answered": True} if entry["sha256"] == sha256 else entry for entry in rounds(run_dir, phase)]
    files.write_json(path_of(run_dir, phase), {"rounds": kept})
