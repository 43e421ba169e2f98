"""Reverse-mode differentiation of ONNX graphs, one derivative rule per operator."""
