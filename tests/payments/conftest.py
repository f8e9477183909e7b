from collections.abc import Iterator

import pytest

from tests.gateway_controls import GatewayControls


@pytest.fixture
def gateway(sandbox_url: str) -> Iterator[GatewayControls]:
    """The sandbox's control calls; whatever a test breaks is mended after it."""
    controls = GatewayControls(sandbox_url)
    controls.clear()
    yield controls
    controls.clear()
