"""The main job by hand: from nothing to two ledgers that verify, with nothing but the command."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.command import ended
from tests.cli.conftest import ALFA, BETA, Space, both

pytestmark = pytest.mark.timeout(300)  # a data space is made before the first


def test_the_registrar_says_what_to_compare_and_whom_it_admitted(space: Space) -> None:
    fingerprint = space.bylag.json("registrar", "show")["fingerprint"]
    assert fingerprint in space.came["create"].out
    asked = space.bylag.json("registrar", "inspect", "alfa-request.json")
    assert (asked["asks"], asked["did"], asked["units"]) == (
        "join-request",
        ALFA,
        ["energy (Energy committee)"],
    )
    listed = space.bylag.json("registrar", "list")
    assert [member["did"] for member in listed["members"]] == [ALFA, BETA]
    held = next(key for key in space.bylag.json("keys", "list", "--home", "alfa") if key["use"] == "sign")
    assert (held["thumbprint"], held["state"]) == (asked["key"], "valid")


def test_what_alfa_publishes_beta_finds(space: Space) -> None:
    published = space.came["publish"]
    found = space.bylag.json("catalog", ALFA, "--home", "beta")
    assert [entry["dataset"]["id"] for entry in found] == ["table"]
    assert found[0]["versions"] == published["versions"]
    assert published["versions"][0]["manifest"]["rows"] == space.rows
    assert found[0]["dataset"]["unit"] == "energy"
    one = space.bylag("dataset", "table", "--peer", ALFA, "--home", "beta")
    assert published["offers"][0]["id"] in one.out
    assert "Whoever signs it may use the data in any way, if" in one.out
    graph = space.bylag.json("catalog", "--home", "alfa", "--dcat")
    assert "@context" in graph


def test_an_agreement_bears_two_signatures_over_the_same_bytes(space: Space, agreement: str) -> None:
    asked = space.came["negotiate"]
    assert (asked["state"], asked["role"]) == ("FINALIZED", "consumer")
    at_beta = space.bylag.json("agreement", "show", agreement, "--home", "beta")
    at_alfa = space.bylag.json("agreement", "show", agreement, "--home", "alfa")
    assert at_alfa["digest"] == at_beta["digest"]
    assert at_alfa["signatures"] == at_beta["signatures"]
    assert all(at_alfa["signatures"].values())
    shown = space.bylag("agreement", "show", agreement, "--home", "beta").out
    assert f"{BETA} may use the data in any way, if" in shown
    assert space.bylag.json("agreement", "list", "--home", "alfa")[0]["role"] == "provider"


def test_what_comes_out_is_the_source_byte_for_byte(space: Space, delivery: str) -> None:
    fetched = space.came["fetch"]
    assert (fetched["state"], fetched["rows"]) == ("COMPLETED", space.rows)
    assert fetched["bytes"] == space.table.stat().st_size
    used = space.bylag.json(
        "use", delivery, "--purpose", "PublicBenefit", "--out", "out.csv", "--home", "beta"
    )
    assert used["out"] == str(space.folder / "out.csv")
    assert (space.folder / "out.csv").read_bytes() == space.table.read_bytes()


def test_a_part_comes_row_for_row_as_it_stands_in_the_source(space: Space, agreement: str) -> None:
    rows = list(csv.DictReader(io.StringIO(space.table.read_text("utf-8"))))
    first, second = space.columns[1], space.columns[2]
    value = rows[7][first]
    wanted = [row for row in rows if row[first] == value][:5]
    part = ("--columns", f"{first},{second}", "--where", f"{first} = {value}", "--limit", "5")
    fetched = space.bylag.json("fetch", agreement, *part, "--home", "beta")
    shown = space.bylag("use", fetched["exchange"], "--purpose", "PublicBenefit", "--home", "beta").out
    got = list(csv.DictReader(io.StringIO(shown)))
    assert got == [{first: row[first], second: row[second]} for row in wanted]


def recorded(space: Space, home: str) -> list[str]:
    """The types of a ledger's records, the oldest first."""
    shown = space.bylag.json("ledger", "show", "--last", "10000", "--home", home)
    return [each["leaf"]["type"] for each in sorted(shown, key=lambda each: each["index"])]


