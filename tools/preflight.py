"""Say in one sentence why this Python cannot hold the course and what to do, or say nothing.

Runs on any Python, also on one that is far too old.
"""

import sys

ANOTHER = "or name another Python, as in: make lab PYTHON=/path/to/python3.13"
# What a Python lacks if these were not there when it was built, by Debian's and Ubuntu's names.
BUILT_WITH = [
    ("_ctypes", "libffi-dev"),
    ("_sqlite3", "libsqlite3-dev"),
    ("_ssl", "libssl-dev"),
    ("zlib", "zlib1g-dev"),
]


def lacks(module):
    """Tell whether this Python has no such module, or none that can be loaded."""
    try:
        __import__(module)
    except ImportError:
        return True
    return False


def problem():
    """Return the sentence, or None if all is well."""
    python = "%s is Python %d.%d.%d" % ((sys.executable,) + tuple(sys.version_info[:3]))
    if not (3, 11) <= tuple(sys.version_info[:2]) <= (3, 15):
        return "The course needs Python 3.11 to 3.15, and %s: install one of them, %s" % (
            python,
            ANOTHER,
        )
    missing = [(module, package) for module, package in BUILT_WITH if lacks(module)]
    if missing:
        modules, packages = zip(*missing)
        return (
            "%s that was built without %s, which the course needs: build it again with the headers "
            "of these libraries (on Debian and Ubuntu: apt-get install %s), %s"
            % (python, " and ".join(modules), " ".join(packages), ANOTHER)
        )
    if lacks("venv") or lacks("ensurepip"):
        return (
            "%s without its venv module: install that (on Debian and Ubuntu: apt-get install "
            "python3.%d-venv), %s" % (python, sys.version_info[1], ANOTHER)
        )
    return None


if __name__ == "__main__":
    sys.exit(problem())
