"""Logs for TensorBoard: numbers, histograms, the graph, images, hyperparameters."""

from __future__ import annotations

import contextlib
import os
import time
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np

from fnet import tree
from fnet.arguments import described, integer, is_number, warn_without_effect
from fnet.callbacks.constructor import CALLBACKS, known_arguments
from fnet.callbacks.event_file import EventFile, library
from fnet.callbacks.network_graph import graph_def
from fnet.callbacks.projector import write_embeddings
from fnet.callbacks.weight_image import weight_image
from fnet.errors import ArgumentError, DtypeError, FileError, FnetError, ValueRangeError
from fnet.inspect.outline import outline
from fnet.inspect.summary import summary
from fnet.networks.graph import wiring_of
from fnet.train.callback import Callback
from fnet.train.run import Run
from fnet.train.state import TrainState
from fnet.transfer import to_host

BUCKETS = 30
_FREQUENCY = "expected {argument} to be a number of epochs, 0 for never"


@CALLBACKS.named()
class TensorBoard(Callback):
    """Logs in the folders ``train`` and ``validation`` of `log_dir`, which the command ``tensorboard --logdir`` shows.

    After each epoch: ``epoch_<name>`` for the losses, the metrics and the learning rate, in the folder of its data;
    ``evaluation_<name>_vs_iterations`` for validation by the number of updates. update_freq: "batch" or a number n of
    steps writes ``batch_<name>`` every n steps of the run, the means of the epoch so far; steps then end native calls.
    write_steps_per_second: ``epoch_steps_per_second``, and ``batch_steps_per_second`` with `update_freq`.
    histogram_freq: every so many epochs, ``<path>/histogram`` of each parameter and each array of the state, with
    `write_images` ``<path>/image``, with `gradients` ``<path>/gradient/histogram``. gradients: a function of a
    `TrainState` that gives a tree of them, such as ``lambda ts: trainer.gradients(ts, x[:32], y[:32])``.
    write_graph: the layers as a graph, and the summary as text. hparams: hyperparameters by name, for the tab HParams.
    embeddings_freq: every so many epochs, the tables of embeddings for the tab Projector; embeddings_metadata: the file
    with a label for each row, or a dict of files by the path of the layer. profile_batch: 0 is the only value.

    Needs tensorboardX (the extra ``tensorboard``). Raises `ImportError` without it, `FileError` before training where
    `log_dir` cannot be written. A disk that is full later is warned of, ends the logs, and not the training.
    Source: Keras ``TensorBoard``.
    """

    @known_arguments
    def __init__(
        self,
        log_dir: str | os.PathLike[str] = "logs",
        histogram_freq: int = 0,
        write_graph: bool = True,
        write_images: bool = False,
        write_steps_per_second: bool = False,
        update_freq: Literal["epoch", "batch"] | int = "epoch",
        profile_batch: int = 0,
        embeddings_freq: int = 0,
        embeddings_metadata: str | Mapping[str, str] | None = None,
        hparams: Mapping[str, str | bool | float] | None = None,
        gradients: Callable[[TrainState], Any] | None = None,
    ) -> None:
        library("summary")
        self.log_dir = _folder(log_dir)
        self.histogram_freq = integer("TensorBoard", "histogram_freq", histogram_freq, 0, _FREQUENCY)
        self.write_graph, self.write_images = write_graph, write_images
        self.write_steps_per_second = write_steps_per_second
        self.update_freq = _update_freq(update_freq)
        if profile_batch != 0:
            raise ValueRangeError(
                f"TensorBoard: profile_batch is not supported, expected 0, received {profile_batch!r:.40}: many "
                f"steps run as one native call, in which TensorBoard's profiler sees nothing. The program perf does."
            )
        self.embeddings_freq = integer("TensorBoard", "embeddings_freq", embeddings_freq, 0, _FREQUENCY)
        self.embeddings_metadata = embeddings_metadata
        self.hparams = _hyperparameters(hparams)
        if gradients is not None and not callable(gradients):
            raise DtypeError(
                f"TensorBoard: gradients is a function of a TrainState, received a {described(gradients)}. "
                f"Write lambda ts: trainer.gradients(ts, x, y)."
            )
        self.gradients = gradients
        if not self.histogram_freq:
            for name, given in (("write_images", write_images), ("gradients", gradients is not None)):
                if given:
                    warn_without_effect("TensorBoard", name, "histogram_freq")
        self._files: dict[str, EventFile] = {}
        self._ended, self._before = False, 0  # steps of earlier epochs
        self._begun = self._last = (0.0, 0)

    @property
    def batch_interval(self) -> int | None:
        return None if isinstance(self.update_freq, str) else self.update_freq

    def on_train_begin(self, run: Run) -> None:
        self._ended, self._before = False, 0
        try:
            self._close()
            self._write_start(run)
        except OSError as error:
            self._ended = True
            raise FileError(
                f"TensorBoard: log_dir='{self.log_dir}' cannot be written ({error.strerror or error}). "
                f"Pass the name of a folder that can be made."
            ) from error

    def on_epoch_begin(self, run: Run) -> None:
        self._begun = (time.perf_counter(), run.step)
        self._last = (self._begun[0], self._before)

    def on_train_batch_end(self, run: Run) -> None:
        done = self._before + run.batch
        speed = {"steps_per_second": _speed(self._last, done)} if self.write_steps_per_second else {}
        self._log(lambda: self._write_numbers("train", "batch_{}", run.logs | speed, done))
        self._last = (time.perf_counter(), done)

    def on_epoch_end(self, run: Run) -> None:
        self._before += run.batch
        due = self.histogram_freq > 0 and run.epoch % self.histogram_freq == 0 and not self._ended
        gradients = self.gradients(run.ts) if due and self.gradients is not None else {}
        self._log(lambda: self._write_epoch(run))
        if due:
            self._log(lambda: self._write_weights(run, gradients))
        if self.embeddings_freq and run.epoch % self.embeddings_freq == 0:
            self._log(lambda: write_embeddings(self.log_dir, run.weights[0], self.embeddings_metadata))

    def on_train_end(self, run: Run) -> None:
        if self.hparams:
            self._log(lambda: self._file("").add(_session_end(run), 0))
        self._log(self._close)

    def _log(self, write: Callable[[], None]) -> None:
        """Write; where it fails, that is the end of the logs, and not of the training."""
        if self._ended:
            return
        try:
            write()
        except OSError as error:
            self._ended = True
            with contextlib.suppress(OSError):
                self._close()
            warnings.warn(
                f"TensorBoard: log_dir='{self.log_dir}' can no longer be written ({error.strerror or error}), so the "
                f"logs end here; the training goes on.",
                stacklevel=8,
            )

    def _write_start(self, run: Run) -> None:
        self._file("train")
        if self.hparams:
            self._file("").add(library("summary").hparams(self.hparams, {})[1], 0)
        if self.write_graph:
            self._write_graph(run)

    def _write_graph(self, run: Run) -> None:
        """The graph of the network and its summary; a network that only real inputs can pass through has neither."""
        shape = None if wiring_of(run.net) is not None else tree.map(lambda samples: samples.shape, run.inputs)
        floats = [samples.dtype for samples in tree.leaves(run.inputs) if samples.dtype.kind == "f"]
        dtype = floats[0] if floats else np.dtype("float32")
        try:
            found, table = outline(run.net, shape, dtype), summary(run.net, shape, dtype)
        except FnetError as error:
            warnings.warn(f"TensorBoard: the graph is left out: {error}", stacklevel=8)
            return
        self._file("train").add_graph(graph_def(found))
        text = "\n".join(f"    {line}" for line in str(table).splitlines())  # as code in Markdown
        self._file("train").add(library("summary").text("summary", text), 0)

    def _write_epoch(self, run: Run) -> None:
        numbers = {name: value for name, value in run.logs.items() if not name.startswith("val_")}
        validation = {name[4:]: value for name, value in run.logs.items() if name.startswith("val_")}
        rate = run.scheduled_rate
        if rate is not None:
            numbers.setdefault("learning_rate", rate)
        if self.write_steps_per_second:
            numbers["steps_per_second"] = _speed(self._begun, run.step)
        self._write_numbers("train", "epoch_{}", numbers, run.epoch)
        self._write_numbers("validation", "epoch_{}", validation, run.epoch)
        self._write_numbers("validation", "evaluation_{}_vs_iterations", validation, run.step)

    def _write_numbers(self, folder: str, tag: str, numbers: Mapping[str, Any], step: int) -> None:
        """Scalars; a metric of several numbers has one tag for each."""
        scalar = library("summary").scalar
        for name, value in numbers.items():
            parts = {name: value} if np.ndim(value) == 0 else {f"{name}/{i}": x for i, x in enumerate(np.ravel(value))}
            for part, x in parts.items():
                self._file(folder).add(_tagged(tag.format(part), scalar("value", float(x))), step)

    def _write_weights(self, run: Run, gradients: Any) -> None:
        for part in run.weights:
            for path, leaf in tree.leaves_with_path(part):
                values = np.asarray(to_host(leaf))
                self._write_histogram(f"{path}/histogram", values, run.epoch)
                points = weight_image(values) if self.write_images else None
                if points is not None:
                    image = library("summary").image("image", points, dataformats="HWC")
                    self._file("train").add(_tagged(f"{path}/image", image), run.epoch)
        for path, leaf in tree.leaves_with_path(gradients):
            self._write_histogram(f"{path}/gradient/histogram", np.asarray(to_host(leaf)), run.epoch)

    def _write_histogram(self, tag: str, values: np.ndarray, step: int) -> None:
        """How often values are in `BUCKETS` intervals between the least and the largest finite one."""
        finite = values[np.isfinite(values)].astype("float64")
        if finite.size:
            self._file("train").add(_tagged(tag, library("summary").histogram("values", finite, BUCKETS)), step)

    def _file(self, folder: str) -> EventFile:
        """The file of events in a folder of `log_dir`, made when it is first needed."""
        if folder not in self._files:
            self._files[folder] = EventFile(self.log_dir / folder)
        return self._files[folder]

    def _close(self) -> None:
        files, self._files = self._files, {}
        with contextlib.ExitStack() as all_of_them:
            for file in files.values():
                all_of_them.callback(file.close)

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_files": {}}


