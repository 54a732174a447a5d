"""Four starts of a Langevin chain on one correlated posterior: which is first there?"""

from traitlets import Float, Int

from pcltut.explorables.explorable import Explorable, script


class FirstThere(Explorable):
    r"""The exact law of :eq:`eq-ula`'s chain from each start, and its distance :eq:`eq-start-gap` from the posterior.

    The posterior of two latents has mean (.8, .8), variances .1 and a correlation that the reader drags. Three starts
    are the encoders of :eq:`eq-encoder-optima`, with variances :math:`1 / \Lambda_{ii}`, :math:`S_{ii}` and
    :math:`\sqrt{S_{ii} / \Lambda_{ii}}`; the fourth is the prior.

    Attributes:
        correlation: of the posterior, 0 to .97.
        steps: :math:`T`, 0 to 100.
        step_size: :math:`\gamma`, .0005 to .02.
    """

    _esm = script("first_there")

    correlation = Float(0.9).tag(sync=True)
    steps = Int(10).tag(sync=True)
    step_size = Float(0.002).tag(sync=True)
