"""The pytest fixture of this package, switched on by this line in a test module:

pytest_plugins = ["independent_upstream.pytest_fixtures"]
"""

from collections.abc import Iterator

import pytest

from .server import Upstream


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    """A started Upstream with an empty world. At the end of the test nothing may have been rejected unexpectedly:
    a test that provokes rejections takes them with `upstream.recorder.take_graphql_rejections()`.
    """
    with Upstream() as server:
        yield server
    server.recorder.assert_clean()
