"""The composition root: builds one participant's connector from its home folder.

Rules that hold here: this is the only place that knows all rooms; it wires them and decides nothing.
A node works on its home under the home's lock. It can serve, or do one thing and close again: what
a command asks for is the same either way (``connector.control``).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import AsyncExitStack, ExitStack, suppress
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from sqlmodel import func, select

from connector.audit.notary import Notary
from connector.audit.people import People
from connector.audit.recorder import Recorder
from connector.audit.scope import Scope
from connector.contract.agreement import ListReference
from connector.contract.desk import Desk
from connector.contract.duties import Duties
from connector.contract.duty_states import StoredDutyStates
from connector.contract.messages import KINDS as CONTRACT_KINDS
from connector.contract.messages import LogHead
from connector.contract.offer import Applicant, Offer, decode_offer
from connector.contract.party import Party, PartyLog, ProtectionRole
from connector.contract.settlements import Settlements
from connector.contract.speaker import Speaker
from connector.contract.terms import Proposal
from connector.exchange import discard, metered, nonces
from connector.exchange.agreed import StoredAgreements
from connector.exchange.attested import StoredAttested
from connector.exchange.events import Events
from connector.exchange.ground import Bars, Ground
from connector.exchange.inbox import Cipher
from connector.exchange.late import LateSignatures
from connector.exchange.ruling import LeasedRulings
from connector.exchange.shelf import StoredShelf
from connector.exchange.standing import ListedKeys, ListStanding
from connector.exchange.waiting import WaitingRequests
from connector.identity import stored, stored_lists
from connector.identity.certificate import Issuer, key_to_pem, read_anchor, to_pem
from connector.identity.credential import read_credential
from connector.identity.directory import Directory
from connector.identity.enrolment import adopt
from connector.identity.equivocation import Equivocation, EquivocationProof
from connector.identity.files import PRIVATE, write_over
from connector.identity.guest import read_guest_answer
from connector.identity.guestbook import GuestBook
from connector.identity.keys import KeyRing
from connector.identity.membership import (
    read_first_keys,
    read_list,
)
from connector.identity.peer import UnknownPeer
from connector.identity.public import Job
from connector.identity.signed import MultiSigned
from connector.identity.trust import TrustStore
from connector.peer.client import Client, Identity
from connector.peer.collecting import COLLECT, REQUEST_WAITING, Collecting
from connector.peer.lists import HANDED_ON, PeerLists
from connector.peer.post import Post
from connector.policy.bundle import LOCAL_SCOPE, RULEBOOK_SCOPE, sign_bundle, sign_for_opa
from connector.policy.chosen import chosen_engine
from connector.policy.engine import Condition, Engine
from connector.policy.errors import BundleRefused, EngineUnavailable
from connector.policy.kept import KeptRulebooks
from connector.policy.lease import LeasedEngine
from connector.policy.local import LocalRules
from connector.policy.local_build import Built, build_local
from connector.policy.opa_config import LOCAL_BUNDLE, RULEBOOK_BUNDLE
from connector.policy.places import area_of
from connector.policy.rulebook import Rulebook
from connector.source.folder import SnapshotFolder
from connector.store.config import Config, read_config
from connector.store.config_engine import EMBEDDED
from connector.store.database import Database
from connector.store.home import Home, HomeLock
from connector.store.memory import share_memory
from connector.store.migrate import migrate
from connector.store.outbox import OUTBOX
from connector.store.tables import ListConflictRow, ListRow, OfferRow
from connector.store.writer import Transaction, Writer
from ledger import log
from ledger.ambient import Ambient, SystemAmbient
from ledger.canonical import decode
from ledger.cosignature import Cosigner
from ledger.errors import BylagError, ErrorKind
from ledger.names import (
    AgreementId,
    DataSpaceId,
    ExchangeId,
    Milliseconds,
    Origin,
    ParticipantId,
    RulebookDigest,
    Thumbprint,
    UnitId,
)
from ledger.note import Signer
from ledger.side import KeyChest

logger = logging.getLogger("bylag.node")
LOG_SERIAL: Final = 1
LIST: Final = "list"
"""How a commit that took a membership list is marked."""

ListListener = Callable[[frozenset[ParticipantId], frozenset[Thumbprint]], None]
"""Told who is barred and which keys ended, after a new list."""


class NotJoined(BylagError):
    """This home has not taken an answer to its request to join yet."""

    code = "NOT_JOINED"
    kind = ErrorKind.CONFLICT
    default_next_step = "Write a request with `bylag join`, then take the answer with `bylag admitted FILE`."


class Node:
    """One participant's connector, open. Close it when done: it holds the home's lock."""

    def __init__(self, home: Home, *, passphrase: str | None = None, ambient: Ambient | None = None) -> None:
        """Open a home. Raises a :class:`~ledger.errors.BylagError` that says what is wrong with it."""
        home.require()
        share_memory()
        self.home = home
        self.ambient: Ambient = ambient or SystemAmbient()
        with ExitStack() as undo:
            self._lock = HomeLock(home)
            undo.callback(self._lock.release)
            self.config: Config = read_config(home.config)
            self.ring = KeyRing.load(home.keys, self.ambient, passphrase)
            self.database = Database(home.database)
            undo.callback(self.database.close)
            migrate(self.database)
            self.chest = KeyChest(home.side_keys, _wrapping_keys(self.ring), self.ambient)
            undo.callback(self.chest.close)
            discard.finish(self.database, home.inbox, self.chest)
            self.writer = Writer(self.database)
            undo.callback(self.writer.close)
            self.snapshots = SnapshotFolder(home.snapshots, self.ambient)
            self.bars = Bars()
            self.waiting = WaitingRequests()
            undo.pop_all()
        self._changes: list[tuple[frozenset[ParticipantId], frozenset[Thumbprint]]] = []
        self._on_list: list[ListListener] = []
        self._fresh_lists: dict[int, MultiSigned] = {}
        """Lists that were taken in since the start."""
        self.client = Client(identity=self.identity, trust=lambda: self.trust, ambient=self.ambient)

    # --- who lives here ---------------------------------------------------------------------------

    @property
    def space(self) -> DataSpaceId:
        """The data space."""
        return DataSpaceId(self.config.space)

    @cached_property
    def me(self) -> ParticipantId:
        """The participant's did, or the guest's handle. Raises :class:`NotJoined`."""
        if not self.config.is_guest:
            return ParticipantId(self.config.participant)
        return read_credential(self.guest_answer.credential).handle

    @cached_property
    def guest_answer(self) -> Any:
        """A guest's answer from their controller. Raises :class:`NotJoined`."""
        if not self.home.guest_answer.is_file():
            raise NotJoined("nobody vouches for this guest yet")
        return read_guest_answer(self.home.guest_answer.read_bytes())

    @cached_property
    def trust(self) -> TrustStore:
        """The membership list and its chain. Raises :class:`NotJoined`."""
        if not self.home.registrar.is_file():
            raise NotJoined("no membership list is held yet")
        first = read_first_keys(self.home.registrar.read_bytes())
        with self.database.read() as session:
            links, proof = stored_lists.chain(session), stored_lists.proof(session)
            if not links:
                raise NotJoined("no membership list is held yet")
            newest = stored_lists.one(session, links[-1].number)
        return TrustStore.resume(first, links, newest, self._archived_list, proof)

    def _archived_list(self, number: int) -> MultiSigned:
        """A list that was taken in, stored or about to be. Raises ``NoList``."""
        if number in self._fresh_lists:
            return self._fresh_lists[number]
        with self.database.read() as session:
            return stored_lists.one(session, number)

    @cached_property
    def guests(self) -> GuestBook:
        """The guests that this participant vouches for, or did; a guest's own book holds itself alone."""
        with self.database.read() as session:
            return stored.book(session, ParticipantId(self.config.controller or self.me))

    @cached_property
    def directory(self) -> Directory:
        """Everybody this connector can meet."""
        return Directory(self.trust, self.guests)

    @property
    def issuer(self) -> Issuer:
        """This organisation's TLS key with the anchor that the list pins."""
        listed = self.trust.organisation(self.me).find_key(self.ring.thumbprint(Job.TLS))
        if listed is None or listed.anchor is None:
            raise NotJoined("the membership list does not name this participant's TLS key")
        anchor = read_anchor(listed.anchor, self.me, listed.thumbprint)
        return Issuer(self.me, self.ring.tls, anchor)

    def roots(self, now: Milliseconds) -> bytes:
        """Under whose anchors a caller's certificate must lie: the list's members, and own guests.

        A guest's certificate outlives the key that it was issued under, once that is rotated.
        """
        return self.trust.roots(now) + self.trust.ended_anchors(self.me, now)

    def identity(self) -> Identity:
        """What this side shows in a handshake, made anew before it expires."""
        if self.config.is_guest:
            return Identity(key_to_pem(self.ring.tls), self.guest_answer.certificate)
        now, key = self.ambient.now(), self.ring.thumbprint(Job.TLS)
        if self._leaf is None or now >= self._leaf[0] or key != self._leaf[1]:
            leaf = self.issuer.leaf(self.ambient)
            halfway = now + (int(leaf.not_valid_after_utc.timestamp() * 1000) - now) // 2
            self._leaf = (halfway, key, Identity(key_to_pem(self.ring.tls), to_pem(leaf)))
        return self._leaf[2]

    _leaf: tuple[int, Thumbprint, Identity] | None = None

    def adopt_keys(self) -> tuple[Job, ...]:
        """Make the current key of each next one that the list names: at a start, and while it runs.

        No room keeps a key: each asks for the one to use when it signs, cosigns or shakes hands.
        """
        if self.config.is_guest or not self.home.registrar.is_file():
            return ()
        adopted = adopt(self.ring, self.trust.organisation(self.me), self.ambient.now())
        for job in adopted:
            logger.info("a key was taken into use", extra={"use": job.value})
        return adopted

    def _adopt_while_running(self) -> None:
        try:
            self.adopt_keys()
        except BylagError as error:
            # The key in use stays in use, and tidying tries again.
            logger.warning("a key cannot be taken into use", extra={"reason": error.code})

    # --- the rooms --------------------------------------------------------------------------------

    @cached_property
    def recorder(self) -> Recorder:
        """Writes the records."""
        return Recorder(
            space=self.space,
            me=self.me,
            chest=self.chest,
            ambient=self.ambient,
            is_person=self.config.is_guest,
        )

    @cached_property
    def people(self) -> People:
        """Whom there are rows about."""
        return People(self.writer, self.chest, self.ambient)

    @cached_property
    def origin(self) -> Origin:
        """The log's name, as its first leaf fixed it."""
        with self.database.read_sqlite() as connection:
            genesis = decode(log.entry(connection, 0).bytes)
        return Origin(str(genesis["origin"])) if isinstance(genesis, dict) else Origin("")

    @cached_property
    def notary(self) -> Notary:
        """Publishes the log. Raises ``LogMismatch`` when what is stored contradicts itself."""
        return Notary(
            self.home.database,
            self.home.log,
            Signer(self.origin, self.ring.log),
            lambda: Cosigner(f"{self.origin}/witness", self.ring.witness),
            self.writer,
            self.ambient,
        )

    def begin_log(self) -> None:
        """Start the log with its two first leaves, once."""

        def begin(transaction: Transaction) -> None:
            if log.size(transaction.sqlite):
                return
            name = self.config.participant.removeprefix("did:web:").replace(":", "/")
            if self.config.is_guest:
                name = f"guest/{self.ambient.random(16).hex()}"
            origin = Origin(f"{name}/log/{LOG_SERIAL}")
            self.recorder.begin(transaction, origin, str(Signer(origin, self.ring.log).key))

        self.writer.submit(begin).result()

    @cached_property
    def engine(self) -> LeasedEngine:
        """The policy engine with its leases; loading it takes a moment."""
        return LeasedEngine(self.rules, self.ambient)

    @cached_property
    def bundles(self) -> dict[str, bytes]:
        """The bundles that OPA polls, by name, signed at each start. Raises ``NoSuchKey`` for a guest."""
        key, kid = self.ring.bundle, self.ring.thumbprint(Job.BUNDLE)
        served = {RULEBOOK_BUNDLE: sign_for_opa(Rulebook.packaged(), key, kid, RULEBOOK_SCOPE)}
        if self.local_rules is not None:
            served[LOCAL_BUNDLE] = sign_for_opa(self.local_rules.rulebook, key, kid, LOCAL_SCOPE)
        return served

    @cached_property
    def rules(self) -> Engine:
        """What evaluates the rulebook, as the settings choose it."""
        rulebook, local = Rulebook.packaged(), self.local_rules
        self.kept_rulebooks.keep(rulebook)
        return chosen_engine(self.config.engine, self.home.folder, rulebook, local, self.ambient)

    def _has_local_rules(self) -> bool:
        return self.home.local_rules.is_file() or self.kept_rulebooks.newest_local() > 0

    @cached_property
    def kept_rulebooks(self) -> KeptRulebooks:
        """The rulebooks that decided."""
        return KeptRulebooks(self.home.rulebooks)

    @cached_property
    def local_rules(self) -> LocalRules | None:
        """The participant's own rules. Raises ``BundleRefused`` for unsigned, altered or older ones."""
        newest = self.kept_rulebooks.newest_local()
        if not self.home.local_rules.is_file():
            if newest:
                raise BundleRefused(f"the local rules are gone; number {newest} was loaded before")
            return None
        bundle = self.home.local_rules.read_bytes()
        rules = LocalRules.open(bundle, self.ring.bundle_keys(), newest)
        self.kept_rulebooks.keep_local(rules)
        return rules

    def build_local_rules(self, folder: Path) -> Built:
        """Test, compile, sign and store the rules in ``folder``; they decide from the next start on.

        Raises ``RulebookNotBuilt``, ``NoSuchKey`` for a guest, and ``BundleRefused`` never.
        """
        built = build_local(folder, self.kept_rulebooks.newest_local() + 1)
        kid = self.ring.thumbprint(Job.BUNDLE)
        bundle = sign_bundle(built.files, self.ring.bundle, kid, LOCAL_SCOPE)
        write_over(self.home.local_rules, bundle, mode=PRIVATE)
        return built

    async def engine_condition(self) -> Condition:
        """How the engine is. The embedded one is not loaded for the sake of the question."""
        if (
            self.config.engine.kind == EMBEDDED
            and "rules" not in self.__dict__
            and not self._has_local_rules()
        ):
            return Condition(EMBEDDED, True, "decides in this process, once it is asked")
        try:
            rules = await asyncio.to_thread(lambda: self.rules)
        except (EngineUnavailable, BundleRefused) as error:
            return Condition(self.config.engine.kind, False, error.message, error.next_step)
        return await rules.look()

    @cached_property
    def standing(self) -> ListStanding:
        """The list, as an exchange asks it."""
        return ListStanding(lambda: self.directory, self.ambient)

    @cached_property
    def agreements(self) -> StoredAgreements:
        """Agreements by id."""
        return StoredAgreements(self.database, self.ambient)

    @cached_property
    def events(self) -> Events:
        """The events that this participant attests to be under way."""
        return Events(self.database)

    @cached_property
    def rulings(self) -> LeasedRulings:
        """The policy, as an exchange asks it."""
        return LeasedRulings(
            lambda: self.engine,
            lambda: self.directory,
            area_of(self.config.policy.area) if self.config.policy.area else None,
            duties=self.duty_states,
            attested=StoredAttested(self.database, self.events),
        )

    @cached_property
    def duty_states(self) -> StoredDutyStates:
        """What decisions know of duties."""
        return StoredDutyStates(self.database, self.writer)

    @cached_property
    def shelf(self) -> StoredShelf:
        """Dataset versions."""
        return StoredShelf(self.database, self.snapshots)

    @cached_property
    def ground(self) -> Ground:
        """What exchanges stand on."""
        return Ground(
            me=self.me,
            space=self.space,
            signing_key=lambda: self.ring.sign,
            ambient=self.ambient,
            writer=self.writer,
            database=self.database,
            recorder=self.recorder,
            standing=self.standing,
            agreements=self.agreements,
            policy=self.rulings,
            shelf=self.shelf,
            notary=self.notary,
            lists=self.lists,
            people=self.people,
            bars=self.bars,
            duties=self.duties.tasks,
        )

    @cached_property
    def lists(self) -> PeerLists:
        """Lists from and for peers."""
        return PeerLists(
            client=self.client,
            trust=lambda: self.trust,
            writer=self.writer,
            post=lambda: self.post,
            take=self.take_list_in,
        )

    @cached_property
    def collecting(self) -> Collecting:
        """Requests that wait at consumers, and the announcing of this side's."""
        return Collecting(self.client, lambda: self.ground, lambda: self.post)

    @cached_property
    def desk(self) -> Desk:
        """The negotiation desk."""
        agreed = self.duties.tasks.agreed
        return Desk(self.speaker, writer=self.writer, database=self.database, on_force=agreed)

    @cached_property
    def duties(self) -> Duties:
        """Tracked duties: what each side owes, and what they say to each other about it."""
        return Duties(self.speaker)

    @cached_property
    def settlements(self) -> Settlements:
        """Statements of what was delivered, and what it costs."""
        return Settlements(
            self.speaker,
            resend=lambda transaction, now, agreement: metered.resend(transaction, now, agreement=agreement),
            by_rule=self.config.countersign_settlements,
        )

    @cached_property
    def speaker(self) -> Speaker:
        """This participant, as it speaks to the other parties of its agreements."""
        return Speaker(
            me=self.me,
            space=self.space,
            key=lambda: self.ring.sign,
            ambient=self.ambient,
            recorder=self.recorder,
            keys=ListedKeys(lambda: self.directory),
            surroundings=self,
        )

    @cached_property
    def post(self) -> Post:
        """The outboxes."""
        post = Post(
            me=self.me,
            space=self.space,
            key=lambda: self.ring.sign,
            ambient=self.ambient,
            writer=self.writer,
            database=self.database,
            directory=lambda: self.directory,
        )
        post.take_with(CONTRACT_KINDS, self.desk.take)
        post.take_with(self.settlements.kinds, self.settlements.take)
        post.take_with(self.duties.kinds, self.duties.take)
        late = LateSignatures(self.ground)
        post.take_with(late.kinds, late.take)
        post.take_with({HANDED_ON}, self.lists.take_handed_on)
        post.take_with({REQUEST_WAITING}, self.collecting.take)
        post.on_list_named(self.lists.hand_on)
        post.on_delivered(metered.delivered)
        post.on_refused(metered.refused)
        post.on_refused(self.settlements.not_taken)
        post.on_refused(self.duties.not_taken)
        return post

    def delivery_cipher(self, exchange: ExchangeId) -> Cipher:
        """The cipher under a delivery's own key; destroying the key destroys the delivery."""
        return self.chest.cipher(f"delivery/{exchange}")

    def held_cipher(self, exchange: ExchangeId) -> Cipher:
        """The same for a delivery that is there. Raises ``KeyErased``; makes no key anew."""
        return self.chest.existing(f"delivery/{exchange}")

    # --- what rooms ask of their surroundings ---------------------------------------------------------

    def head(self) -> LogHead | None:
        """The newest published checkpoint, as signed messages name it."""
        last = self.notary.last
        if last is None:
            return None
        return LogHead(last.checkpoint.origin, last.checkpoint.size, last.checkpoint.root.hex())

    def list_reference(self) -> ListReference:
        """The list in force, for the desk."""
        return ListReference(self.trust.number, self.trust.digest)

    def own_party(self, unit: UnitId | None) -> Party:
        """This participant as a party to an agreement."""
        return Party(
            id=self.me,
            unit=unit,
            role=ProtectionRole.CONTROLLER,
            key=self.ring.thumbprint(Job.SIGN),
            log=PartyLog(self.origin, str(self.notary.key)),
        )

    def applicant(self, participant: ParticipantId) -> Applicant:
        """What the list says of somebody who asks."""
        entry = self.trust.find(participant)
        try:
            active = self.directory.limit(participant, self.ambient.now()) is None
        except UnknownPeer:
            active = False
        return Applicant(participant, entry.kind.value if entry else None, active)

    def offer(self, proposal: Proposal) -> Offer | None:
        """This participant's open offer that a proposal stands on."""
        with self.database.read() as session:
            row = session.get(OfferRow, proposal.offer)
        return decode_offer(row.document) if row is not None and row.active else None

    def is_person(self, participant: ParticipantId) -> bool:
        """Whether a participant is a guest."""
        return self.standing.is_person(participant)

    def rulebook(self) -> RulebookDigest:
        """The active rulebook's digest."""
        return Rulebook.packaged().revision

    def bar(self, agreement: AgreementId, code: str) -> None:
        """Stop every release under an agreement, in memory, now."""
        self.bars.bar(agreement, code)

    # --- lists ----------------------------------------------------------------------------------------

    async def take_list(self, signed: MultiSigned) -> None:
        """Take a newer membership list in, store it, and let it have its effect.

        Raises what ``TrustStore.accept`` does; a proof of two histories is kept before it is raised.
        """
        await self.writer.write(lambda transaction: self.take_list_in(transaction, signed))
        if self.trust.proof is not None:
            raise Equivocation(self.trust.proof)

    def take_list_in(self, transaction: Transaction, signed: MultiSigned) -> None:
        """Like :meth:`take_list`, in the caller's transaction. What depends on the list changes at once."""
        try:
            accepted = self.trust.accept(signed)
        except Equivocation as error:
            # Not raised here: that would roll the proof back, and after a restart all would go on.
            self._keep_proof(transaction, error.proof)
            return
        self._fresh_lists[accepted.entry.number] = signed
        self._store_lists(transaction)
        transaction.marks.add(LIST)
        self._changes.append((accepted.barred, accepted.ended))

    def _store_lists(self, transaction: Transaction) -> None:
        """Store every list that was taken in and is not there: one transaction may have been undone.

        What is barred stays barred in memory all the same; the chain in the store must have no gap.
        """
        newest = transaction.session.exec(select(func.max(ListRow.number))).one() or 0
        for link in self.trust.links[newest:]:
            signed = self.trust.signed(link.number)
            transaction.session.add(stored_lists.row_of(signed, link, self.ambient.now()))
            self.recorder.record(
                transaction,
                "list",
                Scope(),
                members={"list": {"number": link.number, "hash": link.digest}},
            )

    def _keep_proof(self, transaction: Transaction, proof: EquivocationProof) -> None:
        """Two lists of one number: both are kept as proof against the registrar, and all stops."""
        if transaction.session.get(ListConflictRow, proof.number) is not None:
            return
        transaction.session.add(stored_lists.row_of_proof(proof, self.ambient.now()))
        self.recorder.record(
            transaction,
            "list",
            Scope(),
            members={
                "list": {"number": read_list(proof.offered.payload).number, "hash": proof.offered.digest},
                "code": Equivocation.code,
            },
        )
        transaction.marks.add(LIST)

    def tell_of_lists(self) -> None:
        """Tell listeners of the lists that were taken; on the event loop, after the commit."""
        self._adopt_while_running()
        changes, self._changes = self._changes, []
        self.lists.grown()
        self.post.show_cursors()
        if "engine" in self.__dict__:
            self.engine.end_all()
        # A contested list bars nobody by name, and everybody.
        for barred, ended in changes or [(frozenset(), frozenset())]:
            self._tell(barred, ended)

    def end_guest(self, handle: ParticipantId) -> None:
        """Vouch no longer for a guest: what is open for them ends; on the event loop, after the commit."""
        self.guests.end(handle)
        self._tell(frozenset({handle}), frozenset())

    def _tell(self, barred: frozenset[ParticipantId], ended: frozenset[Thumbprint]) -> None:
        self.client.end_calls(barred, ended)
        for listener in self._on_list:
            listener(barred, ended)

    def on_list(self, listener: ListListener) -> None:
        """Call ``listener`` with who is barred and which keys ended, after each new list."""
        self._on_list = [*self._on_list, listener]

    async def tidy(self) -> None:
        """What time brings about: agreements expire, duties become overdue, nonces are forgotten, Acks go
        again, counted denials are recorded, and a TLS key that was listed a while ago is known to enough
        peers to be used.
        """
        self._adopt_while_running()
        await self.writer.write(self._tidy)

    def _tidy(self, transaction: Transaction) -> None:
        self.desk.agreements.expire(transaction)
        self.duties.tasks.overdue(transaction)
        nonces.forget(transaction, self.ambient.now())
        metered.resend(transaction, self.ambient.now(), patience=metered.PATIENCE_MS)
        self.ground.floods.record(transaction, self.recorder, self.ambient)

    # --- life -----------------------------------------------------------------------------------------

    def listen_to_commits(self, loop: asyncio.AbstractEventLoop) -> None:
        """Act on what commits are marked with: look into the outbox, tell of new lists."""

        def listener(marks: frozenset[str]) -> None:
            with suppress(RuntimeError):  # the loop has been closed: nobody is there to be told
                if OUTBOX in marks:
                    loop.call_soon_threadsafe(self.post.wake)
                if COLLECT in marks:
                    loop.call_soon_threadsafe(self.collecting.go)
                if LIST in marks:
                    loop.call_soon_threadsafe(self.tell_of_lists)

        self.writer.after_commit(listener)

    async def close(self) -> None:
        """Let go of everything, in the order that leaves nothing half-written."""
        async with AsyncExitStack() as closing:
            # Whatever fails, the rest is let go of, and the lock last of all.
            closing.callback(self._lock.release)
            closing.callback(self.database.close)
            closing.callback(self.chest.close)
            closing.push_async_callback(asyncio.to_thread, self.writer.close)
            if "engine" in self.__dict__:
                self.engine.end_all()
            if "rules" in self.__dict__:
                closing.push_async_callback(asyncio.to_thread, self.rules.close)
            if "notary" in self.__dict__:
                closing.callback(self.notary.close)
            await self.client.close()
            if "notary" in self.__dict__:
                await asyncio.to_thread(self.notary.publish, seal=True)


def _wrapping_keys(ring: KeyRing) -> list[bytes]:
    following = ring.next_store
    return [ring.store] if following is None else [ring.store, following]
