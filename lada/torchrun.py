"""torchrun, or another launcher of PyTorch's, that ends with the status of the process that failed:

    python -m lada.torchrun torch.distributed.run --nproc-per-node=2 SCRIPT ...

Its own traceback, which names files of PyTorch alone, would be the last that a user reads.
"""

import importlib
import sys

from lada.errors import JobError


def main(arguments: list[str]) -> int:
    """Run a launcher; returns the exit status.

    Args:
        arguments: the launcher's module, then what it takes.
    """
    from torch.distributed.elastic.multiprocessing import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.elastic.rendezvous import RendezvousError

    module, *rest = arguments
    try:
        importlib.import_module(module).main(rest)
    except ChildFailedError as error:
        rank, failure = error.get_first_failure()
        code = failure.exitcode
        end = f'ended with status {code}' if code > 0 else f'was ended by signal {-code}'
        print(f'error: rank {rank} {end}; what it said is above', file=sys.stderr)
        return code if code > 0 else 128 - code
    except SignalException as stopped:
        return 128 + stopped.sigval
    except RendezvousError as error:
        print(f'error: the machines do not meet: {error}', file=sys.stderr)
        return JobError.status
    return 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
