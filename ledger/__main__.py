"""``python -m ledger``: verify what somebody handed over, offline, trusting nobody's server.

Exit status: 0 verified, 1 not verified, 2 wrong use or nothing that could be verified.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from ledger.canonical import JSON
from ledger.checkpoint import SignedCheckpoint, open_checkpoint
from ledger.compare import Comparison
from ledger.errors import BylagError, ErrorKind
from ledger.folder import ExportFolder, MalformedExport
from ledger.leaf import chain_of, read
from ledger.members import Registrar, UntrustedList, read_registrar
from ledger.note import MAX_NOTE_BYTES, parse_verifier_key
from ledger.proof import make
from ledger.report import Report, plain
from ledger.tiles import TileReader
from ledger.tree import (
    BadProof,
    check_consistency,
    check_inclusion,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
)
from ledger.trust import MalformedPolicy, Policy, parse_policy, trusting
from ledger.verify import verify_folder

VERIFIED, NOT_VERIFIED, WRONG_USE = 0, 1, 2
_USE_ERRORS = (MalformedExport, MalformedPolicy, UntrustedList)


class Rewritten(BylagError):
    """A log signed two checkpoints of which one is not the other's beginning."""

    code = "REWRITTEN_LOG"
    kind = ErrorKind.DAMAGED
    default_next_step = "Keep both checkpoints: together they prove that the log's past was changed."


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command, say what is wrong with it, and return its exit status."""
    try:
        return run(arguments)
    except BylagError as error:
        _complain(error)
        return status_of(error)
    except OSError as error:
        sys.stderr.write(f"error: {error.filename}: {error.strerror}\n")
        return WRONG_USE


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status. Raises :class:`~ledger.errors.BylagError`, OSError."""
    options = _parser().parse_args(arguments)
    return int(options.run(options))


def status_of(error: BylagError) -> int:
    """The exit status for an error: whether nothing could be verified, or something was, and is wrong."""
    return WRONG_USE if isinstance(error, _USE_ERRORS) else NOT_VERIFIED


def _verify(options: argparse.Namespace) -> int:
    """Verify each folder; with two or more, also what they say about each other."""
    policy, registrar = _policy(options), _registrar(options)
    comparison = Comparison()
    reports: list[Report] = []
    for path in options.folder:
        report, ends = verify_folder(
            ExportFolder(path),
            policy=policy,
            registrar=registrar,
            seen=comparison.collector(),
            progress=None if options.json else _progress,
        )
        comparison.add(report.subject, ends)
        reports.append(report)
    if len(reports) > 1:
        reports += comparison.reports()
    verified = all(report.verified for report in reports)
    _show(
        options,
        {"verified": verified, "reports": [report.to_json() for report in reports]},
        "\n".join(report.text() for report in reports),
    )
    return VERIFIED if verified else NOT_VERIFIED


def _inclusion(options: argparse.Namespace) -> int:
    """Prove that one leaf stands in the log, and print the proof as a .tlog-proof."""
    folder = ExportFolder(options.folder)
    signed, reader = _open(folder, options)
    checkpoint = signed.checkpoint
    if not 0 <= options.index < checkpoint.size:
        raise MalformedExport(
            f"the log has {checkpoint.size} leaves, none at {options.index}",
            next_step="Name an index below that, or ask for a newer export.",
        )
    entry = reader.entry(options.index)
    hashes = inclusion_proof(options.index, checkpoint.size, reader.hashes)
    check_inclusion(leaf_hash(entry), options.index, checkpoint.size, hashes, checkpoint.root)
    proof = bytes(make(options.index, hashes, signed.note)).decode()
    _show(
        options,
        {"verified": True, "index": options.index, "leaf": read(entry).members, "proof": proof},
        proof.rstrip("\n"),
    )
    return VERIFIED


def _consistency(options: argparse.Namespace) -> int:
    """Check that the new log begins with the old one."""
    new, reader = _open(ExportFolder(options.new), options)
    old = _old_checkpoint(options, new)
    before, after = old.checkpoint, new.checkpoint
    hashes = consistency_proof(before.size, after.size, reader.hashes)
    try:
        check_consistency(before.size, after.size, hashes, before.root, after.root)
    except BadProof as error:
        raise Rewritten(f"the newer log does not begin with the {before.size} leaves of the older") from error
    _show(
        options,
        {"verified": True, "origin": after.origin, "old": before.size, "new": after.size},
        f"{after.origin}: the {after.size} leaves begin with the {before.size} of the older checkpoint",
    )
    return VERIFIED


