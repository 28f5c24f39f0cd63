"""Training losses of well-known code bases as they stood at one commit, with what is easily missed.

`read`: "code" where the file was read at that commit, "documents" where only its description was,
"known" where it is told from general knowledge and was not looked up.
"""

from __future__ import annotations

from dataclasses import dataclass

from svae_core.clinic.training_loss import TrainingLoss

#: What is said of a loss that was not read in its code.
_NOT_READ = {
    "code": "",
    "documents": "Only its documentation was read.",
    "known": "Its code was not looked up.",
}


@dataclass(frozen=True)
class CodeBase:
    """One code base's default loss; `loss` is None where no gauge of ours is exact."""

    name: str
    title: str
    source: str  # file and commit
    loss: TrainingLoss | None
    remark: str = ""  # a trap that the code holds, or why there is no gauge
    read: str = "code"

    @property
    def note(self) -> str:
        """The remark, and how far its loss was looked up, if not in the code."""
        return " ".join(filter(None, (self.remark, _NOT_READ[self.read])))


def _bce(**how: object) -> TrainingLoss:
    return TrainingLoss(
        reconstruction="binary_cross_entropy",
        scaling="unit interval",
        **how,  # type: ignore[arg-type]
    )


def _se(**how: object) -> TrainingLoss:
    return TrainingLoss(scaling="unit interval", **how)  # type: ignore[arg-type]


_SUMS = {"over_batch": "sum", "kl_over_batch": "sum"}

