"""Say in one sentence why this Python cannot hold the course and what to do, or say nothing.

Runs on any Python, also on one that is far too old.
"""

import sys


def problem():
    """Return the sentence, or None if all is well."""
    python = "%s is Python %d.%d.%d" % ((sys.executable,) + tuple(sys.version_info[:3]))
    if not (3, 11) <= tuple(sys.version_info[:2]) <= (3, 13):
        return (
            "The course needs Python 3.11, 3.12 or 3.13, and %s: install one of them, "
            "or name it, as in: make lab PYTHON=/path/to/python3.12" % python
        )
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError:
        return (
            "%s without its venv module: install that (on Debian and Ubuntu: apt-get install "
            "python3.%d-venv), or name another Python, as in: make lab PYTHON=/path/to/python3.12"
            % (python, sys.version_info[1])
        )
    return None


if __name__ == "__main__":
    sys.exit(problem())
