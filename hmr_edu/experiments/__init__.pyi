from .claims.catalogue import EXPERIMENTS, find
from .design import Experiment, Forecast, changed
from .keypoint_lab import LiftConfig, train_lifter
from .people import draw_people
from .results_table import table
from .runner import PRESET_RECORDS, RECORDS, read_record, run_experiment
from .verdicts import WORDS, claims_table, result, verdict

__all__ = [
    "EXPERIMENTS",
    "PRESET_RECORDS",
    "RECORDS",
    "WORDS",
    "Experiment",
    "Forecast",
    "LiftConfig",
    "changed",
    "claims_table",
    "draw_people",
    "find",
    "read_record",
    "result",
    "run_experiment",
    "table",
    "train_lifter",
    "verdict",
]
