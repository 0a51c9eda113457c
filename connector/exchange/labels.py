"""Who was in a release: the labels of an exchange, and the trees over them that both sides sign.

Rules that hold here (LEDGER.md section 2, "Who was in a release"):

* A person's label in an exchange is HMAC(k, "bylag/member/v1" ‖ exchange id), 16 bytes of it. Rows
  carry it in a transport column; whose it is only the provider knows.
* A Commit has the root over the labels *first seen* in its window: in no acknowledged window of any
  attempt, and in no earlier window of this one. End, or the Cut that ends an exchange, has the root
  over all. Each set is padded, with the window's key and with the last window's, and stays stored as
  a tree: proofs of "in" and "not in" outlive the keys.
* The consumer computes both from the rows that it received, and signs for nothing else.
* Each person has one side row for an exchange, written with the first window that holds them,
  whether or not that window is ever acknowledged.
"""

from __future__ import annotations

import sqlite3
from collections import ChainMap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Final

from connector.audit.people import People, PersonHandle
from connector.exchange.digest import FrameKey
from connector.store.tables import LabelTreeRow
from connector.store.writer import Transaction
from ledger.canonical import JSONObject
from ledger.errors import BylagError, ErrorKind
from ledger.names import ExchangeId, UnitId
from ledger.prefix import LABEL_BYTES, PAD_EXCHANGE, PrefixProof, PrefixTree, member_label, padded

WINDOW: Final = "window"
CUT: Final = "cut"
ALL: Final = "all"
_REMEMBERED: Final = 1 << 18
"""Subjects whose labels one exchange keeps at hand: as many as one window can hold rows."""


class NoSuchSet(BylagError):
    """No labels were signed for there: not an exchange about people, or another window."""

    code = "NO_SUCH_SET"
    kind = ErrorKind.NOT_FOUND
    default_next_step = "Look at the exchange's commits: `labels` is null where nobody was in a window."


@dataclass(frozen=True, slots=True)
class WindowLabels:
    """The labels first seen in a window, or in its first frames."""

    number: int
    key: FrameKey = field(repr=False)
    frames: tuple[frozenset[bytes], ...]
    """For each frame, what was first seen in it."""
    root: str
    """What the Commit says, hexadecimal."""
    nodes: bytes = field(repr=False)
    """The padded tree, as it is stored."""

    @property
    def labels(self) -> frozenset[bytes]:
        """All of them, without padding."""
        return frozenset[bytes]().union(*self.frames)

    @property
    def people(self) -> int:
        """How many they are."""
        return sum(len(labels) for labels in self.frames)

    def up_to(self, frame: int) -> WindowLabels:
        """As it is when the window ends at an earlier frame."""
        return _window(self.number, self.key, self.frames[:frame])


@dataclass(frozen=True, slots=True)
class AllLabels:
    """The labels of a whole exchange, up to its window ``number``."""

    number: int
    people: int
    """How many labels, without padding."""
    root: str
    """What End or Cut says, hexadecimal."""
    nodes: bytes = field(repr=False)


class LabelSets:
    """The labels of one exchange as one side has them, in one attempt. Safe for two threads."""

    def __init__(self, acknowledged: Iterable[bytes]) -> None:
        """``acknowledged``: labels in the windows that earlier attempts acknowledged."""
        self._seen = set(acknowledged)
        self._fresh: dict[int, frozenset[bytes]] = {}
        """By window: what was first seen in it, from when it is begun."""
        self._windows: dict[int, WindowLabels] = {}
        self._lock = Lock()

    def window(self, number: int, key: FrameKey, frames: Iterable[Iterable[bytes]]) -> WindowLabels:
        """The next window, from the labels in each of its frames."""
        first_seen = []
        with self._lock:
            for labels in frames:
                fresh = frozenset(labels) - self._seen
                self._seen |= fresh
                first_seen.append(fresh)
            self._fresh[number] = frozenset[bytes]().union(*first_seen)
        window = _window(number, key, tuple(first_seen))
        with self._lock:
            self._windows[number] = window
        return window

    def get(self, number: int) -> WindowLabels | None:
        """A window of this attempt, at or behind the last one acknowledged."""
        with self._lock:
            return self._windows.get(number)

    def settle(self, number: int) -> None:
        """The window was acknowledged: those before it can no longer be cut."""
        with self._lock:
            for earlier in [each for each in self._fresh if each < number]:
                del self._fresh[earlier], self._windows[earlier]

    def everything(self, last: WindowLabels) -> AllLabels:
        """All labels up to ``last``: the last window of the exchange, or what a Cut left of it."""
        with self._lock:
            seen = set(self._seen)
            beyond = [fresh for number, fresh in self._fresh.items() if number >= last.number]
        labels = seen.difference(*beyond) | last.labels
        tree = PrefixTree.of(padded(labels, last.key, PAD_EXCHANGE))
        return AllLabels(last.number, len(labels), tree.root.hex(), tree.to_bytes())


def _window(number: int, key: FrameKey, frames: tuple[frozenset[bytes], ...]) -> WindowLabels:
    labels: frozenset[bytes] = frozenset().union(*frames)
    tree = PrefixTree.of(padded(labels, key))
    return WindowLabels(number, key, frames, tree.root.hex(), tree.to_bytes())


