"""Every result that chapter 8 states is what its cells print: numbers as they stand, words by what they promise."""

import re

import pytest
from chapters import cells, prose

PROSE = prose(8)
CODE = [cell for cell in cells(8) if cell.cell_type == "code"]
PRINTED = "\n".join(output.get("text", "") for cell in CODE for output in cell.outputs)
TITLES = "\n".join(re.findall(r'set_title\(\s*"([^"]+)"', "\n".join(cell.source for cell in CODE)))
N = r"(-?\d+(?:\.\d+)?)"

# A sentence, and the printed line that it quotes; their numbers are the same, in the same order.
QUOTED = [
    (rf"costs at most {N} nats an image", rf"log 100 = {N}"),
    (rf"is {N} a good value", rf" memory +-\d+ +{N} "),
    (rf"of 250 real images are {N} apart, two of 4,500 only {N}\.", rf"images: {N}, .*, {N}, extrapolated"),
    (rf"hardly ever falls into a hole: {N} % of its draws", rf"s = 1\.0: +{N}% in holes"),
    (rf"200 draws reach {N} % of the images", rf"s = 1\.0: .* {N}% of the images reached"),
    (rf"where perfect draws reach {N} %", rf"perfect: .* {N}% of the images reached"),
    (rf"right: {N} % in holes, {N} % reached", rf"fitted: +{N}% in holes, {N}% of the images reached"),
    (rf"in the {N} where the encoder.* their mean square is {N}\.", rf"^{N} latents that matter, mean square {N}$"),
]


@pytest.mark.parametrize(("sentence", "line"), QUOTED, ids=[sentence for sentence, _ in QUOTED])
def test_numbers_in_prose(sentence: str, line: str):
    stated, printed = re.search(sentence, PROSE), re.search(line, PRINTED, flags=re.MULTILINE)
    assert stated, f"the sentence is gone: {sentence}"
    assert printed, f"no cell prints {line}"
    for text, value in zip(stated.groups(), printed.groups(), strict=True):
        decimals = len(text.partition(".")[2])
        assert float(text) == pytest.approx(round(float(value), decimals)), f"{sentence}: {text} is {value}"


def row(words: str) -> list[float]:
    """The numbers after the first printed `words`, which may be a pattern, up to the end of the line."""
    found = re.search(rf"(?:{words})(.*)", PRINTED)
    assert found, f"no cell prints {words}"
    return [float(number) for number in re.findall(r"-?\d+(?:\.\d+)?", found[1])]


def states(*sentences: str) -> None:
    for sentence in sentences:
        assert sentence in PROSE or sentence in TITLES, f"the sentence is gone: {sentence}"


def test_more_latents_give_the_better_evidence_and_the_worse_samples():
    states("a difference of some sixty nats", "better by some sixty nats", "a better evidence, and worse samples")
    assert all(abs(row(f"seed {seed}: 32 latents are ahead by")[0] - 60) < 8 for seed in (0, 1))
    for seed in (0, 1):
        many, few = (row(f"{latents} latents, seed {seed}:") for latents in ("32", " 6"))
        assert many[0] > few[0] and many[1] < few[1] and many[2] < few[2]


def test_what_the_evidence_says_of_models_that_nobody_trained():
    states("By evidence, noise comes second and copies come fourth", "but their sum by hundreds")
    order = re.findall(r"^ *(.+?): +-?\d+ nats$", PRINTED, flags=re.MULTILINE)
    assert order[1].startswith("1 %") and order[3] == "memory" and order[4] == "too sure"
    assert 0 < row("halving sigma costs")[0] < 1 and row("too sure:")[0] < -200


def test_how_sure_the_evidence_is():
    states("a few nats are open", "would have hidden tens of nats", "is carried by few odd images")
    assert 1 < row("100 bridges: gap")[0] < 5 and row("300 bridges: gap")[0] < 1
    assert 20 < row("validation images: AIS is")[0] < 90
    assert row("and lowers the mean of 64 by")[0] > 10


