"""Terms and who agreed to them; and which method takes another one's place."""

import hashlib
from datetime import date

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from migrations import guards

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_MADE_BY = "cli:migrate"
_KINDS = "'recurring_payment', 'price_change', 'trial_to_paid', 'privacy'"
_CHANNELS = "'checkout', 'link', 'staff', 'import'"
# The first version of every kind, as it came with the program.
_SHIPPED = {
    "recurring_payment": (
        "정기결제(자동결제) 이용 동의",
        """{shop}의 {plan} 요금을 아래와 같이 정기적으로 자동 결제하는 것에 동의합니다.

1. 결제 금액: {amount}
2. 결제 주기: {cycle}
3. 첫 결제일: {first_on}. 그 뒤로 같은 주기로 결제하며, 해당하는 날이 없는 달에는 그달의 마지막 날에 결제합니다.
4. 결제수단: {method}
5. 사전 안내: 결제일 전에 결제 금액, 결제일, 결제수단을 미리 알려 드립니다.
6. 금액 변경: 요금이 오르거나 무료 이용이 유료로 바뀔 때에는 바뀌기 전 30일 안에 따로 동의를 받습니다. 동의하지 않으시면 오른 금액을 결제하지 않습니다.
7. 해지: 안내 메시지에 있는 '내 구독' 페이지나 고객센터에서 언제든지 해지하실 수 있습니다. 바로 해지하거나 이용 중인 기간이 끝날 때 해지하도록 고를 수 있고, 해지한 뒤에는 결제하지 않습니다.
8. 동의 철회: 이 동의는 같은 방법으로 언제든지 철회하실 수 있습니다. 철회하시면 이용 중인 기간이 끝날 때 구독이 종료됩니다.""",
        "Agreement to recurring payment",
        """I agree that {shop} charges the price of {plan} automatically and regularly, as follows.

1. Amount: {amount}
2. Cycle: {cycle}
3. First payment: {first_on}. Later payments follow in the same cycle; in a month without that day, on the last day of the month.
4. Payment method: {method}
5. Notice: before each payment we tell you its amount, its day and the payment method.
6. Changes of price: before a price rises, or free use becomes paid, we ask for your agreement anew within the 30 days before. Without it the higher price is not charged.
7. Cancelling: at any time on the page "My subscription", which our messages link to, or through customer service. You choose whether it ends at once or with the period already paid for; nothing is charged after that.
8. Withdrawal: you may take this agreement back at any time in the same ways. The subscription then ends with the current period.""",
    ),
    "price_change": (
        "요금 인상 동의",
        """{shop}의 {plan} 요금이 아래와 같이 바뀌는 것에 동의합니다.

1. 지금 요금: {old_amount} ({cycle})
2. 바뀐 요금: {new_amount} ({cycle})
3. 적용 시작: {from_on} 이후의 첫 결제부터
4. 결제수단: {method}
5. 동의하지 않으시면 바뀐 요금을 결제하지 않습니다. 구독은 이용 중인 기간이 끝날 때 해지하실 수 있고, 해지한 뒤에는 결제하지 않습니다.
6. 이 동의는 '내 구독' 페이지나 고객센터에서 언제든지 철회하실 수 있습니다.""",
        "Agreement to a higher price",
        """I agree that the price of {plan} of {shop} changes as follows.

1. Price now: {old_amount} ({cycle})
2. New price: {new_amount} ({cycle})
3. From: the first payment on or after {from_on}
4. Payment method: {method}
5. Without your agreement the new price is not charged. You may cancel with the end of the current period; nothing is charged after that.
6. You may take this agreement back at any time on the page "My subscription" or through customer service.""",
    ),
    "trial_to_paid": (
        "무료 체험의 유료 전환 동의",
        """{shop}의 {plan} 무료 체험이 끝난 뒤 아래와 같이 요금을 자동 결제하는 것에 동의합니다.

1. 결제 금액: {amount}
2. 결제 주기: {cycle}
3. 첫 결제일: {first_on}
4. 결제수단: {method}
5. 첫 결제일 전에 해지하시면 요금을 결제하지 않습니다. '내 구독' 페이지나 고객센터에서 언제든지 해지하실 수 있습니다.
6. 동의하지 않으시면 무료 체험이 끝날 때 결제하지 않습니다.""",
        "Agreement to paid use after the free trial",
        """I agree that after the free trial of {plan} of {shop} the price is charged automatically, as follows.

1. Amount: {amount}
2. Cycle: {cycle}
3. First payment: {first_on}
4. Payment method: {method}
5. If you cancel before the first payment, nothing is charged. You may cancel at any time on the page "My subscription" or through customer service.
6. Without your agreement nothing is charged when the trial ends.""",
    ),
    "privacy": (
        "개인정보 수집·이용 동의",
        """{shop}은(는) 결제와 구독 이용을 위해 아래와 같이 개인정보를 수집하고 이용합니다.

1. 항목: 이름, 전자우편 주소, 전화번호, 결제수단의 가려진 번호, 결제와 환불 기록
2. 목적: 결제와 환불, 결제 전후의 안내, 문의와 분쟁의 처리
3. 보유 기간: 대금 결제에 관한 기록은 법에 따라 5년, 소비자의 불만이나 분쟁 처리에 관한 기록은 3년
4. 동의하지 않으실 수 있으나, 그러면 결제와 구독을 이용하실 수 없습니다.""",
        "Agreement to the use of personal data",
        """{shop} collects and uses personal data for payments and subscriptions as follows.

1. What: name, e-mail address, telephone number, masked number of the payment method, records of payments and refunds
2. What for: payments and refunds, notices before and after payments, questions and disputes
3. How long: records of payments 5 years, records of complaints and disputes 3 years, as the law requires
4. You may refuse; payments and subscriptions cannot be used then.""",
    ),
}  # fmt: skip


