"""Start trainings without importing everything each time: import once, then fork.

Reads one JSON line at a time: ``{"script", "args", "env", "out", "err"}`` starts a script in a
session of its own, which writes to two files (or one), and answers with its pid; ``{"wait": pid}``
answers with its exit status as :attr:`subprocess.Popen.returncode` has it. What is forked runs the
script's own code to the interpreter's own end.
"""

import json
import os
import runpy
import sys


def become(request: dict) -> None:
    os.setsid()
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for name, target in (('out', 1), ('err', 2)):
        os.dup2(os.open(request[name], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644), target)
    os.environ.update(request['env'])
    sys.argv = [request['script'], *request['args']]
    runpy.run_path(request['script'], run_name='__main__')


def serve() -> dict | None:
    """Answer requests; returns in the child process, with what it has to run."""
    for line in sys.stdin:
        request = json.loads(line)
        if 'wait' in request:
            _, status = os.waitpid(request['wait'], 0)
            answer = os.waitstatus_to_exitcode(status)
        else:
            answer = os.fork()
            if answer == 0:
                return request
        print(answer, flush=True)
    return None


if __name__ == '__main__':
    import fault_points  # noqa: F401

    import lada.data
    import lada.engine.train
    import lada.evaluation
    import lada.models  # noqa: F401

    request = serve()
    if request is not None:
        become(request)
