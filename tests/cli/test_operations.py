"""What the commands ask of a home whose connector does not run, without a process for each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import connector.control.operations  # noqa: F401  # fills the table
from connector.control import joining
from connector.control.perform import perform, run_loop
from connector.identity import change
from connector.identity.enrolment import read_join, read_rotation, read_update
from connector.identity.registrar import Registrar
from connector.node import Node
from connector.store.config import Config, UnitEntry, read_config
from connector.store.home import Home
from ledger.ambient import SystemAmbient
from ledger.canonical import JSON
from ledger.document import from_base64url, to_base64url
from ledger.errors import BylagError
from ledger.names import DataSpaceId, Milliseconds, ParticipantId, Thumbprint
from tests.cli.command import Shell

ALFA = "did:web:alfa.example"


class Alone:
    """One member of a data space, and its registrar."""

    def __init__(self, folder: Path) -> None:
        self.registrar = Registrar.create(folder / "registrar", DataSpaceId("one.example"), SystemAmbient())
        units = (UnitEntry("main", "Main"),)
        config = Config("one.example", "organisation", ALFA, "Alfa", "municipality", "", "", "", units)
        self.home = joining.make_home(folder / "alfa", config, None)
        newcomer = joining.Newcomer.open(self.home, None)
        self.registrar.publish(change.admit(read_join(joining.request_to_join(newcomer))))
        self.on_node(lambda node: joining.take_answer(node, self.registrar.answer.to_bytes(), None))

    def on_node(self, work: Any) -> Any:
        """Do something with the home's node."""

        async def there() -> Any:
            node = Node(self.home)
            try:
                return work(node)
            finally:
                await node.close()

        return run_loop(there())

    def ask(self, operation: str, **arguments: JSON) -> Any:
        """Ask for an operation."""
        return perform(self.home, operation, arguments, lambda *_: None)

    def take_lists(self) -> Any:
        """Take the registrar's newest answer."""
        return self.ask("update-list", file=to_base64url(self.registrar.answer.to_bytes()))


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Alone:
    return Alone(tmp_path_factory.mktemp("alone"))


def test_a_next_key_is_used_from_the_start_after_a_list_names_it(alone: Alone) -> None:
    before = _current(alone, "sign")
    asked = alone.ask("rotate-key", use="sign")
    again = alone.ask("rotate-key", use="sign")
    assert (asked["key"], asked["replaces"]) == (again["key"], before)  # asked again, for the same key
    assert _current(alone, "sign") == before
    alone.registrar.publish(change.rotate(read_rotation(from_base64url(asked["request"]))))
    alone.take_lists()
    assert _current(alone, "sign") == asked["key"]
    assert alone.ask("doctor")["healthy"] is True


def test_a_tls_key_waits_until_peers_with_an_older_list_know_it(alone: Alone) -> None:
    before = _current(alone, "tls")
    asked = alone.ask("rotate-key", use="tls")
    alone.registrar.publish(change.rotate(read_rotation(from_base64url(asked["request"]))))
    alone.take_lists()
    assert _current(alone, "tls") == before
    found = next(check for check in alone.ask("doctor")["checks"] if check["check"] == "keys")
    assert found["found"] == "listed; the next one is used once a list names it and peers can know it: tls"


def test_lists_are_taken_from_an_answer_and_from_a_single_file(alone: Alone) -> None:
    number = alone.take_lists()["number"]
    alone.registrar.publish(change.renew())
    single = alone.registrar.folder / "lists" / f"{number + 1:09}.json"
    assert alone.ask("update-list", file=to_base64url(single.read_bytes()))["number"] == number + 1
    assert alone.take_lists() == {**alone.take_lists(), "before": number + 1, "number": number + 1}


