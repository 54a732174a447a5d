"""A crowd of preconditioned Langevin walkers on a stretched Gaussian posterior, with M learned in four ways."""

from traitlets import Enum, Float, Int

from pcltut.explorables.explorable import Explorable, script


class Stretched(Explorable):
    r"""Walkers of :eq:`eq-precond-step` on a Gaussian of precision :math:`\Lambda = \mathrm{diag}(1, \kappa)`.

    Beside the posterior stand the crowd's measured ellipse, the variance of the stiff and of the soft direction over
    the true one, and the steps that the soft direction took to forget its start. M is that of :eq:`eq-rms` with
    :math:`\epsilon = 10^{-8}` and without a divergence term, as `RMSPreconditioner` has it.
    Where M is a constant, the stationary variance of :eq:`eq-precond-stability` stands beside the measured one. With an
    M of each walker's own the known moments of that class stand there, where they apply: a direction of curvature
    :math:`\lambda` and step :math:`\gamma` is a standard normal with step :math:`\gamma \sqrt \lambda` in its own
    units.

    Attributes:
        ratio: :math:`\kappa`, stiff curvature over soft, 1 to 400.
        step_size: :math:`\gamma`, .001 to 1.
        preconditioner: "none" (M = I), "datum" (each walker its own), "batch" (one for the crowd) or "frozen" (one for
            the crowd, which then stays as it is).
        decay: b of the running mean: .5, .9, .99 or .999.
        freeze_after: updates before a frozen M stays as it is.
        walkers: how many there are.
        seed: of start and noise.
    """

    _esm = script("stretched")

    ratio = Float(100.0).tag(sync=True)
    step_size = Float(0.01).tag(sync=True)
    preconditioner = Enum(["none", "datum", "batch", "frozen"], "none").tag(sync=True)
    decay = Float(0.9).tag(sync=True)
    freeze_after = Int(200).tag(sync=True)
    walkers = Int(300).tag(sync=True)
    seed = Int(0).tag(sync=True)