def _folder(log_dir: Any) -> Path:
    if not isinstance(log_dir, str | os.PathLike) or not isinstance(os.fspath(log_dir), str):
        raise ArgumentError(f"TensorBoard: log_dir is the name of a folder, received {described(log_dir)}.")
    if "://" in os.fspath(log_dir) or not os.fspath(log_dir) or "\0" in os.fspath(log_dir):
        raise ValueRangeError(
            f"TensorBoard: log_dir is the name of a folder on this machine, received {os.fspath(log_dir)!r:.60}. "
            f"Write it there, and copy it."
        )
    return Path(log_dir)


def _update_freq(update_freq: Any) -> Literal["epoch"] | int:
    if isinstance(update_freq, str) and update_freq in ("epoch", "batch"):
        return "epoch" if update_freq == "epoch" else 1
    says = "expected {argument} to be 'epoch', 'batch' or a number of steps"
    return integer("TensorBoard", "update_freq", update_freq, 1, says)


def _hyperparameters(given: Any) -> dict[str, str | bool | float]:
    """Names with texts, truths and numbers."""
    if given is not None and not isinstance(given, Mapping):
        raise ArgumentError(
            f"TensorBoard: hparams is a dict of names with texts, numbers and truths, received {described(given)}."
        )
    values = {name: x.item() if isinstance(x, np.generic) else x for name, x in (given or {}).items()}
    for name, value in values.items():
        if not (isinstance(name, str) and (isinstance(value, str | bool) or is_number(value))):
            raise ArgumentError(
                f"TensorBoard: hparams has names with texts, numbers and truths, received {name!r:.40}: "
                f"{described(value)}. Write str(value)."
            )
    return values


def _tagged(tag: str, made: Any) -> Any:
    """The summary with a tag as it is: the library replaces blanks and other signs in tags."""
    made.value[0].tag = tag
    return made


def _speed(since: tuple[float, int], step: int) -> float:
    return (step - since[1]) / max(time.perf_counter() - since[0], 1e-9)


def _session_end(run: Run) -> Any:
    """The end of a session of the tab HParams: done, or ended by an error or by Ctrl-C."""
    status = library("proto.api_pb2").Status.Value(
        "STATUS_FAILURE" if run.error is not None or run.interrupted else "STATUS_SUCCESS"
    )
    plugin, parts = library("proto.plugin_hparams_pb2"), library("proto.summary_pb2")
    end = plugin.HParamsPluginData(session_end_info=plugin.SessionEndInfo(status=status, end_time_secs=time.time()))
    data = parts.SummaryMetadata.PluginData(plugin_name="hparams", content=end.SerializeToString())
    value = parts.Summary.Value(tag="_hparams_/session_end_info", metadata=parts.SummaryMetadata(plugin_data=data))
    return parts.Summary(value=[value])
