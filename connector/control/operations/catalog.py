"""Publishing datasets, and looking at catalogues: the own one and a peer's."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from connector.audit.scope import Scope
from connector.catalog.dataset import Dataset, Entry, dataset_id, licence_address
from connector.catalog.dcat import catalogue
from connector.catalog.listing import decode_entry, decode_page
from connector.catalog.stored import StoredCatalog, put_offer, put_version
from connector.catalog.suspicion import check_declared, look
from connector.contract.liability import LiabilityTerms
from connector.contract.offer import Approval, Offer
from connector.contract.terms import FREE, NO_PROSE, Period, References, Terms, VersionRule
from connector.control.operation import Asked, operation
from connector.control.purpose import purpose
from connector.node import Node
from connector.policy.parse import normalise
from connector.source.draft import Draft, TableOptions
from connector.source.manifest import Form
from connector.source.schema import Role, SchemaReference
from connector.store.writer import Transaction
from ledger.ambient import fresh_id
from ledger.canonical import JSON, JSONObject, encode
from ledger.fields import Fields
from ledger.names import Milliseconds, OfferId, ParticipantId, UnitId, VersionDigest

DAY_MS: Final = 24 * 3600 * 1000
DEFAULT_DAYS: Final = 365
DEFAULT_PURPOSE: Final = "PublicBenefit"


@operation("publish")
async def publish(asked: Asked) -> JSON:
    """Publish a file as a dataset, or as a new version of one, with an offer."""
    fields = asked.arguments
    node = asked.running.node
    path = Path(fields.text("file", limit=4096))
    roles = _roles(fields)
    raw = fields.boolean("raw")
    options = TableOptions(append_only=fields.boolean("append_only"))
    reference = fields.maybe_text("schema")
    wanted = _Wanted(fields, node)
    fields.finish()
    draft = await asyncio.to_thread(_draft, node, path, raw, options, asked)
    with draft:
        if draft.schema is not None:
            check_declared(look(draft.schema, draft.sample), roles)
        about = wanted.dataset(roles, raw)
        schema = SchemaReference(reference) if reference else None
        digest = await asyncio.to_thread(draft.publish, roles, schema)
    about.check(node.snapshots.manifest(digest))
    return await _store(asked, about, digest, wanted)


@operation("append")
async def append(asked: Asked) -> JSON:
    """Add rows to an append-only table that others subscribe to."""
    fields = asked.arguments
    name, path = dataset_id(fields.text("dataset")), Path(fields.text("file", limit=4096))
    fields.finish()
    node = asked.running.node
    entry = StoredCatalog(node.database, node.snapshots).entry(name)
    added = await asyncio.to_thread(node.snapshots.append, entry.newest.digest, path)
    await node.writer.write(
        lambda transaction: node.recorder.record(
            transaction,
            "publication",
            Scope(unit=entry.dataset.unit),
            members={
                "dataset": name,
                "dataset_version": entry.newest.digest,
                "code": "APPENDED",
                "position": added.position,
            },
        )
    )
    return {"dataset": name, "version": entry.newest.digest, "position": added.position}


@operation("catalog")
async def catalog(asked: Asked) -> JSON:
    """The own catalogue, or a peer's; plain, or as DCAT-AP in JSON-LD."""
    fields = asked.arguments
    peer, query = fields.maybe_text("peer"), fields.maybe_text("query", limit=200) or ""
    dcat = fields.boolean("dcat")
    fields.finish()
    node = asked.running.node
    if peer is None:
        entries = StoredCatalog(node.database, node.snapshots).entries()
        publisher = node.me
    else:
        publisher = ParticipantId(peer)
        entries = []
        async for page in node.client.catalog(publisher, query):
            entries.extend(decode_page(page, publisher))
    if dcat:
        return catalogue(publisher, _publisher(node, publisher), entries)
    return [entry.to_json() for entry in entries]


@operation("dataset")
async def dataset(asked: Asked) -> JSON:
    """One dataset, one's own or a peer's."""
    fields = asked.arguments
    peer, name = fields.maybe_text("peer"), fields.text("dataset")
    fields.finish()
    node = asked.running.node
    if peer is None:
        return StoredCatalog(node.database, node.snapshots).entry(dataset_id(name)).to_json()
    publisher = ParticipantId(peer)
    return decode_entry(await node.client.dataset(publisher, name), publisher).to_json()


