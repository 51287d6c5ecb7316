"""Painted backgrounds: rooms, streets, fields, walls, leaves, clutter.

They need no photographs and no downloads: shapes from Pillow, textures from 1/f noise. Dead leaves
(shapes of all sizes that cover each other) have the statistics of photographs.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Float, UInt8

Colour = tuple[int, int, int]


class Painter:
    """A canvas in unit coordinates, x right, y down, with the shapes that scenes are made of."""

    def __init__(self, size: int, rng: np.random.Generator) -> None:
        from PIL import Image, ImageDraw

        self.size, self.rng = size, rng
        self.image = Image.new("RGB", (size, size))
        self._draw = ImageDraw.Draw(self.image)

    def u(self, low: float, high: float) -> float:
        """Draw a number in [low, high)."""
        return float(self.rng.uniform(low, high))

    def colour(self, saturation: float = 0.5, bright: tuple[float, float] = (0.1, 0.95)) -> Colour:
        """Draw a colour; `saturation` is the largest it may have."""
        value = self.u(*bright)
        # Most colours in the world are warm or cool; green and magenta casts are rare.
        warm, green = self.rng.uniform(-0.5, 0.5, 2) * saturation
        if self.rng.random() < 0.2 * saturation:
            green, warm = warm * 1.5, green
        else:
            green *= 0.25
        return self._bytes(value * (1 + np.array([warm, green, -warm])))

    def near(self, colour: Colour, spread: float = 0.12) -> Colour:
        """Draw a colour close to another."""
        return self._bytes(np.array(colour) / 255 * (1 + self.rng.uniform(-spread, spread)))

    @staticmethod
    def _bytes(rgb: np.ndarray) -> Colour:
        r, g, b = (np.clip(rgb, 0, 1) * 255).astype(int).tolist()
        return r, g, b

    def box(self, x0: float, y0: float, x1: float, y1: float, fill: Colour) -> None:
        """Fill a rectangle.

        Args:
            x0: left edge.
            y0: upper edge.
            x1: right edge.
            y1: lower edge.
            fill: colour.
        """
        s = self.size
        self._draw.rectangle([x0 * s, y0 * s, max(x1, x0) * s, max(y1, y0) * s], fill=fill)

    def oval(self, x: float, y: float, rx: float, ry: float, fill: Colour) -> None:
        """Fill an ellipse.

        Args:
            x: centre.
            y: centre.
            rx: half of the width.
            ry: half of the height.
            fill: colour.
        """
        s = self.size
        self._draw.ellipse([(x - rx) * s, (y - ry) * s, (x + rx) * s, (y + ry) * s], fill=fill)

    def polygon(self, points: list[tuple[float, float]], fill: Colour) -> None:
        """Fill a polygon."""
        self._draw.polygon([(x * self.size, y * self.size) for x, y in points], fill=fill)

    def line(self, points: list[tuple[float, float]], fill: Colour, width: float = 0.004) -> None:
        """Draw a line of some thickness."""
        scaled = [(x * self.size, y * self.size) for x, y in points]
        self._draw.line(scaled, fill=fill, width=max(1, round(width * self.size)))

    def shade(self, top: Colour, bottom: Colour, y0: float = 0.0, y1: float = 1.0) -> None:
        """Fill with a vertical gradient.

        Args:
            top: colour at y0.
            bottom: colour at y1.
            y0: upper end.
            y1: lower end.
        """
        for k in range(32):
            mix = (k + 0.5) / 32
            colour = self._bytes((np.array(top) * (1 - mix) + np.array(bottom) * mix) / 255)
            self.box(0.0, y0 + (y1 - y0) * k / 32, 1.0, y0 + (y1 - y0) * (k + 1) / 32, colour)

    def patch(self, fill: Colour, scale: float) -> None:
        """Paint one dead leaf: an oval, a box or a polygon at a random place."""
        x, y, r = self.u(-0.1, 1.1), self.u(-0.1, 1.1), scale
        kind = self.rng.integers(3)
        if kind == 0:
            self.oval(x, y, r * self.u(0.3, 1.0), r * self.u(0.3, 1.0), fill)
        elif kind == 1:
            self.box(x - r * self.u(0.3, 1.0), y - r, x + r * self.u(0.3, 1.0), y + r, fill)
        else:
            angles = np.sort(self.rng.uniform(0.0, 2 * np.pi, int(self.rng.integers(3, 7))))
            self.polygon([(x + r * np.cos(a), y + r * np.sin(a)) for a in angles], fill)


def room(p: Painter) -> None:
    """Paint a wall and a floor, with windows, pictures, doors and furniture."""
    wall, floor = p.colour(0.35, (0.3, 0.95)), p.colour(0.5, (0.15, 0.7))
    horizon = p.u(0.55, 0.85)
    p.shade(p.near(wall), wall, 0.0, horizon)
    p.shade(floor, p.near(floor), horizon, 1.0)
    vanish = p.u(0.2, 0.8)
    for k in range(int(p.rng.integers(0, 16))):
        end = -1.5 + 4 * k / 16
        p.line([(vanish + (end - vanish) * 0.3, horizon), (end, 1.0)], p.near(floor, 0.2))
    p.box(0.0, horizon - p.u(0.01, 0.03), 1.0, horizon, p.near(wall, 0.3))
    for _ in range(int(p.rng.integers(0, 4))):
        x, y, w, h = p.u(-0.1, 0.9), p.u(0.02, 0.3), p.u(0.1, 0.35), p.u(0.12, 0.35)
        p.box(x, y, x + w, min(y + h, horizon), p.near(wall, 0.4))
        p.box(x + 0.012, y + 0.012, x + w - 0.012, min(y + h, horizon) - 0.012, p.colour(0.6))
        if p.u(0.0, 1.0) < 0.5:
            p.line([(x + w / 2, y), (x + w / 2, y + h)], wall, 0.01)
    for _ in range(int(p.rng.integers(1, 5))):
        furniture = p.colour(0.5, (0.08, 0.8))
        x, w, h = p.u(-0.2, 1.0), p.u(0.12, 0.5), p.u(0.08, 0.4)
        base = horizon + p.u(-0.02, 0.15)
        p.box(x, base - h, x + w, base, furniture)
        p.box(x, base - h, x + w, base - h + 0.03, p.near(furniture, 0.3))
        for k in range(int(p.rng.integers(0, 5))):
            p.line([(x + w * k / 4, base - h), (x + w * k / 4, base)], p.near(furniture, 0.4))


def street(p: Painter) -> None:
    """Paint houses with windows over a road or a pavement."""
    p.shade(p.colour(0.3, (0.6, 1.0)), p.colour(0.2, (0.7, 1.0)))
    horizon, x = p.u(0.55, 0.8), -0.1
    while x < 1.0:
        width, top = p.u(0.15, 0.5), p.u(-0.3, 0.45)
        house, glass = p.colour(0.4, (0.2, 0.85)), p.colour(0.3, (0.05, 0.6))
        p.box(x, top, x + width, horizon, house)
        step = p.u(0.06, 0.14)
        for row in np.arange(top + 0.04, horizon - 0.05, step):
            for column in np.arange(x + 0.03, x + width - 0.03, step):
                p.box(column, row, column + step * 0.5, row + step * 0.6, p.near(glass, 0.3))
        x += width
    road = p.colour(0.1, (0.2, 0.65))
    p.shade(p.near(road), road, horizon, 1.0)
    p.line([(0.0, horizon + 0.03), (1.0, horizon + 0.03)], p.near(road, 0.4), 0.012)
    for _ in range(int(p.rng.integers(0, 4))):
        car, x, w = p.colour(0.9), p.u(-0.2, 0.9), p.u(0.15, 0.35)
        base = horizon + p.u(0.0, 0.08)
        p.box(x, base - 0.09, x + w, base - 0.02, car)
        p.box(x + w * 0.2, base - 0.15, x + w * 0.8, base - 0.08, p.near(car, 0.5))
        p.oval(x + w * 0.2, base - 0.02, 0.025, 0.025, (20, 20, 22))
        p.oval(x + w * 0.8, base - 0.02, 0.025, 0.025, (20, 20, 22))


def field(p: Painter) -> None:
    """Paint sky, trees or hills, and grass, sand or snow."""
    sky = p.colour(0.3, (0.5, 1.0))
    horizon = p.u(0.3, 0.75)
    p.shade(sky, p.near(sky, 0.2), 0.0, horizon)
    ground = [(86, 122, 52), (120, 140, 70), (196, 178, 130), (225, 228, 232), (110, 92, 66)]
    grass = p.near(ground[p.rng.integers(len(ground))], 0.25)
    p.shade(p.near(grass, 0.2), grass, horizon, 1.0)
    tree = p.near([(40, 62, 30), (66, 84, 40), (96, 110, 120)][p.rng.integers(3)], 0.3)
    for _ in range(int(p.rng.integers(10, 50))):
        r = p.u(0.02, 0.13)
        crown = horizon - r * p.u(0.0, 1.6)
        p.oval(p.u(-0.1, 1.1), crown, r, r * p.u(0.6, 1.4), p.near(tree, 0.25))
    for _ in range(int(p.rng.integers(0, 4))):
        x, trunk = p.u(0.0, 1.0), p.near((70, 54, 40), 0.3)
        p.line([(x, horizon + 0.05), (x + p.u(-0.03, 0.03), 0.0)], trunk, p.u(0.01, 0.05))
    for _ in range(120):
        y = horizon + (1 - horizon) * p.u(0.0, 1.0) ** 1.5
        reach = 0.02 + 0.1 * (y - horizon)
        x = p.u(0.0, 1.0)
        p.line([(x, y), (x + p.u(-reach, reach), y - p.u(0.0, reach))], p.near(grass, 0.3))


def brickwork(p: Painter) -> None:
    """Paint bricks, tiles or planks from edge to edge, perhaps with a pavement below."""
    mortar, brick = p.colour(0.2, (0.3, 0.9)), p.colour(0.5, (0.15, 0.9))
    p.box(0.0, 0.0, 1.0, 1.0, mortar)
    h = p.u(0.025, 0.12)
    w = h * [1.0, 2.2, 12.0][p.rng.integers(3)]
    gap, stagger, spread = p.u(0.003, 0.008), p.u(0.0, 0.5), p.u(0.03, 0.25)
    for row, y in enumerate(np.arange(0, 1, h)):
        for x in np.arange(-w * (1 + (row % 2) * stagger), 1, w):
            p.box(x, y, x + w - gap, y + h - gap, p.near(brick, spread))
    if p.u(0.0, 1.0) < 0.6:
        ground = p.colour(0.3, (0.2, 0.7))
        p.shade(ground, p.near(ground), p.u(0.7, 0.9), 1.0)


def foliage(p: Painter) -> None:
    """Paint bushes: many small leaves in neighbouring colours."""
    base = [(50, 84, 36), (86, 110, 48), (120, 84, 40), (70, 90, 60)][p.rng.integers(4)]
    p.shade(p.near(base, 0.5), p.near(base, 0.5))
    small, large = p.u(0.006, 0.015), p.u(0.02, 0.06)
    for _ in range(500):
        r = p.u(small, large)
        p.oval(p.u(0.0, 1.0), p.u(0.0, 1.0), r, r * p.u(0.3, 1.0), p.near(base, 0.6))


def clutter(p: Painter) -> None:
    """Paint dead leaves: shapes of all sizes, the smallest most often, in any colour."""
    p.box(0.0, 0.0, 1.0, 1.0, p.colour(0.5))
    saturation = p.u(0.1, 1.0)
    scales = 0.02 / np.sqrt(p.rng.uniform(0.002, 1.0, int(p.rng.integers(80, 350))))
    for scale in sorted(scales, reverse=True):
        p.patch(p.colour(saturation), float(scale))


def shelves(p: Painter) -> None:
    """Paint rows of upright things: books, bottles, people in a stand, slats."""
    p.box(0.0, 0.0, 1.0, 1.0, p.colour(0.4, (0.05, 0.5)))
    saturation, step = p.u(0.2, 1.0), p.u(0.08, 0.3)
    wood = p.colour(0.3, (0.2, 0.9))
    for y in np.arange(0, 1, step):
        x = 0.0
        while x < 1:
            w = p.u(0.01, 0.05)
            p.box(x, y + step * p.u(0.05, 0.5), x + w, y + step, p.colour(saturation))
            x += w + p.u(0.0, 0.01)
        p.box(0.0, y + step * 0.93, 1.0, y + step, wood)


def court(p: Painter) -> None:
    """Paint a sports hall: one floor colour, white lines, boards, a crowd."""
    floor = p.colour(0.9, (0.25, 0.8))
    horizon = p.u(0.25, 0.6)
    p.box(0.0, 0.0, 1.0, horizon, p.colour(0.4, (0.05, 0.5)))
    for _ in range(200):
        r = p.u(0.006, 0.02)
        p.oval(p.u(0.0, 1.0), p.u(0.0, horizon), r, r, p.colour(0.6))
    p.shade(floor, p.near(floor), horizon, 1.0)
    p.box(0.0, horizon - p.u(0.03, 0.1), 1.0, horizon, p.colour(0.9))
    for _ in range(int(p.rng.integers(2, 6))):
        start, end = (p.u(-0.5, 1.5), p.u(horizon, 1.0)), (p.u(-0.5, 1.5), p.u(horizon, 1.0))
        p.line([start, end], (235, 235, 230), p.u(0.006, 0.02))


def studio(p: Painter) -> None:
    """Paint the paper background of a studio."""
    paper = p.colour(0.4, (0.1, 1.0))
    p.shade(p.near(paper, 0.1), p.near(paper, 0.2))
    horizon = p.u(0.6, 1.0)
    p.shade(p.near(paper, 0.15), p.near(paper, 0.3), horizon, 1.0)


SCENES: tuple[tuple[Callable[[Painter], None], float], ...] = (
    (room, 0.3),
    (street, 0.16),
    (field, 0.16),
    (brickwork, 0.09),
    (foliage, 0.05),
    (clutter, 0.05),
    (shelves, 0.05),
    (court, 0.06),
    (studio, 0.07),
)


def _texture(size: int, rng: np.random.Generator, slope: float) -> Float[np.ndarray, "size size"]:
    """Draw noise whose amplitude falls as 1 / frequency ** slope; zero mean, unit deviation."""
    fy, fx = np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None]
    amplitude = np.maximum(np.hypot(fx, fy), 1 / size) ** -slope
    phase = rng.uniform(0.0, 2 * np.pi, amplitude.shape)
    noise = np.fft.irfft2(amplitude * np.exp(1j * phase), s=(size, size))
    return ((noise - noise.mean()) / noise.std()).astype(np.float32)


def paint_scenes(
    count: int, size: int, seed: int, blur: float = 1.0, texture: float = 1.0
) -> UInt8[np.ndarray, "count 3 size size"]:
    """Paint scenes. The same seed paints the same scenes.

    Args:
        count: how many.
        size: pixels along each side.
        seed: random seed.
        blur: of the scenes, relative to the default.
        texture: strength of their noise, relative to the default.
    """
    from PIL import ImageFilter

    rng = np.random.default_rng(seed)
    # All scenes share a few fields of noise, each shifted at random: a Fourier transform for each
    # scene would take seconds.
    textures = [_texture(size, rng, slope) for slope in (0.8, 1.0, 1.2, 1.5, 1.8)]
    painters, shares = zip(*SCENES, strict=True)
    pictures = np.empty((count, 3, size, size), np.uint8)
    for picture, kind in zip(
        pictures, rng.choice(len(painters), count, p=np.array(shares) / sum(shares)), strict=True
    ):
        canvas = Painter(size, rng)
        painters[kind](canvas)
        # Backgrounds are often out of focus; this does not blur the people in front.
        radius = blur * (size / 128 * rng.uniform(0.2, 2.0) ** 2)
        soft = canvas.image.filter(ImageFilter.GaussianBlur(radius))
        pixels = np.asarray(soft, dtype=np.float32).transpose(2, 0, 1) / 255
        brightness, tint = (
            np.roll(textures[k], tuple(rng.integers(size, size=2)), (0, 1))
            for k in rng.integers(len(textures), size=2)
        )
        strength, coloured = 0.1 * rng.uniform(0.1, 1.0) ** 2, 0.03 * rng.uniform(0.0, 1.0) ** 2
        strength, coloured = texture * strength, texture * coloured
        pixels = pixels * (1 + strength * brightness)
        pixels += coloured * tint * rng.uniform(-1.0, 1.0, (3, 1, 1)).astype(np.float32)
        picture[:] = np.clip(pixels * 255, 0, 255).astype(np.uint8)
    return pictures
