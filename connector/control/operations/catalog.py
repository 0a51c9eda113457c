"""Publishing datasets, and looking at catalogues: the own one and a peer's."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Final, NamedTuple

from connector.audit.scope import Scope
from connector.catalog.dataset import MAX_KEYWORDS, Dataset, Entry, dataset_id, licence_address
from connector.catalog.dcat import catalogue
from connector.catalog.listing import decode_entry, decode_page
from connector.catalog.stored import NoSuchDataset, StoredCatalog, put_offer, put_version
from connector.catalog.suspicion import check_declared, look
from connector.contract import forms
from connector.contract.offer import Approval, Offer, decode_offer
from connector.contract.terms import (
    ANY_VERSION,
    FREE,
    MAX_PLACES,
    Period,
    Price,
    Terms,
    VersionRule,
)
from connector.control.contract_terms import NOTHING_BESIDE, given_contract_terms
from connector.control.operation import Asked, operation
from connector.control.price import given_price, require_ground
from connector.control.purpose import purpose
from connector.node import Node
from connector.policy.data_categories import category_iri
from connector.policy.legal_bases import basis_iri
from connector.policy.normal import NormalPolicy
from connector.policy.offered import check_offered, purposes_named
from connector.policy.parse import normalise
from connector.policy.template import BadParameter, Filled
from connector.policy.templates import template
from connector.source.delimited import DELIMITERS
from connector.source.draft import Draft, TableOptions
from connector.source.lines import Watch
from connector.source.manifest import Form
from connector.source.schema import MAX_COLUMNS, ColumnType, Role, SchemaReference
from connector.store.tables import OfferRow
from connector.store.writer import Transaction
from ledger.ambient import fresh_id
from ledger.canonical import JSON, JSONObject, encode
from ledger.errors import BylagError, ErrorKind
from ledger.fields import Fields
from ledger.names import DatasetId, Milliseconds, OfferId, ParticipantId, UnitId, VersionDigest

DAY_MS: Final = 24 * 3600 * 1000
DEFAULT_DAYS: Final = 365
VERSIONS: Final = ("any", "current", "this")
"""Which versions an offer is for: every one of its period, the newest only, or the one published with it."""
LONGEST_DAYS: Final = 36_500
DEFAULT_PURPOSE: Final = "PublicBenefit"


class NoOffer(BylagError):
    """No open offer of that id."""

    code = "NO_OFFER"
    kind = ErrorKind.NOT_FOUND
    default_next_step = "Look at the offers: `bylag dataset DATASET`, with --peer for another's."


@operation("publish")
async def publish(asked: Asked) -> JSON:
    """Publish a file as a dataset, or as a new version of one, with an offer.

    What is not said of a dataset that is published already stays as it is.
    """
    fields = asked.arguments
    node = asked.running.node
    path = Path(fields.text("file", limit=4096))
    roles, categories = _roles(fields), _categories(fields)
    grouped_by = fields.texts("grouped_by", limit=MAX_COLUMNS) if fields.has("grouped_by") else ()
    raw = fields.boolean("raw") if fields.has("raw") else False
    options = _table_options(fields)
    reference = fields.maybe_text("schema")
    wanted = _Wanted(fields, node)
    fields.finish()
    watch = _watch(asked, path.name)
    draft = await asyncio.to_thread(_draft, node, path, wanted.media_type if raw else None, options, watch)
    with draft:
        if draft.schema is not None:
            roles = {**wanted.earlier_roles(draft.schema.names), **roles}
            categories = {**wanted.earlier_categories(draft.schema.names), **categories}
            grouped_by = grouped_by or wanted.earlier_groups(draft.schema.names)
            check_declared(look(draft.schema, draft.sample), roles)
        about = wanted.dataset(roles, raw)
        schema = SchemaReference(reference) if reference else None
        digest = await asyncio.to_thread(
            draft.publish, roles, schema, categories=categories, grouped_by=grouped_by
        )
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
    added = await asyncio.to_thread(
        node.snapshots.append, entry.newest.digest, path, _watch(asked, path.name)
    )
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
    node.ground.growth.grew(entry.newest.digest)
    return {
        "dataset": name,
        "version": entry.newest.digest,
        "position": added.position,
        "rows": added.last - added.first + 1,
    }


@operation("retract-offer")
async def retract_offer(asked: Asked) -> JSON:
    """Take an offer out of the catalogue; agreements made on it stay in force."""
    name = OfferId(asked.arguments.text("offer", limit=128))
    asked.arguments.finish()
    node = asked.running.node

    def retract(transaction: Transaction) -> JSONObject:
        row = transaction.session.get(OfferRow, name)
        if row is None or not row.active:
            raise NoOffer("there is no such open offer", field="offer")
        row.active = False
        offer = decode_offer(row.document)
        members: JSONObject = {"dataset": row.dataset, "offering": name, "code": "OFFER_WITHDRAWN"}
        node.recorder.record(transaction, "publication", Scope(unit=offer.unit), members=members)
        return {"offer": name, "dataset": row.dataset, "open": False}

    return await node.writer.write(retract)


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
        publisher = node.trust.organisation(ParticipantId(peer)).did
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
    publisher = node.trust.organisation(ParticipantId(peer)).did
    return decode_entry(await node.client.dataset(publisher, name), publisher).to_json()


class _Wanted:
    """What the publisher says of the dataset and its offer; what is not said stays as it was."""

    def __init__(self, fields: Fields, node: Node) -> None:
        self._node = node
        self.id = dataset_id(fields.text("dataset"))
        self._entry = _published(node, self.id)
        before = self._entry.dataset if self._entry is not None else None
        self.title = fields.maybe_text("title", limit=300) or (before.title if before else str(self.id))
        described = fields.maybe_text("description", limit=5000)
        self.description = described or (before.description if before else self.title)
        self.language = fields.maybe_text("language") or (before.language if before else "en")
        licence = fields.maybe_text("licence")
        earlier_licence = before.licence if before else None
        self.licence = licence_address(licence) if licence is not None else earlier_licence
        self.keywords = _texts(fields, "keywords", before.keywords if before else ())
        self.themes = _texts(fields, "themes", before.themes if before else ())
        unit = fields.maybe_text("unit")
        self.unit = UnitId(unit) if unit else (before.unit if before else UnitId(_first_unit(node)))
        self.media_type = fields.maybe_text("media_type") or "application/octet-stream"
        filled = _filled(fields)
        self.policy = _policy(fields) if filled is None else normalise(_named(filled.policy, node))
        self.count = fields.maybe_integer("count", least=1)
        if self.count is not None and self.policy is not None:
            raise fields.wrong("count", "is said by the policy: state it there")
        said_purpose = filled.purpose if filled is not None else fields.maybe_text("purpose")
        self.purpose = purpose(said_purpose) if said_purpose else _purpose_of(fields, self.policy)
        if self.policy is not None:
            check_offered(self.policy, node.me, self.id, self.purpose)
        said_days = fields.maybe_integer("days", least=1, most=LONGEST_DAYS)
        self.days = (filled.days if filled is not None else None) or said_days or DEFAULT_DAYS
        if self.days > LONGEST_DAYS:
            raise BadParameter(f"an agreement holds {LONGEST_DAYS} days at most", field="days")
        self._usual_basis = filled.legal_basis if filled is not None else None
        self._grounds = _grounds(fields)
        self.approval = _approval(fields)
        self._contract = given_contract_terms(fields)
        self._versions = fields.choice("versions", VERSIONS) if fields.has("versions") else None
        self.windows = fields.maybe_integer("windows", least=1, most=64) or 4
        self.ack_seconds = fields.maybe_integer("ack_seconds", least=1, most=3600) or 60
        self._price = given_price(fields) if filled is None or filled.price is None else _price(filled)
        self.price = self._price or FREE
        require_ground(node.config, self.price)
        self.is_offered = self._entry is not None and bool(self._entry.offers)

    @property
    def is_new_offer(self) -> bool:
        """Whether an offer is made: the first, or one with another policy, price, ground or versions."""
        said = (self.policy, self._price, self._versions, self._contract)
        return not self.is_offered or any(each is not None for each in said) or any(self._grounds)

    def earlier_roles(self, names: Collection[str]) -> dict[str, Role]:
        """What columns of these names were declared to be in the version before."""
        schema = self._entry.newest.manifest.schema if self._entry is not None else None
        columns = schema.columns if schema is not None else ()
        return {
            column.name: column.role for column in columns if column.role is not None and column.name in names
        }

    def earlier_categories(self, names: Collection[str]) -> dict[str, str]:
        """Which categories of data columns of these names were declared to hold in the version before."""
        schema = self._entry.newest.manifest.schema if self._entry is not None else None
        columns = schema.columns if schema is not None else ()
        return {each.name: each.category for each in columns if each.category and each.name in names}

    def earlier_groups(self, names: Collection[str]) -> tuple[str, ...]:
        """The columns by which rows were grouped in the version before, where all of them are still there."""
        groups = self._entry.newest.manifest.groups if self._entry is not None else None
        return groups.columns if groups is not None and set(groups.columns) <= set(names) else ()

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
            keywords=self.keywords,
            themes=self.themes,
        )

    def offer(self, version: VersionDigest) -> Offer:
        """The offer that goes with a version, under the policy given or one of purpose, period and count."""
        now = self._node.ambient.now()
        period = Period(now, Milliseconds(now + self.days * DAY_MS))
        normal = self.policy or normalise(self._policy_document())
        contract = self._contract or NOTHING_BESIDE
        terms = Terms(
            policy=normal.content,
            policy_digest=normal.digest,
            purpose=self.purpose,
            legal_basis=self._grounds.legal_basis or self._usual_basis,
            secrecy_ground=self._grounds.secrecy_ground,
            liability=contract.liability,
            period=period,
            price=self.price,
            places=self._grounds.places or ("EU",),
            transfer_ground=self._grounds.transfer_ground,
            windows=self.windows,
            acknowledge_seconds=self.ack_seconds,
            prose=contract.prose,
            references=contract.references,
        )
        return Offer(
            id=OfferId(f"offer-{fresh_id(self._node.ambient)}"),
            provider=self._node.me,
            unit=self.unit,
            dataset=self.id,
            versions=self._version_rule(version),
            terms=terms,
            approval=self.approval,
            until=None,
        )

    def _version_rule(self, version: VersionDigest) -> VersionRule:
        if self._versions == "this":
            return VersionRule("pinned", version)
        return VersionRule(self._versions) if self._versions is not None else ANY_VERSION

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
    offer = wanted.offer(digest) if wanted.is_new_offer else None

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
    entry = StoredCatalog(node.database, node.snapshots).entry(about.id)
    for version in entry.versions:
        node.ground.growth.grew(version.digest)  # the older ones grow no more
    return {**entry.to_json(), "number": number}


def _filled(fields: Fields) -> Filled | None:
    """The template that was named, with its values. Raises ``NoSuchTemplate``, ``BadParameter``."""
    given = fields.maybe_object("template")
    if given is None:
        return None
    name = given.text("name", limit=64)
    values = _object(given, "set") or {}
    given.finish()
    filled = template(name).fill(values)
    said = {"policy": True, "purpose": True, "count": True, "days": filled.days, "price": filled.price}
    for member, by_template in said.items():
        if by_template and fields.has(member):
            raise fields.wrong(member, f"is said by the template {name}: set its parameter instead")
    return filled


def _policy(fields: Fields) -> NormalPolicy | None:
    document = _object(fields, "policy")
    return normalise(document) if document is not None else None


def _purpose_of(fields: Fields, policy: NormalPolicy | None) -> str:
    """The purpose of an offer for which none was said: its policy's."""
    named = purposes_named(policy) if policy is not None else ()
    if len(named) > 1:
        raise fields.wrong("purpose", "is not said, and the policy names several: say which the offer is for")
    return named[0] if named else purpose(DEFAULT_PURPOSE)


