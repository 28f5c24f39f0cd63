"""What a measured loss proves: δ, the floors under the information, verdict and sentence.

The door is `certify.certify`, for any encoder and decoder. `floors` and `kernel_modes` bound
I(x; x̂) from below in nats; `diagnostics` measures KL, active units and I(x; z);
`html` prints a certificate. It knows nothing of how a model was trained.
"""