def test_status_and_doctor_fail_when_a_key_has_ended(tmp_path: Path) -> None:
    short = Alone(tmp_path)
    key = next(key for key in short.ask("keys") if key["use"] == "bundle")
    ends = Milliseconds(key["not_before"] + 1)
    short.registrar.publish(change.extend(ParticipantId(ALFA), Thumbprint(key["thumbprint"]), ends))
    short.take_lists()
    bylag = Shell(tmp_path)
    expiring = bylag("status", "--home", "alfa", "--json", status=1).json["expiring"]
    assert [(each["what"], each["days"]) for each in expiring] == [("key bundle", 0)]
    told = bylag("doctor", "--home", "alfa", status=1).out
    assert "BAD  keys: the membership list does not name the bundle key as valid now" in told
    assert "next: Make a new one with `bylag keys rotate`" in told


def test_other_details_are_asked_for_and_kept(alone: Alone) -> None:
    settings = read_config(alone.home.config)
    wanted = Config(
        settings.space, settings.form, settings.participant, "Alfa Town", settings.kind,
        "127.0.0.1:0", "alfa.example:8443", "", settings.units,
    )  # fmt: skip
    request = alone.on_node(lambda node: joining.change_details(node, wanted))
    alone.registrar.publish(change.update(read_update(request)))
    alone.take_lists()
    listed = alone.ask("members")["members"][0]
    assert (listed["name"], listed["endpoints"]) == ("Alfa Town", ["alfa.example:8443"])
    assert read_config(alone.home.config) == wanted


def test_a_plain_file_keeps_the_media_type_that_was_said(alone: Alone, tmp_path: Path) -> None:
    plan = tmp_path / "plan.pdf"
    plan.write_bytes(b"%PDF-1.7 " + bytes(100))
    told = alone.ask("publish", file=str(plan), dataset="plan", raw=True, media_type="application/pdf")
    assert told["versions"][0]["manifest"]["media_type"] == "application/pdf"


def test_a_table_is_read_as_its_publisher_says(alone: Alone, tmp_path: Path) -> None:
    table = tmp_path / "codes.csv"
    table.write_text("1;2\n3;4\n")
    said: dict[str, JSON] = {"header": False, "delimiter": ";", "types": {"column_1": "string"}}
    told = alone.ask("publish", file=str(table), dataset="codes", **said)
    manifest = told["versions"][0]["manifest"]
    assert (manifest["rows"], manifest["delimiter"]) == (2, ";")
    assert [column["type"] for column in manifest["schema"]["columns"]] == ["string", "integer"]


@pytest.mark.parametrize(
    ("operation", "arguments", "code"),
    [
        ("publish", {"file": "x", "dataset": "x", "delimiter": "x"}, "BAD_FIELD"),
        ("publish", {"file": "x", "dataset": "x", "types": {"a": "colour"}}, "BAD_FIELD"),
        ("publish", {"file": "x", "dataset": "x", "columns": []}, "BAD_FIELD"),
        ("retract-offer", {"offer": "none"}, "NO_OFFER"),
        ("rotate-key", {"use": "log"}, "BAD_FIELD"),
        ("renew-guest", {"handle": "guest:none"}, "NO_SUCH_GUEST"),
        ("counter", {"negotiation": "none", "days": 1}, "NO_SUCH_NEGOTIATION"),
        ("catalog", {"peer": "did:web:nobody.example", "dcat": False}, "UNKNOWN_ORGANISATION"),
        ("nothing", {}, "UNKNOWN_OPERATION"),
    ],
)
def test_what_cannot_be_done_is_refused(
    alone: Alone, operation: str, arguments: dict[str, JSON], code: str
) -> None:
    with pytest.raises(BylagError) as refused:
        alone.ask(operation, **arguments)
    assert refused.value.code == code


def test_a_home_that_has_not_joined_can_do_nothing_yet(tmp_path: Path) -> None:
    config = Config("one.example", "organisation", ALFA, "Alfa", "other", "", "", "")
    home = joining.make_home(tmp_path / "new", config, None)
    with pytest.raises(BylagError) as refused:
        perform(Home(home.folder), "status", {}, lambda *_: None)
    assert refused.value.code == "NOT_JOINED"


def _current(alone: Alone, use: str) -> str:
    keys = alone.ask("keys")
    return str(next(key["thumbprint"] for key in keys if (key["use"], key["which"]) == (use, "current")))