def _named(policy: JSONObject, node: Node) -> JSONObject:
    return {**policy, "uid": f"urn:uuid:{fresh_id(node.ambient)}"}


def _price(filled: Filled) -> Price:
    return Price.read(Fields(filled.price or {}, "price"))


def _published(node: Node, name: DatasetId) -> Entry | None:
    try:
        return StoredCatalog(node.database, node.snapshots).entry(name)
    except NoSuchDataset:
        return None


def _draft(node: Node, path: Path, raw: str | None, options: TableOptions, watch: Watch) -> Draft:
    """Copy the file and, unless ``raw`` is a plain file's media type, read it through."""
    if raw is not None:
        return node.snapshots.draft_file(path, raw, watch=watch)
    return node.snapshots.draft_table(path, options, watch)


def _watch(asked: Asked, name: str) -> Watch:
    """Reports from the thread that reads to the loop that the command listens on."""
    loop = asyncio.get_running_loop()

    def progress(stage: str, done: int, total: int) -> None:
        loop.call_soon_threadsafe(asked.report, f"{stage} {name}", done, total)

    return Watch(progress)


def _table_options(fields: Fields) -> TableOptions:
    delimiter = fields.any("delimiter") if fields.has("delimiter") else None
    if delimiter is not None and delimiter not in DELIMITERS:
        raise fields.wrong("delimiter", "must be a comma, semicolon, tab or bar")
    kinds = _choices(fields, "types", [kind.value for kind in ColumnType])
    return TableOptions(
        delimiter=str(delimiter) if delimiter is not None else None,
        header=fields.boolean("header") if fields.has("header") else None,
        append_only=fields.boolean("append_only") if fields.has("append_only") else False,
        types={name: ColumnType(kind) for name, kind in kinds.items()},
    )


