from .batch import Batch
from .detections.detector import detect_people
from .detections.files import read_detections
from .detections.formats import Detection
from .detections.joint_sets import JOINT_SETS, to_cocoplus
from .photos.annotations import AnnotatedPerson, read_annotations
from .photos.calibration import View, read_cameras
from .photos.crops import read_crop
from .photos.pictures import EXAMPLES, read_photo
from .photos.source import AnnotatedPhotos
from .poses.formats.clip import Clip
from .poses.formats.registry import read_clips
from .poses.import_motion import ImportOptions, import_motion, save_motion
from .poses.mocap import Mocap, find_mocap, load_mocap
from .poses.prior import PosePrior, load_pose_prior
from .poses.real_poses import RealPoses, load_real_poses
from .source import BatchSource, Mixture, batch_seed
from .synthetic.appearance import APPEARANCES, AppearanceConfig
from .synthetic.people import PoseSource, SyntheticConfig, SyntheticPeople
from .synthetic.scenes import paint_scenes

__all__ = [
    "APPEARANCES",
    "EXAMPLES",
    "JOINT_SETS",
    "AnnotatedPerson",
    "AnnotatedPhotos",
    "AppearanceConfig",
    "Batch",
    "BatchSource",
    "Clip",
    "Detection",
    "ImportOptions",
    "Mixture",
    "Mocap",
    "PosePrior",
    "PoseSource",
    "RealPoses",
    "SyntheticConfig",
    "SyntheticPeople",
    "View",
    "batch_seed",
    "detect_people",
    "find_mocap",
    "import_motion",
    "load_mocap",
    "load_pose_prior",
    "load_real_poses",
    "paint_scenes",
    "read_annotations",
    "read_cameras",
    "read_clips",
    "read_crop",
    "read_detections",
    "read_photo",
    "save_motion",
    "to_cocoplus",
]
