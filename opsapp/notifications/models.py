from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, Computed, ForeignKey, Index, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column

from opsapp.kernel.db import Base
from opsapp.kernel.turns import Claimable, due_index, open_column
from opsapp.notifications.states import DELIVERY, NOTICE, OPEN

MEDIA = ("email", "short")
LOST = "status IN ('failed', 'revoked')"
PUSHED = "CASE WHEN channel IN ('fcm', 'webpush') THEN channel END"


class Notice(Claimable, Base):
    """A message to one customer about one subject; the text is made when it is sent."""

    __tablename__ = "notices"
    __table_args__ = (
        NOTICE.check(),
        # The subject first: the same index finds what was told about something.
        UniqueConstraint("subject_type", "subject_id", "kind", "customer_id"),
        Index("notices_customer", "customer_id", "id"),
        Index("notices_listed", "created_at", "id"),
        Index("notices_kind", "kind", "created_at", "id"),
        Index("notices_lost", "created_at", "id", postgresql_where=text("is_lost")),
        Index(
            "notices_pushed",
            "pushed_by",
            "created_at",
            "id",
            postgresql_where=text("pushed_by IS NOT NULL"),
        ),
        due_index("notices"),
        # Neither a hint nor a claim touches an indexed column: on the row's own page, no index is
        # written for them.
        {"postgresql_with": {"fillfactor": 50}},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    ref: Mapped[str]
    kind: Mapped[str]  # a name in rules.KINDS
    subject_type: Mapped[str]
    subject_id: Mapped[int]
    customer_id: Mapped[int]
    # Where it went last; NULL until it is claimed, for addresses are read only then.
    channel: Mapped[str | None]
    # The place in its kind's order of channels from which one is looked for.
    place: Mapped[int] = mapped_column(server_default="0")
    values: Mapped[dict[str, Any]]  # ids, amounts, dates: no personal data
    status: Mapped[str] = mapped_column(default=NOTICE.start.value)
    is_open: Mapped[bool] = open_column(OPEN)
    # For the list of what did not arrive: an index over the status would be written at each claim.
    is_lost: Mapped[bool] = mapped_column(Computed(LOST, persisted=True))
    # The rarer channels, for the list: an index over the channel would be written at each claim.
    pushed_by: Mapped[str | None] = mapped_column(Computed(PUSHED, persisted=True))
    # Called back while it was under way or gone out: no further try follows.
    is_called_back: Mapped[bool] = mapped_column(server_default=text("false"))
    error: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.ops_now())
    sent_at: Mapped[datetime | None]


class NoticeDelivery(Base):
    """One try at one channel, written with its outcome."""

    __tablename__ = "notice_deliveries"
    __table_args__ = (
        DELIVERY.check(),
        Index("notice_deliveries_of", "notice_id", "id"),
        Index(
            "notice_deliveries_provider_ref",
            "channel",
            "provider_ref",
            postgresql_where=text("provider_ref IS NOT NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    notice_id: Mapped[int] = mapped_column(ForeignKey("notices.id"))
    channel: Mapped[str]
    place: Mapped[int]
    status: Mapped[str]
    provider_ref: Mapped[str | None]
    code: Mapped[str] = mapped_column(server_default="")  # why not, in the provider's word
    at: Mapped[datetime] = mapped_column(server_default=func.ops_now())
    reported_at: Mapped[datetime | None]  # by the provider's clock


class WaitingReport(Base):
    """A provider's report until its delivery is found: it may be faster than our own record."""

    __tablename__ = "waiting_reports"
    __table_args__ = (
        UniqueConstraint("channel", "provider_ref", "status"),
        CheckConstraint("status IN ('delivered', 'failed')", name="status_known"),
        Index("waiting_reports_received", "received_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    channel: Mapped[str]
    provider_ref: Mapped[str]
    status: Mapped[str]
    code: Mapped[str]
    at: Mapped[datetime]
    received_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class NoticeTemplate(Base):
    """One edited version of the texts of a kind, in both languages; without one the texts that
    came with the program are used. Versions are added and never rewritten.
    """

    __tablename__ = "notice_templates"
    __table_args__ = (
        CheckConstraint(f"medium IN {MEDIA}", name="medium_known"),
        UniqueConstraint("kind", "medium", "version"),
        Index(
            "one_active_notice_template",
            "kind",
            "medium",
            unique=True,
            postgresql_where=text("is_active"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    medium: Mapped[str]
    version: Mapped[int]
    is_active: Mapped[bool]
    subject_ko: Mapped[str]
    text_ko: Mapped[str]
    subject_en: Mapped[str]
    text_en: Mapped[str]
    template_ref: Mapped[str] = mapped_column(server_default="")  # of an approved 알림톡
    because: Mapped[str]
    changed_by: Mapped[str]
    changed_at: Mapped[datetime] = mapped_column(server_default=func.ops_now())
