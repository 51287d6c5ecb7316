"""Which joint is the left knee: the names that the common rigs give to the parts of a body."""

from __future__ import annotations

import re
from collections.abc import Sequence

from hmr_edu.io.errors import DataError

# Names of each part, without the side, lower case, without anything but letters and digits.
# CMU's ASF, MotionBuilder (also cgspeed's CMU), Mixamo, Rokoko, Blender, Unreal, 3ds Max's
# Biped, Biovision's first rigs, Poser.
PARTS: dict[str, tuple[str, ...]] = {
    "hip": ("upleg", "upperleg", "thigh", "femur", "hip"),
    "knee": ("leg", "lowleg", "lowerleg", "shin", "calf", "tibia", "knee"),
    "ankle": ("foot", "ankle"),
    "toe": ("toebase", "toe", "toes", "toe0", "ball"),
    "collar": ("collar", "clavicle", "shoulder"),
    "shoulder": ("arm", "uparm", "upperarm", "humerus", "shldr", "shoulder"),
    "elbow": ("forearm", "lowarm", "lowerarm", "radius", "elbow"),
    "wrist": ("wrist", "hand"),
    "hand": ("hand", "wrist"),
}
NEEDED = ("hip", "knee", "ankle", "shoulder", "elbow")
SIDES = {"left": "left", "right": "right", "l": "left", "r": "right"}
_BASES = {name for names in PARTS.values() for name in names} | {"hipjoint", "buttock"}
_WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")
# What a rig puts before every name: "mixamorig:", "Character1_", "Bip01 ", "DEF-".
_PREFIX = re.compile(r"^(?:.*[:|]|character\d*_|bip\d*[ _]|def-|org-|valvebiped\.bip\d*_)", re.I)


def side_and_part(name: str) -> tuple[str, str]:
    """Split a joint's name into its side ("left", "right", "") and the rest, in small letters."""
    words = [word.lower() for word in _WORDS.findall(_PREFIX.sub("", name))]
    for place in (0, -1):
        if len(words) > 1 and words[place] in SIDES:
            side = SIDES[words.pop(place)]
            return side, "".join(words)
    whole = "".join(words)
    for start, side in SIDES.items():
        if whole.startswith(start) and whole.removeprefix(start) in _BASES:
            return side, whole.removeprefix(start)
    return "", whole


def find_joints(names: Sequence[str]) -> dict[str, int]:
    """Return the index of each joint that is known: "left_hip", ..., "head".

    Raises DataError that lists the joints of the file where a needed one is not among them.
    """
    places: dict[tuple[str, str], int] = {}
    for index, name in enumerate(names):
        places.setdefault(side_and_part(name), index)
    found: dict[str, int] = {}
    for side in ("left", "right"):
        for part, words in PARTS.items():
            index = next((places[side, w] for w in words if (side, w) in places), None)
            if index is not None:
                found[f"{side}_{part}"] = index
        # "Shoulder" is the collar in most rigs, the shoulder where the upper arm has no other name.
        if found.get(f"{side}_collar") == found.get(f"{side}_shoulder"):
            found.pop(f"{side}_collar", None)
        # "Leg" is the thigh where the shin has a name of its own: "Leg, Knee".
        shin = next((places[side, w] for w in ("knee", "shin") if (side, w) in places), None)
        if f"{side}_hip" not in found and shin is not None and (side, "leg") in places:
            found[f"{side}_hip"], found[f"{side}_knee"] = places[side, "leg"], shin
    if ("", "head") in places:
        found["head"] = places["", "head"]
    missing = [f"{s}_{p}" for s in ("left", "right") for p in NEEDED if f"{s}_{p}" not in found]
    if missing:
        mapped = set(found.values())
        others = [name for index, name in enumerate(names) if index not in mapped]
        raise DataError(
            f"no joint is known to be {', '.join(missing)}; names without a meaning here: "
            f"{', '.join(others) or 'none'!s:.300}"
        )
    return found
