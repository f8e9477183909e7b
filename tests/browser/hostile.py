"""Forty texts that a stranger may hand in, and every place where such a text can come to lie.

What is markup carries `data-hostile`: no element of a page may ever have it. What is script calls
alert(). A column of text is either FREE, written by people or by other companies, or holds words of
the program; test_hostile_text knows no third kind.
"""

import re
from collections.abc import Iterator
from itertools import product

import psycopg
from psycopg import sql

from opsapp.orders.placing import TITLE_LENGTH_MAX

PAYLOADS = (
    "<script data-hostile>alert(1)</script>",
    "</td></table><script data-hostile>alert(2)</script>",
    "</title><script data-hostile>alert(3)</script>",
    "</textarea><img data-hostile src=x onerror=alert(4)>",
    "<img data-hostile src=x onerror=alert(5)>",
    "<img data-hostile src=//hostile.invalid/6.png>",
    "<svg data-hostile onload=alert(7)>",
    "<svg data-hostile><animate onbegin=alert(8) attributeName=x dur=1s>",
    "<iframe data-hostile srcdoc='<script>alert(9)</script>'></iframe>",
    "<body data-hostile onload=alert(10)>",
    "<input data-hostile autofocus onfocus=alert(11)>",
    "<details data-hostile open ontoggle=alert(12)>",
    "<a data-hostile href=javascript:alert(13)>환불</a>",
    "javascript:alert(14)",
    "data:text/html,<script data-hostile>alert(15)</script>",
    '" autofocus onfocus=alert(16) data-hostile="',
    "' autofocus onfocus=alert(17) data-hostile='",
    '"><img data-hostile src=x onerror=alert(18)>',
    "'><svg data-hostile onload=alert(19)>",
    "--><img data-hostile src=x onerror=alert(20)><!--",
    "]]><img data-hostile src=x onerror=alert(21)>",
    "<style data-hostile>*{display:none!important}</style>",
    '<p data-hostile style="position:fixed;inset:0;background:url(//hostile.invalid/23)">',
    "<link data-hostile rel=stylesheet href=//hostile.invalid/24.css>",
    "<base data-hostile href=//hostile.invalid/>",
    "<meta data-hostile http-equiv=refresh content='0;url=//hostile.invalid/26'>",
    "<form data-hostile action=//hostile.invalid/27><button>로그인</button>",
    '<b data-hostile hx-get="/console/" hx-trigger=load hx-target=body>',
    '<b data-hostile hx-on:click="alert(29)" hx-on::load="alert(29)">',
    '<b data-hostile data-live="//hostile.invalid/30" data-every=1 data-key=e>',
    "<object data-hostile data=//hostile.invalid/31></object>",
    "<math data-hostile><mtext><img src=x onerror=alert(32)></mtext></math>",
    "<noscript><p title='</noscript><img data-hostile src=x onerror=alert(33)>'>",
    "{{ 7 * 1911 }}{% for x in (1,) %}13377{% endfor %}${7*1911}#{7*1911}",
    "%3Cscript%20data-hostile%3Ealert(35)%3C/script%3E &lt;script&gt;alert(35)&lt;/script&gt;",
    "\\u003cscript data-hostile\\u003ealert(36)\\u003c/script\\u003e \\x3cb\\x3e",
    "\u202e원000,1\u202c \u2066\u2067뒤집힌\u2069\u200b\u200d\ufeff 글자 \u0085\u2028\u2029",
    "\x01\x02\x07\x08\x0b\x0c\x1b[31m\x7f\x9b 제어 문자\r\n\tSet-Cookie: hostile=1",
    "W" * 200,
    "Ẑ̸̡̛̮͔̈́̕a̷̢̛̬̽l̶̨̛͉͝g̵̡̛̪̔o̷͚̕" * 3 + "👨‍👩‍👧‍👦🇰🇷" * 8 + "꧁꧂" * 8,
)
FREE = {
    "api_keys": "name",
    "approvals": "because comment why",
    "attempts": "gateway_key approval_number receipt_url failure_code close_because paid_with"
    " account",
    "audit_entries": "because detail",
    "bulk_jobs": "because filter_text",
    "bulk_rows": "because",
    "cash_receipts": "issue_number receipt_url failure_code registration",
    "checkouts": "title order_ref return_url cart",
    "consent_withdrawals": "because",
    "consents": "terms_label facts",
    "customers": "customer_ref name email phone",
    "decisions": "reason evidence",
    "deposits": "depositor deposit_key",
    "exports": "because file_name",
    "failure_codes": "code hint_ko hint_en script_ko script_en provenance note because",
    "gateway_circuits": "because",
    "gateway_events": "event_type finding",
    "money_policies": "because",
    "notice_deliveries": "code provider_ref",
    "notice_templates": "subject_ko text_ko subject_en text_en because template_ref",
    "notices": "error values",
    "order_lines": "product_ref title",
    "order_refunds": "reason",
    "orders": "order_ref title",
    "outbox_jobs": "error",
    "payment_methods": "label refused_code blocked_because",
    "payments": "title approval_number failure_code",
    "plans": "code name",
    "point_adjustments": "reason decided_because",
    "point_entries": "because",
    "point_lots": "because",
    "recoveries": "failure_code reason",
    "recovery_policies": "name because",
    "refunds": "reason failure_code gateway_key account",
    "saved_views": "name",
    "sellers": "ref name",
    "shop_deliveries": "answer error",
    "shop_events": "data",
    "sign_in_tries": "email",
    "shop_endpoints": "url note disabled_because",
    "staff_accounts": "name email",
    "staff_sessions": "user_agent",
    "subscription_blocks": "because",
    "subscription_changes": "because",
    "subscriptions": "import_ref contract terms_version",
    "terms": "title_ko text_ko title_en text_en because",
    "ticket_macros": "name text_ko text_en",
    "tickets": "summary resolution",
    "unmapped_codes": "code",
    "unmatched_money": "gateway_key",
    "waiting_reports": "code provider_ref",
}
# Names of columns that hold words of the program, in whatever table they stand; then exceptions.
_OWN = """
act action activated_by actor added_by address arguments asked_by author cancel_key cause
cause_type changed_by channel cluster cohort columns created_by credit_account currency
debit_account decided_by delivery_id density failure_class first6 flow format from_state
gateway_name gateway_order_id hash_en hash_ko idempotency_key interval issued_by job kind
last4 leg lifted_by list_name locale made_by medium method method_kind misconfigured
next_step object_key object_ref object_type on_failure opened_by outcome password_hash path
placed_by prefix priority purpose pushed_by queue receipt_key recorded_by ref report request_id
requested_by retry_mode role seen shared_with source status subclass subject_type sums terms
text_hash theme to_state trace_id type version_num written_by zone
"""
PROGRAMS_OWN = set(_OWN.split())
OWN_HERE = {
    ("outbox_jobs", "name"),
    ("scheduler_heartbeats", "name"),
    ("tickets", "reason"),
    ("unmatched_money", "reason"),
}
LENGTHS = (400, 200, 100, 80, 60, 40, 30, 20, 10)
# Where the room alone sees to the length: it reads none that is longer.
SHORT = {("checkouts", "title"): TITLE_LENGTH_MAX, ("checkouts", "cart"): TITLE_LENGTH_MAX}
_TEXT = """
SELECT table_name, column_name, data_type FROM information_schema.columns
WHERE table_schema = 'public' AND data_type IN ('text', 'character varying', 'jsonb')
  AND table_name IN (SELECT tablename FROM pg_tables WHERE schemaname = 'public')
ORDER BY 1, 2
"""
_FILL = """
WITH numbered AS (
  SELECT ctid AS its_place, row_number() OVER (ORDER BY ctid) AS its_number FROM {table}
)
UPDATE {table} SET {column} = {shape}(left((%s::text[])[1 + (its_number + %s) %% 40], %s))
  || (CASE WHEN %s THEN its_number::text ELSE '' END)
FROM numbered WHERE {table}.ctid = its_place AND {column} IS NOT NULL
"""


