"""Read COCO's person keypoints, https://cocodataset.org/#format-data.

A category of people may list other names than COCO's 17, if all of them are in COCO+. Facts that
the file records twice, or that must be unique, are compared.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeGuard

from hmr_edu.data.photos.described import Described, finite_numbers, objects, picture_size
from hmr_edu.io.errors import DataError
from hmr_edu.keypoints import COCO17, COCOPLUS

# A keypoint is not annotated, hidden, or visible.
VISIBILITIES = (0, 1, 2)


def is_coco(content: dict[str, Any]) -> bool:
    """Return whether the content of a JSON file has COCO's layout."""
    return {"images", "annotations"} <= content.keys()


def read_coco(path: Path, content: dict[str, Any]) -> Iterator[Described]:
    """Yield the people who have annotated keypoints, without crowds, in the file's order.

    Annotations of categories with other keypoints are left out. Raises DataError on the first value
    that COCO's definition does not allow, and on facts that contradict each other.
    """
    pictures = _pictures(path, content["images"])
    categories = _categories(path, content)
    numbers: dict[Any, int] = {}
    for number, person in enumerate(objects(content["annotations"], f"{path}: `annotations`")):
        where = f"{path}: annotation {number}"
        _check_unique(person, numbers, number, where)
        names = _names(person, categories, where) if categories else COCO17
        if names is None:
            continue
        if _flag(person.get("iscrowd", 0), f"{where}: `iscrowd`"):
            continue
        picture = person.get("image_id")
        if not _is_number_or_name(picture) or picture not in pictures:
            raise DataError(f"{where} belongs to no image of the file")
        named = _keypoints(person, names, where)
        if not named:
            continue
        box = None
        if "bbox" in person:
            x, y, width, height = finite_numbers(person["bbox"], 4, f"{where}: `bbox`")
            box = (x, y, x + width, y + height)
        yield Described(*pictures[picture], box, named, where)


def _pictures(path: Path, images: Any) -> dict[int | str, tuple[str, tuple[int, int] | None]]:
    """Return the file and the recorded size of each picture by its id."""
    pictures: dict[int | str, tuple[str, tuple[int, int] | None]] = {}
    for image in objects(images, f"{path}: `images`"):
        key, file = image.get("id"), image.get("file_name")
        if not _is_number_or_name(key) or not isinstance(file, str):
            raise DataError(f"{path}: an image without `id` or `file_name`: {image!r:.80}")
        if key in pictures:
            raise DataError(
                f"{path}: two images have the id {key!r}, {pictures[key][0]} and {file}: "
                "it is unknown whose people are whose"
            )
        size = None
        if "width" in image or "height" in image:
            where = f"{path}: image {key!r}"
            size = picture_size(image.get("width"), image.get("height"), where)
        pictures[key] = file, size
    return pictures


def _categories(path: Path, content: dict[str, Any]) -> dict[Any, tuple[str, ...] | None]:
    """Return for each category the names of its keypoints; None where they are not a person's."""
    categories, others = {}, []
    for category in objects(content.get("categories", []), f"{path}: `categories`"):
        listed = category.get("keypoints", [])
        names = COCO17 if listed in ([], list(COCO17)) else _names_of_people(category)
        if names is None:
            others.append(listed)
        key = category.get("id")
        if key is not None and (not _is_number_or_name(key) or key in categories):
            raise DataError(f"{path}: a category's `id` is no number, or another's: {key!r:.60}")
        categories[key] = names
    if others and not any(categories.values()):
        raise DataError(f"{path}: the keypoints are not COCO's 17 but {others[0]!r:.200}")
    return categories


def _names_of_people(category: dict[str, Any]) -> tuple[str, ...] | None:
    """Return the keypoints of a category "person" whose names are of COCO+, each once."""
    listed = category["keypoints"]
    if category.get("name") != "person" or not isinstance(listed, list):
        return None
    known = all(name in COCOPLUS and listed.count(name) == 1 for name in listed)
    return tuple(listed) if known else None


def _names(
    person: dict[str, Any], categories: dict[Any, tuple[str, ...] | None], where: str
) -> tuple[str, ...] | None:
    """Return the names of an annotation's keypoints; None where they are not a person's."""
    category = person.get("category_id")
    if category is None:
        return COCO17
    if not _is_number_or_name(category) or category not in categories:
        listed = ", ".join(map(repr, categories))
        raise DataError(f"{where}: no category has the id {category!r:.60}; {listed:.200} are")
    return categories[category]


def _keypoints(
    person: dict[str, Any], names: tuple[str, ...], where: str
) -> dict[str, list[float]]:
    """Return the annotated keypoints of a person by name."""
    if not person.get("keypoints", []):  # a person, or a ball, without any
        values = [0.0] * (3 * len(names))
    else:
        values = finite_numbers(person["keypoints"], 3 * len(names), f"{where}: `keypoints`")
    named = {}
    for i, name in enumerate(names):
        x, y, v = values[3 * i : 3 * i + 3]
        if v not in VISIBILITIES:
            raise DataError(
                f"{where}: the visibility of {name} is {v:g}; COCO has 0 (not annotated), 1 "
                "(hidden) and 2 (visible)"
            )
        if v:
            named[name] = [x, y]
    recorded = person.get("num_keypoints", len(named))
    if isinstance(recorded, bool) or recorded != len(named):
        raise DataError(
            f"{where}: `num_keypoints` is {recorded!r:.60}, but {len(named)} keypoints have v > 0"
        )
    return named


def _check_unique(person: dict[str, Any], seen: dict[Any, int], number: int, where: str) -> None:
    """Raise DataError when another annotation has the same id."""
    key = person.get("id")
    if key is None:
        return
    if not _is_number_or_name(key):
        raise DataError(f"{where}: `id` must be a whole number, not {key!r:.60}")
    if seen.setdefault(key, number) != number:
        raise DataError(f"{where} has the id {key!r:.60} of annotation {seen[key]}")


def _flag(value: Any, what: str) -> bool:
    if not isinstance(value, int) or value not in (0, 1):
        raise DataError(f"{what} must be 0 or 1, not {value!r:.60}")
    return bool(value)


def _is_number_or_name(value: Any) -> TypeGuard[int | str]:
    return isinstance(value, int | str) and not isinstance(value, bool)
