"""Which notices wait for a worker, and which job sends them."""

from opsapp.kernel.turns import Work
from opsapp.notifications.jobs import SEND_NOTICES
from opsapp.notifications.models import Notice
from opsapp.notifications.states import OPEN

NOTICES = Work(Notice, OPEN, SEND_NOTICES, "notice_ids")
