"""Creating a dataset with the tasks of a SLURM array job."""

import shutil
import subprocess
import sys

from lada.dataset_tools.check.checking import check_dataset
from lada.video import read_frames
from tests.cluster.conftest import wait_until

CREATE = 'scripts/dataset_creation/create-mosaic-restoration-dataset.py'
OPTIONS = [
    *('--max-frames', '12', '--min-frames', '6', '--min-resolution', '64'),
    *('--workers', '1', '--keep-duplicates'),
]
# Of two clips that look alike in different shards, both would stay without the last of them.
JOB = """#!/bin/sh
#SBATCH --array=0-2 --ntasks=1 --requeue --open-mode=append
exec "$@" --num-shards "$SLURM_ARRAY_TASK_COUNT" --shard-index "$SLURM_ARRAY_TASK_ID"
"""


def clips(root):
    """Return the contents of a dataset's clips; of masks the frames: Matroska files are numbered at
    random.
    """
    found = {}
    for folder in ('img', 'meta', 'mask'):
        for path in (root / f'crop_unscaled_{folder}').iterdir():
            mask = folder == 'mask'
            found[path.name] = read_frames(path).tobytes() if mask else path.read_bytes()
    return found


def test_a_dataset_made_by_an_array_is_that_of_one_process(
    slurm, make_video, frames, bikes, repo_root, tmp_path
):
    videos, alone, shared = (tmp_path / name for name in ('videos', 'alone', 'shared'))
    videos.mkdir()
    shutil.copy(bikes, videos)
    for number, images in enumerate((frames, frames[::-1], frames[:, ::-1], frames[:, :, ::-1])):
        shutil.move(make_video(f'{number}.mp4', images=images), videos)
    create = [sys.executable, repo_root / CREATE, '--input', videos, *OPTIONS, '--output']
    subprocess.run([*create, alone], check=True)
    script = tmp_path / 'create.sbatch'
    script.write_text(JOB)
    job = slurm.submit(script, *create, shared)
    # One task is queued again in the middle of its work, as a preempted one is.
    wait_until(lambda: list(shared.glob('crop_unscaled_img/*.mp4')), 100, lambda: job.log)
    slurm.run('scontrol', 'requeue', f'{job.number}_0')

    def start_now() -> bool:
        try:
            slurm.run('scontrol', 'update', f'jobid={job.number}_0', 'StartTime=now')
        except AssertionError:  # it has not ended yet
            return False
        return True

    wait_until(start_now, 60, lambda: job.log)
    wait_until(
        lambda: not slurm.run('squeue', '--noheader', '--jobs', job.number), 200, lambda: job.log
    )
    assert clips(shared) == clips(alone), job.log
    total, problems = check_dataset(shared)
    assert total == len(list((alone / 'crop_unscaled_meta').iterdir())) and not problems