class Released:
    """The provider's side: from subject ids to labels, and to whom a side row is owed."""

    def __init__(
        self,
        people: People,
        controller: UnitId | None,
        exchange: ExchangeId,
        connection: sqlite3.Connection,
    ) -> None:
        self._people = people
        self._controller = controller
        self._exchange = exchange
        self._known: dict[str, tuple[bytes, PersonHandle]] = {}
        self._owed: dict[int, dict[bytes, PersonHandle]] = {}
        """By window that was made and is not committed to yet: whoever gets a side row with it."""
        self._told = _labels(connection, exchange, acknowledged_only=False)
        """Who got theirs in an attempt before."""
        self.sets = LabelSets(_labels(connection, exchange, acknowledged_only=True))

    def __call__(self, subjects: Sequence[str]) -> list[str]:
        """Labels in hexadecimal, in order: what a source asks for (``connector.source.view``)."""
        found = self._find(subjects)
        return [found[subject][0].hex() for subject in subjects]

    def window(self, number: int, key: FrameKey, frames: Sequence[Sequence[str]]) -> WindowLabels:
        """The next window, from the subjects of each frame's rows."""
        members = [dict(self._find(subjects).values()) for subjects in frames]
        window = self.sets.window(number, key, members)
        handles = ChainMap(*members)
        self._owed[number] = {label: handles[label] for label in window.labels - self._told}
        return window

    def side_rows(self, window: WindowLabels, content: JSONObject) -> dict[str, JSONObject]:
        """A side row for each person who is in ``window`` and has none in this exchange yet."""
        owed = self._owed[window.number]
        return {handle: {**content, "label": label.hex()} for label, handle in owed.items()}

    def told(self, window: WindowLabels) -> None:
        """The side rows of ``window`` are durable."""
        del self._owed[window.number]

    def _find(self, subjects: Iterable[str]) -> dict[str, tuple[bytes, PersonHandle]]:
        wanted = dict.fromkeys(subjects)
        found = {subject: self._known[subject] for subject in wanted if subject in self._known}
        missing = [subject for subject in wanted if subject not in found]
        if missing:
            persons = self._people.find(self._controller, missing)
            fresh = {
                subject: (member_label(person.secret, self._exchange), person.handle)
                for subject, person in persons.items()
            }
            if len(self._known) + len(fresh) > _REMEMBERED:
                self._known.clear()
            self._known |= fresh
            found |= fresh
        return found


def root_of(labels: WindowLabels | AllLabels | None) -> str | None:
    """What a message says of a set; null for data about nobody."""
    return None if labels is None else labels.root


def people_member(labels: WindowLabels | AllLabels | None) -> JSONObject:
    """How many people a record concerns, as a leaf says it; nothing for data about nobody."""
    return {} if labels is None else {"people": bucket(labels.people)}


def bucket(number: int) -> int:
    """How many people, as a leaf says it: nobody, or the next power of two."""
    return 1 << (number - 1).bit_length() if number else 0


def store(
    transaction: Transaction,
    place: tuple[str, int],
    part: str,
    labels: WindowLabels | AllLabels | None,
    *,
    acknowledged: bool = False,
) -> None:
    """Keep a set that is being signed. ``place`` is exchange and attempt; None is data about nobody."""
    if labels is None:
        return
    exchange, attempt = place
    transaction.session.add(
        LabelTreeRow(
            exchange=exchange,
            attempt=attempt,
            window=labels.number,
            part=part,
            root=labels.root,
            labels=b"".join(sorted(labels.labels)) if isinstance(labels, WindowLabels) else b"",
            nodes=labels.nodes,
            acknowledged=acknowledged,
        )
    )


def acknowledge(transaction: Transaction, exchange: str, attempt: int, first: int, last: int) -> None:
    """The consumer signed for windows ``first`` to ``last`` of an attempt; of one cut, for what was left."""
    transaction.sqlite.execute(
        "UPDATE label_tree SET acknowledged = 1"
        " WHERE exchange = ? AND attempt = ? AND window BETWEEN ? AND ? AND part <> 'all'"
        " AND (part = 'cut' OR NOT EXISTS (SELECT 1 FROM label_tree AS other WHERE part = 'cut'"
        " AND other.exchange = label_tree.exchange AND other.attempt = label_tree.attempt"
        " AND other.window = label_tree.window))",
        (exchange, attempt, first, last),
    )


def acknowledged_labels(connection: sqlite3.Connection, exchange: str) -> set[bytes]:
    """Every label that an acknowledged window of the exchange holds."""
    return _labels(connection, exchange, acknowledged_only=True)


def proof(
    connection: sqlite3.Connection, place: tuple[str, int, int], label: bytes, part: str = WINDOW
) -> tuple[str, PrefixProof]:
    """The signed root at ``place`` (exchange, attempt, window), and the proof that a label is in or not.

    Raises :class:`NoSuchSet`, or :class:`~ledger.prefix.Unprovable`.
    """
    row = connection.execute(
        "SELECT root, nodes FROM label_tree WHERE exchange = ? AND attempt = ? AND window = ? AND part = ?",
        (*place, part),
    ).fetchone()
    if row is None:
        raise NoSuchSet("no labels were signed for there", field="window")
    return str(row[0]), PrefixTree.from_bytes(row[1]).prove(label)


def _labels(connection: sqlite3.Connection, exchange: str, *, acknowledged_only: bool) -> set[bytes]:
    rows: Iterable[tuple[bytes]] = connection.execute(
        "SELECT labels FROM label_tree WHERE exchange = ? AND acknowledged >= ?",
        (exchange, int(acknowledged_only)),
    )
    return {labels[at : at + LABEL_BYTES] for (labels,) in rows for at in range(0, len(labels), LABEL_BYTES)}
