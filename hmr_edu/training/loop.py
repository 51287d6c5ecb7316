"""The adversarial loop: network and critics learn in turns, as in the paper's section 3.3.

In one step the network predicts bodies from pictures, and its loss compares them with the labels
and with the critics' idea of a real body. Then the critics learn to tell these bodies from real
ones. Step k trains on batch k, and every random number in it depends only on (seed, k). That is
what makes `--resume` exact.
"""

from __future__ import annotations

import os
import sys
import time
import warnings
from threading import Event
from typing import Any

import torch
from accelerate.utils import broadcast
from torch import Tensor
from tqdm import tqdm

from hmr_edu.data.batch import Batch
from hmr_edu.data.source import BatchSource, batch_seed, load_batches, showcase
from hmr_edu.hmr import HMR, TRAINED
from hmr_edu.io.errors import DataError
from hmr_edu.io.jsonfile import write_json
from hmr_edu.io.provenance import environment
from hmr_edu.training.accelerator import build_accelerator
from hmr_edu.training.adversarial import (
    Adversary,
    adversarial_step,
    critic_weights,
    draw_real_bodies,
)
from hmr_edu.training.averaging import AveragedNetwork, recalibrate_batch_norm
from hmr_edu.training.checkpoint import NAME, check_parts, load_checkpoint, save_checkpoint
from hmr_edu.training.checks import check_begun, check_options
from hmr_edu.training.config import TrainConfig, as_record, with_source
from hmr_edu.training.divergence import check_losses, check_state
from hmr_edu.training.interruption import interruptible
from hmr_edu.training.log import Log
from hmr_edu.training.objective import needs_vertices, supervised_losses
from hmr_edu.training.optimizers import build_optimizers, learning_rate, set_learning_rate
from hmr_edu.training.origin import origin
from hmr_edu.training.run_records import CONFIG, ENVIRONMENT, EVALUATION, START
from hmr_edu.training.samples import save_samples
from hmr_edu.training.setup import build_networks, pose_source
from hmr_edu.training.sources import build_source

# People whose predictions are saved during a run.
SHOWCASE = 8


