from .animation import write_animated_glb
from .diagrams.course_map import course_map
from .diagrams.loop_map import loop_map
from .diagrams.steps_figure import steps_figure
from .diagrams.trial import dot_rows, step_lines
from .explore import (
    KeypointEditor,
    compare_bodies,
    explore_camera,
    explore_iterations,
    explore_mocap,
    explore_pose,
    explore_prior,
    explore_rotation,
    explore_shape,
    explore_skinning,
)
from .export import write_glb, write_obj, write_ply
from .lesson import draw_pose, figure, front_and_side, show
from .orbit import body_figure
from .palette import (
    BEFORE,
    BLACK,
    BLUE,
    GREEN,
    GREY,
    LEFT,
    MIDDLE,
    ORANGE,
    PREDICTION,
    PURPLE,
    RIGHT,
    SKY,
    TRUTH,
    VERMILLION,
    rgb,
)
from .pictures import (
    PAPER,
    blank_picture,
    contact_sheet,
    draw_body,
    draw_keypoints,
    overlay,
    resize,
    to_picture,
    turntable,
)
from .report.charts import adversary_chart, loss_chart
from .report.html import svg_figure
from .report.page import write_report
from .report.records import read_run, read_samples
from .shading import composite, shade

__all__ = [
    "BEFORE",
    "BLACK",
    "BLUE",
    "GREEN",
    "GREY",
    "LEFT",
    "MIDDLE",
    "ORANGE",
    "PAPER",
    "PREDICTION",
    "PURPLE",
    "RIGHT",
    "SKY",
    "TRUTH",
    "VERMILLION",
    "KeypointEditor",
    "adversary_chart",
    "blank_picture",
    "body_figure",
    "compare_bodies",
    "composite",
    "contact_sheet",
    "course_map",
    "dot_rows",
    "draw_body",
    "draw_keypoints",
    "draw_pose",
    "explore_camera",
    "explore_iterations",
    "explore_mocap",
    "explore_pose",
    "explore_prior",
    "explore_rotation",
    "explore_shape",
    "explore_skinning",
    "figure",
    "front_and_side",
    "loop_map",
    "loss_chart",
    "overlay",
    "read_run",
    "read_samples",
    "resize",
    "rgb",
    "shade",
    "show",
    "step_lines",
    "steps_figure",
    "svg_figure",
    "to_picture",
    "turntable",
    "write_animated_glb",
    "write_glb",
    "write_obj",
    "write_ply",
    "write_report",
]