def test_what_each_measure_sees():
    columns = ("frechet", "kernel", "density", "coverage", "precision", "recall")
    faults = ("five classes of ten", "50 images, 20 copies", "one in ten is noise", "blurred", "grainy", "means of 20")
    table = {name: dict(zip(columns, row(f"{name} "), strict=True)) for name in (*faults, "real images")}
    floor = table["real images"]

    def share(name: str, column: str) -> float:
        return table[name][column] / floor[column]

    states("to some three fifths when half", "less than a quarter when 50", "Density does not notice either")
    assert 0.55 < share(faults[0], "coverage") < 0.65 and 0.2 < share(faults[1], "coverage") < 0.25
    assert all(share(name, "density") > 0.95 for name in faults[:2])
    states("it loses a tenth when a tenth", "by two fifths and more", "nearly as much as copying everything")
    assert share(faults[2], "density") == pytest.approx(0.9, abs=0.03) and share(faults[2], "coverage") > 0.95
    assert 1.4 < share("means of 20", "density") < 1.5
    assert 0.7 < table[faults[2]]["frechet"] / table[faults[1]]["frechet"] < 1
    assert all(share(name, "frechet") > 5 for name in faults)
    states("**Recall** falls to nothing for blurred images, precision much less")
    assert table["blurred"]["recall"] < 0.05 and share("blurred", "precision") > 0.8


def test_where_the_posteriors_are():
    states("Four draws of the prior in five fall into holes", "less than a third of the prior's draws fall into holes")
    assert 0.75 < float(re.search(r"(\d+)% of the prior's draws lie in holes", PRINTED)[1]) / 100 < 0.85
    assert row("in holes, by refined latents:")[0] < 33
    states("At $s = 2$ a third of the draws are lost there, and the images are reached no better than at $s = 1$")
    near, wide = row(r"s = 1\.0:"), row(r"s = 2\.0:")
    assert wide[0] == pytest.approx(100 / 3, abs=3) and wide[1] <= near[1] + 1
    states("would see only about a quarter of the prior's draws in holes")
    assert row("in holes, one Gaussian sees")[0] == pytest.approx(25, abs=5)
    states("No $s$ gets both right", "The mixture found ten groups")
    assert row("32 latents: (?=.* Gaussians see)")[0] == 10
    fitted = row("fitted:")
    assert all(row(f"s = {s}:")[1] < fitted[1] - 5 for s in ("0.5", "1.0", "1.5", "2.0", "3.0"))


def test_what_a_fitted_density_changes():
    states(
        "The distance halves, and coverage doubles with six latents and triples with 32",
        "ahead by more than 20 at both seeds",
    )
    prior, draws, refined = (
        row(f"\n *{re.escape(name)} +(?=\\d)") for name in ("N(0, I)", "fitted to draws", "fitted to refined")
    )
    for i in range(0, 8, 2):
        assert refined[i] < 0.55 * prior[i] and refined[i + 1] > 1.7 * prior[i + 1]
    leads = [[law[i] - law[i + 4] for i in (0, 2)] for law in (prior, draws, refined)]
    assert min(leads[0]) > 20
    states("they are level with 32 latents, or behind")
    assert all(sum(lead) / 2 < 5 for lead in leads[1:])
    states("But it rises by a few nats")
    assert 2 < row("evidence, 32 latents, fitted:")[0] < 10


def test_each_measure_has_its_stretch():
    stretches = (0.25, 0.5, 1.0, 1.5, 2.0, 3.0)
    curves = dict(zip(stretches, (row(rf"s {s} +(?=-\d)") for s in stretches), strict=True))
    evidence, frechet, density, coverage = ({s: curves[s][i] for s in stretches} for i in range(4))
    states("it moves by a few nats, while the Fréchet distance falls by two fifths")
    assert abs(evidence[1.0] - evidence[2.0]) < 6
    assert frechet[2.0] / frechet[1.0] == pytest.approx(0.6, abs=0.05)
    states("The Fréchet distance is best far to the right, density to the left, coverage in between")
    assert min(frechet, key=frechet.get) == 3.0 and max(frechet, key=frechet.get) == 0.25
    assert max(density, key=density.get) == 0.5 and max(coverage, key=coverage.get) in (1.5, 2.0)
    assert 0.5 < max(evidence, key=evidence.get) < 3
