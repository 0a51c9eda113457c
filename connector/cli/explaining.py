"""``bylag policy explain`` and ``what-if``: why a request is allowed or denied, and what would change it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from connector.cli import show
from connector.cli.files import read_file
from connector.cli.options import MOMENT, NAME_AND_VALUE, PATH, on_home, without_none
from connector.cli.policy_files import parents_option, read_policy_file
from connector.cli.session import Session
from ledger.canonical import JSON, JSONObject, decode_object

MAX_DOCUMENT: Final = 1 << 20
Command = TypeVar("Command", bound=Callable[..., Any])
LANGUAGES: Final = ("en", "sv", "da")
"""``connector.policy.wording.SENTENCES``, without loading it; a test compares them."""


def _many(option: str, metavar: str, text: str) -> Callable[[Command], Command]:
    return click.option(
        f"--{option}", f"{option}_said", type=NAME_AND_VALUE, multiple=True, metavar=metavar, help=text
    )


@click.command()
@click.argument("file", type=PATH, required=False)
@parents_option
@click.option("--agreement", metavar="ID", help="Ask under this agreement of yours, as it stands now.")
@click.option("--record", type=click.IntRange(0), help="Explain the decision in this record of the ledger.")
@click.option("--request", type=PATH, help="A JSON file with what follows; options stand over it.")
@click.option("--action", help="What is asked for, an ODRL action; default read, a release.")
@click.option("--purpose", help="What for, a DPV purpose; default the agreement's, or one the policy names.")
@click.option("--recipient", metavar="DID", help="Who asks, DID or DID#UNIT; default the policy's assignee.")
@_many("attribute", "NAME=VALUE", "What the list attests of them: kind, country, industry; repeatable.")
@click.option("--dataset", help="What about; default the policy's target.")
@click.option("--at", type=MOMENT, help="When; default now.")
@_many("counter", "NAME=N", "Uses so far: a counter's name, or count for all of that sort; repeatable.")
@_many("duty", "DUTY=STATE", "A duty, by id or action: unset, pending, fulfilled, violated; repeatable.")
@_many("fact", "OPERAND=VALUE", "Another fact, such as event=urn:x:flood or payAmount=500; repeatable.")
@click.option("--language", type=click.Choice(LANGUAGES), default="en", help="Of the reasons.")
@on_home
def explain(
    session: Session, file: Path | None, agreement: str | None, record: int | None, **said: Any
) -> None:
    """Explain the answer to a request, and what would have to be otherwise for it to change.

    The policy is that in FILE (ODRL), an agreement's, or a record's. FILE with --agreement or --record
    asks what FILE would say in their place. Without a home, FILE is asked on its own: nothing was used
    yet, no fact is known that is not said here. In a home its list, area and counters are asked, too.

    For each rule and comparison: what was compared, with which fact, who says so, and whether it holds
    (yes, no, not known). Changes are listed only where the rules, asked again, gave the other answer.
    The status is 0 whether it would be allowed or denied.

    \b
    Examples:
      bylag policy explain policy.json --purpose AcademicResearch --at 2027-01-01
      bylag policy explain --agreement 9c41… --counter count=10
      bylag policy explain --record 17
      bylag policy explain policy.json --request request.json --fact event=https://city.example/events/flood
    """
    if file is None and agreement is None and record is None:
        raise click.UsageError("name a policy's FILE, --agreement or --record")
    if agreement is not None and record is not None:
        raise click.UsageError("--agreement and --record exclude each other")
    language = said.pop("language")
    parents: tuple[Path, ...] = said.pop("parents")
    if parents and file is None:
        raise click.UsageError("--parent goes with a policy's FILE")
    request = _request(said)
    policy = None if file is None else read_policy_file(file, parents)
    if policy is not None and agreement is None and record is None and not session.home.registrar.is_file():
        result = _by_itself(policy, request, language)
    else:
        asked = without_none(policy=policy, agreement=agreement, record=record)
        result = session.ask("explain", **asked, request=request, language=language)
    session.print(result, _say_explained)


@click.command("what-if")
@click.argument("file", type=PATH)
@parents_option
@click.option("--dataset", help="Only accesses to this dataset.")
@click.option("--agreement", metavar="ID", help="Only accesses under this agreement.")
@click.option("--since", type=MOMENT, help="Only accesses from then on.")
@click.option("--until", type=MOMENT, help="Only accesses before then.")
@on_home
def what_if(session: Session, file: Path, parents: tuple[Path, ...], **within: Any) -> None:
    """List past accesses that would have come out differently under the ODRL policy in FILE.

    Each access in the ledger, granted or denied, is decided again: by the rules that its record names,
    from its recorded facts, under FILE as its own agreement's policy. What FILE counts is counted anew
    from the agreement's beginning. Accesses whose facts were erased are counted, never guessed.
    Ends with status 1 when any access would have come out differently.

    \b
    Examples:
      bylag policy what-if stricter.json
      bylag policy what-if stricter.json --dataset parking --since 2026-01-01 --json
    """
    result = session.ask("what-if", policy=read_policy_file(file, parents), **without_none(**within))
    session.print(result, _say_what_if)
    click.get_current_context().exit(1 if _differ(result) else 0)


def _differ(result: Any) -> int:
    """How many accesses differ; not all of them may be listed."""
    return int(result["summary"]["denied_now"] + result["summary"]["allowed_now"])


def _say_what_if(result: Any) -> None:
    show.table(
        ("record", "what", "when", "who", "purpose", "then", "now", "because"),
        [
            (
                each["record"],
                each["kind"],
                show.time(each["time"]),
                each["who"] if each["unit"] is None else f"{each['who']}#{each['unit']}",
                show.short(each["purpose"]),
                _verdict(each["then"]),
                _verdict(each["now"]),
                ", ".join(reason["code"] for reason in each["now"]["reasons"]),
            )
            for each in result["differing"]
        ],
        empty="No access would have come out differently.",
    )
    summary = result["summary"]
    lost = summary["not_replayable"]
    show.write()
    show.pairs(
        [
            ("accesses", summary["looked_at"]),
            ("the same", summary["same"]),
            ("denied now", summary["denied_now"]),
            ("allowed now", summary["allowed_now"]),
            ("not replayable: facts erased", lost["facts_erased"]),
            ("not replayable: counts rest on erased facts", lost["counts_rest_on_erased_facts"]),
            ("the policy names others", summary["not_concerned"]),
            ("by the active rules, theirs are not kept", summary["by_active_rules"]),
            ("without an answer: the engine failed", summary["engine_failed"]),
        ]
    )
    if len(result["differing"]) < _differ(result):
        show.note(f"{_differ(result):,} differ; the first {len(result['differing']):,} are listed.")


def _verdict(answer: Any) -> str:
    return "allowed" if answer["allow"] else "denied"


def _by_itself(policy: JSONObject, request: JSONObject, language: str) -> JSON:
    """Explain a policy without a home, in this process."""
    from connector.identity.organisation import Kind  # noqa: PLC0415  # the policy room takes a moment
    from connector.policy.embedded import EmbeddedEngine  # noqa: PLC0415
    from connector.policy.explain import explain as explain_question  # noqa: PLC0415
    from connector.policy.explained import explained_json  # noqa: PLC0415
    from connector.policy.parse import normalise  # noqa: PLC0415
    from connector.policy.reading import read_policy  # noqa: PLC0415
    from connector.policy.supposed import blank, supposing  # noqa: PLC0415
    from ledger.ambient import SystemAmbient  # noqa: PLC0415
    from ledger.fields import Fields  # noqa: PLC0415

    question = blank(normalise(policy), SystemAmbient().now(), request)
    kinds = [kind.value for kind in Kind]
    question = supposing(question, read_policy(question["policy"]), Fields(request, "request"), kinds)
    engine = EmbeddedEngine()
    try:
        return explained_json(explain_question(question, engine), language)
    finally:
        engine.close()


def _request(said: dict[str, Any]) -> JSONObject:
    """What the file says of the request, with what the options say over it."""
    file: Path | None = said.pop("request")
    request = {} if file is None else decode_object(read_file(file, limit=MAX_DOCUMENT))
    moment = said.pop("at")
    options: JSONObject = without_none(
        action=said["action"], purpose=said["purpose"], dataset=said["dataset"], time=moment
    )
    request = {**request, **options}
    recipient = without_none(did=said["recipient"], attributes=dict(said["attribute_said"]) or None)
    for name, more in (
        ("recipient", recipient),
        ("counters", {counter: _whole(counter, value) for counter, value in said["counter_said"]}),
        ("duties", dict(said["duty_said"])),
        ("facts", _facts(said["fact_said"])),
    ):
        known = request.get(name)
        if more:
            request[name] = {**(known if isinstance(known, dict) else {}), **more}
    return request


def _whole(name: str, value: str) -> int:
    if not (value.isascii() and value.isdecimal()) or len(value) > 16:
        raise click.UsageError(f"--counter {name} takes a whole number")
    return int(value)


def _facts(given: tuple[tuple[str, str], ...]) -> JSONObject:
    """A name that is said several times has several values."""
    facts: JSONObject = {}
    for name, value in given:
        before = facts.get(name)
        facts[name] = (
            value if before is None else [*(before if isinstance(before, list) else [before]), value]
        )
    return facts


def _say_explained(result: Any) -> None:
    for number, sentence in enumerate(result["sentences"]):
        verdict = show.good if result["allow"] else show.bad
        text = show.clean(sentence["text"])
        show.write(verdict(text) if number == 0 else text)
        _say_inside(sentence, 1)


def _say_inside(sentence: Any, depth: int) -> None:
    for each in sentence["inside"]:
        show.write(f"{'  ' * depth}{show.clean(each['text'])}")
        _say_inside(each, depth + 1)
