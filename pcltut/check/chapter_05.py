"""Self-checks of chapter 5, encoder warm starts."""

from pcltut.check.answers import Check

CHECKS = {
    "5.1": Check(
        (0.18, 0.5, 0.3),
        ((0.5, 0.18, 0.3), "Forward and reverse are exchanged: the reverse KL is the narrow one."),
        ((0.18**0.5, 0.5**0.5, 0.3**0.5), "These are standard deviations; give variances."),
        ((1 / 0.18, 0.5, ...), "The first is Lambda_ii, a precision; the variance is one over it."),
        ((0.5, 0.5, 0.5), "Reverse KL does not see S_ii: it sees the variance of a latent when the other is known."),
        (
            (2.0, 0.5, ...),
            "1 / S_ii is no entry of the precision: invert the whole matrix, and then take the diagonal.",
        ),
        ((0.18, 0.5, 0.34), "Jeffreys finds the geometric mean of the two variances, not the arithmetic one."),
        ((0.18, 0.5, 0.09), "Jeffreys' variance is sqrt(S_ii / Lambda_ii); you left out the root."),
        otherwise="Invert the covariance: reverse KL needs Lambda_ii, forward KL S_ii, Jeffreys both.",
        form="Give three numbers in a list: reverse, forward, Jeffreys.",
    ),
    "5.2": Check(
        0.3125,
        (0.25, "That is the posterior's variance, which the reverse KL finds. The chain is ULA: it has a bias."),
        (0.3125**0.5, "That is a standard deviation; give the variance."),
        (3.2, "That is the precision of the chain's law."),
        (0.2, "That is 2 gamma, the noise of one step alone; the chain also keeps a part of its start."),
        (0.15625, "Without the factor 2 in the noise: its variance is 2 gamma."),
        otherwise="Solve D = (1 - gamma lambda)^2 D + 2 gamma.",
    ),
    "5.3": Check(  # fixed points on the chapter's posterior
        0.0313279,
        (0.019, "That is reverse KL's 1 / Lambda_ii, the limit for chains that run no time at all."),
        (0.1, "That is S_ii, which forward KL finds on exact samples; this chain is short."),
        (0.1005277, "That is ULA's stationary variance, which only long chains reach."),
        (0.0865256, "That is the fixed point for gamma = 0.01."),
        (0.176997, "That is a standard deviation; give the variance."),
        (0.0223883, "That is Jeffreys' fixed point, not forward KL's."),
        otherwise="Call fixed_point with num_steps=20 and step_size=0.001, and take one entry.",
        tolerance=0.004,
    ),
    "5.4": Check(
        ([0, 1, 2], [0], [1, 2, 3]),
        (
            ([1, 2, 3], ..., [0, 1, 2]),
            "Decoder and forward KL are exchanged: the decoder learns where the chain evaluates it.",
        ),
        (([0, 1, 2, 3], ..., ...), "At z_3 the decoder is not evaluated any more: it would be a fourth pass."),
        (
            ([0, 1, 2], [0], [0, 1, 2]),
            "z_0 is the encoder's own draw and teaches it nothing: forward KL takes the states after each step.",
        ),
        (([0, 1, 2], [0], [0, 1, 2, 3]), "Without z_0: it is the encoder's own draw."),
        (([0, 1, 2], [0], [3]), "That is encoder_states='last'; the default is 'all'."),
        (([0, 1, 2], [0], ...), "Forward KL takes the states after each step."),
        (([0, 1, 2], ..., ...), "Reverse KL needs the score at the encoder's own draw, and only z_0 is one."),
        otherwise="The decoder learns where the chain evaluates the score: at the states before each step.",
        form="Give three lists of indices: decoder, reverse, forward.",
    ),
    "5.5": Check(
        (10, 11),
        ((11, 10), "The other order: first the case in which both gradients are taken together."),
        ((10, 10), "With the decoder changed, the first score is out of date: it must be taken again."),
        ((10, 20), "Only the score at z_0 must be taken again, not the whole chain."),
        ((11, 11), "The encoder's gradient is a byproduct of the chain's first score: no pass of its own."),
        ((11, 12), "The encoder's gradient is a byproduct when both are taken together."),
        ((11, 21), "z_10 is not evaluated: ten steps are ten passes."),
        otherwise="Count the passes of the chain, then what the encoder adds.",
        form="Give two numbers in a list: together, decoder first.",
    ),
}
