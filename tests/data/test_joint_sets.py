"""The orders of the joint sets are the published ones, and every set finds its way by name."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hmr_edu.data.detections.joint_sets import JOINT_SETS, to_cocoplus
from hmr_edu.keypoints import COCOPLUS, flip_permutation

# As printed: https://github.com/CMU-Perceptual-Computing-Lab/openpose/blob/master/doc/02_output.md,
# https://ai.google.dev/edge/mediapipe/solutions/vision/pose_landmarker, the names of Human3.6M's
# 17 joints in https://github.com/mks0601/3DMPPE_POSENET_RELEASE (data/Human36M/Human36M.py),
# https://cocodataset.org/#keypoints-2020, LSP's https://sam.johnson.io/research/lsp.html.
PUBLISHED = {
    "body25": "Nose Neck RShoulder RElbow RWrist LShoulder LElbow LWrist MidHip RHip RKnee RAnkle "
    "LHip LKnee LAnkle REye LEye REar LEar LBigToe LSmallToe LHeel RBigToe RSmallToe RHeel",
    "openpose18": "Nose Neck RShoulder RElbow RWrist LShoulder LElbow LWrist RHip RKnee RAnkle "
    "LHip LKnee LAnkle REye LEye REar LEar",
    "mediapipe33": "nose left_eye_(inner) left_eye left_eye_(outer) right_eye_(inner) right_eye "
    "right_eye_(outer) left_ear right_ear mouth_(left) mouth_(right) left_shoulder right_shoulder "
    "left_elbow right_elbow left_wrist right_wrist left_pinky right_pinky left_index right_index "
    "left_thumb right_thumb left_hip right_hip left_knee right_knee left_ankle right_ankle "
    "left_heel right_heel left_foot_index right_foot_index",
    "human36m": "Pelvis R_Hip R_Knee R_Ankle L_Hip L_Knee L_Ankle Torso Neck Nose Head L_Shoulder "
    "L_Elbow L_Wrist R_Shoulder R_Elbow R_Wrist",
    "coco17": "nose left_eye right_eye left_ear right_ear left_shoulder right_shoulder left_elbow "
    "right_elbow left_wrist right_wrist left_hip right_hip left_knee right_knee left_ankle "
    "right_ankle",
    # The comment in https://github.com/anibali/eval-mpii-pose and MPII's README.
    "mpii16": "r_ankle r_knee r_hip l_hip l_knee l_ankle pelvis thorax upper_neck head_top r_wrist "
    "r_elbow r_shoulder l_shoulder l_elbow l_wrist",
    "aic14": "right_shoulder right_elbow right_wrist left_shoulder left_elbow left_wrist right_hip "
    "right_knee right_ankle left_hip left_knee left_ankle top_of_the_head neck",
    # `mpii_get_joints.m` of the data set.
    "mpi_inf_3dhp28": "spine3 spine4 spine2 spine pelvis neck head head_top left_clavicle "
    "left_shoulder left_elbow left_wrist left_hand right_clavicle right_shoulder right_elbow "
    "right_wrist right_hand left_hip left_knee left_ankle left_foot left_toe right_hip right_knee "
    "right_ankle right_foot right_toe",
    # `JOINT_NAMES[25:]` of https://github.com/nkolot/SPIN/blob/master/constants.py.
    "spin24": "right_ankle right_knee right_hip left_hip left_knee left_ankle right_wrist "
    "right_elbow right_shoulder left_shoulder left_elbow left_wrist neck top_of_head pelvis thorax "
    "spine jaw head nose left_eye right_eye left_ear right_ear",
    "lsp": "Right_ankle Right_knee Right_hip Left_hip Left_knee Left_ankle Right_wrist Right_elbow "
    "Right_shoulder Left_shoulder Left_elbow Left_wrist Neck Head_top",
}
# Published words that are written otherwise here. Human3.6M's "Nose" lies inside the head.
OTHERWISE = {
    "torso": "spine",
    "upper_neck": "neck",
    "top_of_the_head": "head_top",
    "top_of_head": "head_top",
    "mouth_left": "left_mouth",
    "mouth_right": "right_mouth",
}
OF_HUMAN36M = {"head": "head_top", "nose": "jaw"}
OF_SPIN = {"head": "human36m_head"}


def spelt(word):
    """Spell `RBigToe`, `R_Hip`, `left_eye_(inner)` as `right_big_toe` and so on."""
    word = "".join(f"_{c.lower()}" if c.isupper() else c for c in word).strip("_")
    word = word.replace("__", "_").replace("(", "").replace(")", "")
    for letter, side in (("r_", "right_"), ("l_", "left_")):
        if word.startswith(letter):
            word = side + word.removeprefix(letter)
    return OTHERWISE.get(word, word)


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_orders(name):
    published = [spelt(word) for word in PUBLISHED[name].split()]
    if name == "human36m":
        published = [OF_HUMAN36M.get(word, word) for word in published]
    if name == "spin24":
        published = [OF_SPIN.get(word, word) for word in published]
    assert list(JOINT_SETS[name]) == published


def test_number_of_joints():
    assert {name: len(names) for name, names in JOINT_SETS.items()} == {
        "cocoplus": 19,
        "lsp": 14,
        "coco17": 17,
        "body25": 25,
        "openpose18": 18,
        "human36m": 17,
        "mediapipe33": 33,
        "mpii16": 16,
        "aic14": 14,
        "mpi_inf_3dhp28": 28,
        "spin24": 24,
        "spin19": 19,
    }


@pytest.mark.parametrize(
    ("name", "lacks"),
    [
        ("cocoplus", set()),
        ("lsp", {"nose", "left_eye", "right_eye", "left_ear", "right_ear"}),
        ("coco17", {"neck", "head_top"}),
        ("mediapipe33", {"neck", "head_top"}),
        ("body25", {"head_top"}),
        ("openpose18", {"head_top"}),
        ("human36m", {"nose", "left_eye", "right_eye", "left_ear", "right_ear"}),
    ],
)
def test_what_each_set_lacks_has_no_confidence(name, lacks):
    """Each keypoint arrives with its own coordinates, and nothing is invented."""
    names = JOINT_SETS[name]
    points = torch.stack((torch.arange(len(names)) + 10.0, -torch.arange(len(names)) - 5.0), -1)
    confidence = torch.linspace(0.1, 0.9, len(names))
    mapped, sure = to_cocoplus(points, confidence, names)
    for i, keypoint in enumerate(COCOPLUS):
        if keypoint in lacks:
            assert sure[i] == 0
            assert mapped[i].tolist() == [0, 0]
        else:
            assert sure[i] == confidence[names.index(keypoint)]
            assert mapped[i].tolist() == points[names.index(keypoint)].tolist()
    assert {COCOPLUS[i] for i in range(19) if not sure[i]} == lacks


@pytest.mark.parametrize("name", JOINT_SETS)
def test_every_set_has_its_mirror_image(name):
    order = flip_permutation(JOINT_SETS[name])
    assert [order[i] for i in order] == list(range(len(order)))


@given(st.data())
def test_the_order_of_a_set_does_not_matter(data):
    names = JOINT_SETS[data.draw(st.sampled_from(sorted(JOINT_SETS)))]
    order = data.draw(st.permutations(range(len(names))))
    torch.manual_seed(0)
    points, confidence = torch.randn(2, 3, len(names), 2), torch.rand(2, 3, len(names))
    there = to_cocoplus(points, confidence, names)
    permuted = [names[i] for i in order]
    again = to_cocoplus(points[..., order, :], confidence[..., order], permuted)
    assert torch.equal(there[0], again[0])
    assert torch.equal(there[1], again[1])


def test_coordinates_without_confidence_are_zero():
    points, confidence = torch.full((17, 2), torch.nan), torch.zeros(17)
    points[3], confidence[3] = torch.tensor((5.0, 6.0)), 0.4
    mapped, sure = to_cocoplus(points, confidence, JOINT_SETS["coco17"])
    assert torch.isfinite(mapped).all()
    assert mapped[COCOPLUS.index("left_ear")].tolist() == [5, 6]
    assert sure.count_nonzero() == 1


def test_gradients_flow():
    points = torch.randn(25, 2, dtype=torch.float64, requires_grad=True)
    mapped, sure = to_cocoplus(points, torch.ones(25).double(), JOINT_SETS["body25"])
    assert mapped.dtype == sure.dtype == torch.float64
    mapped.sum().backward()
    assert points.grad.sum() == 2 * 18


def test_wrong_numbers_of_joints():
    with pytest.raises(ValueError, match="17 points and 17 confidences given for a set of 25"):
        to_cocoplus(torch.zeros(17, 2), torch.zeros(17), JOINT_SETS["body25"])
    with pytest.raises(ValueError, match="no joint of the set is a keypoint of"):
        to_cocoplus(torch.zeros(1, 2), torch.zeros(1), ("tail",))
    with pytest.raises(ValueError, match="nose more than once"):
        to_cocoplus(torch.zeros(2, 2), torch.zeros(2), ("nose", "nose"))
