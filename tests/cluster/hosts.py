"""Hosts on this machine: network, address and name of their own, the files are shared. They need
root and iproute2.
"""

import contextlib
import os
import shutil
import signal
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CABLE = 'eth0'


def ip(*arguments: str) -> str:
    done = subprocess.run(['ip', *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, (arguments, done.stderr)
    return done.stdout


class Host:
    """A host; use as a context manager.

    Args:
        name: of the host and of its network namespace.
        address: of its side of the cable.
    """

    def __init__(self, name: str, address: str):
        self.name, self.address = name, address
        self._settings = Path('/etc/netns') / name

    def __enter__(self) -> 'Host':
        # What a test that was killed has left.
        self._remove()
        ip('netns', 'add', self.name)
        ip('-n', self.name, 'link', 'set', 'lo', 'up')
        return self

    def __exit__(self, *exception: object) -> None:
        self._remove()

    def _remove(self) -> None:
        if self.name in ip('netns', 'list').split():
            self.crash()
            ip('netns', 'delete', self.name)
        shutil.rmtree(self._settings, ignore_errors=True)

    def plug_in(self, names: dict[str, str]) -> None:
        """Set up the host's end of the cable; ``names``: addresses of all hosts."""
        ip('-n', self.name, 'address', 'add', f'{self.address}/24', 'dev', CABLE)
        ip('-n', self.name, 'link', 'set', CABLE, 'up')
        # ip shows it to the host's processes as /etc/hosts.
        self._settings.mkdir(parents=True, exist_ok=True)
        lines = ['127.0.0.1 localhost', *(f'{at} {name}' for name, at in names.items())]
        (self._settings / 'hosts').write_text('\n'.join(lines) + '\n')

    def cut_cable(self) -> None:
        """From now on nothing arrives any more; no connection is closed."""
        ip('-n', self.name, 'link', 'set', CABLE, 'down')

    def give_up_sooner(self) -> None:
        """Let its connections end after two minutes without an answer, not after 15."""
        setting = 'net.ipv4.tcp_retries2=8'
        ip('netns', 'exec', self.name, 'sysctl', '--quiet', '--write', setting)

    def start(self, *command: object, log: Path, **environment: str) -> subprocess.Popen:
        """Start a command on the host, what it says goes to a file."""
        with open(log, 'w') as out:
            named = f'hostname {self.name} && exec "$@"'
            inside = 'ip', 'netns', 'exec', self.name, 'unshare', '--uts', 'sh', '-c', named, 'sh'
            return subprocess.Popen(
                [*inside, *map(str, command)],
                cwd=ROOT,
                stdout=out,
                stderr=subprocess.STDOUT,
                env={**os.environ, **environment},
                start_new_session=True,
            )

    def crash(self) -> None:
        """End all its processes at once."""
        self.signal(signal.SIGKILL)

    def signal(self, number: int) -> None:
        """Send a signal to all its processes, as schedulers do."""
        for pid in map(int, ip('netns', 'pids', self.name).split()):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
