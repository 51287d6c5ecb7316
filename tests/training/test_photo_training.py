"""Training on photographs: data sets with shares, damaged pictures, resumption, processes."""

import dataclasses
import json
import math
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import tyro
import yaml
from helpers.few_looks import few_looks
from helpers.small_run import interrupt_after, small

from hmr_edu.body import load_body
from hmr_edu.cli import main
from hmr_edu.data import SyntheticPeople, load_pose_prior
from hmr_edu.data.augment import AUGMENTATIONS
from hmr_edu.data.photos.data_sets import open_data_set
from hmr_edu.data.photos.source import ATTEMPTS, AnnotatedPhotos
from hmr_edu.data.photos.write_sets import write_set
from hmr_edu.hmr import load_pretrained
from hmr_edu.io.errors import DataError
from hmr_edu.losses import TERMS
from hmr_edu.training.loop import Trainer
from hmr_edu.training.presets import PRESETS
from hmr_edu.training.sources import SourceName, build_source, first_theta, parse_sources

SIZE = 32


def people() -> SyntheticPeople:
    return few_looks(seed=3, image_size=48, batch_size=6, fill=(0.6, 0.7))


@pytest.fixture(scope="module")
def coco(tmp_path_factory):
    return write_set("coco", tmp_path_factory.mktemp("sets") / "coco", people(), 18)


def lines(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def test_words_of_the_option():
    assert parse_sources(["coco=/data/coco:0.3", "synthetic:0.5", "json=a:b", "coco=c"]) == [
        SourceName("coco", "/data/coco", 0.3),
        SourceName("synthetic", "", 0.5),
        SourceName("json", "a:b", 1.0),
        SourceName("coco", "c", 1.0),
    ]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "nothing to train on"),
        (["koko=/data"], "no data set is called 'koko'; synthetic, coco, "),
        (["coco"], "write coco=PATH"),
        (["coco="], "write coco=PATH"),
        (["synthetic=/data"], "write synthetic"),
        (["coco=/data:0"], "a share is a positive number"),
        (["coco=/data:-1"], "a share is a positive number"),
        (["coco=/data:nan"], "a share is a positive number"),
        (["coco=/data:inf"], "a share is a positive number"),
    ],
)
def test_words_that_cannot_be_used(words, message):
    with pytest.raises(DataError, match=message):
        parse_sources(words)


def test_a_mixture_by_the_command(tmp_path, coco, capsys):
    options = "--images 24 --data.batch-size 8 --data.image-size 32 --model.width 8"
    options += " --model.hidden 16 --log-every 1 --test-images 0 --threads 1 --minutes None"
    options += " --data.appearance.scenes 4 --data.appearance.outfits 4 --data.appearance.heads 4"
    words = ["--data", f"coco={coco}:0.5", "synthetic:0.5", "--mode", "unpaired"]
    out = ["--out", str(tmp_path), "--name", "mixed"]
    assert main(["train", "cpu", *options.split(), *words, *out]) == 0
    assert "report" in capsys.readouterr().out
    record = json.loads((tmp_path / "mixed" / "config.json").read_text())
    assert record["sources"] == words[1:3]
    for line in lines(tmp_path / "mixed"):
        assert 0 <= line["waiting"] <= 1
        assert line["skipped"] == 0
        assert line["losses"].keys() >= {"keypoints2d", "adversary", "critics"}
        # Unpaired: no label but 2D keypoints reaches a loss.
        assert line["losses"]["pose"] == line["losses"]["keypoints3d"] == 0


def test_a_paired_mixture_has_flags_for_each_sample(tmp_path, coco):
    config = small(tmp_path, sources=(f"coco={coco}:0.5", "synthetic:0.5"))
    trainer = Trainer(config)
    batch = trainer.source.finish(trainer.source.prepare(0))
    assert batch.has_theta.tolist() == [False, False, True, True]
    losses = trainer.train_step(batch)
    assert all(math.isfinite(loss) for loss in losses.values())
    assert losses["pose"] > 0


def test_photographs_alone_start_from_the_mean_of_the_poses(tmp_path, coco):
    config = small(tmp_path, sources=(f"coco={coco}",))
    trainer = Trainer(config)
    theta = first_theta(trainer.source, load_pose_prior(), config.seed)
    torch.testing.assert_close(trainer.network().regressor.mean_state.flatten()[:3], theta[:3])
    assert theta[3:6].norm() == pytest.approx(math.pi, abs=1e-5)
    # Arms of real people hang; those of the T-pose do not.
    assert theta[3:75].view(24, 3)[16].norm() > 0.3
    trainer.train()
    assert load_pretrained(config.folder / "model.safetensors")


