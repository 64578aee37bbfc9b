"""A plugin of pytest: tests, and all that they start, run apart from the user's own settings."""

import os
import tempfile
from pathlib import Path

import pytest
from kernels import environment, temporary


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Change the environment for good, before a test or matplotlib is imported."""
    folder = tempfile.TemporaryDirectory(
        prefix="tests-", dir=temporary(), ignore_cleanup_errors=True
    )
    early_config.add_cleanup(folder.cleanup)
    own = environment(Path(folder.name))
    os.environ.clear()
    os.environ.update(own)
    tempfile.tempdir = None  # so that it is asked for anew