CODE_BASES = (
    CodeBase(
        "pytorch_examples",
        "PyTorch examples, vae",
        "pytorch/examples vae/main.py 77f55b9",
        _bce(**_SUMS),
    ),
    CodeBase(
        "keras_2016",
        "Keras example of 2016",
        "keras-team/keras examples/variational_autoencoder.py 05e727f",
        _bce(over_coordinates="mean", noise_scale=0.01),
        "The cross-entropy is a mean over pixels and the KL a sum; it lives only because the noise "
        "is multiplied by .01, which multiplies the threshold by .0001.",
    ),
    CodeBase(
        "keras_2",
        "Keras 2.x example, cross-entropy",
        "keras-team/keras examples, version 2",
        _bce(),
        read="known",
    ),
    CodeBase(
        "keras_io",
        "keras.io, generative/vae",
        "keras-team/keras-io generative/vae.py 09e02e1",
        _bce(),
    ),
    CodeBase(
        "antixk_vanilla",
        "PyTorch-VAE, vanilla",
        "AntixK/PyTorch-VAE models/vanilla_vae.py, configs/vae.yaml a6896b9",
        _se(over_coordinates="mean", kl_weight=0.00025),
        "It validates with KL weight 1.0 while it trains with .00025.",
    ),
    CodeBase(
        "antixk_beta",
        "PyTorch-VAE, beta",
        "AntixK/PyTorch-VAE configs/bhvae.yaml a6896b9",
        _se(over_coordinates="mean", kl_weight=0.0025),
        "β = 10 is multiplied by .00025.",
    ),
    CodeBase(
        "antixk_info",
        "PyTorch-VAE, info",
        "AntixK/PyTorch-VAE configs/infovae.yaml a6896b9",
        _se(over_coordinates="mean", factor=10.5, kl_weight=0.0025),
        "A maximum mean discrepancy is added; the gauge leaves it out.",
    ),
    CodeBase(
        "antixk_logcosh",
        "PyTorch-VAE, log cosh",
        "AntixK/PyTorch-VAE configs/logcosh_vae.yaml a6896b9",
        TrainingLoss(
            reconstruction="log_cosh",
            over_coordinates="mean",
            sharpness=10.0,
            kl_weight=0.00025,
            scaling="unit interval",
        ),
    ),
    CodeBase(
        "antixk_betatc",
        "PyTorch-VAE, beta-TC",
        "AntixK/PyTorch-VAE configs/betatc_vae.yaml a6896b9",
        _se(),
        "Of its three parts of the KL the total correlation weighs 6; near the collapsed state "
        "they act as one KL of weight 1 at first order.",
    ),
    CodeBase(
        "pythae",
        "pythae 0.1.2, VAE and BetaVAE",
        "clementchadebec/benchmark_VAE vae_model.py 6419e21",
        _se(factor=0.5),
    ),
    CodeBase(
        "lightning_bolts",
        "Lightning Bolts, VAE",
        "Lightning-Universe/lightning-bolts basic_vae_module.py 34958a8",
        _se(over_coordinates="mean", kl_over_dimensions="mean", kl_weight=0.1),
        "The KL is a mean over latent dimensions too.",
    ),
    CodeBase(
        "scvi",
        "scvi-tools, SCVI",
        "scverse/scvi-tools _vae.py, _trainingplans.py 93dc4fa",
        None,
        "Its reconstruction is a (zero-inflated) negative binomial likelihood; the KL weight grows "
        "from 0 to 1 in 400 epochs, so a run of 20 epochs ends at .05.",
    ),
    CodeBase(
        "latent_diffusion",
        "Latent diffusion, first stage",
        "CompVis/latent-diffusion contperceptual.py a506df5",
        None,
        "An absolute error and a perceptual distance, with KL weight 1e-6: nearly no KL at all.",
    ),
    CodeBase(
        "diffusers",
        "diffusers, autoencoderkl",
        "huggingface/diffusers autoencoderkl/train_autoencoderkl.py cf94b6a",
        _se(kl_weight=1e-6),
        "Pictures there go from -1 to 1, which multiplies λₘₐₓ by 4.",
    ),
    CodeBase(
        "wiseodd",
        "generative-models, vanilla VAE",
        "wiseodd/generative-models vanilla_vae b930d5f",
        _bce(),
    ),
    CodeBase(
        "disentanglement_lib",
        "disentanglement_lib, β-VAE",
        "google-research/disentanglement_lib losses.py, vae.py 86a644d",
        _bce(kl_weight=4.0),
        "β is one of 1, 2, 4, 6, 8, 16; here it is 4.",
    ),
    CodeBase(
        "disentangling_vae",
        "disentangling-vae, betaH",
        "YannDubs/disentangling-vae losses.py f045219",
        _bce(kl_weight=4.0),
        "Its default, betaB, holds the KL at a capacity that grows from 0 to 25 instead.",
    ),
    CodeBase(
        "disentangling_vae_gaussian",
        "disentangling-vae, Gaussian",
        "YannDubs/disentangling-vae losses.py f045219",
        _se(factor=255.0, kl_weight=4.0),
        "The squared error is multiplied by 255.",
    ),
    CodeBase(
        "tfp",
        "TensorFlow Probability example",
        "tensorflow/probability examples/vae.py 05fd85e",
        _bce(),
        "Its prior is a learned mixture; the gauge holds for a standard normal one.",
    ),
    CodeBase(
        "flux",
        "Flux model zoo",
        "FluxML/model-zoo vae_mnist.jl 9309c30",
        _bce(),
        "Its encoder gives log standard deviations, not log-variances.",
    ),
    CodeBase(
        "matlab",
        "MATLAB example",
        "MathWorks, Train Variational Autoencoder; formula of mse read",
        _se(factor=0.5),
        "MATLAB's mse is half the summed squared error, divided by the batch alone.",
        read="documents",
    ),
    CodeBase(
        "lidvae", "lidvae-pytorch", "lidvae-pytorch 7635e42", _se(), "β multiplies the summed KL."
    ),
    CodeBase(
        "sentence_vae",
        "Sentence-VAE",
        "timbmg/Sentence-VAE 4e2c700",
        None,
        "Summed likelihood of tokens under an autoregressive decoder, whose own threshold is far "
        "lower; the KL weight is a logistic function of the step.",
    ),
)