class Trainer:
    """One training run: its network, critics, data, and the folder of its records."""

    def __init__(self, config: TrainConfig, source: BatchSource | None = None) -> None:
        """Prepare a run.

        `source` replaces the synthetic people that the options describe; its batch is the share of
        one process in a step. Raises DataError on options that no run can have.
        """
        check_options(config)
        self.accelerator = build_accelerator(config)
        config = with_source(config, source, self.accelerator.num_processes)
        if config.resume:
            check_begun(config)
        self.config = config
        if config.threads:
            torch.set_num_threads(config.threads)
        self.poses = pose_source(*config.poses)
        # This process's share of a step's pictures.
        share, rest = divmod(config.data.batch_size, self.accelerator.num_processes)
        if rest:
            raise DataError(
                f"--data.batch-size {config.data.batch_size} cannot be shared evenly by "
                f"{self.accelerator.num_processes} processes"
            )
        self.source: BatchSource = source or build_source(config, self.poses, share)
        begins = self.accelerator.is_main_process and not config.resume
        model, discriminator = build_networks(config, self.source, say=begins)
        critic_optimizer = torch.optim.Adam(
            discriminator.parameters(), config.optimizer.critic_learning_rate, fused=True
        )
        # Copied before `prepare`, which wraps the network.
        ema = config.optimizer.ema
        self.average = AveragedNetwork(model, ema) if ema else None
        if self.average:
            self.average.network.to(self.accelerator.device)
        prepare = self.accelerator.prepare
        with warnings.catch_warnings():
            # PyTorch has renamed this option; accelerate uses the old name.
            warnings.filterwarnings("ignore", "`broadcast_buffers`", FutureWarning)
            self.model, discriminator = prepare(model, discriminator)
        mixed = self.accelerator.mixed_precision == "bf16"
        dtype = torch.bfloat16 if mixed else torch.float32
        self.optimizers = [prepare(o) for o in build_optimizers(model, config.optimizer, dtype)]
        self.adversary = Adversary(discriminator, prepare(critic_optimizer))
        self.step, self.seconds = 0, 0.0

    # ------------------------------------------------------------------ one step

    def train_step(self, batch: Batch) -> dict[str, Tensor]:
        """Update the network once and, when it is their turn, the critics."""
        c = self.config
        if c.mode != "paired":  # a picture has its 2D keypoints only
            batch = batch.without_labels(theta=True, keypoints3d=True, parts=True)
        predictions, features = self.model(
            *batch.inputs, vertices=needs_vertices(c.loss), return_features=True
        )
        losses = supervised_losses(predictions, features, batch, c.loss, self.network().body)
        set_learning_rate(self.optimizers, learning_rate(c.optimizer, self.step, self.progress))
        has_adversary = c.loss.adversary > 0 and c.mode != "2d-only"
        critics_learn = self.step % c.optimizer.critic_every == 0
        return adversarial_step(
            self.model,
            self.optimizers,
            predictions,
            losses,
            c.loss.weights,
            adversary=self.adversary if has_adversary else None,
            real_bodies=self._real_bodies if critics_learn else None,
            clip=c.optimizer.clip,
            engine=self.accelerator,
        )

    def _real_bodies(self) -> tuple[Tensor, Tensor]:
        """Draw as many real bodies as there are pictures: mocap poses, the population's betas."""
        seed = batch_seed(self.config.seed + 1, self._batch_index(self.step))
        n, device = self.source.batch_size, self.accelerator.device
        return draw_real_bodies(self.poses, n, self.config.data.betas, seed, device)

    # ------------------------------------------------------------------ schedule

    @property
    def images(self) -> int:
        """Pictures seen so far, over all processes."""
        return self.step * self.step_images

    @property
    def step_images(self) -> int:
        """Pictures of one step, over all processes."""
        return self.source.batch_size * self.accelerator.num_processes

    def _batch_index(self, step: int) -> int:
        """Return the number of this process's batch; the processes take turns."""
        return step * self.accelerator.num_processes + self.accelerator.process_index

    @property
    def progress(self) -> float:
        """Share of the run that is done, in [0, 1]."""
        c = self.config
        clock = 0.0 if c.minutes is None else self.seconds / (60 * c.minutes)
        return min(1.0, max(clock, self.images / c.images))

    # ------------------------------------------------------------------ the run

    def train(self) -> None:
        """Train to the end of the budget, from the start or from the last checkpoint.

        Raises KeyboardInterrupt on Ctrl-C or SIGTERM, after the step and a checkpoint.
        """
        self._resume_or_start()
        with interruptible() as asked:
            self._train(asked)

    def _train(self, asked: Event) -> None:
        c, main = self.config, self.accelerator.is_main_process
        log = Log(c.folder, self.step) if main else None
        options: dict[str, Any] = {"unit": "img", "dynamic_ncols": True, "mininterval": 1}
        bar = tqdm(total=c.images, initial=self.images, desc=c.name, disable=not main, **options)
        began, seconds_before = time.perf_counter(), self.seconds
        # The same few people during the whole run, never trained on.
        people = showcase(self.source, SHOWCASE, self.accelerator.device)
        if main and self.step == 0:
            save_samples(c.folder, 0, self.trained(), people)
        self.model.train()
        processes, cuda = self.accelerator.num_processes, self.accelerator.device.type == "cuda"
        mine = range(self._batch_index(self.step), 2**31, processes)
        batches = load_batches(self.source, mine, c.workers, pin_memory=cuda)
        losses: dict[str, Tensor] = {}
        unread: list[tuple[int, str, Tensor]] = []
        waited, logged, interrupted = 0.0, began, False
        while self.progress < 1 and not interrupted:
            waited -= time.perf_counter()
            prepared = next(batches)
            waited += time.perf_counter()
            step_losses = self.train_step(self.source.finish(prepared, self.accelerator.device))
            unread += [(self.step, name, loss) for name, loss in step_losses.items()]
            # On steps without the critics, the log repeats their last loss.
            losses |= step_losses
            if self.average:
                self.average.update(self.network(), self.step)
            self.step += 1
            self.seconds = self._agreed(seconds_before + time.perf_counter() - began)
            bar.total = round(self.images / self.progress)
            bar.update(self.images - bar.n)
            logs, saves = self.step % c.log_every == 0, self._passed(c.checkpoint_every)
            # Reading a number from a GPU waits for all its queued work, and the GPU is idle
            # afterwards. So losses are read only when they are needed.
            reads = self.accelerator.device.type == "cpu" or logs or saves or self.progress >= 1
            if reads:
                check_losses(unread, c.folder)
            interrupted = self._interrupted(asked, reads)
            logs |= interrupted or self.progress >= 1
            if self.accelerator.num_processes > 1 and logs:
                # Each process has a part of the batch; the log is about all of it.
                losses = self.accelerator.reduce(losses, reduction="mean")
            if log is not None and logs:
                values = {name: loss.item() for name, loss in losses.items()}
                bar.set_postfix({k: f"{v:.3g}" for k, v in values.items()}, refresh=False)
                log.write(
                    self.step,
                    values,
                    images=self.images,
                    seconds=round(self.seconds, 3),
                    images_per_second=self.images / self.seconds,
                    # Share of the time since the last line in which no data was ready.
                    waiting=round(waited / (time.perf_counter() - logged), 4),
                    skipped=getattr(self.source, "skipped", 0),
                    learning_rate=self.optimizers[0].param_groups[0]["lr"],
                )
                waited, logged = 0.0, time.perf_counter()
            if main and self._passed(c.sample_every) and self.progress < 1:
                self._sample(people)
            if (saves or interrupted) and self.progress < 1:
                self._save()
        bar.close()
        if log is not None:
            log.close()
        if self.progress >= 1:
            # Also where no step was left: the batch norm of an interrupted run lags behind.
            if main:
                self._sample(people)
            self._save()
            if main:
                self.trained().save(c.folder / TRAINED)
        if interrupted:
            raise KeyboardInterrupt(f"{c.folder} is saved after {self.images:,} pictures")

    def _interrupted(self, asked: Event, reads: bool) -> bool:
        """Return whether a process was interrupted; all end after the same step."""
        if self.accelerator.num_processes == 1:
            return asked.is_set()
        flag = torch.tensor(float(asked.is_set()), device=self.accelerator.device)
        return bool(reads and self.accelerator.reduce(flag).item())

    def _agreed(self, seconds: float) -> float:
        """Return the clock of the first process where the clock decides when to stop."""
        if self.config.minutes is None or self.accelerator.num_processes == 1:
            return seconds
        clock = torch.tensor(seconds, dtype=torch.float64, device=self.accelerator.device)
        return broadcast(clock).item()

    def _passed(self, every: int) -> bool:
        """Return whether this step crossed a multiple of `every` images."""
        return self.images // every != (self.images - self.step_images) // every

    def network(self) -> HMR:
        """Return the network itself, without the wrapper for several processes."""
        return self.accelerator.unwrap_model(self.model)

    def trained(self) -> HMR:
        """Return the network to look at and to keep: of averaged weights, where there are any."""
        return self.average.network if self.average else self.network()

    def _sample(self, people: Batch) -> None:
        """Recalibrate batch norm, and record what the network makes of a few people."""
        c = self.config
        recalibrate_batch_norm(self.trained(), self.source, c.images, self.accelerator.device)
        save_samples(c.folder, self.images, self.trained(), people)

    # ------------------------------------------------------------------ state

    def _parts(self) -> dict[str, Any]:
        return {
            "model": self.network(),
            "critic": self.accelerator.unwrap_model(self.adversary.discriminator),
            **{f"optimizer_{i}": optimizer for i, optimizer in enumerate(self.optimizers)},
            "critic_optimizer": self.adversary.optimizer,
        } | ({"average": self.average.network} if self.average else {})

    def _save(self) -> None:
        # In every process: if only the first one stopped, the others would wait for it for ever.
        check_state(self._parts(), self.step, self.config.folder)
        if self.accelerator.is_main_process:
            state = {name: part.state_dict() for name, part in self._parts().items()}
            state |= {"step": self.step, "seconds": self.seconds}
            save_checkpoint(self.config.folder, state)
        self.accelerator.wait_for_everyone()

    def _resume_or_start(self) -> None:
        c = self.config
        state = load_checkpoint(c.folder) if c.resume else None
        if state is not None:
            # A run may begin to average its weights when it is resumed.
            state.setdefault("average", state.get("model"))
            check_parts(c.folder / NAME, state, self._parts())
            for name, part in self._parts().items():
                part.load_state_dict(state[name])
            self.step, self.seconds = state["step"], state["seconds"]
            if self.progress < 1 and self.accelerator.is_main_process:
                # It was measured on weights that will now change.
                (c.folder / EVALUATION).unlink(missing_ok=True)
        elif c.resume:
            if self.accelerator.is_main_process:
                print(f"{c.folder}: no checkpoint yet, the training begins anew", file=sys.stderr)
        elif os.path.lexists(c.folder / NAME):
            raise DataError(
                f"{c.folder} holds a run already: go on with --resume, or choose another --name"
            )
        # The records of a finished run stay, even if the options differ now.
        if self.accelerator.is_main_process and self.progress < 1:
            # The report needs the number of critics to draw the loss of guessing.
            critics = int(critic_weights().sum())
            write_json(c.folder / CONFIG, {**as_record(c), "critics": critics})
            write_json(c.folder / ENVIRONMENT, environment())
            if c.start and state is None:
                write_json(c.folder / START, origin(c.start))
