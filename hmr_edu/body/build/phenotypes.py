"""Sampled adults: their properties (age, sex, height, weight ...) and their mix of shape targets.

A target file is named after its properties, such as
`female-young-maxmuscle-averageweight-minheight`. The coefficient of a target is the product of the
weights of the words in its name. The weights of one property are interpolated linearly between its
words (MakeHuman's macro targets).
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from hmr_edu.body.build.source import CALIBRATION, MPFB2, Archive

# Position of each word on the scale of its property; words for babies and children are left out.
ANCHORS: dict[str, dict[str, float]] = {
    "age": {"young": 2 / 3, "old": 1.0},
    "gender": {"male": 0.0, "female": 1.0},
    "muscle": {"minmuscle": 0.0, "averagemuscle": 0.5, "maxmuscle": 1.0},
    "weight": {"minweight": 0.0, "averageweight": 0.5, "maxweight": 1.0},
    "height": {"minheight": 0.0, "maxheight": 1.0},
    "proportions": {"idealproportions": 0.0, "uncommonproportions": 1.0},
    "cupsize": {"mincup": 0.0, "averagecup": 0.5, "maxcup": 1.0},
    "firmness": {"minfirmness": 0.0, "averagefirmness": 0.5, "maxfirmness": 1.0},
}
RACES = ("african", "asian", "caucasian")
FOLDERS = ("macrodetails/", "macrodetails/height/", "macrodetails/proportions/", "breast/")
AGES = (20.0, 70.0)


def target_words(name: str) -> tuple[str, ...] | None:
    """Return the words of a target file's name; None when it is not a shape of adults."""
    stem = name.removeprefix(MPFB2 + "targets/")
    folder, _, file = stem.rpartition("/")
    known = {word for words in ANCHORS.values() for word in words} | set(RACES)
    words = [w for w in file.removesuffix(".target.gz").split("-") if w != "universal"]
    if folder + "/" not in FOLDERS or not set(words) <= known:
        return None
    return tuple(words)


def adult_targets(archive: Archive) -> dict[str, tuple[str, ...]]:
    """Return the target files that adults are mixed from, with the words of their names."""
    named = ((name, target_words(name)) for name in archive.names if name.endswith(".target.gz"))
    return {name: words for name, words in named if words}


def sample_adults(
    archive: Archive, count: int, generator: np.random.Generator
) -> dict[str, Float[np.ndarray, " count"]]:
    """Sample adults of both sexes: a value in [0, 1] for each property and each race.

    Height, weight, muscle and proportions depend on age and sex by the package's calibration to
    height and body-mass tables. The rest, including the blend of the sexes, is uniform.
    """
    sexes = [archive.read_tensors(f"{CALIBRATION}{name}.pth") for name in ("boys", "girls")]
    years = generator.uniform(*AGES, count)
    ages = sexes[0]["morphological_age_mapping"]
    people = {
        "gender": generator.uniform(0, 1, count),
        "age": np.interp(
            years, ages["morphological_age_anchors"].numpy(), ages["anny_age_anchors"].numpy()
        ),
    }
    for name in ("height", "weight", "muscle", "proportions"):
        draws = []
        for sex in sexes:
            table = {k: v.numpy() for k, v in sex[f"conditional_{name}_distribution"].items()}
            alpha, beta = (
                np.interp(people["age"], table["age_anchors"], table[f"{parameter}_anchors"])
                for parameter in ("alpha", "beta")
            )
            draws.append(generator.beta(alpha, beta))
        people[name] = np.where(people["gender"] <= 0.5, *draws)
    for name in ("cupsize", "firmness", *RACES):
        people[name] = generator.uniform(0, 1, count)
    return people


def coefficients(
    people: dict[str, Float[np.ndarray, " count"]], targets: list[tuple[str, ...]]
) -> Float[np.ndarray, "count targets"]:
    """Return the coefficient of each target for each person."""
    weight = {}
    for name, words in ANCHORS.items():
        places = np.array(list(words.values()))
        for column, word in enumerate(words):
            weight[word] = np.interp(people[name], places, np.eye(len(places))[column])
    total = sum(people[race] for race in RACES)
    weight |= {race: people[race] / total for race in RACES}
    return np.stack([np.prod([weight[w] for w in words], axis=0) for words in targets], axis=1)