def columns(owner: psycopg.Connection) -> dict[tuple[str, str], str]:
    """Every column of text in this database, with its type."""
    return {(table, name): kind for table, name, kind in owner.execute(_TEXT)}


def free() -> Iterator[tuple[str, str]]:
    for table, names in FREE.items():
        yield from ((table, name) for name in names.split())


def spread(owner: psycopg.Connection, *, turn: int = 0) -> list[tuple[str, str]]:
    """Write the payloads into every free column, past all verbs and guards; what took none.

    Row after row takes the next payload, and each column begins at another one; after forty turns
    every column's first row has held all of them. A column's own limit of length cuts them.
    """
    owner.execute("SET session_replication_role = replica")
    known, closed = columns(owner), []
    for number, (table, column) in enumerate(free()):
        if (table, column) not in known:
            continue
        if known[table, column] == "jsonb":
            _fill_json(owner, table, column, number + turn)
        elif not _fill(owner, table, column, number + turn):
            closed.append((table, column))
    return closed


def _fill(owner: psycopg.Connection, table: str, column: str, start: int) -> bool:
    # The room refuses terms with a name in braces that it does not know: nobody agrees to a hole.
    texts = [re.sub(r"[{}]", "|", each) for each in PAYLOADS] if table == "terms" else [*PAYLOADS]
    names = {"table": sql.Identifier(table), "column": sql.Identifier(column)}
    # As it is, or as the column asks: shorter, in small letters, unique.
    most = SHORT.get((table, column), max(LENGTHS))
    lengths = [length for length in LENGTHS if length <= most]
    for length, shape, is_numbered in product(lengths, ("concat", "lower"), (False, True)):
        statement = sql.SQL(_FILL).format(**names, shape=sql.SQL(shape))
        try:
            owner.execute(statement, (texts, start, length, is_numbered))
        except (
            psycopg.errors.UniqueViolation,
            psycopg.errors.CheckViolation,
            psycopg.errors.ProgramLimitExceeded,
        ):
            continue
        return True
    return False


def _fill_json(owner: psycopg.Connection, table: str, column: str, start: int) -> None:
    """Words in it become hostile; what a program reads as a number, a day or a code stays."""
    names = {"table": sql.Identifier(table), "column": sql.Identifier(column)}
    found = sql.SQL("SELECT ctid::text, {column} FROM {table} WHERE {column} IS NOT NULL")
    write = sql.SQL("UPDATE {table} SET {column} = %s WHERE ctid = %s::tid").format(**names)
    for number, (ctid, value) in enumerate(owner.execute(found.format(**names)).fetchall()):
        payload = PAYLOADS[(start + number) % len(PAYLOADS)]
        hostile = _replace(value, payload[: SHORT.get((table, column))])
        if hostile != value:
            owner.execute(write, (psycopg.types.json.Jsonb(hostile), ctid))


def _replace(value: object, payload: str) -> object:
    if isinstance(value, dict):
        return {key: _replace(each, payload) for key, each in value.items()}
    if isinstance(value, list):
        return [_replace(each, payload) for each in value]
    is_text = isinstance(value, str) and re.search(r"[가-힣@]|[a-z] [a-z]", value)
    return payload if is_text else value
