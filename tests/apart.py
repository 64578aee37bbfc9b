"""A plugin of pytest: tests, and all that they start, run apart from the user's own settings."""

import signal

import pytest
from kernels import enter


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Change the environment before a test or matplotlib is imported."""
    early_config.add_cleanup(enter().cleanup)
    # A shell has its jobs in the background ignore interrupts, also those that tests send.
    signal.signal(signal.SIGINT, signal.default_int_handler)
