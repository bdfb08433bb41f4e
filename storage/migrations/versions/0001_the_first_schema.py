"""The first schema"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None

DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    """Go up."""
    op.create_table(
        "blockers",
        sa.Column("connection", sa.String(), nullable=False),
        sa.Column("item_id", sa.String(), nullable=False),
        sa.Column("blocker_id", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("connection", "item_id", "blocker_id", name=op.f("pk_blockers")),
    )
    with op.batch_alter_table("blockers", schema=None) as batch_op:
        batch_op.create_index("ix_blockers_blocker", ["connection", "blocker_id", "item_id"], unique=False)

    op.create_table(
        "census_ids",
        sa.Column("connection", sa.String(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("connection", "id", name=op.f("pk_census_ids")),
    )
    op.create_table(
        "check_ins",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key_result", sa.String(), nullable=False),
        sa.Column("as_of", sa.DateTime(timezone=True), nullable=False),
        sa.Column("value", sa.Float(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_check_ins")),
    )
    with op.batch_alter_table("check_ins", schema=None) as batch_op:
        batch_op.create_index("ix_check_ins_key_result", ["key_result", "as_of"], unique=False)

    op.create_table(
        "checkpoints",
        sa.Column("connection", sa.String(), nullable=False),
        sa.Column("stream", sa.String(), nullable=False),
        sa.Column("value", DOCUMENT, nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("connection", "stream", name=op.f("pk_checkpoints")),
    )
    op.create_table(
        "created_initiatives",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("connection", sa.String(), nullable=False),
        sa.Column("item_id", sa.String(), nullable=False),
        sa.Column("data", DOCUMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_created_initiatives")),
    )
    op.create_table(
        "inbox",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("connection", sa.String(), nullable=False),
        sa.Column("delivery_id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("event", sa.String(), nullable=True),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("read_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("items", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_inbox")),
    )
    with op.batch_alter_table("inbox", schema=None) as batch_op:
        batch_op.create_index("ix_inbox_state", ["state", "connection", "id"], unique=False)
        batch_op.create_index("uq_inbox_delivery", ["connection", "delivery_id"], unique=True)

    op.create_table(
        "issued_tokens",
        sa.Column("connection", sa.String(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("connection", name=op.f("pk_issued_tokens")),
    )
    op.create_table(
        "items",
        sa.Column("connection", sa.String(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("project", sa.String(), nullable=False),
        sa.Column("level", sa.String(), nullable=False),
        sa.Column("parent_id", sa.String(), nullable=True),
        sa.Column("parent_key", sa.String(), nullable=True),
        sa.Column("category", sa.String(), nullable=False),
        sa.Column("stage", sa.String(), nullable=True),
        sa.Column("estimate", sa.Float(), nullable=True),
        sa.Column("time_estimate", sa.Float(), nullable=True),
        sa.Column("team", sa.String(), nullable=True),
        sa.Column("flags", sa.String(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("read_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("completed_on", sa.Date(), nullable=True),
        sa.Column("canceled_on", sa.Date(), nullable=True),
        sa.Column("entered_on", sa.Date(), nullable=True),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("inaccessible_on", sa.Date(), nullable=True),
        sa.Column("mirror_of", sa.String(), nullable=True),
        sa.Column("history_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("scope", sa.Integer(), nullable=False),
        sa.Column("own", DOCUMENT, nullable=True),
        sa.Column("dimensions", DOCUMENT, nullable=True),
        sa.Column("data", DOCUMENT, nullable=False),
        sa.PrimaryKeyConstraint("connection", "id", name=op.f("pk_items")),
    )
    with op.batch_alter_table("items", schema=None) as batch_op:
        batch_op.create_index("ix_items_key", ["key", "connection"], unique=False)
        batch_op.create_index(
            "ix_items_adrift",
            ["connection", "parent_key"],
            unique=False,
            sqlite_where=sa.text("parent_id IS NULL AND parent_key IS NOT NULL"),
            postgresql_where=sa.text("parent_id IS NULL AND parent_key IS NOT NULL"),
        )
        batch_op.create_index("ix_items_parent", ["connection", "parent_id"], unique=False)
        batch_op.create_index("ix_items_scope", ["scope", "connection", "parent_id"], unique=False)

    op.create_table(
        "notes",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("value", DOCUMENT, nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_notes")),
    )
    op.create_table(
        "outbox",
        sa.Column("target", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("content", DOCUMENT, nullable=False),
        sa.Column("fingerprint", sa.String(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("first_due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("target", "kind", "subject", "address", name=op.f("pk_outbox")),
    )
    op.create_table(
        "parts",
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("connection", sa.String(), nullable=False),
        sa.Column("parent", sa.String(), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "id", "connection", "parent", name=op.f("pk_parts")),
    )
    op.create_table(
        "publications",
        sa.Column("target", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("content", DOCUMENT, nullable=False),
        sa.Column("fingerprint", sa.String(), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("overridden_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("target", "kind", "subject", "address", name=op.f("pk_publications")),
    )
    op.create_table(
        "rollups",
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("data", DOCUMENT, nullable=False),
        sa.Column("valid_until", sa.Date(), nullable=True),
        sa.Column("terms", sa.String(), nullable=True),
        sa.Column("total", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("kind", "id", name=op.f("pk_rollups")),
    )
    op.create_table(
        "scope_initiatives",
        sa.Column("initiative", sa.String(), nullable=False),
        sa.Column("scope", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("initiative", "scope", name=op.f("pk_scope_initiatives")),
    )
    op.create_table(
        "scopes",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("links", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_scopes")),
        sa.UniqueConstraint("links", name=op.f("uq_scopes_links")),
    )
    op.create_table(
        "subjects",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("orphaned_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subjects")),
    )
    op.create_table(
        "transitions",
        sa.Column("connection", sa.String(), nullable=False),
        sa.Column("item_id", sa.String(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("field", sa.String(), nullable=False),
        sa.Column("before", sa.Text(), nullable=True),
        sa.Column("after", sa.Text(), nullable=True),
        sa.Column("before_id", sa.String(), nullable=True),
        sa.Column("after_id", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("connection", "item_id", "id", name=op.f("pk_transitions")),
    )


def downgrade() -> None:
    """Go down."""
    op.drop_table("blockers")
    op.drop_table("census_ids")
    op.drop_table("check_ins")
    op.drop_table("checkpoints")
    op.drop_table("created_initiatives")
    op.drop_table("inbox")
    op.drop_table("issued_tokens")
    op.drop_table("items")
    op.drop_table("notes")
    op.drop_table("outbox")
    op.drop_table("parts")
    op.drop_table("publications")
    op.drop_table("rollups")
    op.drop_table("scope_initiatives")
    op.drop_table("scopes")
    op.drop_table("subjects")
    op.drop_table("transitions")
