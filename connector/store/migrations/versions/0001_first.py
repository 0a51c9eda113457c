"""The first form: everything the spine needs, and the log's own tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from ledger.schema import STATEMENTS

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make every table."""
    for statement in STATEMENTS:
        op.execute(statement)
    op.create_table(
        "agreement",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("peer", sa.String(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("unit", sa.String(), nullable=False),
        sa.Column("peer_unit", sa.String(), nullable=False),
        sa.Column("dataset", sa.String(), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.Column("provider_jws", sa.String(), nullable=False),
        sa.Column("consumer_jws", sa.String(), nullable=False),
        sa.Column("acknowledgement", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("windows", sa.Integer(), nullable=False),
        sa.Column("policy_digest", sa.String(), nullable=False),
        sa.Column("list_number", sa.Integer(), nullable=False),
        sa.Column("begun", sa.Integer(), nullable=False),
        sa.Column("ended", sa.Integer(), nullable=True),
        sa.Column("end_code", sa.String(), nullable=True),
        sa.Column("duty_changes", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_agreement_peer"), "agreement", ["peer"], unique=False)
    op.create_table(
        "counter",
        sa.Column("agreement", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("value", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("agreement", "name"),
    )
    op.create_table(
        "dataset",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("unit", sa.String(), nullable=False),
        sa.Column("about_people", sa.Boolean(), nullable=False),
        sa.Column("description", sa.LargeBinary(), nullable=False),
        sa.Column("published", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "event",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("began", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "exchange",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("agreement", sa.String(), nullable=False),
        sa.Column("peer", sa.String(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("mode", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("dataset", sa.String(), nullable=False),
        sa.Column("dataset_version", sa.String(), nullable=False),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("selection", sa.LargeBinary(), nullable=False),
        sa.Column("declared", sa.LargeBinary(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("window", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("frames", sa.Integer(), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("sent", sa.String(), nullable=True),
        sa.Column("seen", sa.String(), nullable=True),
        sa.Column("accept", sa.LargeBinary(), nullable=False),
        sa.Column("last_ack", sa.LargeBinary(), nullable=False),
        sa.Column("started", sa.Integer(), nullable=False),
        sa.Column("changed", sa.Integer(), nullable=False),
        sa.Column("code", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_exchange_agreement"), "exchange", ["agreement"], unique=False)
    op.create_table(
        "guest",
        sa.Column("handle", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("handle"),
    )
    op.create_table(
        "guest_credential",
        sa.Column("handle", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("tls_thumbprint", sa.String(), nullable=False),
        sa.Column("sign_thumbprint", sa.String(), nullable=False),
        sa.Column("document", sa.LargeBinary(), nullable=False),
        sa.Column("not_after", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["handle"], ["guest.handle"]),
        sa.PrimaryKeyConstraint("handle", "number"),
    )
    for name in ("tls_thumbprint", "sign_thumbprint"):
        op.create_index(op.f(f"ix_guest_credential_{name}"), "guest_credential", [name], unique=False)
    op.create_table(
        "membership_conflict",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("first", sa.LargeBinary(), nullable=False),
        sa.Column("second", sa.LargeBinary(), nullable=False),
        sa.Column("noticed", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("number"),
    )
    op.create_table(
        "membership_list",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("document", sa.LargeBinary(), nullable=False),
        sa.Column("accepted", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("number"),
    )
    op.create_table(
        "negotiation",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("peer", sa.String(), nullable=False),
        sa.Column("peer_id", sa.String(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("dataset", sa.String(), nullable=False),
        sa.Column("document", sa.LargeBinary(), nullable=False),
        sa.Column("changed", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_negotiation_peer"), "negotiation", ["peer"], unique=False)
    op.create_table(
        "nonce",
        sa.Column("peer", sa.String(), nullable=False),
        sa.Column("nonce", sa.String(), nullable=False),
        sa.Column("deadline", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("peer", "nonce"),
    )
    op.create_table(
        "outbox_notice",
        sa.Column("peer", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("document", sa.LargeBinary(), nullable=False),
        sa.Column("made", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("peer", "number"),
    )
    op.create_table(
        "peer",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("received", sa.Integer(), nullable=False),
        sa.Column("delivered", sa.Integer(), nullable=False),
        sa.Column("numbered", sa.Integer(), nullable=False),
        sa.Column("origin", sa.String(), nullable=True),
        sa.Column("cosigned_size", sa.Integer(), nullable=False),
        sa.Column("cosigned_root", sa.String(), nullable=True),
        sa.Column("cosigned_note", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "person",
        sa.Column("mark", sa.LargeBinary(), nullable=False),
        sa.Column("handle", sa.String(), nullable=False),
        sa.Column("nonce", sa.LargeBinary(), nullable=False),
        sa.Column("box", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("mark"),
        sa.UniqueConstraint("handle"),
    )
    op.create_table(
        "person_chain",
        sa.Column("person", sa.String(), nullable=False),
        sa.Column("scope", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("person", "scope"),
        sa.UniqueConstraint("name"),
    )
    op.create_table(
        "person_index",
        sa.Column("holder", sa.String(), nullable=False),
        sa.Column("nonce", sa.LargeBinary(), nullable=False),
        sa.Column("box", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("holder"),
    )
    op.create_table(
        "dataset_version",
        sa.Column("dataset", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("published", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["dataset"],
            ["dataset.id"],
        ),
        sa.PrimaryKeyConstraint("dataset", "number"),
    )
    op.create_index(op.f("ix_dataset_version_digest"), "dataset_version", ["digest"], unique=False)
    op.create_table(
        "delivery",
        sa.Column("exchange", sa.String(), nullable=False),
        sa.Column("media_type", sa.String(), nullable=False),
        sa.Column("table_schema", sa.LargeBinary(), nullable=False),
        sa.Column("complete", sa.Boolean(), nullable=False),
        sa.Column("received", sa.Integer(), nullable=False),
        sa.Column("discarded", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["exchange"],
            ["exchange.id"],
        ),
        sa.PrimaryKeyConstraint("exchange"),
    )
    op.create_table(
        "exchange_window",
        sa.Column("exchange", sa.String(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("agreement", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("message", sa.String(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("layout", sa.LargeBinary(), nullable=False),
        sa.Column("committed", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["exchange"],
            ["exchange.id"],
        ),
        sa.PrimaryKeyConstraint("exchange", "attempt", "number"),
    )
    op.create_index(
        "exchange_window_by_state",
        "exchange_window",
        ["state", "agreement", "exchange", "position"],
        unique=False,
    )
    op.create_table(
        "label_tree",
        sa.Column("exchange", sa.String(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("window", sa.Integer(), nullable=False),
        sa.Column("part", sa.String(), nullable=False),
        sa.Column("root", sa.String(), nullable=False),
        sa.Column("labels", sa.LargeBinary(), nullable=False),
        sa.Column("nodes", sa.LargeBinary(), nullable=False),
        sa.Column("acknowledged", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["exchange"],
            ["exchange.id"],
        ),
        sa.PrimaryKeyConstraint("exchange", "attempt", "window", "part"),
    )
    op.create_table(
        "metered_window",
        sa.Column("exchange", sa.String(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("agreement", sa.String(), nullable=False),
        sa.Column("peer", sa.String(), nullable=False),
        sa.Column("time", sa.Integer(), nullable=False),
        sa.Column("message", sa.String(), nullable=False),
        sa.Column("cut", sa.String(), nullable=True),
        sa.Column("frames", sa.Integer(), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("requests", sa.Integer(), nullable=False),
        sa.Column("reached", sa.Integer(), nullable=False),
        sa.Column("ack", sa.String(), nullable=True),
        sa.Column("signed", sa.Integer(), nullable=False),
        sa.Column("held", sa.Boolean(), nullable=False),
        sa.Column("document", sa.LargeBinary(), nullable=False),
        sa.Column("notice", sa.Integer(), nullable=True),
        sa.Column("refused", sa.Boolean(), nullable=False),
        sa.Column("statement", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(
            ["exchange"],
            ["exchange.id"],
        ),
        sa.PrimaryKeyConstraint("exchange", "attempt", "number"),
    )
    op.create_index(op.f("ix_metered_window_agreement"), "metered_window", ["agreement"], unique=False)
    op.create_index(op.f("ix_metered_window_held"), "metered_window", ["held"], unique=False)
    op.create_table(
        "settlement",
        sa.Column("agreement", sa.String(), nullable=False),
        sa.Column("begin", sa.Integer(), nullable=False),
        sa.Column("until", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("statement", sa.LargeBinary(), nullable=False),
        sa.Column("lines", sa.Integer(), nullable=False),
        sa.Column("amount", sa.Integer(), nullable=False),
        sa.Column("currency", sa.String(), nullable=True),
        sa.Column("mine", sa.String(), nullable=True),
        sa.Column("theirs", sa.String(), nullable=True),
        sa.Column("said", sa.String(), nullable=True),
        sa.Column("their_digest", sa.String(), nullable=True),
        sa.Column("their_totals", sa.LargeBinary(), nullable=False),
        sa.Column("code", sa.String(), nullable=True),
        sa.Column("changed", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["agreement"],
            ["agreement.id"],
        ),
        sa.PrimaryKeyConstraint("agreement", "begin", "until"),
    )
    op.create_table(
        "duty_task",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("agreement", sa.String(), nullable=False),
        sa.Column("duty", sa.String(), nullable=False),
        sa.Column("rule", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("owed_by", sa.String(), nullable=False),
        sa.Column("occasion", sa.String(), nullable=False),
        sa.Column("exchange", sa.String(), nullable=True),
        sa.Column("parent", sa.String(), nullable=True),
        sa.Column("arisen", sa.Integer(), nullable=False),
        sa.Column("due", sa.Integer(), nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("late", sa.Boolean(), nullable=False),
        sa.Column("reports", sa.Integer(), nullable=False),
        sa.Column("report", sa.String(), nullable=True),
        sa.Column("reported", sa.Integer(), nullable=True),
        sa.Column("accepted", sa.Boolean(), nullable=False),
        sa.Column("amount", sa.Integer(), nullable=True),
        sa.Column("code", sa.String(), nullable=True),
        sa.Column("changed", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["agreement"],
            ["agreement.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_duty_task_agreement"), "duty_task", ["agreement"], unique=False)
    op.create_index(op.f("ix_duty_task_parent"), "duty_task", ["parent"], unique=False)
    op.create_index("duty_task_by_due", "duty_task", ["late", "report", "due"], unique=False)
    op.create_table(
        "offer",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("dataset", sa.String(), nullable=False),
        sa.Column("document", sa.LargeBinary(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("published", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["dataset"],
            ["dataset.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_offer_dataset"), "offer", ["dataset"], unique=False)
