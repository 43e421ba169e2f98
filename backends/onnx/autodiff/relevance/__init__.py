"""Backward rules other than the derivative: kernel rules, ratio and secant slopes, stopped norms, halved products."""
