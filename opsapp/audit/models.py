from datetime import datetime

from sqlalchemy import ARRAY, BigInteger, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from opsapp.kernel.db import Base
from opsapp.kernel.log import Xid8


class AuditSeal(Base):
    """A closed window of log entries: from_xid <= entry.xid < to_xid, in the order of their ids.

    `chain` = SHA-256 of the previous seal's chain, this seal's own columns and its root;
    `leaves` keeps 32 bytes an entry, so that a tampered row can be named.
    """

    __tablename__ = "audit_seals"
    id: Mapped[int] = mapped_column(primary_key=True)
    cluster: Mapped[str]  # system identifier: transaction ids start again in another cluster
    from_xid: Mapped[int] = mapped_column(Xid8)
    to_xid: Mapped[int] = mapped_column(Xid8)
    entry_ids: Mapped[list[int]] = mapped_column(ARRAY(BigInteger))
    leaves: Mapped[bytes] = mapped_column(LargeBinary)
    # The chain that this seal continues; unique, so that two sealers at once cannot fork it.
    previous: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    root: Mapped[bytes] = mapped_column(LargeBinary)
    chain: Mapped[bytes] = mapped_column(LargeBinary)
    # Of this seal and all before it: how many entries, and the highest id among them.
    entry_count: Mapped[int]
    entry_id_max: Mapped[int]
    sealed_at: Mapped[datetime]
