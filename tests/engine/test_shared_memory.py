"""Batches that do not fit into shared memory are refused before the first one."""

import shutil
import subprocess
import sys

import pytest
import torch

from lada.data.data_sample import DataSample
from lada.engine.shared_memory import check_shared_memory, tensor_bytes
from lada.errors import LadaError


def sample(size):
    frames = torch.zeros(size, dtype=torch.uint8)
    return {'inputs': frames, 'data_samples': DataSample(gt_img=frames.clone())}


def test_what_is_prepared_at_the_same_time_must_fit(tmp_path):
    free = shutil.disk_usage(tmp_path).free
    assert tensor_bytes(sample(1000)) == 2000
    check_shared_memory('x', [sample(1000)], 2, 4, 4, tmp_path)
    huge = free // 2000 + 1
    with pytest.raises(LadaError, match=r'x needs .* --shm-size.* num_workers=0'):
        check_shared_memory('x', [sample(1000)], 2, huge, 4, tmp_path, enough=1 << 62)
    check_shared_memory('x', [sample(1000)], 2, huge, 4, tmp_path, enough=1)
    check_shared_memory('x', [sample(1000)], 0, huge, 4, tmp_path, enough=1 << 62)
    check_shared_memory('x', [sample(1000)], 2, huge, 4, tmp_path / 'nowhere')


@pytest.mark.slow
@pytest.mark.parametrize('dry', [True, False])
def test_a_container_with_little_shared_memory(tmp_path, write_config, repo_root, dry):
    config = write_config(tmp_path / 'run')
    options = 'train_dataloader.num_workers=2 train_dataloader.batch_size=4 ' + (
        'train_dataloader.dataset.num_frame=6 train_dataloader.persistent_workers=True'
    )
    command = (
        f'mount -t tmpfs -o size=16m tmpfs /dev/shm && exec {sys.executable}'
        f' scripts/training/train-mosaic-restoration-basicvsrpp.py {config}'
        f'{" --dry-run" if dry else ""} --cfg-options {options}'
    )
    done = subprocess.run(
        ['unshare', '--user', '--map-root-user', '--mount', 'sh', '-c', command],
        cwd=repo_root,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 1
    assert (
        'dataloader needs' in done.stderr.replace('data loader', 'dataloader')
        and '--shm-size' in done.stderr
    )
