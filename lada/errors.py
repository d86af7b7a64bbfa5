"""The one exception a user sees as a single line."""


class LadaError(Exception):
    """Something the user can put right: bad input, a missing file, a damaged checkpoint.

    The message is one line that says what is wrong, where, and what to do about it. Scripts print
    it and exit with status 1; a traceback appears only with ``--debug``.
    """
