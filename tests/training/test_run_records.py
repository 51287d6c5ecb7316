"""Records of a run: what a power cut leaves is dropped, what is damaged is named."""

import json
import warnings

import pytest
import torch
from torch import nn

from hmr_edu.io.errors import DataError
from hmr_edu.training.checkpoint import (
    NAME,
    check_parts,
    load_checkpoint,
    not_finite,
    save_checkpoint,
)
from hmr_edu.training.divergence import NonFiniteLossError, check_losses, check_state
from hmr_edu.training.log import Log
from hmr_edu.training.run_records import METRICS, read_log, read_whole_log


def line(step: int) -> str:
    return json.dumps({"step": step, "images": 4 * step, "losses": {"pose": 1.0}})


WHOLE = f"{line(1)}\n{line(2)}\n"


@pytest.mark.parametrize(
    ("content", "steps", "torn"),
    [
        (WHOLE.encode(), [1, 2], False),
        (WHOLE.encode() + b'{"step": 3, "ima', [1, 2], True),
        (WHOLE.encode() + b"\0" * 300, [1, 2], True),
        (WHOLE.encode() + '{"step": "\u00fc'.encode()[:-1], [1, 2], True),  # half a letter
        (WHOLE.encode()[:-1], [1, 2], False),  # cut off where the line ends
        (WHOLE.encode()[:-2], [1], True),
        (WHOLE.replace("\n", "\r\n").encode(), [1, 2], False),
        (b"\n\n" + WHOLE.encode() + b"\n", [1, 2], False),
        (b"", [], False),
        (b"\0" * 9, [], True),
    ],
)
def test_a_torn_last_line_is_dropped_and_said(tmp_path, capsys, content, steps, torn):
    (tmp_path / METRICS).write_bytes(content)
    log = read_log(tmp_path)
    assert ([record["step"] for _, record in log.lines], log.torn) == (steps, torn)
    assert log.damaged == []
    assert len(read_whole_log(tmp_path)) == len(steps)
    said = capsys.readouterr().err
    assert ("the last line is cut off" in said) == (torn and bool(steps))


@pytest.mark.parametrize("bad", ["7", "[]", "{", "null", '{"step": 1}', "\0\0", "[" * 100_000])
def test_a_damaged_line_is_named(tmp_path, bad):
    (tmp_path / METRICS).write_text(f"{line(1)}\n{bad}\n{line(2)}\n")
    assert [record["step"] for _, record in read_log(tmp_path).lines] == [1, 2]
    with pytest.raises(DataError, match=r"metrics\.jsonl: line 2 is not a step"):
        read_whole_log(tmp_path)


def test_a_resumed_log_goes_on_after_the_checkpoint(tmp_path):
    (tmp_path / METRICS).write_text(WHOLE + line(3) + "\n" + line(4)[:9])
    Log(tmp_path, 2).close()
    assert (tmp_path / METRICS).read_text() == WHOLE


def test_a_checkpoint_that_is_a_link_to_itself_is_no_fresh_start(tmp_path):
    assert load_checkpoint(tmp_path) is None
    (tmp_path / NAME).symlink_to(NAME)
    with pytest.raises(DataError, match=NAME):
        load_checkpoint(tmp_path)


CLOCK = {"step": 3, "seconds": 1.5}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"seconds": float("nan")}, "`seconds` must be a finite number"),
        ({"seconds": -1.0}, "`seconds` must be"),
        ({"seconds": "1"}, "`seconds` must be"),
        ({"step": 2.0}, "`step` must be a whole number"),
        ({"step": True}, "`step` must be"),
        ({"step": -1}, "`step` must be"),
        ({"model": {"a": torch.tensor([1.0, torch.nan])}}, "model.a is NaN or infinite"),
        ({"critic_optimizer": {"state": {0: {"exp_avg": torch.tensor(torch.inf)}}}}, "exp_avg"),
        ({"optimizer_0": {"param_groups": [{"lr": float("inf")}]}}, "param_groups.0.lr"),
    ],
)
def test_a_checkpoint_of_a_diverged_run_is_refused(tmp_path, change, words):
    save_checkpoint(tmp_path, CLOCK | {"model": {"a": torch.zeros(2)}})
    assert load_checkpoint(tmp_path)["step"] == 3
    save_checkpoint(tmp_path, CLOCK | change)
    with pytest.raises(DataError, match=NAME) as caught:
        load_checkpoint(tmp_path)
    assert words in str(caught.value)


def trained() -> dict:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    optimizer = torch.optim.AdamW(network.parameters(), 1e-3, fused=True)
    network(torch.randn(4, 3)).square().sum().backward()
    optimizer.step()
    return {"model": network, "optimizer_0": optimizer}


