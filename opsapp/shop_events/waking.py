"""Which sendings wait for a worker, and which job does them."""

from opsapp.kernel.turns import Work
from opsapp.shop_events.jobs import DELIVER_EVENTS
from opsapp.shop_events.models import ShopDelivery
from opsapp.shop_events.states import MOVING

SENDINGS = Work(ShopDelivery, MOVING, DELIVER_EVENTS, "delivery_ids")
