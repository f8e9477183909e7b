from datetime import datetime
from typing import Any

from sqlalchemy import Index, UniqueConstraint, func
from sqlalchemy.orm import Mapped, mapped_column

from opsapp.kernel.db import Base
from opsapp.kernel.turns import Claimable, due_index
from opsapp.notifications.states import NOTICE, OPEN


class Notice(Claimable, Base):
    """A message to one customer about one subject; the text is made when it is sent."""

    __tablename__ = "notices"
    __table_args__ = (
        NOTICE.check(),
        UniqueConstraint("kind", "subject_type", "subject_id", "customer_id"),
        Index("notices_of", "subject_type", "subject_id"),
        Index("notices_customer", "customer_id", "id"),
        due_index("notices", OPEN),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    ref: Mapped[str] = mapped_column(unique=True)
    kind: Mapped[str]  # a template name: templates/mail/<kind>.<locale>.txt
    subject_type: Mapped[str]
    subject_id: Mapped[int]
    customer_id: Mapped[int]
    channel: Mapped[str] = mapped_column(default="email")
    values: Mapped[dict[str, Any]]  # ids, amounts, dates: no personal data
    status: Mapped[str] = mapped_column(default=NOTICE.start.value)
    error: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.ops_now())
    sent_at: Mapped[datetime | None]
