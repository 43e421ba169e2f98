"""What a command is given: models, pictures, methods and their parameters, where to write, who does the work."""
