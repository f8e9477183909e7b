from tests.portal.conftest import (
    gateway as gateway,
    house as house,
    open_link as open_link,
    settings as settings,
    shopper as shopper,
)