class _Wanted:
    """What the publisher says of the dataset and its offer."""

    def __init__(self, fields: Fields, node: Node) -> None:
        self._node = node
        self.id = dataset_id(fields.text("dataset"))
        self.title = fields.maybe_text("title", limit=300) or str(self.id)
        self.description = fields.maybe_text("description", limit=5000) or self.title
        self.language = fields.maybe_text("language") or "en"
        licence = fields.maybe_text("licence")
        self.licence = licence_address(licence) if licence is not None else None
        self.keywords = fields.texts("keywords", limit=40) if fields.has("keywords") else ()
        self.themes = fields.texts("themes", limit=13) if fields.has("themes") else ()
        self.unit = UnitId(fields.maybe_text("unit") or _first_unit(node))
        self.media_type = fields.maybe_text("media_type") or "application/octet-stream"
        self.purpose = purpose(fields.maybe_text("purpose") or DEFAULT_PURPOSE)
        self.days = fields.maybe_integer("days", least=1, most=36_500) or DEFAULT_DAYS
        self.count = fields.maybe_integer("count", least=1)
        self.approval = _approval(fields)
        self.policy = _object(fields, "policy")
        self.windows = fields.maybe_integer("windows", least=1, most=64) or 4
        self.ack_seconds = fields.maybe_integer("ack_seconds", least=1, most=3600) or 60

    def dataset(self, roles: Mapping[str, Role], raw: bool) -> Dataset:
        """The dataset as it will stand in the catalogue."""
        personal = {Role.SUBJECT, Role.PERSONAL} & set(roles.values())
        return Dataset(
            id=self.id,
            publisher=self._node.me,
            unit=self.unit,
            title=self.title,
            description=self.description,
            language=self.language,
            licence=self.licence,
            form=Form.FILE if raw else Form.TABLE,
            about_people=bool(personal),
            keywords=tuple(self.keywords),
            themes=tuple(self.themes),
        )

    def offer(self) -> Offer:
        """The offer, under the policy given or one made of purpose, period and count."""
        now = self._node.ambient.now()
        period = Period(now, Milliseconds(now + self.days * DAY_MS))
        document = self.policy or self._policy_document()
        normal = normalise(document)
        terms = Terms(
            policy=normal.content,
            policy_digest=normal.digest,
            purpose=self.purpose,
            legal_basis=None,
            secrecy_ground=None,
            liability=LiabilityTerms({}),
            period=period,
            price=FREE,
            places=("EU",),
            transfer_ground=None,
            windows=self.windows,
            acknowledge_seconds=self.ack_seconds,
            prose=NO_PROSE,
            references=References(),
        )
        return Offer(
            id=OfferId(f"offer-{fresh_id(self._node.ambient)}"),
            provider=self._node.me,
            unit=self.unit,
            dataset=self.id,
            versions=VersionRule("any"),
            terms=terms,
            approval=self.approval,
            until=None,
        )

    def _policy_document(self) -> JSONObject:
        constraints: list[JSON] = [
            {"leftOperand": "purpose", "operator": "isA", "rightOperand": self.purpose}
        ]
        if self.count is not None:
            constraints.append({"leftOperand": "count", "operator": "lteq", "rightOperand": self.count})
        return {
            "@context": "http://www.w3.org/ns/odrl.jsonld",
            "@type": "Offer",
            "uid": f"urn:uuid:{fresh_id(self._node.ambient)}",
            "permission": [{"action": "use", "constraint": constraints}],
        }


async def _store(asked: Asked, about: Dataset, digest: VersionDigest, wanted: _Wanted) -> JSON:
    node = asked.running.node
    known = StoredCatalog(node.database, node.snapshots)
    has_offer = any(entry.offers for entry in known.entries() if entry.dataset.id == about.id)
    offer = None if has_offer and wanted.policy is None else wanted.offer()

    def store(transaction: Transaction) -> int:
        now = node.ambient.now()
        number = put_version(transaction, about, digest, now)
        members: JSONObject = {"dataset": about.id, "dataset_version": digest, "number": number}
        if offer is not None:
            put_offer(transaction, about.id, offer.id, encode(offer.content()), now)
            members |= {"offering": offer.id, "policy": offer.terms.policy_digest}
        node.recorder.record(transaction, "publication", Scope(unit=about.unit), members=members)
        return number

    number = await node.writer.write(store)
    entry: Entry = known.entry(about.id)
    return {**entry.to_json(), "number": number}


def _draft(node: Node, path: Path, raw: bool, options: TableOptions, asked: Asked) -> Draft:
    asked.report(f"reading {path.name}", 0, None)
    if raw:
        return node.snapshots.draft_file(path)
    return node.snapshots.draft_table(path, options)


def _roles(fields: Fields) -> dict[str, Role]:
    value = fields.any("columns") if fields.has("columns") else {}
    if not isinstance(value, dict):
        raise fields.wrong("columns", "must be an object of column names and roles")
    named = Fields(value, "columns")
    return {name: Role(named.choice(name, [role.value for role in Role])) for name in value}


def _approval(fields: Fields) -> Approval:
    how = fields.choice("approval", ("members", "hand", "listed")) if fields.has("approval") else "members"
    listed = fields.texts("listed", limit=500) if fields.has("listed") else ()
    if how == "members":
        return Approval(any_member=True)
    return (
        Approval(members_listed=tuple(ParticipantId(did) for did in listed))
        if how == "listed"
        else Approval()
    )


def _object(fields: Fields, name: str) -> JSONObject | None:
    if not fields.has(name):
        return None
    value = fields.any(name)
    if not isinstance(value, dict):
        raise fields.wrong(name, "must be an object")
    return value


def _first_unit(node: Node) -> str:
    return node.config.units[0].id if node.config.units else "main"


def _publisher(node: Node, publisher: ParticipantId) -> str:
    entry = node.trust.find(publisher)
    return entry.name if entry else str(publisher)
