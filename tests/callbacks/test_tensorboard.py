"""What TensorBoard's own reader finds in the logs: tags, steps, numbers; and folders that cannot be written."""

from __future__ import annotations

import errno
import os
import pickle
import re
import subprocess
import sys

import numpy as np
import pytest

from fnet import keras, random, schedules, tree
from fnet.arguments import described
from fnet.callbacks import TensorBoard
from fnet.callbacks.event_file import EventFile
from fnet.callbacks.weight_image import weight_image
from fnet.errors import ArgumentError, DtypeError, FileError, StructureError, ValueRangeError
from fnet.layers import BatchNormalization, Dense, Embedding, Flatten
from fnet.networks.combinators import named, residual, serial
from fnet.networks.graph import Input, graph
from fnet.train import Trainer

pytest.importorskip("tensorboardX")
reading = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")


def read(folder):
    found = reading.EventAccumulator(
        str(folder), size_guidance={"scalars": 0, "histograms": 0, "images": 0, "tensors": 0}
    )
    found.Reload()
    return found


def steps(found, kind="scalars"):
    """The steps of each tag."""
    return {tag: [event.step for event in getattr(found, kind.title())(tag)] for tag in found.Tags()[kind]}


def numbers(found, tag):
    return [event.value for event in found.Scalars(tag)]


def test_tags_and_steps_are_those_of_keras(trainer, ts, problem, tmp_path):
    _, history = trainer.fit(
        ts, *problem, batch_size=5, epochs=3, validation_data=problem, verbose=0,
        callbacks=TensorBoard(tmp_path, update_freq=2, write_steps_per_second=True),
    )  # fmt: skip
    train, validation = read(tmp_path / "train"), read(tmp_path / "validation")
    epochs, batches = [0, 1, 2], [2, 4, 6, 8, 10, 12, 14]
    assert steps(train) == {
        **{f"batch_{name}": batches for name in ("loss", "mae", "steps_per_second")},
        **{f"epoch_{name}": epochs for name in ("loss", "mae", "learning_rate", "steps_per_second")},
    }
    assert steps(validation) == {
        **{f"epoch_{name}": epochs for name in ("loss", "mae")},
        **{f"evaluation_{name}_vs_iterations": [5, 10, 15] for name in ("loss", "mae")},
    }
    for name in ("loss", "mae"):
        np.testing.assert_allclose(numbers(train, f"epoch_{name}"), history[name], rtol=1e-6)
        np.testing.assert_allclose(numbers(validation, f"epoch_{name}"), history[f"val_{name}"], rtol=1e-6)
        assert numbers(validation, f"evaluation_{name}_vs_iterations") == numbers(validation, f"epoch_{name}")
    assert numbers(train, "batch_loss")[4] == numbers(train, "epoch_loss")[1]
    np.testing.assert_allclose(numbers(train, "epoch_learning_rate"), 0.001, rtol=1e-6)


