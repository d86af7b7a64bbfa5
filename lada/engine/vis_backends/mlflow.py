"""MLflow."""

import os
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from lada.engine.mmengine_private import OpenMLflowVisBackend
from lada.engine.vis_backends.run_backend import RunBackend
from lada.registry import VISBACKENDS

_TAG, _PICTURED = 'lada.run', 'lada.pictured'


@VISBACKENDS.register_module()
class MLflowVisBackend(RunBackend, OpenMLflowVisBackend):
    """MLflow shows a training with its resumes as one run, found again by a tag.

    Of what a resumed run repeats, what MLflow already has stays.

    Args:
        save_dir: folder of ``mlflow.db`` and ``mlartifacts`` where no server is named; the work
            directory unless given.
        tracking_uri: address of the server or database; ``MLFLOW_TRACKING_URI`` unless given.
        exp_name: the experiment, ``MLFLOW_EXPERIMENT_NAME`` or ``lada`` unless given.
        run_name: the work directory's name unless given.
        tags: further tags of the run.
        tracked_config_keys: the config's top-level keys that become parameters; all unless given.
    """

    service = 'MLflow'
    offline = (
        'without a server leave out MLFLOW_TRACKING_URI: the run is kept in the work directory'
    )

    def __init__(
        self,
        save_dir: str | None = None,
        tracking_uri: str | None = None,
        exp_name: str | None = None,
        run_name: str | None = None,
        tags: dict | None = None,
        tracked_config_keys: Any = None,
    ):
        self.require('mlflow', 'mlflow')
        super().__init__(save_dir or '', tracked_config_keys=tracked_config_keys)
        self.folder, self.uri = save_dir, tracking_uri
        self.experiment_name, self.run_name, self.tags = exp_name, run_name, tags
        self._continued = False
        self._last: dict[str, int] = {}
        self._pictured = -1

    def open(self) -> Any:
        mlflow: Any = import_module('mlflow')
        history = self.known_history(self.folder)
        uri = self.uri or os.environ.get('MLFLOW_TRACKING_URI')
        folder = Path(self.folder or history.folder).resolve()
        mlflow.set_tracking_uri(uri or f'sqlite:///{folder / "mlflow.db"}')
        name = self.experiment_name or os.environ.get('MLFLOW_EXPERIMENT_NAME', 'lada')
        if uri is None and mlflow.get_experiment_by_name(name) is None:
            mlflow.create_experiment(name, (folder / 'mlartifacts').as_uri())
        experiment = mlflow.set_experiment(name)
        found = mlflow.MlflowClient().search_runs(
            [experiment.experiment_id], f"tags.`{_TAG}` = '{history.id}'", max_results=1
        )
        if found:
            mlflow.start_run(found[0].info.run_id)
            self._continued = True
            self._pictured = int(found[0].data.tags.get(_PICTURED, -1))
        else:
            mlflow.start_run(
                run_name=self.run_name or history.name,
                tags={_TAG: history.id, **(self.tags or {})},
            )
        return mlflow

    def add_config(self, config, **kwargs) -> None:
        if self.experiment and self._continued:
            # MLflow refuses a parameter that has changed.
            self.experiment.log_text(config.pretty_text, 'config.py')
        else:
            super().add_config(config)

    def add_scalar(self, name, value, step=0, **kwargs) -> None:
        self.add_scalars({name: value}, step)

    def add_scalars(self, scalar_dict, step=0, file_path=None, **kwargs) -> None:
        client = self.experiment
        new = {name: float(value) for name, value in scalar_dict.items()}
        if self._continued:
            new = {name: value for name, value in new.items() if step > self._reached(client, name)}
        super().add_scalars(new, step)

    def add_image(self, name, image, step=0, **kwargs) -> None:
        client = self.experiment
        if step > self._pictured:
            client.log_image(image, key=name, step=step)
            client.set_tag(_PICTURED, step)

    def add_video(
        self, name: str, path: Path, frames: np.ndarray, fps: float, step: int, caption: str
    ) -> None:
        """Keep a video file among the run's artifacts."""
        client = self.experiment
        if step > self._pictured:
            client.log_artifact(str(path), f'{name}/iter_{step}')

    def close(self) -> None:
        # MMEngine's also sends every log of the work directory.
        if self.is_open:
            self.experiment.end_run()

    def _reached(self, client, name: str) -> int:
        """Return the last iteration of which MLflow has a value."""
        if name not in self._last:
            points = client.MlflowClient().get_metric_history(client.active_run().info.run_id, name)
            self._last[name] = max((point.step for point in points), default=-1)
        return self._last[name]
