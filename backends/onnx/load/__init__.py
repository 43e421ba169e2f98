"""Loading: a file becomes a `Graph` of standard operators of one opset, with its inputs prepared."""