def _list(options: argparse.Namespace) -> int:
    """Print the leaves, a line each, every one checked against the checkpoint."""
    signed, reader = _open(ExportFolder(options.folder), options)
    if options.json:
        leaves: list[JSON] = [
            {"index": index, "leaf": read(entry).members} for index, entry in enumerate(reader.entries())
        ]
        _show(options, {"origin": signed.checkpoint.origin, "leaves": leaves}, "")
        return VERIFIED
    for index, entry in enumerate(reader.entries()):
        leaf = read(entry)
        members = leaf.members
        shown = [str(members[name]) for name in ("dataset", "purpose", "code") if name in members]
        said = " ".join(shown) if leaf.known else "(unknown type)"  # unknown members were not checked
        chain = chain_of(members) or "closed chain"
        sys.stdout.write(f"{index:>8}  {leaf.kind:<13} {chain} #{members['aseq']}  {said}\n")
    return VERIFIED


def _open(folder: ExportFolder, options: argparse.Namespace) -> tuple[SignedCheckpoint, TileReader]:
    policy = _policy(options)
    key = folder.key()
    signed = open_checkpoint(folder.checkpoint(), key)
    (policy if policy is not None else trusting(key)).check(signed.note)
    return signed, TileReader(folder.fetch, signed.checkpoint.size, signed.checkpoint.root)


def _old_checkpoint(options: argparse.Namespace, new: SignedCheckpoint) -> SignedCheckpoint:
    """The old side is an export folder, or just a checkpoint that somebody kept."""
    key = parse_verifier_key((options.new / "log.vkey").read_text().strip())
    path = options.old / "checkpoint" if options.old.is_dir() else options.old
    with path.open("rb") as file:
        old = open_checkpoint(file.read(MAX_NOTE_BYTES + 1), key)
    if old.checkpoint.size > new.checkpoint.size:
        raise MalformedExport(f"the old log is the longer one ({old.checkpoint.size} leaves)")
    return old


def _policy(options: argparse.Namespace) -> Policy | None:
    return None if options.trust is None else parse_policy(options.trust.read_bytes())


def _registrar(options: argparse.Namespace) -> Registrar | None:
    return None if options.registrar is None else read_registrar(options.registrar.read_bytes())


def _show(options: argparse.Namespace, content: JSON, text: str) -> None:
    sys.stdout.write((json.dumps(content, indent=2, ensure_ascii=False) if options.json else text) + "\n")


def _progress(done: int, total: int) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r{done:,} of {total:,} leaves" if done < total else "\r\x1b[K")


def _complain(error: BylagError) -> None:
    sys.stderr.write(f"error: {plain(str(error))}\n{error.next_step}\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m ledger", description=(__doc__ or "").splitlines()[0])
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--trust", type=Path, metavar="POLICY", help="logs and witnesses you trust (C2SP tlog-policy)"
    )
    common.add_argument("--json", action="store_true", help="print JSON")

    verify = commands.add_parser(
        "verify", parents=[common], help=_verify.__doc__, description=_verify.__doc__
    )
    verify.add_argument("folder", type=Path, nargs="+", help="an export folder")
    verify.add_argument(
        "--registrar", type=Path, metavar="KEYS", help="the registrar's first keys, from the registrar"
    )
    verify.set_defaults(run=_verify)

    inclusion = commands.add_parser("inclusion", parents=[common], help=_inclusion.__doc__)
    inclusion.add_argument("folder", type=Path, help="an export folder")
    inclusion.add_argument("index", type=int, help="the leaf's index, from 0")
    inclusion.set_defaults(run=_inclusion)

    consistency = commands.add_parser("consistency", parents=[common], help=_consistency.__doc__)
    consistency.add_argument("old", type=Path, help="an earlier export folder, or a checkpoint file")
    consistency.add_argument("new", type=Path, help="a later export folder of the same log")
    consistency.set_defaults(run=_consistency)

    show = commands.add_parser("show", parents=[common], help=_list.__doc__)
    show.add_argument("folder", type=Path, help="an export folder")
    show.set_defaults(run=_list)
    return parser


if __name__ == "__main__":
    sys.exit(main())
