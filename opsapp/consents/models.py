from datetime import date, datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, func
from sqlalchemy.orm import Mapped, mapped_column

from opsapp.consents.rules import CHANNELS, KINDS
from opsapp.kernel.db import Base


class Terms(Base):
    """One version of what is agreed to, in both languages. Versions are added, never rewritten."""

    __tablename__ = "terms"
    __table_args__ = (
        CheckConstraint(f"kind IN {KINDS}", name="kind_known"),
        UniqueConstraint("kind", "version"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    version: Mapped[int]
    title_ko: Mapped[str]
    text_ko: Mapped[str]
    title_en: Mapped[str]
    text_en: Mapped[str]
    hash_ko: Mapped[str]  # SHA-256 of title and text as they stand here, variables and all
    hash_en: Mapped[str]
    effective_from: Mapped[date]  # a Seoul day; shown to nobody before it
    because: Mapped[str]
    made_by: Mapped[str]
    made_at: Mapped[datetime] = mapped_column(server_default=func.ops_now())


class Consent(Base):
    """Evidence that a customer agreed: to which text, to which facts, when and by which way."""

    __tablename__ = "consents"
    __table_args__ = (
        CheckConstraint(f"kind IN {KINDS}", name="kind_known"),
        CheckConstraint(f"channel IN {CHANNELS}", name="channel_known"),
        # Agreed to elsewhere: we know which version its record names, and do not have the text.
        CheckConstraint(
            "channel = 'import' OR (terms_id IS NOT NULL AND text_hash <> '')", name="names_text"
        ),
        Index("consents_customer", "customer_id", "id"),
        Index("consents_subscription", "subscription_id", "kind"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    ref: Mapped[str] = mapped_column(unique=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customers.id"))
    subscription_id: Mapped[int | None] = mapped_column(ForeignKey("subscriptions.id"))
    subject_type: Mapped[str]  # what was agreed to: a subscription, a change of one, a customer
    subject_id: Mapped[int]
    kind: Mapped[str]
    terms_id: Mapped[int | None] = mapped_column(ForeignKey("terms.id"))
    terms_label: Mapped[str]  # the version as people name it
    locale: Mapped[str]
    # SHA-256 of the text with the facts filled in, to the letter as it was shown.
    text_hash: Mapped[str]
    facts: Mapped[dict[str, Any]]  # what filled it in: amounts, days, masked names of methods
    channel: Mapped[str]
    address: Mapped[str]  # of the network it came from, its end masked
    link_id: Mapped[int | None] = mapped_column(ForeignKey("one_time_links.id"))
    recorded_by: Mapped[str]
    agreed_at: Mapped[datetime]
    recorded_at: Mapped[datetime] = mapped_column(server_default=func.ops_now())


class ConsentWithdrawal(Base):
    """A consent that was taken back; what it proved until then it proves still."""

    __tablename__ = "consent_withdrawals"
    __table_args__ = (CheckConstraint(f"channel IN {CHANNELS}", name="channel_known"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    consent_id: Mapped[int] = mapped_column(ForeignKey("consents.id"), unique=True)
    because: Mapped[str]
    channel: Mapped[str]
    address: Mapped[str]
    recorded_by: Mapped[str]
    withdrawn_at: Mapped[datetime] = mapped_column(server_default=func.ops_now())
