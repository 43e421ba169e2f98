"""Occluding an image in many positions, computing again only what each position can change."""

from .engine import OccludedActivations, occluded
from .stages import NoStagesError, Stage, StagedNetwork, StageInput, SupportsStages

__all__ = [
    "NoStagesError",
    "OccludedActivations",
    "Stage",
    "StageInput",
    "StagedNetwork",
    "SupportsStages",
    "occluded",
]
