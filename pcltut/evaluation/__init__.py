"""Evaluation: how healthy the chains are."""

from pcltut.evaluation.diagnostics import effective_sample_size, integrated_autocorrelation_time, split_rhat

__all__ = ["effective_sample_size", "integrated_autocorrelation_time", "split_rhat"]
