"""The transparency log, on its own: it knows nothing of connectors.

Formats are C2SP's (signed notes, checkpoints, tiles, cosignatures, proofs) over the RFC 6962 tree,
so that tools nobody here wrote can read and check a log. ``python -m ledger`` verifies offline.
"""
