"""Langevin paths there and back, and the bounds on the evidence that their weights give from below and from above."""

from traitlets import Enum, Float, Int

from pcltut.explorables.explorable import Explorable, script


class PathWeights(Explorable):
    r"""Paths of :eq:`eq-path-bound` from the prior to the posterior and back, beside the law of their log-weights.

    The model is the toy of chapter 4 along the one direction about which :math:`x` tells anything,
    :math:`x = \sqrt 8 \, z + e`; it has the same evidence. Forward paths start at the prior, backward ones at exact
    draws of the posterior, and both are weighted by the same :math:`\log w`. Its mean over the former bounds
    :math:`\log p(x)` from below, over the latter from above, at every step size.

    Attributes:
        num_steps: :math:`T`, 1 to 256, of one path.
        step_size: :math:`\gamma`, .005 to .2; above 2/9 the last steps are not stable.
        schedule: what the t-th step follows, the bridge :eq:`eq-bridge` with :math:`b_t = t / T` ("annealed") or always
            the posterior ("plain").
        x: the datum, -5 to 5.
        seed: of starts and noise.
    """

    _esm = script("path_weights")

    num_steps = Int(16).tag(sync=True)
    step_size = Float(0.05).tag(sync=True)
    schedule = Enum(["annealed", "plain"], "annealed").tag(sync=True)
    x = Float(4.0).tag(sync=True)
    seed = Int(0).tag(sync=True)