def upgrade() -> None:
    terms = _create_terms()
    _create_consents()
    op.bulk_insert(terms, [_version(kind, *texts) for kind, texts in _SHIPPED.items()])
    for table in ("terms", "consents", "consent_withdrawals"):
        guards.append_only(table)
    op.add_column("payment_methods", sa.Column("replaces_id", sa.BigInteger(), nullable=True))
    op.add_column("payment_methods", sa.Column("link_id", sa.BigInteger(), nullable=True))
    for column, target in (("replaces_id", "payment_methods"), ("link_id", "one_time_links")):
        name = op.f(f"payment_methods_{column}_fkey")
        op.create_foreign_key(name, "payment_methods", target, [column], ["id"])
    op.create_index(
        "payment_methods_of_link",
        "payment_methods",
        ["link_id"],
        postgresql_where=sa.text("link_id IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_column("payment_methods", "link_id")
    op.drop_column("payment_methods", "replaces_id")
    for table in ("consent_withdrawals", "consents", "terms"):
        op.drop_table(table)


def _create_terms() -> sa.Table:
    return op.create_table(
        "terms",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("title_ko", sa.Text(), nullable=False),
        sa.Column("text_ko", sa.Text(), nullable=False),
        sa.Column("title_en", sa.Text(), nullable=False),
        sa.Column("text_en", sa.Text(), nullable=False),
        sa.Column("hash_ko", sa.Text(), nullable=False),
        sa.Column("hash_en", sa.Text(), nullable=False),
        sa.Column("effective_from", sa.Date(), nullable=False),
        sa.Column("because", sa.Text(), nullable=False),
        sa.Column("made_by", sa.Text(), nullable=False),
        _moment("made_at"),
        sa.CheckConstraint(f"kind IN ({_KINDS})", name=op.f("terms_kind_known")),
        sa.PrimaryKeyConstraint("id", name=op.f("terms_pkey")),
        sa.UniqueConstraint("kind", "version", name=op.f("terms_kind_version_key")),
    )


def _create_consents() -> None:
    op.create_table(
        "consents",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("ref", sa.Text(), nullable=False),
        sa.Column("customer_id", sa.BigInteger(), nullable=False),
        sa.Column("subscription_id", sa.BigInteger(), nullable=True),
        sa.Column("subject_type", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("terms_id", sa.BigInteger(), nullable=True),
        sa.Column("terms_label", sa.Text(), nullable=False),
        sa.Column("locale", sa.Text(), nullable=False),
        sa.Column("text_hash", sa.Text(), nullable=False),
        sa.Column("facts", JSONB(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("link_id", sa.BigInteger(), nullable=True),
        sa.Column("recorded_by", sa.Text(), nullable=False),
        sa.Column("agreed_at", sa.DateTime(timezone=True), nullable=False),
        _moment("recorded_at"),
        sa.CheckConstraint(f"kind IN ({_KINDS})", name=op.f("consents_kind_known")),
        sa.CheckConstraint(f"channel IN ({_CHANNELS})", name=op.f("consents_channel_known")),
        sa.CheckConstraint(
            "channel = 'import' OR (terms_id IS NOT NULL AND text_hash <> '')",
            name=op.f("consents_names_text"),
        ),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customers.id"], name=op.f("consents_customer_id_fkey")
        ),
        sa.ForeignKeyConstraint(
            ["subscription_id"], ["subscriptions.id"], name=op.f("consents_subscription_id_fkey")
        ),
        sa.ForeignKeyConstraint(["terms_id"], ["terms.id"], name=op.f("consents_terms_id_fkey")),
        sa.ForeignKeyConstraint(
            ["link_id"], ["one_time_links.id"], name=op.f("consents_link_id_fkey")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("consents_pkey")),
        sa.UniqueConstraint("ref", name=op.f("consents_ref_key")),
    )
    op.create_index("consents_customer", "consents", ["customer_id", "id"])
    op.create_index("consents_subscription", "consents", ["subscription_id", "kind"])
    op.create_table(
        "consent_withdrawals",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("consent_id", sa.BigInteger(), nullable=False),
        sa.Column("because", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("recorded_by", sa.Text(), nullable=False),
        _moment("withdrawn_at"),
        sa.CheckConstraint(
            f"channel IN ({_CHANNELS})", name=op.f("consent_withdrawals_channel_known")
        ),
        sa.ForeignKeyConstraint(
            ["consent_id"], ["consents.id"], name=op.f("consent_withdrawals_consent_id_fkey")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("consent_withdrawals_pkey")),
        sa.UniqueConstraint("consent_id", name=op.f("consent_withdrawals_consent_id_key")),
    )


def _moment(name: str) -> sa.Column[object]:
    at = sa.DateTime(timezone=True)
    return sa.Column(name, at, server_default=sa.text("ops_now()"), nullable=False)


def _version(
    kind: str, title_ko: str, text_ko: str, title_en: str, text_en: str
) -> dict[str, object]:
    return {
        "kind": kind,
        "version": 1,
        "title_ko": title_ko,
        "text_ko": text_ko,
        "title_en": title_en,
        "text_en": text_en,
        "hash_ko": hashlib.sha256(f"{title_ko}\n\n{text_ko}".encode()).hexdigest(),
        "hash_en": hashlib.sha256(f"{title_en}\n\n{text_en}".encode()).hexdigest(),
        # Contracts may have begun long before this program.
        "effective_from": date(2000, 1, 1),
        "because": "",
        "made_by": _MADE_BY,
    }
