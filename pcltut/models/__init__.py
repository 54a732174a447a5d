"""Models: p(x, z) with its likelihoods, q(z given x), networks for both, and the exact linear-Gaussian oracle."""

from pcltut.models.encoders import DiagonalGaussian, GaussianEncoder
from pcltut.models.generative import GenerativeModel
from pcltut.models.hierarchical import HierarchicalGaussian
from pcltut.models.likelihoods import DiscretizedGaussian, Gaussian
from pcltut.models.linear_gaussian import LinearGaussian
from pcltut.models.networks import conv_decoder, conv_encoder, mlp_decoder, mlp_encoder
from pcltut.models.priors import GaussianMixture, LearnedMixture, StandardNormal

__all__ = [
    "DiagonalGaussian",
    "DiscretizedGaussian",
    "Gaussian",
    "GaussianEncoder",
    "GaussianMixture",
    "GenerativeModel",
    "HierarchicalGaussian",
    "LearnedMixture",
    "LinearGaussian",
    "StandardNormal",
    "conv_decoder",
    "conv_encoder",
    "mlp_decoder",
    "mlp_encoder",
]
