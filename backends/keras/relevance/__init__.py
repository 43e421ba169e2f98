"""Backward rules beyond rectifiers: kernels, slopes, normalisations and products, put into the gradient of a graph.

TensorFlow's own `tf.gradients` asks each operation for its gradient and nothing else. A rule needs more: the whole
linear map of a layer, or an activation function that is written out in several operations. So a modified model
differentiates its traced graph by `sweep.pull_back`, which takes the registered gradients and, where there is a rule,
that instead. The graph itself is not changed, and nothing global is.
"""
