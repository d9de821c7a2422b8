"""A plugin of pytest: ends what a test has started."""
import pytest
import utils


@pytest.fixture(autouse=True)
def stop_servers():
    yield
    for server in list(utils.servers):
        server.stop()
