"""Presets against the libraries whose default output they promise, run side by side: `make parity`.

Not here: innvestigate 2.1.2, which needs TensorFlow below 2.15 and NumPy below 2 and so does not run beside Keras 3.
Without a preset: zennit's occlusion, which shows each window instead of covering it; tf-explain's, which subtracts from
one, not from the image's own score; tf-explain's SmoothGrad, which differentiates a cross-entropy, another target;
xplique's checks by randomised weights, which lie between 0 and 1 there, and its AverageStability, a mean, no maximum.
"""
