"""The problems beyond the lessons: wrong answers that people give, and what they are told."""

import torch
from torch import nn

SIGNS = torch.tensor([1.0, -1.0, -1.0])


def svd_mean(R, fix=True):
    U, _, Vh = torch.linalg.svd(R.mean(0))
    if fix:
        U = U * torch.tensor([1.0, 1.0, -1.0]).to(U)
    return U @ Vh


def translation(points, x, seen, focal, sign=1.0, weigh=True, swap=False):
    zero, f = torch.zeros_like(seen), torch.full_like(seen, focal)
    A = torch.cat([torch.stack([f, zero, -x[:, 0]], 1), torch.stack([zero, f, -x[:, 1]], 1)])
    b = ((x * points[:, 2:]) - focal * points[:, :2]).T.flatten()
    w = seen.repeat(2) if weigh else torch.ones(len(b)).to(b)
    t = torch.linalg.lstsq(A * w[:, None], (b * w)[:, None]).solution[:, 0]
    return sign * (t.flip(0) if swap else t)


def weighted(make, divide=True):
    def growing(losses, power):
        x = torch.stack(losses)
        w = make(torch.arange(len(losses)).to(x), power)
        return (w * x).sum() / (w.sum() if divide else 1)

    return growing


def norms(c):
    return c.norm(dim=1)


def loop(whole=False, keep_moving=False, late=False, length=None, stop=torch.le):
    def settled(correct, state, tolerance, most):
        going = torch.ones(len(state), dtype=torch.bool)
        steps = torch.zeros(len(state), dtype=torch.long)
        for _ in range(most):
            c = correct(state)
            short = stop((length or norms)(c), torch.tensor(tolerance))
            going = going & ~short if late else going
            state = torch.where((going | keep_moving)[:, None], state + c, state)
            steps = steps + going
            going = going & ~(short.all() if whole else short)
        return state, steps

    return settled


def penalty(points=lambda r, f, m: m * r + (1 - m) * f, end=None, score=torch.sum, graph=True):
    end = end or (lambda n: (n - 1).square().mean())

    def function(critic, real, fake, mix):
        x = points(real, fake, mix).detach().requires_grad_()
        (slope,) = torch.autograd.grad(score(critic(x)), x, create_graph=graph)
        return end(slope.norm(dim=1))

    return function


def critics(r, f, hinge=torch.relu):
    return hinge(1 - r).sum(1).mean() + hinge(1 + f).sum(1).mean()


def averaged(keep):
    def function(average, weights, step, decay):
        k = keep(step, decay)
        return [k * a + (1 - k) * w.detach() for a, w in zip(average, weights, strict=True)]

    return function


def attached(average, weights, step, decay):
    k = min(decay, (1 + step) / (10 + step))
    return [k * a + (1 - k) * w for a, w in zip(average, weights, strict=True)]


def warm(step, decay):
    return min(decay, (1 + step) / (10 + step))


def clipped(gradients, largest, only_long=True, guard=True, finite=True):
    length = torch.stack([g.square().sum() for g in gradients]).sum().sqrt()
    if finite and not length.isfinite():
        return [torch.zeros_like(g) for g in gradients]
    if (only_long and length <= largest) or (guard and length == 0):
        return list(gradients)
    return [g * largest / length for g in gradients]


def above(G, parents):
    return G[:, [max(p, 0) for p in parents]]


def with_root(G, rest):
    return torch.cat([G[:, :1], rest[:, 1:]], 1)


def cut(use, change=lambda K: K):
    def function(K, *others):
        return change(K[:, use(K)]), *(array[use(K)] for array in others)

    return function


