import re

import pytest

from opsapp.kernel.db import transaction
from opsapp.programs import queries

SECRET = re.compile(r"ops_[A-Za-z0-9_-]{43}")


@pytest.fixture
def admin(as_role):
    return as_role("admin")


def test_a_key_is_made_shown_once_rotated_and_revoked(house, admin):
    address = "/console/settings/api-keys/"
    unnamed = admin.post(address, {"scopes": ["orders:read"], "life": ""})
    assert unnamed.status_code == 422
    page = admin.post(address, {"name": "상점", "scopes": ["orders:read"], "life": "30"})
    secret = SECRET.search(page.text)[0]
    assert secret not in admin.get(address).text
    assert secret[:12] in admin.get(address).text
    rotated = admin.post(f"{address}1/rotate", {"overlap": "0"})
    assert SECRET.search(rotated.text)[0] != secret
    admin.post(f"{address}2/revoke", {"because": "lost"})
    with house.app_context(), transaction():
        assert [line.is_alive for line in queries.list_keys()] == [False, False]
