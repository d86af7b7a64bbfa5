"""A whole SLURM on this machine, a controller and two nodes on loopback: needs root, slurm-wlm and
munge. And two hosts with a cable between them.
"""

import contextlib
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cluster.hosts import CABLE, Host, ip

ROOT = Path(__file__).resolve().parents[2]
NODES = 'lada-node1', 'lada-node2'
CONFIGURATION = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort=26817
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool.%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
SchedulerParameters=sched_interval=1
ReturnToService=2
SlurmdParameters=config_overrides
NodeName=DEFAULT CPUs=2 RealMemory=2000
NodeName=lada-node[1-2] NodeHostname={host} NodeAddr=127.0.0.1 Port=26821-26822
PartitionName=all Nodes=ALL Default=YES MaxTime=1:00:00 PriorityTier=1 GraceTime=60
PartitionName=urgent Nodes=ALL MaxTime=1:00:00 PriorityTier=2 PreemptMode=OFF
"""


def wait_until(condition, seconds, told):
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, told()
        time.sleep(0.2)
    return found


class Slurm:
    def __init__(self, folder: Path):
        self.folder = folder
        self.environment = {
            **os.environ,
            'SLURM_CONF': str(folder / 'slurm.conf'),
            'OMP_NUM_THREADS': '1',
            'PYTHONPATH': f'{ROOT}:{ROOT / "tests/faults"}',
            # The interpreter that runs the tests, where the clone has no environment of its own.
            'PATH': f'{Path(sys.executable).parent}:{os.environ["PATH"]}',
        }

    def run(self, *command: object, **options) -> str:
        done = subprocess.run(
            list(map(str, command)),
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
            **options,
        )
        assert done.returncode == 0, (command, done.stdout, done.stderr)
        return done.stdout.strip()

    def start(self) -> None:
        host = os.uname().nodename
        (self.folder / 'state').mkdir()
        (self.folder / 'slurm.conf').write_text(
            CONFIGURATION.format(host=host, folder=self.folder, memory='RealMemory=2000')
        )
        self.start_munge()
        self.run('slurmctld')
        # A node's name is where processes meet.
        hosts = self.folder / 'hosts'
        hosts.write_text(Path('/etc/hosts').read_text() + f'\n127.0.0.1 {" ".join(NODES)}\n')
        for node in NODES:
            start = f'mount --bind {hosts} /etc/hosts && exec slurmd -N {node}'
            self.run('unshare', '-m', 'sh', '-c', start)
        wait_until(
            lambda: len(self.run('sinfo', '-h', '-N', '-p', 'all', '-t', 'idle').splitlines()) == 2,
            30,
            lambda: self.run('sinfo'),
        )

    def start_munge(self) -> None:
        """A munged of its own: the machine's may be off, and its socket there all the same."""
        munge = self.folder / 'munge'
        munge.mkdir()
        (munge / 'key').write_bytes(os.urandom(1024))
        (munge / 'key').chmod(0o600)
        files = {
            'socket': munge / 'socket',
            'key-file': munge / 'key',
            'log-file': munge / 'log',
            'seed-file': munge / 'seed',
            'pid-file': self.folder / 'munged.pid',
        }
        # By force: others may not look into a test's folder, munged prefers that they could.
        self.run('munged', '--force', *(f'--{name}={path}' for name, path in files.items()))

    def stop(self) -> None:
        self.run('scancel', '--user', 'root')
        for path in self.folder.glob('*.pid'):
            subprocess.run(['kill', path.read_text().strip()], check=False)

    def submit(self, script: Path, *args: object, options=(), cwd=ROOT, **environment) -> 'Job':
        log = self.folder / f'job-{time.monotonic_ns()}.log'
        exported = ','.join(['ALL', *(f'{key}={value}' for key, value in environment.items())])
        number = self.run(
            'sbatch',
            '--parsable',
            f'--output={log}',
            f'--export={exported}',
            *options,
            script,
            *args,
            cwd=cwd,
        )
        return Job(self, number, log)


class Job:
    def __init__(self, slurm: Slurm, number: str, log: Path):
        self.slurm, self.number, self.path = slurm, number, log

    @property
    def log(self) -> str:
        return self.path.read_text(errors='replace') if self.path.exists() else ''

    def __getitem__(self, key: str) -> str:
        """What ``scontrol`` shows of the job."""
        shown = self.slurm.run('scontrol', 'show', 'job', self.number)
        return re.search(rf'\b{key}=(\S*)', shown)[1]

    def wait_for(self, text: str, seconds=200) -> None:
        wait_until(
            lambda: text in self.log or self['JobState'] == 'FAILED', seconds, lambda: self.log
        )
        assert text in self.log, self.log

    def wait_for_state(self, state: str, seconds=200) -> None:
        wait_until(lambda: self['JobState'] == state, seconds, lambda: self.log)

    def wait_for_end(self, seconds=200) -> str:
        """Return how the job ended: the state, another one where it was queued again."""
        ends = 'COMPLETED', 'FAILED', 'CANCELLED', 'TIMEOUT', 'NODE_FAIL'
        wait_until(
            lambda: self['JobState'] in ends or self['Restarts'] != '0', seconds, lambda: self.log
        )
        return self['JobState']

    def go_on(self) -> None:
        """Start a job that was queued again now; SLURM waits two minutes."""
        self.wait_for_state('PENDING', seconds=90)
        self.slurm.run('scontrol', 'update', f'jobid={self.number}', 'StartTime=now')


@pytest.fixture(scope='session')
def slurm(tmp_path_factory):
    assert shutil.which('slurmctld') and os.getuid() == 0, 'needs root, slurm-wlm and munge'
    slurm = Slurm(tmp_path_factory.mktemp('slurm'))
    slurm.start()
    yield slurm
    slurm.stop()


@pytest.fixture
def two_hosts():
    """Yield two hosts with a cable between them."""
    assert shutil.which('ip') and os.getuid() == 0, 'needs root and iproute2'
    addresses = {'lada-a': '10.77.13.1', 'lada-b': '10.77.13.2'}
    with contextlib.ExitStack() as stack:
        hosts = [stack.enter_context(Host(*each)) for each in addresses.items()]
        one, other = hosts
        ends = ['netns', one.name, 'type', 'veth', 'peer', 'name', CABLE, 'netns', other.name]
        ip('link', 'add', CABLE, *ends)
        for host in hosts:
            host.plug_in(addresses)
        yield hosts
