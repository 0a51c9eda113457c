"""The demo's story: two municipalities, a company and a citizen share data on this machine."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.panel import Panel
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn
from rich.table import Table

from connector.control.perform import perform
from connector.control.socket import FromConnector
from connector.demo.space import Participant, Space, found_opa
from connector.policy.rulebook import INSTALL_OPA, OPA_VERSION
from ledger.canonical import JSONObject
from ledger.errors import BylagError, ErrorKind

RESEARCH: Final = "AcademicResearch"
MARKETING: Final = "Marketing"


class DemoFailed(BylagError):
    """The demo did not go as the story says."""

    code = "DEMO_FAILED"
    kind = ErrorKind.DAMAGED
    default_next_step = "Look into connector.log in the homes, and report what you see."


def main(*, once: bool, data: Path | None = None, folder: Path | None = None) -> int:
    """Tell the story. With ``once`` it ends by itself; without, the data space stays up until Ctrl-C.

    ``data`` is a table to share instead of the demo's own. ``folder`` keeps the homes; without it
    they lie in a temporary folder that is removed at the end. Returns the exit status, 0; raises
    :class:`DemoFailed` when something did not go as the story says.
    """
    console = Console(highlight=False)
    place = folder or Path(tempfile.mkdtemp(prefix="bylag-demo-"))
    with _demo_data() as own, _kept_on_failure(console, place, temporary=folder is None):
        story = _Story(console, place, data or own / "household-energy.csv", own / "weather-carbon.csv")
        try:
            story.tell()
            if not once:
                story.stay()
        finally:
            story.end()
    return 0


class _Story:
    """The story, chapter by chapter."""

    def __init__(self, console: Console, folder: Path, table: Path, weather: Path) -> None:
        self._console = console
        self._folder = folder
        self._table = table
        self._weather = weather
        self._space: Space | None = None
        self._strandby: Participant
        self._ekholm: Participant
        self._voltlinje: Participant
        self._citizen: Participant

    def tell(self) -> None:
        """Everything, once."""
        self._console.print(
            Panel(
                "Two municipalities, a company and a citizen share data on this machine.\n"
                "Each is a process of its own, with keys of its own; they talk over mutual TLS.\n"
                "Nobody stands in the middle: the registrar only signs a list of members.",
                title="bylag",
            )
        )
        self._join()
        self._publish()
        agreement = self._negotiate()
        delivery = self._fetch(agreement)
        self._deny(agreement)
        self._use(delivery)
        self._open_data()
        self._audit()

    def stay(self) -> None:
        """Bring the data space up again and say what can be tried."""
        space = self._opened()
        for participant in space.participants:
            participant.start()
        company, city = self._voltlinje.home.folder, self._strandby.home.folder
        self._console.rule("The data space is up. Try, in another terminal:")
        for command in (
            f"bylag catalog {self._strandby.did} --home {company}",
            f"bylag agreement list --home {company}",
            f"bylag deliveries --home {company}",
            f"bylag ledger show --home {city}",
            f"bylag status --home {city}",
            f"bylag doctor --home {city}",
        ):
            self._console.print(f"  {Path(sys.executable).parent / command}", soft_wrap=True)
        self._console.print("\nCtrl-C ends it.")
        try:
            signal.pause()
        except KeyboardInterrupt:
            self._console.print("Ending.")

    def end(self) -> None:
        """Stop every process that was started."""
        if self._space is not None:
            self._space.stop()

    def _join(self) -> None:
        self._chapter("1. A data space begins", "The registrar makes a key and signs a list of members.")
        with self._working("making keys and admitting members") as step:
            self._space = Space(self._folder)
            self._strandby = self._space.add("Strandby", "municipality", opa=found_opa())
            self._ekholm = self._space.add("Ekholm", "municipality")
            self._voltlinje = self._space.add("Voltlinje", "company")
            self._space.hand_out()
            step("starting three connectors")
            for participant in self._space.participants:
                participant.start()
            step("vouching for a citizen")
            self._citizen = self._space.add_guest("Citizen", self._ekholm)
            self._citizen.start()
        members = self._strandby.ask("members")
        self._say(
            f"List number {members['number']} names Strandby, Ekholm and Voltlinje, pins their keys,"
            " and is signed by the registrar.",
            f"The citizen is on no list. Ekholm alone knows who holds this handle: {self._citizen.did[:14]}…",
        )

    def _publish(self) -> None:
        self._chapter("2. Strandby and Ekholm publish", "A version is a snapshot, named by its digest.")
        with self._working("publishing"):
            table = self._strandby.ask(
                "publish",
                file=str(self._table.resolve()),
                dataset="household-energy",
                title="Hourly household energy use",
                columns=self._harmless_columns(),
                purpose=RESEARCH,
                approval="hand",
                raw=False,
                append_only=False,
                keywords=["energy", "households"],
            )
            weather = self._ekholm.ask(
                "publish",
                file=str(self._weather.resolve()),
                dataset="weather-carbon",
                title="Weather and carbon intensity",
                licence="MIT",
                columns={},
                purpose="PublicBenefit",
                approval="hand",
                raw=False,
                append_only=False,
            )
        for participant, entry in ((self._strandby, table), (self._ekholm, weather)):
            manifest = _newest(entry)
            self._say(f"{participant.name}: {manifest['rows']} rows, version {str(entry['digest'])[:12]}…")
        self._say(
            "Strandby's offer is for academic research only; a person at Strandby approves each agreement."
        )

    def _harmless_columns(self) -> JSONObject:
        """The demo's own table holds measured homes under invented numbers: its owner says so."""
        with self._table.open() as table:
            names = table.readline().strip().split(",")
        return {name: "not-personal" for name in names if name == "household_id"}

    def _negotiate(self) -> str:
        self._chapter("3. Voltlinje negotiates", "An agreement counts when both have signed the same bytes.")
        found = self._voltlinje.answer("catalog", peer=self._strandby.did, dcat=False)
        names = [str(_dataset(entry)["title"]) for entry in found] if isinstance(found, list) else []
        self._say(f"Voltlinje reads Strandby's catalogue: {', '.join(names)}.")
        with self._working("asking for an agreement") as step:
            asked = self._voltlinje.ask(
                "negotiate", provider=self._strandby.did, dataset="household-energy", wait=0
            )
            waiting = self._wait_for_request()
            step("a clerk at Strandby reads the terms and approves")
            self._strandby.ask(
                "approve",
                negotiation=waiting,
                actor="Clerk at the energy office",
                mandate="Delegation order, section 4",
                words="Approved for the load study.",
            )
            done = self._finalized(self._voltlinje, str(asked["negotiation"]))
        for message in done["messages"] if isinstance(done["messages"], list) else []:
            if isinstance(message, dict):
                words = f" “{message['words']}”" if "words" in message else ""
                self._say(f"{message['by']:>8} signs {message['message']}{words}")
        agreement = str(done["agreement"])
        self._say(f"In force: agreement {agreement[:12]}…, signed by both, acknowledged, recorded twice.")
        return agreement

    def _wait_for_request(self) -> str:
        """The request travels through the outbox; a moment later it is there."""
        waiting = self._strandby.ask("await-negotiation", state="REQUESTED", wait=20)
        return str(waiting["negotiation"])

    def _finalized(self, participant: Participant, negotiation: str) -> JSONObject:
        done = participant.ask("await-negotiation", negotiation=negotiation, state="FINALIZED", wait=20)
        if done["state"] != "FINALIZED":
            raise DemoFailed(f"the negotiation ended as {done['state']}")
        return done

    def _fetch(self, agreement: str) -> str:
        self._chapter(
            "4. Voltlinje fetches",
            "Each window is recorded by Strandby before it leaves, and signed for by Voltlinje.",
        )
        with Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            console=self._console,
            transient=True,
        ) as progress:
            bar = progress.add_task("receiving", total=self._table.stat().st_size)

            def report(doing: str, done: int, total: int | None) -> None:  # noqa: ARG001  # as reported
                progress.update(bar, description=doing, completed=done)

            got = perform(self._voltlinje.home, "fetch", {"agreement": agreement}, report)
        if not isinstance(got, dict) or got["state"] != "COMPLETED":
            raise DemoFailed("the transfer did not complete")
        self._say(
            f"{got['rows']} rows, {got['bytes']} bytes in {got['windows']} window(s).",
            f"Both signed the same running digest: {str(got['digest'])[:24]}…",
            "Then each proved to the other that its record lies under a checkpoint the other cosigned.",
        )
        return str(got["exchange"])

    def _deny(self, agreement: str) -> None:
        self._chapter(
            "5. Voltlinje asks for another purpose", "The agreement says research. Marketing is not."
        )
        try:
            self._voltlinje.ask("fetch", agreement=agreement, purpose=MARKETING)
        except FromConnector as denied:
            self._say(
                f"[red]Denied[/red]: {denied.reason}. {self._engine()} decided; both logs hold the denial."
            )
            return
        raise DemoFailed("a request for another purpose was not denied")

    def _engine(self) -> str:
        """Which engine decides for the city."""
        if self._strandby.opa is not None:
            return f"An OPA server ({OPA_VERSION}), which polls its signed rules from Strandby,"
        return f"The embedded engine (for an OPA server: {INSTALL_OPA})"

    def _use(self, delivery: str) -> None:
        self._chapter(
            "6. Voltlinje uses what it received", "The same policy decides each use from the inbox."
        )
        out = self._folder / "for-the-load-study.csv"
        self._voltlinje.ask("use", delivery=delivery, purpose=RESEARCH, out=str(out))
        same = out.read_bytes() == self._table.read_bytes()
        if not same:
            raise DemoFailed("what came out is not what was published")
        self._say("For research: granted, recorded, written out. Byte for byte what Strandby published.")
        try:
            self._voltlinje.ask("use", delivery=delivery, purpose=MARKETING)
        except FromConnector as denied:
            self._say(f"For marketing: [red]denied[/red] ({denied.reason}), and recorded.")
            return
        raise DemoFailed("a use for another purpose was not denied")

    def _open_data(self) -> None:
        self._chapter(
            "7. A citizen fetches open data", "As a guest of Ekholm, under a handle that only Ekholm knows."
        )
        with self._working("negotiating and fetching") as step:
            asked = self._citizen.ask(
                "negotiate", provider=self._ekholm.did, dataset="weather-carbon", wait=0
            )
            waiting = self._ekholm.ask("await-negotiation", state="REQUESTED", wait=20)
            self._ekholm.ask("approve", negotiation=str(waiting["negotiation"]))
            done = self._finalized(self._citizen, str(asked["negotiation"]))
            step("fetching")
            got = self._citizen.ask("fetch", agreement=str(done["agreement"]))
        self._say(
            f"{got['rows']} rows. In Ekholm's log the citizen stands as commitments only:",
            "what opens them lies in a row of their own that can be erased, and every proof still holds.",
        )

    def _audit(self) -> None:
        self._chapter(
            "8. An auditor looks, with everybody switched off", "Nobody's server is trusted, or needed."
        )
        exports = []
        with self._working("exporting both ledgers, then stopping every process"):
            for participant in (self._strandby, self._voltlinje):
                out = self._folder / f"evidence-{participant.name.lower()}"
                participant.ask("ledger-export", out=str(out))
                exports.append(out)
            self._opened().stop()
        first = self._folder / "registrar-first-keys.json"
        first.write_bytes(self._opened().registrar.trust.first.to_bytes())
        command = ["-m", "ledger", "verify", "--registrar", str(first), *map(str, exports)]
        ran = subprocess.run(  # noqa: S603  # our own program, our own arguments
            [sys.executable, *command], capture_output=True, text=True, check=False
        )
        self._console.print(f"  $ python {' '.join(command)}", style="dim", soft_wrap=True)
        for line in ran.stdout.splitlines():
            self._console.print(f"  {line}", markup=False, soft_wrap=True)
        if ran.returncode != 0:
            raise DemoFailed("the ledgers did not verify")
        table = Table(title="What happened, as both logs tell it")
        for heading in ("who", "what", "answers for"):
            table.add_column(heading)
        table.add_row(
            "Strandby",
            "published, approved, recorded, released",
            "that this was the right data, and that it was whole",
        )
        table.add_row(
            "Voltlinje",
            "asked, received, signed, used",
            "the purpose it named, and what it does with the data",
        )
        self._console.print(table)
        self._console.print(
            "This is evidence of who answered for what under the agreement. It is not a judgment."
        )

    def _opened(self) -> Space:
        if self._space is None:
            raise DemoFailed("the data space has not begun")
        return self._space

    def _chapter(self, title: str, subtitle: str) -> None:
        self._console.print()
        self._console.print(f"[bold]{title}[/bold]")
        self._console.print(f"[dim]{subtitle}[/dim]")

    def _say(self, *lines: str) -> None:
        for line in lines:
            self._console.print(f"  {line}", soft_wrap=True)

    @contextmanager
    def _working(self, doing: str) -> Iterator[Callable[[str], None]]:
        with self._console.status(doing) as status:
            yield status.update


@contextmanager
def _kept_on_failure(console: Console, place: Path, *, temporary: bool) -> Iterator[None]:
    """Remove a temporary folder at the end, but not when something in it explains a failure."""
    try:
        yield
    except BylagError:
        console.print(f"The homes, each with its connector.log, are kept in {place}.")
        raise
    if temporary:
        shutil.rmtree(place, ignore_errors=True)


@contextmanager
def _demo_data() -> Iterator[Path]:
    """The demo's own data as files, however the package is installed."""
    with resources.as_file(resources.files("connector.demo") / "data") as folder:
        yield folder


def _newest(entry: JSONObject) -> JSONObject:
    versions = entry["versions"]
    newest = versions[-1] if isinstance(versions, list) else None
    if not isinstance(newest, dict) or not isinstance(newest["manifest"], dict):
        raise DemoFailed("the dataset has no version")
    entry["digest"] = newest["digest"]
    return newest["manifest"]


def _dataset(entry: object) -> JSONObject:
    found = entry.get("dataset") if isinstance(entry, dict) else None
    if not isinstance(found, dict):
        raise DemoFailed("the catalogue has another form")
    return found
