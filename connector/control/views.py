"""What peers may ask of this participant's log."""

from __future__ import annotations

from connector.contract.errors import NoSuchAgreement
from connector.node import Node
from connector.store.tables import AgreementRow
from ledger import log
from ledger.document import SignedDocument, sign
from ledger.leaf import agreement_chain
from ledger.names import AgreementId, ParticipantId


class NodeLog:
    """The log of a node, for the parties of its agreements."""

    def __init__(self, node: Node) -> None:
        self._node = node

    def checkpoint(self) -> str | None:
        """The newest published note, with its cosignatures."""
        last = self._node.notary.last
        return bytes(self._node.notary.note(last.checkpoint.size)).decode() if last else None

    def record(self, peer: ParticipantId, agreement: AgreementId, aseq: int) -> tuple[bytes, int, str]:
        """A record under an agreement with ``peer``: entry, index and tlog-proof."""
        self._require_party(peer, agreement)
        with self._node.database.read_sqlite() as connection:
            entry = log.at(connection, agreement_chain(agreement), aseq)
        return entry.bytes, entry.index, self._node.notary.tlog_proof(entry.index)

    def head_of(self, peer: ParticipantId, agreement: AgreementId) -> SignedDocument:
        """The signed head of the agreement's chain, under the newest checkpoint."""
        self._require_party(peer, agreement)
        node = self._node
        with node.database.read_sqlite() as connection:
            head = log.chain_head(connection, agreement_chain(agreement))
            by = node.recorder.writer(connection)
        last = node.notary.last
        return sign(
            {
                "type": "ledger-head",
                "version": 1,
                "space": node.space,
                "by": by,
                "origin": node.origin,
                "agreement": agreement,
                "aseq": head.aseq,
                "leaf": head.hash.hex() if head.hash else None,
                "size": last.checkpoint.size if last else 0,
                "root": last.checkpoint.root.hex() if last else None,
                "time": node.ambient.now(),
            },
            node.ring.sign,
        )

    def _require_party(self, peer: ParticipantId, agreement: AgreementId) -> None:
        with self._node.database.read() as session:
            row = session.get(AgreementRow, agreement)
        if row is None or row.peer != peer:
            raise NoSuchAgreement("no such agreement", field="agreement")
