"""Samples under the fitted density: off by default, and beside everything else where a budget declares latents."""

import dataclasses

from tiny_experiment import TINY

from pcltut.experiments import Setting
from pcltut.experiments.run import Run


def test_latents_add_two_metrics_and_change_no_other():
    setting = TINY.setting
    assert setting.validation.num_latents == Setting().validation.num_latents == 0
    with_latents = dataclasses.replace(setting, validation=dataclasses.replace(setting.validation, num_latents=150))
    for algorithm, values in (("vae", {}), ("lpc", {"warm_start": "prior", "num_steps": 2, "step_size": 1e-3})):
        plain, fitted = (
            run.measure(run.build(), "validation")
            for run in (Run(each, algorithm, values, 0) for each in (setting, with_latents))
        )
        assert set(fitted) - set(plain) == {"frechet_fitted", "coverage_fitted"}
        assert plain == {name: fitted[name] for name in plain}
        assert 0 <= fitted["coverage_fitted"] <= 1
        assert fitted["frechet_fitted"] > 0