def test_resume_goes_on_with_the_same_people(tmp_path, coco):
    def config(name, **changes):
        return small(
            tmp_path, sources=(f"coco={coco}",), augmentation="strong", name=name, **changes
        )

    Trainer(config("whole")).train()
    interrupt_after(config("half"), 5)
    Trainer(config("half", resume=True)).train()
    whole, half = (
        load_pretrained(tmp_path / name / "model.safetensors").state_dict()
        for name in ("whole", "half")
    )
    assert all(torch.equal(whole[key], half[key]) for key in whole)
    with pytest.raises(DataError, match="begun with augmentation = strong, not spin"):
        Trainer(dataclasses.replace(config("half", resume=True), augmentation="spin"))


def test_everybody_comes_once_in_a_round_and_processes_share_without_overlap(coco):
    table = open_data_set("coco", coco)
    whole = AnnotatedPhotos(table, 6, SIZE, seed=1, augment=AUGMENTATIONS["strong"])
    rounds = [row for index in range(6) for row in whole.rows(index)]
    assert sorted(rounds[:18]) == sorted(rounds[18:]) == list(range(18))
    assert rounds[:18] != rounds[18:]
    # Two processes, three people each: together the same people, to the pixel.
    halves = AnnotatedPhotos(table, 3, SIZE, seed=1, augment=AUGMENTATIONS["strong"])
    for step in range(4):
        together = whole.finish(whole.prepare(step))
        parts = [halves.finish(halves.prepare(2 * step + process)) for process in (0, 1)]
        images = torch.cat([part.images for part in parts])
        torch.testing.assert_close(images, together.images, rtol=0, atol=1e-5)
        assert torch.equal(torch.cat([p.keypoints2d for p in parts]), together.keypoints2d)


def test_damaged_pictures_are_skipped_told_and_counted(tmp_path, capsys):
    folder = write_set("coco", tmp_path / "coco", people(), 12)
    pictures = sorted((folder / "train2017").iterdir())
    pictures[0].write_bytes(pictures[0].read_bytes()[:300])
    pictures[1].unlink()
    source = AnnotatedPhotos(open_data_set("coco", folder), 12, SIZE)
    batch = source.finish(source.prepare(0))
    assert source.skipped >= 2  # somebody who takes a place may be damaged too
    told = capsys.readouterr().err
    assert pictures[0].name in told
    assert pictures[1].name in told
    assert batch.visible.sum(1).min() > 5
    for picture in pictures[1:]:
        picture.unlink(missing_ok=True)
    with pytest.raises(DataError, match=f"{ATTEMPTS} pictures in a row cannot be used"):
        source.prepare(1)


def test_a_picture_of_another_size_is_skipped(tmp_path, capsys):
    folder = write_set("coco", tmp_path / "coco", people(), 6)
    path = folder / "annotations" / "person_keypoints_train2017.json"
    content = json.loads(path.read_text())
    content["images"][3]["width"] = 96
    path.write_text(json.dumps(content))
    source = AnnotatedPhotos(open_data_set("coco", folder), 6, SIZE)
    source.finish(source.prepare(0))
    assert "records 96 x 48 pixels" in capsys.readouterr().err


def test_unknown_labels_reach_no_loss_and_no_gradient(coco):
    """NaN betas, NaN keypoints: only what is known counts, in the value and in the gradient."""
    table = open_data_set("coco", coco)[:4]
    keypoints3d = torch.rand(4, 19, 3).numpy()
    keypoints3d[0, 5] = float("nan")  # one keypoint
    keypoints3d[1, 2] = float("nan")  # a hip: the whole sample
    keypoints3d[2] = float("nan")
    pose = torch.rand(4, 72).numpy()
    pose[3] = float("nan")
    labelled = dataclasses.replace(table, keypoints3d=keypoints3d, pose=pose)
    source = AnnotatedPhotos(labelled, 4, SIZE)
    rows = source.rows(0)
    batch = source.finish(source.prepare(0))
    where = [rows.index(k) for k in range(4)]
    assert batch.has_3d[where].tolist() == [True, False, False, True]
    assert batch.has_theta[where].tolist() == [True, True, True, False]
    assert not batch.has_betas.any()
    assert batch.known3d[where].sum(1).tolist() == [18, 0, 0, 19]

    class Answer:
        keypoints3d = torch.rand(4, 19, 3, requires_grad=True)
        rotations = torch.rand(4, 24, 3, 3, requires_grad=True)
        betas = torch.rand(4, 10, requires_grad=True)
        depths = torch.rand(4, 19, requires_grad=True)

    config = small(coco).loss
    for name in ("keypoints3d", "pose", "betas", "depths"):
        loss = TERMS[name].compute(Answer, batch, config)
        loss.backward()
        assert math.isfinite(loss.item())
        assert (loss.item() > 0) == (name != "betas")
    for name in ("keypoints3d", "rotations", "depths"):
        assert getattr(Answer, name).grad.isfinite().all()
    moved = Answer.keypoints3d.grad.abs().sum(2)[where] > 0
    assert moved.sum(1).tolist() == [18, 0, 0, 19]


