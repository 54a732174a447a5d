"""Evaluation: how healthy the chains are, and how likely a model makes images that it has not seen."""

from pcltut.evaluation.ais import Evidence, ais_log_evidence
from pcltut.evaluation.diagnostics import effective_sample_size, integrated_autocorrelation_time, split_rhat

__all__ = ["Evidence", "ais_log_evidence", "effective_sample_size", "integrated_autocorrelation_time", "split_rhat"]
