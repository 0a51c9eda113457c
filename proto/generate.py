"""Writes connector/v1 from the protos: ``python proto/generate.py [FOLDER]``.

* The same protos and the same locked tools give the same bytes: nothing is formatted afterwards.
* Everything in the package comes from here, its ``__init__.py`` too; what no proto gives any more
  is removed.
* With FOLDER the package is written below that folder instead, which is how a test compares.
"""

from __future__ import annotations

import shutil
import sys
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from grpc_tools import protoc

PROTOS: Final = Path(__file__).resolve().parent
REPOSITORY: Final = PROTOS.parent
PACKAGE: Final = Path("connector/v1")

INIT: Final = '"""The wire contract in Python; `make proto` writes this package, nobody edits it."""\n'


def generate(target: Path) -> None:
    """Write the package ``connector/v1`` below ``target``, in place of what stands there.

    Raises ``SystemExit`` with protoc's status when a proto does not compile: protoc has then said
    on standard error which line is wrong, and the package that stands there is left as it was.
    """
    with TemporaryDirectory() as scratch:
        _compile(Path(scratch))
        shutil.rmtree(target / PACKAGE, ignore_errors=True)
        shutil.copytree(Path(scratch) / PACKAGE, target / PACKAGE)


def _compile(scratch: Path) -> None:
    status = protoc.main(
        [
            "protoc",
            f"--proto_path={PROTOS}",
            f"--proto_path={files('grpc_tools') / '_proto'}",
            f"--plugin=protoc-gen-mypy_grpc={Path(sys.executable).parent / 'protoc-gen-mypy_grpc'}",
            f"--python_out={scratch}",
            f"--pyi_out={scratch}",
            f"--grpc_python_out={scratch}",
            f"--mypy_grpc_out=quiet:{scratch}",
            *sorted(str(proto.relative_to(PROTOS)) for proto in (PROTOS / PACKAGE).glob("*.proto")),
        ]
    )
    if status:
        raise SystemExit(status)
    (scratch / PACKAGE / "__init__.py").write_text(INIT, encoding="utf-8")


if __name__ == "__main__":
    generate(Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else REPOSITORY)