def test_a_question_is_answered_used_and_recorded_at_both_sides(space: Space, agreement: str) -> None:
    rows = list(csv.reader(io.StringIO(space.table.read_text("utf-8"))))[1:]
    column, value = space.columns[1], rows[7][1]
    wanted = [row for row in rows if row[1] == value][:3]
    before = [recorded(space, home) for home in ("alfa", "beta")]
    part = ("--where", f"{column} = {value}", "--limit", "3")
    shown = space.bylag("query", agreement, *part, "--home", "beta").out
    assert list(csv.reader(io.StringIO(shown)))[1:] == wanted
    after = [recorded(space, home) for home in ("alfa", "beta")]
    at_alfa, at_beta = (new[len(old) :] for old, new in zip(before, after, strict=True))
    assert at_alfa.count("release") == at_beta.count("intake") == 1
    assert {"commit", "ack"} <= set(at_alfa)
    assert "ack" in at_beta
    assert at_beta[-1] == "use"


def test_many_questions_are_asked_in_one_session(space: Space, agreement: str) -> None:
    (space.folder / "questions.jsonl").write_text('{"limit": 1}\n{"limit": 2}\n\n{"limit": 0}\n')
    result = space.bylag.json("query", agreement, "--questions", "questions.jsonl", "--home", "beta")
    assert [len(answer.splitlines()) - 1 for answer in result["answers"]] == [1, 2, 0]
    assert result["rows"] == 3
    assert result["exchange"] not in [
        each["exchange"] for each in space.bylag.json("deliveries", "--home", "beta")
    ]


def test_a_question_that_is_denied_says_why(space: Space, agreement: str) -> None:
    denied = space.bylag("query", agreement, "--where", "nosuch = 1", "--home", "beta", status=None)
    denied.refused("BAD_SELECTION", 3)


def test_another_purpose_is_denied_and_the_denial_stands_in_both_logs(space: Space, agreement: str) -> None:
    denied = space.bylag("fetch", agreement, "--purpose", "Marketing", "--home", "beta", status=None)
    denied.refused("PURPOSE_BEYOND_AGREEMENT", 3)
    assert "`bylag agreement show AGREEMENT`" in denied.err
    for home in ("alfa", "beta"):
        records = space.bylag.json("ledger", "show", "--last", "40", "--home", home)
        denials = [each["leaf"] for each in records if each["leaf"]["type"] == "denial"]
        assert any(leaf.get("code") == "PURPOSE_BEYOND_AGREEMENT" for leaf in denials), home


def test_use_for_another_purpose_is_denied_and_nothing_is_written(space: Space, delivery: str) -> None:
    out = ("--out", "denied.csv", "--home", "beta")
    denied = space.bylag("use", delivery, "--purpose", "Marketing", *out, status=3)
    assert denied.err.startswith("error ")
    assert denied.out == ""
    assert not (space.folder / "denied.csv").exists()


def test_both_ledgers_verify_with_the_participants_out_of_the_way(space: Space, delivery: str) -> None:
    both(
        space.bylag.start("ledger", "export", "export-alfa", "--home", "alfa"),
        space.bylag.start("ledger", "export", "export-beta", "--home", "beta"),
        space.bylag.start("registrar", "first-keys", "--out", "first-keys.json"),
    )
    folders = ("export-alfa", "export-beta", "--registrar", "first-keys.json")
    verified = space.bylag.json("ledger", "verify", *folders)
    assert verified["verified"] is True
    assert len(verified["reports"]) == 3  # each, and what they say about each other
    for report in verified["reports"]:
        assert report["verified"] is True
    for home in ("alfa", "beta"):
        own = space.bylag.json("ledger", "verify", "--home", home)
        assert (own["verified"], own["wrong"]) == (True, [])


def test_of_what_came_whole_there_is_nothing_to_go_on_with(space: Space, delivery: str) -> None:
    again = space.bylag("fetch", "--resume", delivery, "--home", "beta", status=None)
    again.refused("OUT_OF_TURN", 1)
    assert "COMPLETED" in again.err
    assert "bylag use" in again.err


