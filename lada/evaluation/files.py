"""The folder that an evaluation leaves behind: JSON, CSV, report and pictures."""

import math
import re
from pathlib import Path

import cv2

from lada.evaluation.bootstrap import compare
from lada.evaluation.journal import Journal, ShownClip
from lada.evaluation.measure import MeasuredClip
from lada.evaluation.pictures import encode_picture, grid
from lada.evaluation.report import FramePictures, report
from lada.evaluation.results import INPUT, ClipResult, Evaluation
from lada.evaluation.spacing import evenly_spaced
from lada.evaluation.tables import clip_table, summary_table, to_csv
from lada.files import write_atomically

RESULTS, TABLE, REPORT = 'evaluation.json', 'evaluation.csv', 'report.html'
FRAMES_SHOWN = 3


def written_files(folder: Path) -> list[Path]:
    """Return what an evaluation writes into ``folder``, pictures excepted."""
    return [folder / name for name in (RESULTS, TABLE, REPORT)]


class EvaluationFiles:
    """Collects pictures of the clips with the lowest and the highest gain, and writes everything at
    the end; until then a journal has what was measured.

    Args:
        folder: created when there is something to write.
        pictures: how many clips to show.
    """

    def __init__(self, folder: Path, pictures: int):
        self.folder, self.limit = folder, pictures
        self._shown: dict[str, ShownClip] = {}
        self._journal: Journal | None = None

    def begin(self, identity: dict) -> list[ClipResult]:
        """Return the clips that an earlier run of the same evaluation has measured.

        Args:
            identity: what is evaluated; must be JSON.
        """
        self._journal = Journal(self.folder, {**identity, 'pictures': self.limit})
        found = []
        for result, shown in self._journal.read():
            found.append(result)
            if shown is not None:
                self._keep(result.key, shown)
        return found

    def add_clip(self, clip: MeasuredClip) -> None:
        """Keep the clip's pictures while it is among the worst or best so far."""
        shown = self._pictures(clip)
        if shown is not None:
            self._keep(clip.result.key, shown)
        if self._journal is not None:
            self._journal.add(clip.result, self._shown.get(clip.result.key))

    def _pictures(self, clip: MeasuredClip) -> ShownClip | None:
        result, frames, gt, _ = clip
        gain = result.value(list(frames)[-1], 'gain')
        if self.limit < 1 or math.isnan(gain):
            return None
        columns = {'mosaic' if method == INPUT else method: clip for method, clip in frames.items()}
        columns['ground truth'] = gt
        rows = [
            [clip[index] for clip in columns.values()]
            for index in evenly_spaced(len(gt), FRAMES_SHOWN)
        ]
        middle = len(gt) // 2
        before, after, truth = (
            encode_picture(clip[middle], '.jpg', cv2.IMWRITE_JPEG_QUALITY, 90)
            for clip in (frames[INPUT], frames[list(frames)[-1]], gt)
        )
        return ShownClip(
            FramePictures(result.key, gain, before, after, truth),
            encode_picture(grid(rows, list(columns)), '.png'),
        )

    def _keep(self, key: str, shown: ShownClip) -> None:
        self._shown[key] = shown
        ranking = self._ranking()
        best = self.limit // 2
        for other in ranking[self.limit - best : len(ranking) - best]:
            del self._shown[other]

    def _ranking(self) -> list[str]:
        return sorted(self._shown, key=lambda key: self._shown[key].report.gain)

    def write(self, evaluation: Evaluation) -> str:
        """Write all files and return the text for the terminal."""
        for key, shown in self._shown.items():
            write_atomically(self.folder / 'pictures' / f'{safe_name(key)}.png', shown.grid)
        pictures = [self._shown[key].report for key in self._ranking()]
        write_atomically(self.folder / REPORT, report(evaluation, pictures).encode())
        write_atomically(self.folder / TABLE, to_csv(evaluation).encode())
        write_atomically(self.folder / RESULTS, evaluation.to_json().encode())
        if self._journal is not None:
            self._journal.remove()
        return '\n'.join(
            [
                'PSNR in dB over the mosaic of each clip:',
                clip_table(evaluation),
                '',
                'Means over all clips:',
                summary_table(evaluation),
                '',
                *_comparisons(evaluation),
                *evaluation.notes,
                f'Report: {self.folder / REPORT}',
            ]
        )


def _comparisons(evaluation: Evaluation) -> list[str]:
    first, *others = evaluation.checkpoints
    return [
        f'{label} against {first}: {compare(evaluation, first, evaluation, label)}'
        for label in others
    ]


def safe_name(key: str) -> str:
    """Return a clip's name as a file name."""
    return re.sub(r'[^\w.-]', '_', key)
