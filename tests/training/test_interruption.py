"""Ctrl-C and SIGTERM: the step is finished and saved; a second one ends at once."""

import dataclasses
import os
import signal
import threading
import time

import pytest
import torch
from helpers.small_run import small

from hmr_edu.cli import main
from hmr_edu.hmr import load_pretrained
from hmr_edu.io.lock import lock
from hmr_edu.training.complete_run import run
from hmr_edu.training.interruption import interruptible
from hmr_edu.training.loop import Trainer
from hmr_edu.training.run_records import read_whole_log


@pytest.fixture(autouse=True)
def not_ignored():
    """A shell that starts the tests in its background has them ignore Ctrl-C."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def signals_in_step(monkeypatch, number: int, *signals: int) -> None:
    """Let a step of every training get these signals in its middle."""
    original = Trainer.train_step

    def train_step(self, batch):
        if self.step == number:
            for each in signals:
                before = signal.getsignal(each)
                signal.raise_signal(each)
                # Python runs the handler a little later; two signals before that count as one.
                waited = time.monotonic() + 60
                while signal.getsignal(each) is before and time.monotonic() < waited:
                    pass
        return original(self, batch)

    monkeypatch.setattr(Trainer, "train_step", train_step)


def saved_step(config) -> int:
    return torch.load(config.folder / "checkpoint.pt", weights_only=True)["step"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_step_is_finished_and_saved(tmp_path, monkeypatch, number):
    straight, config = small(tmp_path / "straight"), small(tmp_path / "interrupted")
    run(straight)
    before = signal.getsignal(number)
    with monkeypatch.context() as patch:
        signals_in_step(patch, 4, number)
        with pytest.raises(KeyboardInterrupt, match=f"{config.folder} is saved after 20 pictures"):
            run(config)
    assert signal.getsignal(number) is before
    assert saved_step(config) == 5  # the preset saves after steps 2, 4, 6, 8
    assert read_whole_log(config.folder)[-1][1]["images"] == 20
    run(dataclasses.replace(config, resume=True))
    a, b = (
        load_pretrained(c.folder / "model.safetensors").state_dict() for c in (straight, config)
    )
    assert all(torch.equal(a[name], b[name]) for name in a)


def test_an_interrupted_run_can_end_where_it_is(tmp_path, monkeypatch):
    """With a budget that is spent already no step is left, but batch norm is measured."""
    budget = {"ema": 0.9, "schedule": "constant"}
    straight, config = (small(tmp_path / name) for name in ("straight", "interrupted"))
    for each in (straight, config):
        each.optimizer = dataclasses.replace(each.optimizer, **budget)
    straight.images = 20
    run(straight)
    with monkeypatch.context() as patch:
        signals_in_step(patch, 4, signal.SIGTERM)
        with pytest.raises(KeyboardInterrupt, match="20 pictures"):
            run(config)
    run(dataclasses.replace(config, images=20, resume=True))
    a, b = (
        load_pretrained(c.folder / "model.safetensors").state_dict() for c in (straight, config)
    )
    assert all(torch.equal(a[name], b[name]) for name in a)


def test_a_second_signal_ends_at_once(tmp_path, monkeypatch):
    config = small(tmp_path)
    signals_in_step(monkeypatch, 4, signal.SIGINT, signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        run(config)
    assert saved_step(config) == 4


def test_a_signal_in_the_last_step_leaves_a_finished_training(tmp_path, monkeypatch):
    config = small(tmp_path)
    signals_in_step(monkeypatch, 7, signal.SIGINT)
    with pytest.raises(KeyboardInterrupt, match="saved after 32 pictures"):
        run(config)
    assert load_pretrained(config.folder / "model.safetensors")


def test_workers_do_not_end_the_run(tmp_path, monkeypatch):
    """Ctrl-C in a terminal reaches them as well."""
    config = small(tmp_path, workers=1)
    original = Trainer.train_step

    def train_step(self, batch):
        if self.step == 3:
            from multiprocessing import active_children

            for process in active_children():
                os.kill(process.pid, signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)
        return original(self, batch)

    monkeypatch.setattr(Trainer, "train_step", train_step)
    with pytest.raises(KeyboardInterrupt, match="saved after 16 pictures"):
        run(config)


def test_the_command_says_it_in_one_line(tmp_path, monkeypatch, capsys):
    signals_in_step(monkeypatch, 2, signal.SIGINT)
    options = "--images 32 --minutes None --test-images 0 --threads 1 --data.image-size 32"
    options += " --data.batch-size 4 --model.width 8 --model.hidden 16"
    options += " --data.appearance.scenes 4 --data.appearance.outfits 4 --data.appearance.heads 4"
    assert main(["train", "cpu", *options.split(), "--out", str(tmp_path)]) == 130
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last == f"hmr-edu train: interrupted; {tmp_path / 'cpu'} is saved after 12 pictures"


def test_other_threads_leave_signals_alone():
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    seen = []

    def train():
        with interruptible() as asked:
            seen.extend(signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM))
            seen.append(asked.is_set())

    thread = threading.Thread(target=train)
    thread.start()
    thread.join()
    assert seen == [*before, False]


def test_a_run_is_trained_by_one_process(tmp_path, capsys):
    config = small(tmp_path)
    with lock(config.folder / ".lock", ""):
        options = ["--test-images", "0", "--out", str(tmp_path), "--name", "small"]
        assert main(["train", "cpu", *options]) == 2
    assert capsys.readouterr().err.strip() == (
        f"hmr-edu train: {config.folder}: another process trains this run"
    )
    assert not (config.folder / "config.json").exists()
