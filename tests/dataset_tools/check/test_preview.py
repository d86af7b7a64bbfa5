import subprocess
import sys

import cv2
import numpy as np

from lada.data import MosaicVideoDataset
from lada.dataset_tools.check.preview import GAP, LABEL_HEIGHT
from lada.dataset_tools.create.creation import create_dataset
from lada.dataset_tools.create.planning import CreationSettings


def test_the_sheet_shows_input_truth_and_mask_of_each_clip(bikes, tmp_path, repo_root):
    create_dataset([bikes], tmp_path / 'set', CreationSettings(), say=lambda line: None)
    call = [
        sys.executable,
        str(repo_root / 'scripts' / 'dataset_creation' / 'preview-dataset.py'),
        str(tmp_path / 'set'),
        '--out',
        str(tmp_path / 'p.png'),
        '--clips',
        '2',
        '--size',
        '64',
        '--seed',
        '3',
    ]
    first = subprocess.run(call, capture_output=True, text=True, check=True)
    assert 'of 2 of 6 clips' in first.stdout
    sheet = cv2.imread(str(tmp_path / 'p.png'))[..., ::-1]
    assert sheet.shape == (2 * (64 + LABEL_HEIGHT), 3 * 64 + 2 * GAP, 3)
    dataset = MosaicVideoDataset(
        tmp_path / 'set' / 'crop_unscaled_meta',
        8,
        min_num_frame=1,
        degrade=True,
        use_hflip=True,
        lq_size=64,
        seed=3,
    )
    sample = dataset[len(dataset) - 1]
    row = sheet[-64:]
    expected = [
        sample['inputs'][4],
        sample['data_samples'].gt_img[4],
        sample['data_samples'].mosaic_mask[4].expand(3, -1, -1),
    ]
    for column, picture in enumerate(expected):
        left = column * (64 + GAP)
        assert np.array_equal(row[:, left : left + 64], picture.permute(1, 2, 0).numpy())
    second = subprocess.run(call, capture_output=True, text=True, check=False)
    assert (
        second.returncode == 1
        and 'there is already' in second.stderr
        and second.stderr.count('\n') == 1
    )