def spoilt(state: dict, place: str, value: object) -> None:
    *parents, last = (int(name) if name.isdigit() else name for name in place.split("/"))
    for name in parents:
        state = state[name]
    if value is None:
        del state[last]
    else:
        state[last] = value


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("model", []),
        ("model/0.weight", None),
        ("model/0.weight", torch.zeros(2, 4)),
        ("model/0.weight", torch.zeros(2, 3, dtype=torch.float64)),
        ("model/0.weight", torch.zeros(2, 3).to_sparse()),
        ("model/0.weight", "word"),
        ("model/1.num_batches_tracked", torch.tensor(1.0)),
        ("model/more", torch.zeros(1)),
        ("optimizer_0", None),
        ("optimizer_0/state", []),
        ("optimizer_0/state", {}),
        ("optimizer_0/state/0", {}),
        ("optimizer_0/state/99", {}),
        ("optimizer_0/state/0/exp_avg", torch.zeros(3)),
        ("optimizer_0/state/0/exp_avg", "word"),
        ("optimizer_0/state/0/more", torch.zeros(3)),
        ("optimizer_0/param_groups", []),
        ("optimizer_0/param_groups/0", 7),
        ("optimizer_0/param_groups/0/params", [0, 1]),
        ("optimizer_0/param_groups/0/params", "word"),
        ("optimizer_0/param_groups/0/betas", "word"),
        ("optimizer_0/param_groups/0/betas", (0.9,)),
        ("optimizer_0/param_groups/0/weight_decay", "word"),
        ("optimizer_0/param_groups/0/fused", "word"),
        ("optimizer_0/param_groups/0/lr", None),
    ],
)
def test_a_checkpoint_of_other_parts_is_refused(tmp_path, place, value):
    parts = trained()
    state = {name: part.state_dict() for name, part in parts.items()}
    save_checkpoint(tmp_path, CLOCK | state)
    path, read = tmp_path / NAME, load_checkpoint(tmp_path)
    check_parts(path, read, parts)
    spoilt(read, place, value)
    with pytest.raises(DataError, match="the checkpoint does not fit these options") as caught:
        check_parts(path, read, parts)
    assert place.split("/")[0] in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_a_diverged_state_is_neither_saved_nor_recommended(tmp_path):
    parts = trained()
    check_state(parts, 5, tmp_path)
    moments = parts["optimizer_0"].state[parts["model"][0].weight]
    moments["exp_avg"].fill_(torch.nan)
    with pytest.raises(NonFiniteLossError, match=r"optimizer_0\.state\.0\.exp_avg.*begin again"):
        check_state(parts, 5, tmp_path)

    def advice() -> str:
        with pytest.raises(NonFiniteLossError) as caught:
            check_losses([(5, "pose", torch.tensor(torch.nan))], tmp_path)
        return str(caught.value)

    assert "there is no checkpoint yet" in advice()
    save_checkpoint(tmp_path, CLOCK | {"model": {"a": torch.zeros(2)}})
    assert "go on with --resume from the last good state" in advice()
    save_checkpoint(tmp_path, CLOCK | {"model": {"a": torch.full((2,), torch.nan)}})
    assert "cannot be used" in advice()


def _odd_tensors() -> dict[str, torch.Tensor]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch's, of kinds that it will give up
        return {
            "sparse": torch.eye(2).to_sparse(),
            "compressed": torch.eye(2).to_sparse_csr(),
            "quantised": torch.quantize_per_tensor(torch.ones(2), 1.0, 0, torch.qint8),
            "without numbers": torch.empty(2, device="meta"),
            "nested": torch.nested.nested_tensor([torch.ones(2), torch.ones(3)]),
            "of eight bits": torch.zeros(2).to(torch.float8_e4m3fn),
        }


@pytest.mark.parametrize("name", _odd_tensors())
def test_tensors_that_pytorch_cannot_compute_with_are_named(tmp_path, name):
    save_checkpoint(tmp_path, CLOCK | {"model": {"a": _odd_tensors()[name]}})
    # Newer versions of PyTorch store a nested tensor by a function that no checkpoint may call.
    named = r"checkpoint\.pt: (model\.a is |no checkpoint that can be read \(more than tensors)"
    with pytest.raises(DataError, match=named):
        load_checkpoint(tmp_path)


def test_a_list_that_stands_often_in_a_checkpoint_is_refused(tmp_path):
    value = [1.0]
    for _ in range(60):
        value = [value, value]
    value.append(value)
    save_checkpoint(tmp_path, CLOCK | {"model": value})
    with pytest.raises(DataError, match="each as often as it stands"):
        load_checkpoint(tmp_path)


def test_a_list_that_stands_often_is_looked_through_once():
    value = [1.0]
    for _ in range(60):
        value = [value, value]
    value.append(value)
    assert not_finite(value, "a") is None
    deep = []
    for _ in range(5000):
        deep = [deep]
    assert not_finite([deep, [float("nan")]], "a") == "a.1.0"


def test_a_setting_that_stands_often_is_compared_at_once(tmp_path):
    parts = trained()
    state = CLOCK | {name: part.state_dict() for name, part in parts.items()}
    value = [1.0]
    for _ in range(60):
        value = [value, value]
    state["optimizer_0"]["param_groups"][0]["betas"] = value
    with pytest.raises(DataError, match=r"betas must be like \(0\.9"):
        check_parts(tmp_path / NAME, state, parts)