def _roles(fields: Fields) -> dict[str, Role]:
    declared = _choices(fields, "columns", [role.value for role in Role])
    return {name: Role(role) for name, role in declared.items()}


def _categories(fields: Fields) -> dict[str, str]:
    """Categories of data by column, by DPV's names or as IRIs. Raises :class:`~ledger.fields.BadField`."""
    said = _object(fields, "categories") or {}
    named = Fields(said, "categories")
    found: dict[str, str] = {}
    for column in said:
        iri = category_iri(named.text(column, limit=500))
        if iri is None:
            raise named.wrong(
                column, "is no category of DPV, such as SpecialCategoryPersonalData, nor an IRI"
            )
        found[column] = iri
    return found


class _Grounds(NamedTuple):
    """What an offer says of the law, beside its policy."""

    legal_basis: str | None
    secrecy_ground: str | None
    places: tuple[str, ...]
    transfer_ground: str | None


def _grounds(fields: Fields) -> _Grounds:
    basis = fields.maybe_text("legal_basis", limit=256)
    named = Fields({"legal_basis": None if basis is None else basis_iri(basis)})
    places = fields.has("places")
    return _Grounds(
        forms.maybe_iri(named, "legal_basis"),
        forms.maybe_iri(fields, "secrecy_ground"),
        forms.texts(fields, "places", limit=MAX_PLACES, pattern=forms.PLACE) if places else (),
        forms.maybe_iri(fields, "transfer_ground"),
    )


def _choices(fields: Fields, name: str, choices: Collection[str]) -> dict[str, str]:
    """An object that says one of ``choices`` of each column that it names."""
    said = _object(fields, name) or {}
    named = Fields(said, name)
    return {column: named.choice(column, choices) for column in said}


def _texts(fields: Fields, name: str, earlier: tuple[str, ...]) -> tuple[str, ...]:
    return fields.texts(name, limit=MAX_KEYWORDS) if fields.has(name) else earlier


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
