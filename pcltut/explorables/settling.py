"""Inference by steps of gradient ascent on a valley of two latents, and a weight that learns from where it ends."""

from traitlets import Enum, Float, List

from pcltut.explorables.explorable import Explorable, script


class Settling(Explorable):
    r"""The path of :eq:`eq-pc-step` on chapter 2's toy, and the weight that learning from its end makes.

    The toy is linear-Gaussian: three pixels, two latents, curvatures 21.2 and 2.8. By :eq:`eq-pc-contraction` a step
    multiplies the distance along each by :math:`1 - \gamma \lambda`. The view "learn" has one latent, one pixel and
    :math:`\sigma = .5`; its weight climbs :eq:`eq-pc-force`, the mean over data and starts, after chains of 20 states.

    Attributes:
        view: "settle", the path over the energy's valley; or "learn", the weight over many updates.
        step_size: :math:`\gamma`, .02 to .105.
        start: of the path in the view "settle", two numbers.
        variance: :math:`l`, that of the data in the view "learn", .5 to 8.
    """

    _esm = script("settling")

    view = Enum(("settle", "learn"), "settle").tag(sync=True)
    step_size = Float(0.088).tag(sync=True)
    start = List(Float(), [-1.5, 1.6], minlen=2, maxlen=2).tag(sync=True)
    variance = Float(3.0).tag(sync=True)
