"""Build the rulebook: ``python -m connector.policy.build`` (``make rulebook``).

Rules that hold here:

* The facts (``policies/data.json``) are written from ``connector.policy.vocabulary`` and ``purposes``:
  Python and Rego cannot know different hierarchies.
* The same sources give the same bytes: sorted files, fixed times and owners, one compression level.
* Only the pinned OPA builds; another version is refused, because its WebAssembly may decide otherwise.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from connector.policy.archive import pack
from connector.policy.errors import RulebookNotBuilt, RulesRefused
from connector.policy.purposes import closure
from connector.policy.rulebook import (
    DATA,
    ENTRYPOINT,
    INSTALL_OPA,
    MANIFEST,
    OPA_VERSION,
    PACKAGED,
    TRACE,
    TRACE_ENTRYPOINT,
    WASM,
    rulebook_digest,
)
from connector.policy.vocabulary import action_closure
from ledger.canonical import JSONObject, decode_object, encode
from ledger.errors import BylagError

_HERE: Final = Path(__file__).resolve().parent
POLICIES: Final = _HERE.parent.parent / "policies"
_TIME_LIMIT_SECONDS: Final = 120


def facts() -> JSONObject:
    """What the rules look up: each action and purpose with everything it is included in."""
    actions: JSONObject = {name: dict.fromkeys(above, True) for name, above in action_closure().items()}
    above = closure()
    purposes: JSONObject = {name: dict.fromkeys(sorted(wider), True) for name, wider in above.items()}
    narrower: JSONObject = {
        name: dict.fromkeys(sorted(other for other in above if name in above[other]), True) for name in above
    }
    return {"bylag": {"facts": {"actions": actions, "purposes": purposes, "narrower_purposes": narrower}}}


def written_facts() -> bytes:
    """``data.json`` as it lies in ``policies/``."""
    return json.dumps(facts(), indent=1, sort_keys=True).encode() + b"\n"


def find_opa() -> Path:
    """The pinned OPA, on PATH or where ``go install`` puts it. Raises :class:`RulebookNotBuilt`."""
    places = [
        os.environ.get("GOBIN"),
        *(f"{root}/bin" for root in os.environ.get("GOPATH", "").split(":") if root),
    ]
    places.append(str(Path.home() / "go" / "bin"))
    for directory in (None, *filter(None, places)):
        found = shutil.which("opa", path=directory)
        if found is not None and _version_of(found) == OPA_VERSION:
            return Path(found)
    raise RulebookNotBuilt(f"OPA {OPA_VERSION} was not found", next_step=f"Run: {INSTALL_OPA}")


def source_files(policies: Path) -> dict[str, bytes]:
    """The rules, facts and manifest that make up the rulebook, by path; tests are left out."""
    rego = {path.relative_to(policies).as_posix(): path.read_bytes() for path in policies.rglob("*.rego")}
    kept = {path: data for path, data in rego.items() if not path.endswith("_test.rego")}
    return {**kept, **{name: (policies / name).read_bytes() for name in (DATA, MANIFEST)}}


def bundle(files: Mapping[str, bytes], opa: Path) -> bytes:
    """The whole rulebook as an OPA bundle: sources, WebAssembly, and the manifest with its digests."""
    sources = {name: data for name, data in files.items() if name != MANIFEST}
    wasm = _compiled(sources, opa)
    manifest = decode_object(files[MANIFEST])
    metadata = manifest.get("metadata")
    manifest["revision"] = rulebook_digest(sources)
    manifest["metadata"] = {
        **(metadata if isinstance(metadata, dict) else {}),
        "opa_version": OPA_VERSION,
        "wasm_sha256": hashlib.sha256(wasm).hexdigest(),
    }
    return pack({**sources, WASM: wasm, MANIFEST: encode(manifest)})


def main(arguments: list[str] | None = None) -> int:
    """Write the facts, build the rulebook, and say which one it is."""
    parser = argparse.ArgumentParser(
        prog="python -m connector.policy.build", description="Build the rulebook."
    )
    parser.add_argument("--policies", type=Path, default=POLICIES, help="folder of the Rego sources")
    parser.add_argument("--out", type=Path, default=_HERE / PACKAGED, help="bundle to write")
    options = parser.parse_args(arguments)
    try:
        opa = find_opa()
        (options.policies / DATA).write_bytes(written_facts())
        run_opa(opa, "check", "--strict", str(options.policies))
        files = source_files(options.policies)
        options.out.write_bytes(bundle(files, opa))
    except BylagError as error:
        sys.stderr.write(f"{error}\n{error.next_step}\n")
        return 2
    sys.stdout.write(f"rulebook {rulebook_digest(files)}\n")
    return 0


def _compiled(files: Mapping[str, bytes], opa: Path) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for name, data in files.items():
            path = root / "rules" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        # A bundle of a test's own may have no account to give.
        account = ("-e", TRACE_ENTRYPOINT) if TRACE in files else ()
        entries = ("-e", ENTRYPOINT, *account)
        run_opa(opa, "build", "-t", "wasm", *entries, "-o", "out.tar.gz", "rules", folder=root)
        with tarfile.open(root / "out.tar.gz") as archive:
            member = archive.extractfile(f"/{WASM}")
            if member is None:
                raise RulebookNotBuilt("OPA gave no WebAssembly")
            return member.read()


def _version_of(opa: str) -> str:
    output = run_opa(Path(opa), "version")
    first = output.partition("\n")[0]
    return first.removeprefix("Version:").strip()


def run_opa(opa: Path, *arguments: str, folder: Path | None = None) -> str:
    """What OPA says. Raises :class:`RulebookNotBuilt`, and :class:`RulesRefused` when it complains."""
    command = [str(opa), *arguments]
    try:
        done = subprocess.run(  # noqa: S603 - the command is OPA, its arguments are our own
            command, cwd=folder, capture_output=True, text=True, timeout=_TIME_LIMIT_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise RulebookNotBuilt(f"OPA did not run: {arguments[0]}") from error
    if done.returncode != 0:
        raise RulesRefused(
            f"opa {arguments[0]} failed: {(done.stderr.strip() or done.stdout.strip())[:2000]}"
        )
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