def test_a_byte_that_was_changed_afterwards_is_found(space: Space, delivery: str) -> None:
    space.bylag("ledger", "export", "export-changed", "--home", "alfa")
    parts = Path(space.folder, "export-changed").rglob("*")
    changed = max(path for path in parts if path.is_file() and "entries" in path.parts)
    data = bytearray(changed.read_bytes())
    data[len(data) // 2] ^= 1
    changed.chmod(0o600)
    changed.write_bytes(data)
    assert space.bylag("ledger", "verify", "export-changed", "--json", status=None).status in (1, 2)


def test_terms_are_countered_approved_by_hand_followed_and_ended_with_words(space: Space) -> None:
    bylag = space.bylag
    (space.folder / "small.csv").write_text("place,cars\nNorth,4\nSouth,7\n")
    bylag("publish", "small.csv", "--home", "alfa", "--append-only", "--approve", "hand", "--title", "Small")
    asked = bylag.json("negotiate", ALFA, "small", "--home", "beta", "--wait", "0")
    at_alfa = bylag.json("negotiation", "wait", "--state", "REQUESTED", "--home", "alfa")["negotiation"]
    terms = ("--days", "30", "--purpose", "AcademicResearch")
    bylag("negotiation", "counter", at_alfa, *terms, "--words", "A month.", "--home", "alfa")
    assert asked["waits_for"] == ALFA
    assert bylag.json("negotiation", "wait", "--home", "beta")["state"] == "OFFERED"
    seen = bylag("negotiation", "show", asked["negotiation"], "--home", "beta")
    assert "A month." in seen.out
    assert f"bylag negotiation approve {asked['negotiation']}" in seen.err
    assert "the purpose is, or is a narrower one than, AcademicResearch." in seen.out
    agreed = bylag.json("negotiation", "approve", asked["negotiation"], "--home", "beta")
    assert agreed["state"] == "FINALIZED"
    late = bylag("negotiation", "terminate", asked["negotiation"], "--home", "beta", status=None)
    late.refused("ILLEGAL_MOVE", 1)
    assert "bylag agreement terminate" in late.err
    signed = bylag.json("agreement", "show", agreed["agreement"], "--home", "alfa")["document"]
    period = signed["terms"]["period"]
    assert period["end"] - period["begin"] == 30 * 24 * 3600 * 1000
    assert (signed["provider"]["unit"], signed["consumer"]["unit"]) == ("energy", None)
    bylag("append", "small", "small.csv", "--home", "alfa")
    until = ("--rows", "4", "--seconds", "30")
    followed = bylag.json("subscribe", agreed["agreement"], *until, "--home", "beta")
    assert (followed["rows"], followed["gaps"]) == (4, [])
    came = bylag("use", followed["exchange"], "--purpose", "AcademicResearch", "--home", "beta").out
    assert came.count("North,4") == 2
    bylag("unsubscribe", followed["exchange"], "--home", "beta", status=None).refused("NOT_OPEN", 5)
    bylag("retract", signed["offer"], "--home", "alfa")
    bylag("negotiate", ALFA, "small", "--home", "beta", status=None).refused("NO_OFFER", 5)
    words = ("--words", "The study is done.")
    ended_ = bylag.json("agreement", "terminate", agreed["agreement"], *words, "--home", "beta")
    assert (ended_["state"], ended_["code"]) == ("terminated", "NO_LONGER_NEEDED")
    bylag("fetch", agreed["agreement"], "--home", "beta", status=None).refused("AGREEMENT_ENDED", 3)


def test_a_later_version_keeps_what_was_said_of_the_first(space: Space) -> None:
    table = space.folder / "garages.csv"
    table.write_text("garage,address,cars\nNorth,Harbour street 1,4\n")
    said = ("--title", "Garages", "--licence", "CC0-1.0", "--keyword", "parking")
    declared = ("--column", "address=not-personal")
    first = space.bylag.json("publish", str(table), "--home", "alfa", *said, *declared)
    table.write_text("garage,address,cars\nNorth,Harbour street 1,9\n")
    second = space.bylag.json("publish", str(table), "--home", "alfa")
    assert second["dataset"] == first["dataset"]
    assert [version["number"] for version in second["versions"]] == [1, 2]
    assert second["offers"] == first["offers"]


def test_a_guest_is_vouched_for_and_finds_what_the_controller_publishes(space: Space) -> None:
    bylag = space.bylag
    bylag("init", "--guest", "--controller", ALFA, "--space", "energy.example", "--home", "anna")
    bylag("join", "--home", "anna", "--out", "anna-request.json")
    misled = bylag("registrar", "admit", "anna-request.json", status=None)
    misled.refused("UNKNOWN_REQUEST", 2)
    assert "bylag guest vouch" in misled.err
    to = ("--assurance", "high", "--out", "anna-answer.json")
    vouched = bylag.json("guest", "vouch", "anna-request.json", *to, "--home", "alfa")
    assert (space.folder / "anna-answer.json").stat().st_mode & 0o777 == 0o600
    admitted = bylag.json("admitted", "anna-answer.json", "--home", "anna")
    assert admitted["participant"] == vouched["handle"]
    found = bylag.json("catalog", ALFA, "--home", "anna")
    assert "table" in [entry["dataset"]["id"] for entry in found]
    renewed = bylag.json("guest", "renew", vouched["handle"], "--out", "again.json", "--home", "alfa")
    assert renewed["expires"] > vouched["expires"]
    bylag("guest", "end", vouched["handle"], "--home", "alfa")
    listed = bylag.json("guest", "list", "--home", "alfa")
    assert [(guest["handle"], guest["status"]) for guest in listed] == [(vouched["handle"], "ended")]


def test_status_and_doctor_say_that_all_is_well(space: Space) -> None:
    status = space.bylag.json("status", "--home", "alfa")
    assert (status["participant"], status["serving"]) == (ALFA, True)
    doctor = space.bylag.json("doctor", "--home", "beta")
    assert doctor["healthy"] is True
    named = {check["check"] for check in doctor["checks"]}
    assert {"clock", "disk", "port", "keys", "membership list", "expiries", "log", "store"} <= named


def test_a_second_process_on_the_same_home_is_refused(space: Space) -> None:
    space.bylag("serve", "--home", "alfa", status=None).refused("HOME_IN_USE", 1)


def test_the_same_bytes_verify_by_the_ledger_alone(space: Space, delivery: str) -> None:
    space.bylag("ledger", "export", "export-alone", "--home", "beta")
    told = subprocess.run(
        [sys.executable, "-m", "ledger", "verify", "--json", "export-alone"],
        cwd=space.folder,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert json.loads(told.stdout) == space.bylag.json("ledger", "verify", "export-alone")


def test_proofs_of_one_record_and_of_growth_are_made_offline(space: Space, delivery: str) -> None:
    space.bylag("ledger", "export", "export-old", "--home", "beta")
    space.bylag("ledger", "export", "export-new", "--home", "beta")  # the export itself is a record
    assert space.bylag("ledger", "inclusion", "export-old", "1").out.startswith("c2sp.org/tlog-proof@v1\n")
    grown = space.bylag.json("ledger", "consistency", "export-old", "export-new")
    assert grown["old"] < grown["new"]
    ended(space.bylag.start("ledger", "consistency", "export-new", "export-old"), status=2)


def test_an_export_verifies_without_uvloop_unix_sockets_or_a_home(space: Space, delivery: str) -> None:
    space.bylag("ledger", "export", "export-plain", "--home", "alfa")
    script = (
        "import socket, sys; sys.modules['uvloop'] = None; del socket.AF_UNIX\n"
        "sys.argv = ['bylag', 'ledger', 'verify', 'export-plain', '--json']\n"
        "from connector.cli import main; main()\n"
    )
    told = subprocess.run(
        [sys.executable, "-c", script],
        cwd=space.folder,
        env={"HOME": "/nowhere", "PATH": ""},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert json.loads(told.stdout)["verified"] is True


def test_an_agreement_may_be_for_one_version_or_for_the_current_one_alone(space: Space) -> None:
    """Whatever is published afterwards; both sides say which it is."""
    table = space.folder / "wards.csv"
    versions: dict[tuple[str, int], str] = {}
    agreements: dict[str, str] = {}
    for rule, told in (("this", "alone"), ("current", "the current one")):
        for number in (1, 2):
            table.write_text(f"ward,visits\nnorth,{number}\n")
            asked = ("publish", "wards.csv", "--home", "alfa", "-d", f"wards-{rule}")
            entry = space.bylag.json(*asked, *(["--versions", rule] if number == 1 else []))
            versions[rule, number] = entry["versions"][-1]["digest"]
            if number == 1:
                agreements[rule] = space.bylag.json("negotiate", ALFA, f"wards-{rule}", "--home", "beta")[
                    "agreement"
                ]
        for home in ("alfa", "beta"):
            assert told in space.bylag("agreement", "show", agreements[rule], "--home", home).out
    for rule, agreed, other in (("this", 1, 2), ("current", 2, 1)):
        fetch = ("fetch", agreements[rule], "--home", "beta")
        fetched = space.bylag.json(*fetch)
        use = ("use", fetched["exchange"], "--purpose", fetched["purpose"], "--home", "beta")
        assert space.bylag(*use).out == f"ward,visits\nnorth,{agreed}\n"
        space.bylag(*fetch, "--version", versions[rule, other], status=None).refused("OTHER_VERSION", 3)
