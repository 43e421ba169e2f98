"""Surveys: several methods over a data set in one sweep, and the folder that keeps what it gathered."""
