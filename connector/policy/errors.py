"""What can go wrong with a policy, a rulebook or an engine, and what to do then."""

from __future__ import annotations

from ledger.errors import BylagError, ErrorKind


def shown(name: str) -> str:
    """A name from outside as it may stand in a message: short, and nothing in it moves the cursor."""
    short = name if len(name) <= 64 else name[:63] + "…"
    return short if short.isprintable() else ascii(short)


class MalformedPolicy(BylagError):
    """The document is not an ODRL policy: wrong shape, missing part, value of the wrong kind.

    ``field`` is the path in the document, such as ``permission[0].constraint[1].rightOperand``.
    """

    code = "MALFORMED_POLICY"
    default_next_step = "Correct the policy at the place named and publish it again."


class PolicyRefused(BylagError):
    """The policy holds a term that bylag does not enforce; it is never accepted and ignored.

    ``term`` is the term as ODRL names it, ``field`` where it stands, ``next_step`` what could be used
    instead.
    """

    code = "POLICY_REFUSED"
    default_next_step = "Remove the term, or put it into the contract's prose."

    def __init__(self, term: str, path: str, instead: str) -> None:
        super().__init__(f"'{term}' is not enforced", next_step=instead, field=path)
        self.term = term


class TurtleUnavailable(BylagError):
    """Turtle cannot be read here: rdflib is not installed."""

    code = "TURTLE_UNAVAILABLE"
    kind = ErrorKind.UNAVAILABLE
    default_next_step = "Install bylag with the extra `turtle`, or write the policy in JSON-LD."


class RulebookDamaged(BylagError):
    """The packaged rulebook does not agree with its own digests."""

    code = "RULEBOOK_DAMAGED"
    kind = ErrorKind.DAMAGED
    default_next_step = "Install bylag again; do not edit rulebook.tar.gz by hand."


class BundleRefused(BylagError):
    """A bundle is unsigned, altered, older than one that was loaded, or signed by somebody else."""

    code = "BUNDLE_REFUSED"
    kind = ErrorKind.DENIED
    default_next_step = "Build and sign the bundle anew; do not edit or copy bundles."


class RulebookNotBuilt(BylagError):
    """The rulebook could not be built: OPA is missing, of another version, or reports an error."""

    code = "RULEBOOK_NOT_BUILT"
    kind = ErrorKind.UNAVAILABLE
    default_next_step = "Install the pinned OPA and run the build again."


class RulesRefused(RulebookNotBuilt):
    """Rules of one's own do not compile, fail their tests, or do what local rules may not."""

    code = "RULES_REFUSED"
    kind = ErrorKind.INVALID
    default_next_step = "Correct what is named, and build again; docs/reference/engines.md has an example."


class RulebookNotKept(BylagError):
    """A rulebook that decided is not among those kept in this home."""

    code = "RULEBOOK_NOT_KEPT"
    kind = ErrorKind.NOT_FOUND
    default_next_step = "Put the home's folder `rulebooks` back from a backup."


class EngineUnavailable(BylagError):
    """The engine could not be started. Without an engine every request is denied."""

    code = "ENGINE_UNAVAILABLE"
    kind = ErrorKind.UNAVAILABLE
    default_next_step = "Check that opa-py-wasm is installed and that memory is not exhausted."
