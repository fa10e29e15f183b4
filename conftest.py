"""Settings for all tests, at the root because the doctests in sktpecr/ and docs/ need them too."""

import os
import socket
import sys
from typing import Any

# Read when numpy, torch and matplotlib are first imported: nothing has imported them yet.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ["MPLBACKEND"] = "Agg"

import pytest
from hypothesis import settings

# The same 50 every time; to look for more, HYPOTHESIS_PROFILE=search.
settings.register_profile("ci", derandomize=True, deadline=None, database=None, max_examples=50)
settings.register_profile("search", deadline=None, max_examples=1000, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


def _stay_here(event: str, arguments: tuple[Any, ...]) -> None:
    """Refuse connections to other machines: nothing but fetching data may want one."""
    if event != "socket.connect":
        return
    connection, address = arguments
    # Datagrams are how programs ask for their own address: nothing is sent.
    if connection.family not in (socket.AF_INET, socket.AF_INET6):
        return
    if connection.type & socket.SOCK_STREAM and address[0] not in ("127.0.0.1", "::1", "localhost"):
        raise RuntimeError(f"a test reached for the network: {address}")


sys.addaudithook(_stay_here)


@pytest.fixture(autouse=True)
def _no_figure_stays_open():
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")
