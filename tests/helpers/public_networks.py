"""Networks of public code written by their published structure, with random weights.

Nothing of the package is used: they are what its import and export are compared with.
"""

import torch
from torch.nn import functional as F  # noqa: N812

BLOCKS, WIDTHS = (3, 4, 6, 3), (64, 128, 256, 512)


def backbone_state(prefix="", seed=0):
    """Return random weights of a ResNet-50 in torchvision's names; its values stay moderate."""
    g = torch.Generator().manual_seed(seed)
    state = {}

    def conv(name, out, into, size):
        scale = (2 / (into * size * size)) ** 0.5
        state[f"{prefix}{name}.weight"] = scale * torch.randn(out, into, size, size, generator=g)

    def norm(name, n):
        state[f"{prefix}{name}.weight"] = 0.5 + 0.2 * torch.rand(n, generator=g)
        state[f"{prefix}{name}.bias"] = 0.1 * torch.randn(n, generator=g)
        state[f"{prefix}{name}.running_mean"] = 0.1 * torch.randn(n, generator=g)
        state[f"{prefix}{name}.running_var"] = 0.5 + torch.rand(n, generator=g)
        state[f"{prefix}{name}.num_batches_tracked"] = torch.tensor(1234)

    conv("conv1", 64, 3, 7)
    norm("bn1", 64)
    into = 64
    for stage, (blocks, width) in enumerate(zip(BLOCKS, WIDTHS, strict=True), 1):
        for block in range(blocks):
            name = f"layer{stage}.{block}"
            shapes = [(width, into, 1), (width, width, 3), (4 * width, width, 1)]
            for number, shape in enumerate(shapes, 1):
                conv(f"{name}.conv{number}", *shape)
                norm(f"{name}.bn{number}", shape[0])
            if block == 0:
                conv(f"{name}.downsample.0", 4 * width, into, 1)
                norm(f"{name}.downsample.1", 4 * width)
            into = 4 * width
    return state


def backbone(state, x, prefix=""):
    """Return the 2048 features of normalised pictures: ResNet-50 in evaluation mode."""

    def step(name, x, stride=1, pad=0):
        x = F.conv2d(x, state[f"{prefix}{name[0]}.weight"], stride=stride, padding=pad)
        norm = [state[f"{prefix}{name[1]}.{part}"] for part in NORM]
        return F.batch_norm(x, norm[0], norm[1], norm[2], norm[3])

    x = F.max_pool2d(F.relu(step(("conv1", "bn1"), x, 2, 3)), 3, 2, 1)
    for stage, blocks in enumerate(BLOCKS, 1):
        for block in range(blocks):
            n = f"layer{stage}.{block}"
            stride = 2 if stage > 1 and block == 0 else 1
            y = F.relu(step((f"{n}.conv1", f"{n}.bn1"), x))
            y = F.relu(step((f"{n}.conv2", f"{n}.bn2"), y, stride, 1))
            y = step((f"{n}.conv3", f"{n}.bn3"), y)
            if block == 0:
                x = step((f"{n}.downsample.0", f"{n}.downsample.1"), x, stride)
            x = F.relu(x + y)
    return F.avg_pool2d(x, 7).flatten(1)


NORM = ("running_mean", "running_var", "weight", "bias")


def spin_state(hidden=1024, seed=1):
    """Return random weights of SPIN's network, as its checkpoint names them."""
    g = torch.Generator().manual_seed(seed)
    state = backbone_state(seed=seed)
    layers = {"fc1": (hidden, 2048 + 157), "fc2": (hidden, hidden)}
    layers |= {"decpose": (144, hidden), "decshape": (10, hidden), "deccam": (3, hidden)}
    for name, (out, into) in layers.items():
        state[f"{name}.weight"] = torch.randn(out, into, generator=g) / into**0.5
        state[f"{name}.bias"] = 0.1 * torch.randn(out, generator=g)
    upright = torch.tensor([1.0, 0, 0, -1, 0, 0])  # 3 x 2 by rows: half a turn about x
    others = torch.tensor([1.0, 0, 0, 1, 0, 0]).repeat(23)
    state["init_pose"] = torch.cat([upright, others])[None]
    state["init_shape"] = 0.1 * torch.randn(1, 10, generator=g)
    state["init_cam"] = torch.tensor([[0.9, 0.0, 0.0]])
    return state


def spin_forward(state, pictures, steps=3):
    """Return rotations, betas and camera of RGB pictures in [0, 1], step by step, as SPIN does."""
    mean = torch.tensor([0.485, 0.456, 0.406])[:, None, None]
    std = torch.tensor([0.229, 0.224, 0.225])[:, None, None]
    features = backbone(state, (pictures - mean.to(pictures)) / std.to(pictures))
    n = len(pictures)
    pose, shape, camera = (
        state[name].expand(n, -1) for name in ("init_pose", "init_shape", "init_cam")
    )
    out = []
    for _ in range(steps):
        x = torch.cat([features, pose, shape, camera], 1)
        x = F.linear(x, state["fc1.weight"], state["fc1.bias"])
        x = F.linear(x, state["fc2.weight"], state["fc2.bias"])
        pose = pose + F.linear(x, state["decpose.weight"], state["decpose.bias"])
        shape = shape + F.linear(x, state["decshape.weight"], state["decshape.bias"])
        camera = camera + F.linear(x, state["deccam.weight"], state["deccam.bias"])
        a = pose.view(-1, 3, 2)
        b1 = F.normalize(a[:, :, 0])
        b2 = F.normalize(a[:, :, 1] - (b1 * a[:, :, 1]).sum(1, keepdim=True) * b1)
        R = torch.stack([b1, b2, torch.linalg.cross(b1, b2)], dim=2)
        out.append((R.view(n, 24, 3, 3), shape, camera))
    return out


def port_state(hidden=1024, seed=2):
    """Return random weights of the PyTorch port of HMR, as it names them."""
    g = torch.Generator().manual_seed(seed)
    state = backbone_state("encoder.", seed)
    sizes = (2048 + 85, hidden, hidden, 85)
    for number in range(3):
        name = f"regressor.fc_blocks.regressor_fc_{number}"
        into, out = sizes[number], sizes[number + 1]
        state[f"{name}.weight"] = torch.randn(out, into, generator=g) / into**0.5
        state[f"{name}.bias"] = 0.1 * torch.randn(out, generator=g)
    mean = torch.zeros(85)
    mean[0], mean[3] = 0.9, torch.pi
    return state | {"regressor.mean_theta": mean}


def port_forward(state, features, steps=3):
    """Return theta after each step, of features."""
    theta = state["regressor.mean_theta"].expand(len(features), -1)
    out = []
    for _ in range(steps):
        x = torch.cat([features, theta], 1)
        for number in range(3):
            name = f"regressor.fc_blocks.regressor_fc_{number}"
            x = F.linear(x, state[f"{name}.weight"], state[f"{name}.bias"])
            x = F.relu(x) if number < 2 else x
        theta = theta + x
        out.append(theta)
    return out
