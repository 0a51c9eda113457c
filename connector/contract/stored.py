"""A negotiation as the store keeps it: its messages, in the order in which they moved it.

Rules that hold here: the state is never stored apart from what led to it, so the two cannot
disagree; what is read back is folded through the machine again, without verifying signatures that
were verified when they came.
"""

from __future__ import annotations

from typing import Final

from connector.contract import forms
from connector.contract.liability import Role
from connector.contract.messages import read_message
from connector.contract.negotiation import MAX_PROPOSALS, restore
from connector.contract.states import Entry, Negotiation
from ledger.canonical import JSON, JSONObject, encode
from ledger.document import SignedDocument
from ledger.fields import Fields

VERSION: Final = 1
MAX_ENTRIES: Final = MAX_PROPOSALS + 8


def dump(negotiation: Negotiation) -> JSONObject:
    """The negotiation as JSON; :func:`load` gives an equal one back."""
    entries: list[JSON] = [
        {
            "role": entry.role.value,
            "content": entry.message.document.content(),
            "jws": entry.message.document.jws,
        }
        for entry in negotiation.history
    ]
    return {
        "version": VERSION,
        "consumer_pid": negotiation.consumer_pid,
        "provider_pid": negotiation.provider_pid,
        "entries": entries,
    }


def load(content: JSONObject) -> Negotiation:
    """A negotiation that :func:`dump` wrote.

    Raises :class:`~ledger.fields.BadField`, :class:`~ledger.canonical.MalformedJson`,
    :class:`~ledger.document.BadSignature`, or a :class:`~connector.contract.errors.ContractError`
    where the messages do not follow one another.
    """
    fields = Fields(content)
    fields.constant("version", VERSION)
    consumer_pid = forms.maybe_process_id(fields, "consumer_pid")
    provider_pid = forms.maybe_process_id(fields, "provider_pid")
    entries = [_entry(each) for each in fields.objects("entries", limit=MAX_ENTRIES)]
    fields.finish()
    return restore(entries, consumer_pid=consumer_pid, provider_pid=provider_pid)


def _entry(fields: Fields) -> Entry:
    role = Role(fields.choice("role", [role.value for role in Role]))
    content = fields.any("content")
    document = SignedDocument(encode(content), fields.text("jws", pattern=forms.SIGNATURE))
    fields.finish()
    return Entry(role, read_message(document))
