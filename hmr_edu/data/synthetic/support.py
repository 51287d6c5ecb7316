"""What people stand and sit on: the ground under them, and seats."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from hmr_edu.body import BodyOutput
from hmr_edu.data.batch import TensorDataclass
from hmr_edu.data.synthetic.backgrounds import PlaceConfig
from hmr_edu.data.synthetic.floors import ground_of
from hmr_edu.data.synthetic.framing import Framed
from hmr_edu.data.synthetic.seats import Seats, seats_of


@dataclass
class Support(TensorDataclass):
    """What a batch of people stand and sit on; None where the options ask for none.

    `ground` maps each crop to the ground, as `floors.ground_under` does.
    """

    ground: Float[Tensor, "batch 3 3"] | None = None
    seats: Seats | None = None


def support_of(
    world: Float[Tensor, "batch 3 3"],
    output: BodyOutput,
    framed: Framed,
    places: PlaceConfig,
    seed: int,
) -> Support:
    """Return what the people stand and sit on.

    Args:
        world: rotations from the world, Y up, to the camera.
        output: the bodies in the picture's frame, with vertices.
        framed: where they are, and their crops.
        places: the options.
        seed: decides who of those who sit gets a seat.
    """
    return Support(
        ground=ground_of(world, output, framed) if places.floor else None,
        seats=seats_of(world, output, framed, places.seat, seed) if places.seat else None,
    )
