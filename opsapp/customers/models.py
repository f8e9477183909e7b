from datetime import date, datetime

from sqlalchemy import (
    ARRAY,
    CheckConstraint,
    ForeignKey,
    Index,
    LargeBinary,
    Text,
    UniqueConstraint,
    func,
    literal_column,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from opsapp.customers.states import KINDS, METHOD, OPEN
from opsapp.kernel.db import Base
from opsapp.kernel.turns import Claimable, due_index


class Customer(Base):
    """`customer_ref` is the shop's own number for the customer."""

    __tablename__ = "customers"
    __table_args__ = (
        CheckConstraint("locale IN ('ko', 'en')", name="locale_known"),
        Index("customers_email", "email"),
        Index("customers_email_folded", text("lower(email)")),
        Index("customers_phone_tail", text("right(phone, 4)")),
        Index("customers_first_letter", text('"left"(name, 1)'), "id"),
        # Two and three letters in a row, of the name and of its initial consonants: names are
        # looked up by either (insights/finding_people.py). A list of what is not yet indexed
        # would be read by every search.
        Index(
            "customers_name_grams",
            text("name_grams(name)"),
            postgresql_using="gin",
            postgresql_with={"fastupdate": "off"},
        ),
        Index(
            "customers_email_grams",
            func.split_part(
                func.lower(literal_column("email")), literal_column("'@'"), literal_column("1")
            ).label("local_part"),
            postgresql_using="gin",
            postgresql_ops={"local_part": "gin_trgm_ops"},
            postgresql_with={"fastupdate": "off"},
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    customer_ref: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    email: Mapped[str]
    phone: Mapped[str]
    locale: Mapped[str] = mapped_column(default="ko")
    # The gateway's name for the customer, random. Never in clear beside a billing key.
    customer_key_sealed: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = mapped_column(server_default=func.ops_now())


class PaymentMethod(Claimable, Base):
    """A billing key at a gateway, or the wish to pay each period on a virtual account."""

    __tablename__ = "payment_methods"
    __table_args__ = (
        METHOD.check(),
        CheckConstraint(f"kind IN {KINDS}", name="kind_known"),
        CheckConstraint(
            "status NOT IN ('active', 'expired', 'blocked', 'deleting') "
            "OR kind = 'virtual_account' OR billing_key_sealed IS NOT NULL",
            name="active_has_key",
        ),
        Index("payment_methods_customer", "customer_id"),
        Index(
            "payment_methods_ending",
            "expires_on",
            postgresql_where=text("status IN ('active', 'expired')"),
        ),
        Index("payment_methods_last4", "last4"),
        Index(
            "payment_methods_other_kind",
            "kind",
            "customer_id",
            postgresql_where=text("kind <> 'card'"),
        ),
        Index("payment_methods_first6", "first6"),
        Index(
            "one_default_method_per_customer",
            "customer_id",
            unique=True,
            postgresql_where=text("is_default AND status NOT IN ('deleted', 'refused')"),
        ),
        Index("payment_methods_of_link", "link_id", postgresql_where=text("link_id IS NOT NULL")),
        due_index("payment_methods", OPEN),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    ref: Mapped[str] = mapped_column(unique=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customers.id"))
    gateway_name: Mapped[str]
    kind: Mapped[str]
    status: Mapped[str] = mapped_column(default=METHOD.start.value)
    is_default: Mapped[bool] = mapped_column(default=False)
    # The one-time key of the registration, then the billing key; the former is wiped.
    auth_key_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    billing_key_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    billing_key_index: Mapped[bytes | None] = mapped_column(LargeBinary, unique=True)
    idempotency_key: Mapped[str] = mapped_column(unique=True)
    label: Mapped[str] = mapped_column(default="")  # issuer or bank, masked number
    first6: Mapped[str | None]
    last4: Mapped[str | None]
    expires_on: Mapped[date | None]  # given by the customer, or told by the gateway
    refused_code: Mapped[str | None]
    blocked_because: Mapped[str | None]
    replaced_by_id: Mapped[int | None] = mapped_column(ForeignKey("payment_methods.id"))
    # Given through a link, to take the place of another one as soon as it is active.
    replaces_id: Mapped[int | None] = mapped_column(ForeignKey("payment_methods.id"))
    link_id: Mapped[int | None] = mapped_column(ForeignKey("one_time_links.id"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.ops_now())


class OneTimeLink(Base):
    """A way in for one customer and one purpose; of its token only the hash is kept."""

    __tablename__ = "one_time_links"
    __table_args__ = (
        CheckConstraint("expires_at > issued_at", name="expires_later"),
        Index("one_time_links_of", "purpose", "subject_type", "subject_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    token_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customers.id"))
    purpose: Mapped[str]  # "refund_account"
    subject_type: Mapped[str]
    subject_id: Mapped[int]
    issued_by: Mapped[str]
    issued_at: Mapped[datetime] = mapped_column(server_default=func.ops_now())
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class PushAddress(Base):
    """Where a browser or an app of the customer is reached; whoever knows it can write there."""

    __tablename__ = "push_addresses"
    __table_args__ = (
        UniqueConstraint("channel", "address_index"),
        CheckConstraint("channel IN ('webpush', 'fcm')", name="channel_known"),
        Index("push_addresses_customer", "customer_id", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customers.id"))
    channel: Mapped[str]
    address_sealed: Mapped[bytes] = mapped_column(LargeBinary)
    address_index: Mapped[bytes] = mapped_column(LargeBinary)
    added_at: Mapped[datetime] = mapped_column(server_default=func.ops_now())


class LinkTry(Base):
    """Tokens that fit no link, by address: the brake on guessing, on the machine's own clock."""

    __tablename__ = "link_tries"
    __table_args__ = (Index("link_tries_address", "address", "at"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    address: Mapped[str]
    at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class ShopperSession(Base):
    """A customer's sign-in to their own pages. The cookie carries the token, the table its hash."""

    __tablename__ = "shopper_sessions"
    __table_args__ = (
        CheckConstraint("expires_at > started_at", name="expires_later"),
        Index("shopper_sessions_customer", "customer_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    token_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customers.id"))
    started_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    seen_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    expires_at: Mapped[datetime]  # however busy it is; idleness ends it sooner
    ended_at: Mapped[datetime | None]
    # What its owner has waved away, by name: it pops up again only when it happens again.
    dismissed: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")


class SignInAsk(Base):
    """Somebody typed an address. Whether it is anybody's is found out by a worker, not by them."""

    __tablename__ = "sign_in_asks"
    __table_args__ = (
        Index("sign_in_asks_address", "address_index", "at"),
        Index("sign_in_asks_source", "source", "at"),
        Index("sign_in_asks_open", "id", postgresql_where=text("address_sealed IS NOT NULL")),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    address_index: Mapped[bytes] = mapped_column(LargeBinary)
    address_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)  # wiped by the worker
    source: Mapped[str]
    at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class StaffNote(Base):
    """What staff wrote down about a customer or a thing of theirs. Append-only; sealed, since
    people write names and numbers into it."""

    __tablename__ = "staff_notes"
    __table_args__ = (
        CheckConstraint(
            "subject_type IN ('customer', 'payment', 'subscription')", name="subject_known"
        ),
        Index("staff_notes_customer", "customer_id", "id"),
        Index("staff_notes_subject", "subject_type", "subject_id", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    request_id: Mapped[str] = mapped_column(unique=True)  # issued with the form
    customer_id: Mapped[int] = mapped_column(ForeignKey("customers.id"))
    subject_type: Mapped[str]
    subject_id: Mapped[int]
    text_sealed: Mapped[bytes] = mapped_column(LargeBinary)
    written_by: Mapped[str]
    written_at: Mapped[datetime] = mapped_column(server_default=func.ops_now())
