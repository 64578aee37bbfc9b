"""A plugin of pytest: tests, and all that they start, run apart from the user's own settings."""

import pytest
from kernels import enter


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Change the environment before a test or matplotlib is imported."""
    early_config.add_cleanup(enter().cleanup)
