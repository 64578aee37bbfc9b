"""Programs as a learner, a book or the documentation would write them, by subject.

Each is a plain coroutine function of a module, marked by `@program`; `tests/test_corpus.py` runs it
plainly, by `simulate` and by `record`, and compares all that can be seen.
"""
