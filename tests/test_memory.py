"""Freed memory."""

import subprocess
import sys

from lada.memory import keep_freed_memory, release_free_memory


def test_both_can_be_called_anywhere(monkeypatch):
    for platform in (sys.platform, 'elsewhere'):
        monkeypatch.setattr(sys, 'platform', platform)
        keep_freed_memory()
        release_free_memory()


def test_importing_it_is_cheap():
    code = 'import sys, lada.memory; assert not {"cv2", "torch", "numpy"} & sys.modules.keys()'
    subprocess.run([sys.executable, '-c', code], check=True)