def test_betas_of_smpl_are_no_labels_of_another_body(tmp_path, coco, monkeypatch):
    import hmr_edu.training.sources as sources

    monkeypatch.setattr(sources, "SMPL_VERTICES", len(load_body("lite").v_template))
    config = small(tmp_path, sources=(f"coco={coco}",))
    assert build_source(config, load_pose_prior(), 4).betas
    monkeypatch.undo()
    assert not build_source(config, load_pose_prior(), 4).betas


def test_nobody_with_so_many_keypoints(tmp_path, coco):
    config = small(tmp_path, sources=(f"coco={coco}",), least_keypoints=19)
    with pytest.raises(DataError, match=r"--data coco=.*: nobody of 18 people has 19 keypoints"):
        Trainer(config)


def test_a_data_set_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match="--data coco=/no/where: no such file or folder"):
        Trainer(small(tmp_path, sources=("coco=/no/where",)))


def test_a_set_is_never_written_over_another(tmp_path, coco):
    with pytest.raises(DataError, match="is there already"):
        write_set("coco", coco, people(), 2)
    with pytest.raises(DataError, match="no layout is called 'koko'; coco, lsp are"):
        write_set("koko", tmp_path / "new", people(), 2)


def _start(folder, name, coco, images, *more, launcher=()):
    """Start a run of the command line; with a launcher, as one of its processes."""
    words = f"train cpu --images {images} --data.batch-size 4 --data.image-size 32 --model.width 8"
    words += " --model.hidden 16 --log-every 1 --test-images 0 --threads 1 --minutes None"
    words += f" --checkpoint-every 4 --augmentation strong --out {folder} --name {name}"
    command = [sys.executable, *launcher, "-m", "hmr_edu.cli", *words.split()]
    command += ["--data", f"coco={coco}"]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    return subprocess.Popen([*command, *more], env=environment)


def test_two_processes_train_as_one(tmp_path, coco):
    """Two launchers, as on two hosts, meet at a rendezvous; then one process goes on alone."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        endpoint = f"127.0.0.1:{free.getsockname()[1]}"
    options = "--nnodes 2 --nproc-per-node 1 --rdzv-id hmr --rdzv-backend c10d"
    launcher = ["-m", "torch.distributed.run", *options.split(), "--rdzv-endpoint", endpoint]
    hosts = [_start(tmp_path, "two", coco, 16, launcher=launcher) for _ in range(2)]
    alone = _start(tmp_path, "one", coco, 24)
    assert [process.wait() for process in (*hosts, alone)] == [0, 0, 0]
    assert _start(tmp_path, "two", coco, 24, "--resume").wait() == 0
    one, two = lines(tmp_path / "one"), lines(tmp_path / "two")
    assert len(one) == len(two) == 6
    for a, b in zip(one, two, strict=True):
        assert a["images"] == b["images"]
        # Batch norm sees half of the batch in each process, so the losses are close, not equal.
        assert b["losses"]["keypoints2d"] == pytest.approx(a["losses"]["keypoints2d"], rel=0.02)


def test_files_for_clusters_are_whole():
    folder = Path(__file__).parents[2] / "scripts" / "cluster"
    subprocess.run(["bash", "-n", str(folder / "train.slurm")], check=True)
    words = (folder / "train.slurm").read_text().split("hmr_edu.cli train ")[1].split()
    assert words == ["gpu", "--workers", "6", "--resume", '"$@"']
    job = yaml.safe_load((folder / "pytorchjob.yaml").read_text())
    for replica in job["spec"]["pytorchReplicaSpecs"].values():
        pod = replica["template"]["spec"]
        (container,) = pod["containers"]
        command = container["command"]
        assert command[:4] == ["torchrun", "-m", "hmr_edu.cli", "train"]
        assert {m["name"] for m in container["volumeMounts"]} == {v["name"] for v in pod["volumes"]}
        # The words of the command are options that there are.
        presets = {name: ("", make()) for name, make in PRESETS.items()}
        words = ["--sources" if word == "--data" else word for word in command[4:]]
        config = tyro.extras.overridable_config_cli(presets, args=words)
        assert config.sources == ("coco=/data/coco:0.5", "synthetic:0.5")
        assert (config.out, config.resume) == (Path("/runs"), True)
