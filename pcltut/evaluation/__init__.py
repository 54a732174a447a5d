"""Evaluation: how healthy the chains are, and how likely a model makes images that it has not seen."""

from pcltut.evaluation.ais import Evidence, ais_log_evidence, bits_per_dimension
from pcltut.evaluation.bdmc import EvidenceBounds, bdmc
from pcltut.evaluation.color_features import ColorFeatures, load_color_features
from pcltut.evaluation.diagnostics import effective_sample_size, split_rhat
from pcltut.evaluation.feature_training import train_feature_net
from pcltut.evaluation.features import FeatureNet, load_feature_net
from pcltut.evaluation.frechet import frechet_distance, frechet_distance_extrapolated
from pcltut.evaluation.latents import fit_latent_density, refined_latents
from pcltut.evaluation.mmd import kernel_distance
from pcltut.evaluation.neighbors import density_coverage, precision_recall
from pcltut.evaluation.path_bound import ula_path_bound
from pcltut.evaluation.reference import (
    SampleQuality,
    huddled_images,
    pixel_gaussian_samples,
    reference_quality,
    sample_quality,
)

__all__ = [
    "ColorFeatures",
    "Evidence",
    "EvidenceBounds",
    "FeatureNet",
    "SampleQuality",
    "ais_log_evidence",
    "bdmc",
    "bits_per_dimension",
    "density_coverage",
    "effective_sample_size",
    "fit_latent_density",
    "frechet_distance",
    "frechet_distance_extrapolated",
    "huddled_images",
    "kernel_distance",
    "load_color_features",
    "load_feature_net",
    "pixel_gaussian_samples",
    "precision_recall",
    "reference_quality",
    "refined_latents",
    "sample_quality",
    "split_rhat",
    "train_feature_net",
    "ula_path_bound",
]
