"""The exceptions a user sees as a single line."""

from collections.abc import Iterator


class LadaError(Exception):
    """Something the user can put right: bad input, a missing file, a damaged checkpoint.

    The message is one line that says what is wrong, where, and what to do about it. Scripts print
    it and exit with :attr:`status`; a traceback appears only with ``--debug``.
    """

    status = 1


class JobError(LadaError):
    """A process of a job was lost: nothing to put right, the same command may well go on."""

    status = 3


def with_causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error, and what was handled when it was raised, and so on."""
    while error is not None:
        yield error
        error = error.__context__
