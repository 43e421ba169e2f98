"""Style networks trained on any model as the loss."""
