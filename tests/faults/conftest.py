"""One fork server for all tests here; harness.py, beside this file, is made importable for them."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope='session')
def server(tmp_path_factory):
    from harness import ForkServer

    with ForkServer(tmp_path_factory.mktemp('output')) as server:
        yield server
