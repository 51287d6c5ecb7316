"""The allow-list: which works of the source are taken, whose they are, and how they are scaled.

Everything else in the package's folders of clothes and hair is other people's work under other
terms; it is never read.
"""

from __future__ import annotations

from dataclasses import dataclass

FOLDER = "package/public/data/"
# Two base vertices and their distance in decimetres, for x, y and z: an offset of a garment is
# scaled by the same distance on the person. From the `x_scale`, `y_scale`, `z_scale` of the
# official files (makehumancommunity/makehuman-assets), which the package leaves out.
Scale = tuple[tuple[int, int, float], ...]


def _head(x: float, y: float, z: float) -> Scale:
    return ((5399, 11998, x), (791, 881, y), (962, 5320, z))


MEN, WOMEN = _head(1.4340, 2.4098, 2.0001), _head(1.3980, 2.2048, 1.8461)
HAT = _head(1.4800, 2.3298, 1.9221)
SHOES: Scale = ((12839, 12860, 0.7045), (12828, 12888, 0.5875), (11609, 12442, 2.5390))
BROWS = _head(1.4160, 2.3073, 1.9231)


@dataclass(frozen=True)
class Item:
    """One work: its folder, its kind, its scale, and its textures.

    `relief` says that maps of occlusion and of normals belong to it. `without` names the parts that
    equal those of another work.
    """

    folder: str
    kind: str
    scale: Scale
    textures: tuple[str, ...]
    relief: bool = False
    without: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The last part of the folder."""
        return self.folder.rpartition("/")[2]

    @property
    def mesh(self) -> str:
        """The mesh's file in the package."""
        return f"{FOLDER}proxies/{self.folder}/{self.name}.json"

    def picture(self, name: str) -> str:
        """Return the file of one of its pictures in the package."""
        return f"{FOLDER}proxies/{self.folder}/textures/{name}.png"


def _outfit(name: str, scale: Scale, *without: str) -> Item:
    relief = name != "male_elegantsuit01"
    return Item(f"clothes/{name}", "outfit", scale, (f"{name}_diffuse",), relief, without)


def _shoes(number: int, *without: str) -> Item:
    name = f"shoes0{number}"
    return Item(f"clothes/{name}", "shoes", SHOES, (f"{name}_diffuse",), without=without)


def _hair(name: str, scale: Scale, texture: str = "") -> Item:
    return Item(f"hair/{name}", "hair", scale, (texture or f"{name}_diffuse",))


# The men's jeans are one, and so are the women's T-shirts and all socks.
ITEMS = (
    _outfit("female_casualsuit01", WOMEN),
    _outfit("female_casualsuit02", WOMEN, "top"),
    _outfit("female_elegantsuit01", WOMEN),
    _outfit("female_sportsuit01", WOMEN),
    _outfit("male_casualsuit01", MEN),
    _outfit("male_casualsuit02", MEN),
    *(_outfit(f"male_casualsuit0{k}", MEN, "bottom") for k in range(3, 7)),
    _outfit("male_elegantsuit01", MEN),
    _shoes(1),
    *(_shoes(k, "socks") for k in range(2, 7)),
    Item(
        "clothes/fedora",
        "hat",
        HAT,
        ("fedora_texture", "fedora_texture_black", "fedora_texture_grey"),
    ),
    _hair("afro01", _head(1.7412, 2.7409, 2.2613), "afro_diffuse"),
    _hair("bob01", WOMEN),
    _hair("bob02", WOMEN),
    _hair("Braid01", WOMEN, "braid01_diffuse"),
    _hair("long01", WOMEN),
    _hair("ponytail01", WOMEN),
    _hair("short01", _head(1.6682, 2.8351, 2.3542)),
    _hair("short02", MEN),
    _hair("short03", WOMEN),
    _hair("short04", HAT),
)
EYEBROWS = tuple(
    Item(f"eyebrows/eyebrow{k:03}", "brows", BROWS, (f"eyebrow{k:03}",)) for k in range(1, 13)
)
# Numbers of the brows that the skins of each sex get in turn.
BROWS_OF = {"female": (1, 2, 5, 6, 10, 11), "male": (4, 8, 12, 3, 9, 7)}


@dataclass(frozen=True)
class PaintedSkin:
    """One skin: its picture in the package, and who it is meant for."""

    picture: str
    age: str
    ancestry: str
    sex: str

    @property
    def name(self) -> str:
        """A name of its own, after the picture's variant."""
        second = self.age == "young" and self.picture.endswith("2.png")
        variant = "2" if second else ""
        return f"{self.age}_{self.ancestry}_{self.sex}{variant}"


def _skins() -> tuple[PaintedSkin, ...]:
    tone = {
        "african": ("darkskinned", ""),
        "asian": ("lightskinned", "2"),
        "caucasian": ("lightskinned", ""),
    }
    skins = []
    for age in ("young", "middleage", "old"):
        for ancestry, (colour, ending) in tone.items():
            for sex in ("female", "male"):
                folder = f"{FOLDER}skins/{age}_{ancestry}_{sex}/textures/"
                endings = [ending]
                if age == "young" and ancestry == "asian":
                    endings = ["3"]
                if age == "young" and ancestry == "caucasian":
                    endings = ["", "2"]
                for end in endings:
                    file = f"{folder}{age}_{colour}_{sex}_diffuse{end}.png"
                    skins.append(PaintedSkin(file, age, ancestry, sex))
    return tuple(skins)


SKINS = _skins()
