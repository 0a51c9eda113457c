"""Two logs of the same exchanges: where they agree, what one lacks, and who broke a promise."""

from __future__ import annotations

from pathlib import Path

import pytest

from ledger.compare import Comparison
from ledger.folder import ExportFolder
from ledger.members import read_registrar
from ledger.report import Report, Severity
from ledger.verify import verify_folder
from tests.ledger.story import AGREEMENT, Story, first_keys


@pytest.fixture
def story(tmp_path: Path) -> Story:
    return Story(tmp_path)


def compare(*folders: Path) -> list[Report]:
    comparison = Comparison()
    for folder in folders:
        report, ends = verify_folder(
            ExportFolder(folder), registrar=read_registrar(first_keys()), seen=comparison.collector()
        )
        assert report.verified, report.text()
        comparison.add(report.subject, ends)
    return comparison.reports()


def both(story: Story) -> Report:
    folders = story.export(story.provider, "provider-log"), story.export(story.consumer, "consumer-log")
    (report,) = compare(*folders)
    return report


def found(report: Report, severity: Severity) -> list[str]:
    return [
        f"{each.where}: {each.what}"
        for step in report.steps
        for each in step.findings
        if each.severity is severity
    ]


def test_two_honest_logs_agree_on_every_exchange(story: Story) -> None:
    for name in ("e1", "e2", "e3"):
        story.exchange(name)
    report = both(story)
    assert report.verified
    assert report.open_count == 0
    assert report.facts["exchanges"] == 3
    assert [step.checked for step in report.steps] == [6, 9]


def test_a_message_that_was_lost_is_listed_and_held_against_nobody(story: Story) -> None:
    story.exchange("e1")
    story.exchange("e2", lost_ack=True)
    report = both(story)
    assert report.verified
    (point,) = found(report, Severity.OPEN)
    assert point.startswith("exchange e2: message")
    assert point.endswith("is not in provider-log")
    assert "of consumer-log" in point


def test_an_exchange_that_one_side_does_not_hold_is_not_compared(story: Story) -> None:
    story.exchange("e1")
    story.say(story.consumer, "request", "e2", lost=True)
    report = both(story)
    assert (report.verified, report.open_count, report.facts["exchanges"]) == (True, 0, 1)


def test_a_log_that_lacks_a_message_its_writer_signed_has_broken_a_promise(story: Story) -> None:
    """The provider signs a commit for its next number, and records something else there."""
    story.exchange("e1")
    promised = story.provider.sign_document(
        {
            "type": "commit", "version": 1, "sender": story.provider.did, "recipient": story.consumer.did,
            "exchange": "e1", "attempt": 1, "agreement": AGREEMENT, "space": "greenway",
            "aseq": story.provider.next_aseq(AGREEMENT),
        }
    )  # fmt: skip
    story.write(story.consumer, "commit", "e1", heard=promised)

    shorter = both(story)
    assert shorter.verified  # its number lies beyond the provider's log: that may be an older export
    assert found(shorter, Severity.OPEN)[0].endswith("is not in provider-log")

    story.decide("e1")
    (report,) = compare(story.export(story.provider, "later"), story.folder / "consumer-log")
    assert not report.verified
    assert "promised leaf 7 of its chain in later; another stands there" in found(report, Severity.WRONG)[0]


def test_without_the_whole_message_a_missing_one_stays_open(story: Story) -> None:
    """Only hashes were handed over: which number was promised cannot be told."""
    story.exchange("e1")
    message = story.provider.sign_document({"type": "commit", "version": 1})
    story.consumer.record(
        "commit",
        agreement=AGREEMENT,
        exchange="e1",
        attempt=1,
        window=1,
        digest="ab" * 32,
        frame_key="ab" * 32,
        labels=None,
        counterpart={"message": message.digest, "signature": message.jws.rpartition(".")[2]},
        with_={"org": story.provider.did},
    )
    report = both(story)
    assert report.verified
    assert len(found(report, Severity.OPEN)) == 1


def test_three_logs_are_compared_pair_by_pair(story: Story) -> None:
    story.exchange("e1")
    provider = story.export(story.provider, "provider-log")
    consumer = story.export(story.consumer, "consumer-log")
    assert len(compare(provider, consumer, provider)) == 3
