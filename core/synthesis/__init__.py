"""Making pictures by optimisation: parameterisation, transforms, objective, steps, saved runs."""
