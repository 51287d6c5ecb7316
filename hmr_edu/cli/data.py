"""`hmr-edu data`: which data sets can be read, and what is in one on the disk."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from hmr_edu.io.ranges import Range, Seed, ranged

if TYPE_CHECKING:
    from hmr_edu.data.photos.check import PeopleReport

SHOWN = 10  # problems that are printed


def command(args: Sequence[str]) -> None:
    """Look through a data set of photographs, or list those that can be read."""

    @ranged
    def check(
        data: Annotated[str, tyro.conf.Positional],
        split: Literal["train", "test"] = "train",
        least: Annotated[int, Range(1, 19)] = 6,
        pictures: Annotated[int, Range(0, 10_000_000)] = 200,
        sheet: Path | None = None,
        people: Annotated[int, Range(1, 1000)] = 16,
    ) -> None:
        """Look through a data set: what there is, how many people are usable, what is wrong.

        Args:
            data: NAME=PATH, as `--data` of training takes it, or a path whose data set is
                recognised. `hmr-edu data list` has the names.
            split: which part of the data set.
            least: keypoints that a usable person must have.
            pictures: how many pictures are opened, evenly chosen; of all others it is looked
                whether they are there.
            sheet: also draw people with their joints here (PNG).
            people: how many people the sheet shows.
        """
        from hmr_edu.data.photos.check import check_people
        from hmr_edu.data.photos.data_sets import open_data_set
        from hmr_edu.data.photos.recognise import named_path
        from hmr_edu.io.errors import DataError
        from hmr_edu.io.files import PICTURES, check_output

        check_output(sheet, PICTURES)
        name, path = named_path(data)
        table = open_data_set(name, path, split)
        report = check_people(table, least, pictures)
        print(f"{name}: {path}, {split}")
        print("\n".join(lines(report, least)))
        if not len(report.usable):
            raise DataError(f"{path}: nobody in it is usable")
        if sheet is not None:
            from hmr_edu.viz.pictures import save_picture
            from hmr_edu.viz.sheets.people_sheet import people_sheet

            save_picture(sheet, people_sheet(table, report.usable, people))
            print(f"drawn: {sheet}; the person's left is orange, right is blue")

    def list_() -> None:
        """List the data sets that can be read: name, what it is, its files, licence, source."""
        from hmr_edu.data.photos.data_sets import DATA_SETS

        for name, data_set in DATA_SETS.items():
            print(f"{name:14s} {data_set.help}")
            facts = [
                *(("layout", line) for line in data_set.layout),
                ("licence", data_set.licence),
                ("source", data_set.source),
            ]
            for what, fact in facts:
                print(f"{'':14s} {what:8s} {fact}")

    @ranged
    def make(
        layout: Annotated[Literal["coco", "lsp"], tyro.conf.Positional],
        folder: Annotated[Path, tyro.conf.Positional],
        pictures: Annotated[int, Range(1, 1_000_000)] = 200,
        size: Annotated[int, Range(16, 2048)] = 128,
        split: Literal["train", "test"] = "train",
        seed: Seed = 0,
    ) -> None:
        """Write a small data set of synthetic people, for trying: pictures and 2D keypoints.

        Args:
            layout: whose layout it has.
            folder: for annotations and pictures.
            pictures: how many; one person in each.
            size: pixels along each side.
            split: of COCO; LSP has both in one file.
            seed: random seed; the same seed gives the same people.
        """
        from hmr_edu.body import load_body
        from hmr_edu.data.photos.write_sets import write_set
        from hmr_edu.data.poses.prior import load_pose_prior
        from hmr_edu.data.synthetic.people import SyntheticConfig, SyntheticPeople

        data = SyntheticConfig(image_size=size, batch_size=min(pictures, 50), fill=(0.6, 0.8))
        people = SyntheticPeople(load_body("lite"), load_pose_prior(), data, seed)
        write_set(layout, folder, people, pictures, split)
        print(f"{pictures} pictures: hmr-edu data check {layout}={folder}")

    commands = {"check": check, "list": list_, "make": make}
    tyro.extras.subcommand_cli_from_dict(commands, prog="hmr-edu data", args=args)  # ty: ignore[no-matching-overload]


def lines(report: PeopleReport, least: int) -> list[str]:
    """Return what is printed of a report."""
    counts = (
        ("pictures", report.pictures, ""),
        ("opened", report.looked_at, ""),
        ("people", report.people, ""),
        ("with 3D", report.with_3d, ""),
        ("with pose", report.with_pose, ""),
        ("with shape", report.with_shape, ""),
        ("usable", len(report.usable), f"people with {least} keypoints and a picture"),
    )
    said = [f"  {what:10s} {count:>9,}  {words}".rstrip() for what, count, words in counts]
    if report.left_out:
        said.append("left out")
        said += [f"  {count:>9,}  {why}" for why, count in sorted(report.left_out.items())]
    kinds: dict[str, int] = {}
    for problem in report.problems:
        kinds[problem.kind] = kinds.get(problem.kind, 0) + 1
    said.append("problems" if kinds else "problems: none")
    said += [f"  {count:>9,}  {kind}" for kind, count in sorted(kinds.items())]
    first = report.first(SHOWN)
    if len(first) < len(report.problems):
        said.append(f"the first {len(first)}")
    said += [f"  {problem.file}: {problem.words}" for problem in first]
    return said