MISTAKES = [
    ("mirror_pose", lambda p, s: p * SIGNS.to(p), "change places too"),
    ("mirror_pose", lambda p, s: p[:, list(s)], "change sign too"),
    ("mirror_pose", lambda p, s: -p[:, list(s)] * SIGNS.to(p), "axis is no arrow"),
    ("mirror_pose", lambda p, s: p[:, list(s)].mul_(-SIGNS.to(p)) * -1 + 0.01, ""),
    ("mean_rotation", lambda R: R.mean(0), "no rotation"),
    ("mean_rotation", lambda R: svd_mean(R, fix=False), "determinant is -1"),
    ("mean_rotation", lambda R: svd_mean(R).mT, ""),
    ("mean_rotation", lambda R: R[0], ""),
    ("relative_rotations", lambda G, p: with_root(G, G @ above(G, p).mT), "from the left"),
    ("relative_rotations", lambda G, p: with_root(G, above(G, p) @ G), "its transpose"),
    ("relative_rotations", lambda G, p: with_root(G, G.mT @ above(G, p)), "to its parent"),
    ("relative_rotations", lambda G, p: above(G, p).mT @ G, ""),
    ("cut_body", cut(lambda K: (K > 0).any(0)), "minus counts too"),
    ("cut_body", cut(lambda K: K.sum(0) != 0), "none outweighs it"),
    ("cut_body", cut(lambda K: K[0] != 0), "minus counts too"),
    ("cut_body", cut(lambda K: (K == K).all(0)), "these are all"),
    ("cut_body", cut(lambda K: (K != 0).any(0), lambda K: K / K.abs().sum(1, True)), "divide"),
    ("cut_body", lambda K, T, S, W: (K[:, (K != 0).any(0)], T, S, W), "cut all four"),
    ("cut_body", lambda K, T, S, W: K[:, (K != 0).any(0)], "four tensors"),
    ("in_picture", lambda x, b: b[:, None, :2] + x * b[:, None, 2:], "half the side"),
    ("in_picture", lambda x, b: b[:, None, :2] + (x + 1) * b[:, None, 2:] / 2, "its corner"),
    ("in_picture", lambda x, b: b[:, None, :2] + x * b[:, None, 2:] / 2 - 0.5, "half pixel"),
    ("in_picture", lambda x, b: b[0, :2] + x * b[0, 2:] / 2, ""),
    ("translation_from_points", lambda *a: translation(*a, weigh=False), "not visible"),
    ("translation_from_points", lambda *a: translation(*a, sign=-1.0), "minus where"),
    ("translation_from_points", lambda p, x, v, f: translation(p, x, v, 4.0), ""),
    ("growing_loss", weighted(lambda t, p: (t + 1) ** p, divide=False), "sum of the weights"),
    ("growing_loss", weighted(lambda t, p: t**p), "weighs nothing"),
    ("growing_loss", weighted(lambda t, p: (len(t) - t) ** p), "not less"),
    ("growing_loss", lambda losses, p: losses[-1], ""),
    ("settled_loop", loop(whole=True), "one by one"),
    ("settled_loop", loop(late=True), "made too, and counted"),
    ("settled_loop", loop(keep_moving=True), "not be moved"),
    ("settled_loop", loop(stop=torch.lt), "not longer: stop there"),
    ("settled_loop", loop(length=lambda c: c.abs().amax(1)), "Euclid"),
    ("settled_loop", lambda f, s, t, most: loop()(f, s, t, most + 1), "one more than"),
    ("gradient_penalty", penalty(end=lambda n: n.square().mean()), "not 0"),
    ("gradient_penalty", penalty(end=lambda n: (n - 1).square().sum()), "not the sum"),
    ("gradient_penalty", penalty(end=lambda n: (n - 1).abs().mean()), "square"),
    ("gradient_penalty", penalty(lambda r, f, m: m * f + (1 - m) * r), "the other way round"),
    ("gradient_penalty", penalty(lambda r, f, m: r), "not at the real"),
    ("gradient_penalty", penalty(graph=False), "create_graph"),
    (
        "hinge",
        lambda r, f: (-f.sum(1).mean(), (1 - r).sum(1).mean() + (1 + f).sum(1).mean()),
        "rel",
    ),
    ("hinge", lambda r, f: (f.sum(1).mean(), critics(r, f)), "a minus is missing"),
    ("hinge", lambda r, f: ((1 - f).relu().sum(1).mean(), critics(r, f)), "no hinge"),
    ("hinge", lambda r, f: (-f.sum(1).mean(), critics(-r, -f)), "exchanged"),
    ("moving_average", averaged(lambda n, d: d), "keep less"),
    ("moving_average", averaged(lambda n, d: 1 - warm(n, d)), "kept of the average"),
    ("moving_average", attached, "detach"),
    ("clip_by_norm", lambda g, m: [nn.functional.normalize(x, dim=-1) for x in g], "together"),
    ("clip_by_norm", lambda g, m: clipped(g, m, only_long=False), "never stretch"),
    ("clip_by_norm", lambda g, m: clipped(g, m, False, guard=False), "0 / 0"),
    ("clip_by_norm", lambda g, m: clipped(g, m, finite=False), ""),
]