@pytest.mark.parametrize("relative", [True, False])
def test_the_words_of_keras_log_to_a_folder_of_any_kind(relative, problem, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = keras.Sequential([keras.layers.Dense(2, input_shape=(3,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse", metrics=["mae"])
    logs = keras.callbacks.TensorBoard("./logs" if relative else str(tmp_path / "logs"), histogram_freq=1)
    record = model.fit(*problem, epochs=2, verbose=0, callbacks=[logs])
    found = read(tmp_path / "logs" / "train")
    np.testing.assert_allclose(numbers(found, "epoch_loss"), record.history["loss"], rtol=1e-6)
    histograms = steps(found, "histograms")
    assert len(histograms) >= 4 and all(epochs == [0, 1] for epochs in histograms.values())


def test_a_schedule_gives_the_learning_rate(problem, tmp_path):
    trainer = Trainer(Dense(1), "mse", schedules_sgd())
    trainer.fit(
        trainer.init(random.key(0), (3,)), *problem, batch_size=23, epochs=3, verbose=0, callbacks=TensorBoard(tmp_path)
    )
    np.testing.assert_allclose(numbers(read(tmp_path / "train"), "epoch_learning_rate"), [0.05, 0.025, 0.0125])


def schedules_sgd():
    from fnet.optimizers import sgd

    return sgd(schedules.exponential_decay(0.1, decay_steps=1, decay_rate=0.5))


def test_histograms_of_weights_and_gradients(problem, tmp_path):
    trainer = Trainer(serial(Dense(2, name="with blank"), BatchNormalization(), Dense(1)), "mse", "sgd")
    ts, seen = trainer.init(random.key(0), (3,)), []

    def gradients(ts):
        seen.append(trainer.gradients(ts, problem[0][:5], problem[1][:5]))
        return seen[-1]

    logs = TensorBoard(tmp_path, histogram_freq=2, write_images=True, gradients=gradients)
    new, _ = trainer.fit(ts, *problem, batch_size=23, epochs=3, verbose=0, callbacks=logs)
    found = read(tmp_path / "train")
    trained = [path for path, _ in tree.leaves_with_path(new.params)]
    kept = [path for path, _ in tree.leaves_with_path(new.state)]
    assert "with blank/kernel" in trained and "batch_normalization/moving_mean" in kept
    expected = {f"{path}/histogram" for path in trained + kept} | {f"{path}/gradient/histogram" for path in trained}
    assert steps(found, "histograms") == {tag: [0, 2] for tag in expected}
    assert steps(found, "images") == {f"{path}/image": [0, 2] for path in trained + kept}
    for tag, values in (("kernel/histogram", new.params), ("kernel/gradient/histogram", seen[-1])):
        shown = found.Histograms(f"with blank/{tag}")[-1].histogram_value
        kernel = values["with blank"]["kernel"].astype("float64")
        counts, limits = np.histogram(kernel, 30)
        assert (shown.min, shown.max, shown.num) == (kernel.min(), kernel.max(), kernel.size)
        np.testing.assert_allclose(shown.sum, kernel.sum())
        assert list(shown.bucket)[-30:] == counts.tolist() and list(shown.bucket_limit)[-30:] == limits[1:].tolist()


def test_gradients_are_those_of_a_step(problem):
    from fnet.optimizers import sgd

    trainer = Trainer(serial(Dense(2, kernel_regularizer="l2"), Dense(1, trainable=False)), "mse", sgd(1.0))
    ts = trainer.init(random.key(0), (3,))
    gradients = trainer.gradients(ts, *problem)
    new, _ = trainer.fit(ts, *problem, batch_size=23, shuffle=False, verbose=0)
    assert tree.leaves(gradients["dense_1"]) == []
    for name in ("kernel", "bias"):
        np.testing.assert_array_equal(new.params["dense"][name], ts.params["dense"][name] - gradients["dense"][name])


def test_the_graph_and_the_summary(tmp_path, problem):
    x = Input((3,), name="x")
    net = graph(x, Dense(1)(named("skip", residual(named("inner", serial(Dense(3)))))(x)))
    trainer = Trainer(net, "mse", "sgd")
    ts = trainer.init(random.key(0), (3,))
    ts, _ = trainer.fit(ts, *problem, batch_size=23, verbose=0, callbacks=TensorBoard(tmp_path / "a"))
    found = read(tmp_path / "a" / "train")
    nodes = {node.name: (node.op, list(node.input)) for node in found.Graph().node}
    assert nodes == {
        "x": ("Placeholder", []),
        "skip/inner/dense": ("Dense", ["x"]),
        "skip/add": ("add", ["x", "skip/inner/dense"]),
        "dense": ("Dense", ["skip/add"]),
    }
    sizes = {node.name: [d.size for d in node.attr["_output_shapes"].list.shape[0].dim] for node in found.Graph().node}
    assert sizes["x"] == [-1, 3] and sizes["dense"] == [-1, 1]
    text = found.Tensors("summary/text_summary")[0].tensor_proto.string_val[0].decode()
    assert "dense (Dense)" in text and all(line.startswith("    ") for line in text.splitlines())
    trainer.fit(ts, *problem, batch_size=23, verbose=0, callbacks=TensorBoard(tmp_path / "b", write_graph=False))
    without = read(tmp_path / "b" / "train").Tags()
    assert not without["graph"] and not without["tensors"]


@pytest.mark.parametrize("fails", [False, True])
def test_hyperparameters(trainer, ts, problem, tmp_path, fails):
    from tensorboard.plugins.hparams import metadata

    def fail(epoch, logs, ts):
        raise RuntimeError

    given = {"rate": 0.5, "width": np.int64(4), "kind": "relu", "norm": True}
    logs = TensorBoard(tmp_path, hparams=given)
    try:
        trainer.fit(ts, *problem, batch_size=23, verbose=0, callbacks=[logs, *([fail] if fails else [])])
    except RuntimeError:
        assert fails
    found = read(tmp_path)
    content = {tag: found.SummaryMetadata(tag).plugin_data.content for tag in found.PluginTagToContent("hparams")}
    start = metadata.parse_session_start_info_plugin_data(content[metadata.SESSION_START_INFO_TAG])
    end = metadata.parse_session_end_info_plugin_data(content[metadata.SESSION_END_INFO_TAG])
    values = {name: getattr(value, value.WhichOneof("kind")) for name, value in start.hparams.items()}
    assert values == {"rate": 0.5, "width": 4.0, "kind": "relu", "norm": True}
    assert end.status == (2 if fails else 1)


def test_embeddings(tmp_path):
    trainer = Trainer(serial(Embedding(5, 2), Flatten(), Dense(1)), "mse", "sgd")
    x, y = np.arange(8).reshape(4, 2) % 5, np.zeros((4, 1))
    logs = TensorBoard(tmp_path, embeddings_freq=1, embeddings_metadata={"embedding": "words.tsv"})
    ts, _ = trainer.fit(trainer.init(random.key(0), (2,)), x, y, verbose=0, callbacks=logs)
    table = np.loadtxt(tmp_path / "train" / "embedding.tsv", delimiter="\t")
    np.testing.assert_allclose(table, ts.params["embedding"]["embeddings"], rtol=1e-5)
    projector = pytest.importorskip("tensorboard.plugins.projector")
    from google.protobuf import text_format

    config = text_format.Parse((tmp_path / "projector_config.pbtxt").read_text(), projector.ProjectorConfig())
    assert [(e.tensor_name, e.tensor_path, e.metadata_path) for e in config.embeddings] == [
        ("embedding", "train/embedding.tsv", "words.tsv")
    ]
    with pytest.raises(StructureError, match="embeddings_metadata names 'embeding', which is no layer with emb"):
        wrong = TensorBoard(tmp_path, embeddings_freq=1, embeddings_metadata={"embeding": "words.tsv"})
        trainer.fit(ts, x, y, verbose=0, callbacks=wrong)


def test_a_metric_of_several_numbers_has_a_tag_for_each(trainer, ts, problem, tmp_path):
    class Add(TensorBoard):
        def on_epoch_end(self, run):
            run.logs["each"] = np.array([1.0, 2.0])
            super().on_epoch_end(run)

    trainer.fit(ts, *problem, batch_size=23, verbose=0, callbacks=Add(tmp_path))
    found = read(tmp_path / "train")
    assert (numbers(found, "epoch_each/0"), numbers(found, "epoch_each/1")) == ([1.0], [2.0])


def test_only_update_freq_ends_native_calls():
    assert [TensorBoard(update_freq=freq).batch_interval for freq in ("epoch", "batch", 7)] == [None, 1, 7]


def test_images():
    assert weight_image(np.zeros((2, 3))).tolist() == np.full((2 * 42, 3 * 42, 3), 128).tolist()
    column = weight_image(np.array([[1.0], [-1.0], [0.5]]))
    assert column.shape == (42, 126, 3) and column[0, ::42, 0].tolist() == [255, 0, 191]
    assert weight_image(np.ones((200, 2))).shape == (2, 200, 3)
    filters = np.zeros((3, 3, 3, 5))
    filters[0, 0, :, 1] = 1, 0, -1
    tiles = weight_image(filters)
    times = tiles.shape[1] // 11  # 3 filters of 3 points and 2 lines
    assert tiles.shape == (7 * times, 11 * times, 3) and tiles[0, 4 * times].tolist() == [255, 128, 0]
    assert weight_image(np.full((3, 3, 4, 2), np.nan)).max() == 128
    assert weight_image(np.zeros((2, 2, 2, 2, 2))) is None and weight_image(np.zeros((0, 2))) is None


def test_a_folder_that_cannot_be_written(trainer, ts, problem, tmp_path):
    (tmp_path / "file").write_text("kept")
    for folder in (tmp_path / "file", tmp_path / "file" / "below", tmp_path / ("a" * 300)):
        with pytest.raises(FileError, match=r"TensorBoard: log_dir='.*' cannot be written \(.*\)\. Pass the name of"):
            trainer.fit(ts, *problem, verbose=0, callbacks=TensorBoard(folder, hparams={"a": 1}))
    assert (tmp_path / "file").read_text() == "kept"


def test_a_full_disk_ends_the_logs_and_not_the_training(trainer, ts, problem, tmp_path, same, monkeypatch):
    expected, _ = trainer.fit(ts, *problem, batch_size=5, epochs=3, verbose=0)
    write, written = EventFile._write, []

    def full(file, event):
        written.append(event.step)
        if event.step == 1:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write(file, event)

    monkeypatch.setattr(EventFile, "_write", full)
    logs = TensorBoard(tmp_path, histogram_freq=1, embeddings_freq=1)
    with pytest.warns(UserWarning, match=r"can no longer be written \(No space left on device\), so the logs") as seen:
        new, history = trainer.fit(ts, *problem, batch_size=5, epochs=3, verbose=0, callbacks=logs)
    assert same(new, expected) and history.epoch == [0, 1, 2] and len(seen) == 1 and written[-1] == 1
    assert seen[0].filename == __file__
    assert steps(read(tmp_path / "train"))["epoch_loss"] == [0]
    monkeypatch.undo()
    trainer.fit(ts, *problem, batch_size=5, epochs=3, verbose=0, callbacks=logs)
    assert 2 in steps(read(tmp_path / "train"))["epoch_loss"]


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"log_dir": "s3://bucket/logs"}, ValueRangeError, "log_dir is the name of a folder on this machine, received"),
        ({"log_dir": ""}, ValueRangeError, "log_dir is the name of a folder on this machine, received ''"),
        ({"log_dir": 3}, ArgumentError, "log_dir is the name of a folder, received int 3"),
        ({"log_dir": b"logs"}, ArgumentError, "log_dir is the name of a folder, received bytes b'logs'"),
        ({"profile_batch": (2, 5)}, ValueRangeError, r"profile_batch is not supported, expected 0, received \(2, 5\)"),
        ({"update_freq": "step"}, ArgumentError, "expected update_freq to be 'epoch', 'batch' or a number of steps"),
        ({"update_freq": 0}, ValueRangeError, "expected update_freq to be 'epoch', 'batch' or a number of steps"),
        ({"histogram_freq": -1}, ValueRangeError, "expected histogram_freq to be a number of epochs, 0 for never"),
        ({"embeddings_freq": 0.5}, ArgumentError, "expected embeddings_freq to be a number of epochs, 0 for never"),
        (
            {"hparams": {"a": [1]}},
            ArgumentError,
            r"hparams has names with texts, numbers and truths, received 'a': list",
        ),
        ({"hparams": 3}, ArgumentError, "hparams is a dict of names with texts, numbers and truths, received int 3"),
        (
            {"gradients": {}, "histogram_freq": 1},
            DtypeError,
            r"gradients is a function of a TrainState, received a dict",
        ),
        ({"write_graph": 1}, ArgumentError, "write_graph is True or False, received 1"),
    ],
)
def test_arguments(options, error, text):
    with pytest.raises(error, match=f"^TensorBoard: {text}"):
        TensorBoard(**options)


@pytest.mark.parametrize(("name", "value"), [("write_images", True), ("gradients", described)])
def test_what_histograms_bring_needs_them(name, value):
    with pytest.warns(UserWarning, match=f"TensorBoard: {name} has no effect without histogram_freq") as seen:
        TensorBoard(**{name: value})
    assert seen[0].filename == __file__


def test_pickling_without_the_files(trainer, ts, problem, tmp_path):
    logs, copies = TensorBoard(tmp_path, histogram_freq=1), []
    trainer.fit(ts, *problem, verbose=0, callbacks=[logs, lambda epoch, log, ts: copies.append(pickle.dumps(logs))])
    again = pickle.loads(copies[0])
    assert repr(again) == repr(logs) and again.config == logs.config and again._files == {}


def test_without_the_library():
    code = "import sys; sys.modules['tensorboardX'] = None; import fnet; fnet.callbacks.TensorBoard()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert re.search(r"ImportError: TensorBoard: .* Install it: pip install 'fnet\[tensorboard\]'", done.stderr)
