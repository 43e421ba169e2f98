"""Occluding an image in many positions, computing again only what each position can change."""

from .engine import Occluded, occluded
from .stages import NotStagedError, Read, Stage, Staged, SupportsStages

__all__ = ["NotStagedError", "Occluded", "Read", "Stage", "Staged", "SupportsStages", "occluded"]
