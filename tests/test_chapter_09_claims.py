"""Every sentence of chapter 9 that states a result is that of the committed file."""

import inspect
import re
import statistics

import pytest
from chapters import prose

from pcltut.evaluation import refined_latents
from pcltut.experiments import (
    difference,
    load_results,
    load_search,
    paired_interval,
    summarize,
    values_by_seed,
    verdict,
)
from pcltut.experiments.tables import best_scale

RESULTS, SEARCH = load_results("headline"), load_search("headline")["methods"]
SHORT, TIMED = load_results("headline-320"), load_results("headline-30s")
CLAIM, INCREMENTAL = "lpc-jeffreys-shared", "lpc-incremental"
OF_SAMPLES = ("frechet_extrapolated", "kernel_distance", "precision", "recall", "coverage")
FITTED = tuple(f"{name}_fitted" for name in OF_SAMPLES)


def mean(key: str, column: str) -> float:
    return summarize(RESULTS, key, "end", column).mean


def lead(key: str, column: str = "log_evidence", over: str = "vae") -> float:
    return difference(RESULTS, key, "end", column, over).mean


def width(key: str, column: str = "log_evidence", over: str = "vae") -> float:
    return difference(RESULTS, key, "end", column, over).half_width


def seconds(key: str) -> float:
    batches = {run["method"]: run["curve"]["iteration"][-1] for run in RESULTS["runs"]}
    return RESULTS["costs"]["seconds_an_iteration"][key] * batches[key]


def of_seeds(key: str) -> list[float]:
    return sorted(values_by_seed(RESULTS, key, "end", "log_evidence").values())


# A pattern with one group a number, and the numbers; they must agree as they are printed.
NUMBERS = [
    (r"log-evidence is (\d+) nats an image above the VAE's", [lead(CLAIM)]),
    (r"by Fréchet distance: (\d+) against (\d+)", [mean(CLAIM, FITTED[0]), mean("vae", FITTED[0])]),
    (r"(\d+) seconds of training instead of (\d+)", [seconds(CLAIM), seconds("vae")]),
    (r"by (\d+) nats, in (\d+) seconds", [lead(INCREMENTAL), seconds(INCREMENTAL)]),
    (r"It is (\d+) ± (\d+) nats ahead of the VAE", [lead(CLAIM), width(CLAIM)]),
    (r"and (\d+) ahead of IWAE\(10\)", [lead(CLAIM, over="iwae-10")]),
    (
        r"the VAE rises by (\d+) nats and LPC by (\d+)",
        [mean(key, "log_evidence_3000") - mean(key, "log_evidence_checked") for key in ("vae", CLAIM)],
    ),
    (
        r"standard deviation (\d\.\d\d) against the VAE's (\d\.\d\d)",
        [mean(key, "encoder_scale") for key in (CLAIM, "vae")],
    ),
    (r"it gains (\d+) ± (\d+) nats", [lead(INCREMENTAL), width(INCREMENTAL)]),
    (
        r"Fréchet distance is (\d+) against the VAE's (\d+)",
        [mean(key, "frechet_extrapolated_draws") for key in (INCREMENTAL, "vae")],
    ),
    (r"takes (\d+\.\d) times a VAE's", [seconds(CLAIM) / seconds("vae")]),
    (
        r"of predictive coding is (\d+) nats, of plain LPC (\d+), of LPC with a shared \$M\$ (\d+) and (\d+)",
        [statistics.median(of_seeds(key)) for key in ("pc", "lpc-reverse", "lpc-reverse-shared", CLAIM)],
    ),
    (r"log-evidence is (-\d+) ± (\d+) nats\. Ten steps", [lead("vae-10"), width("vae-10")]),
    (r"(\d+) nats more than the VAE with the same samples", [lead("iwae-10")]),
    (
        r"reverse KL end (-?\d\.\d) ± (\d\.\d) nats apart",
        [lead(CLAIM, over="lpc-reverse-shared"), width(CLAIM, over="lpc-reverse-shared")],
    ),
    (
        r"smaller Fréchet distance, by (\d+) ± (\d+)",
        [
            -lead(CLAIM, "frechet_extrapolated", over="lpc-reverse-shared"),
            width(CLAIM, "frechet_extrapolated", over="lpc-reverse-shared"),
        ],
    ),
    (
        r"the five seeds end at (\d+) nats where \$\\tau = 1\$ has (\d+)",
        [mean(key, "log_evidence") for key in ("lpc-tempered", "lpc-reverse-shared")],
    ),
    (
        r"Fréchet distance there is (\d+) against (\d+)",
        [mean(key, "frechet_extrapolated") for key in ("lpc-tempered", "lpc-reverse-shared")],
    ),
    (r"precision falls to (\.\d\d), the lowest", [mean("lpc-tempered", "precision")]),
]


def at_320(key: str, column: str = "log_evidence") -> float:
    return summarize(SHORT, key, "end", column).mean


def lead_at_320(key: str, column: str = "log_evidence", over: str = "vae") -> tuple[float, float]:
    """Mean and half width of the difference after 320 updates."""
    return difference(SHORT, key, "end", column, over)[:2]


NUMBERS += [
    (r"LPC leads by (\d+) ± (\d+) nats, and from", lead_at_320(CLAIM)),
    (r"at (-\d+) nats against (-\d+), and a Fréchet", [at_320(CLAIM), mean("vae", "log_evidence")]),
    (r"Fréchet distance of (\d+) against (\d+), it comes near", [at_320(CLAIM, FITTED[0]), mean("vae", FITTED[0])]),
    (r"LPC is (\d+) ± (\d+) nats ahead of it", lead_at_320(CLAIM, over="hoffman")),
    (r"In Fréchet distance LPC is ahead by (\d+)", [-lead_at_320(CLAIM, FITTED[0], "hoffman")[0]]),
    (r"gaps of the two sandwiches \((\d+) and (\d+)\)", [at_320(key, "bdmc_gap") for key in (CLAIM, "hoffman")]),
    (r"images, (\d+) ± (\d+) are left", lead_at_320(CLAIM, "log_evidence_3000", "hoffman")),
    (r"it ends (\d+) nats below the VAE's 1,600", [mean("vae", "log_evidence") - at_320(CLAIM)]),
    (
        r"1,600, after (\d+) seconds instead of (\d+)",
        [320 * SHORT["costs"]["seconds_an_iteration"][CLAIM], seconds("vae")],
    ),
    (r"has a gap of (\d+) nats for the VAE and of (\d+) for LPC", [mean(key, "bdmc_gap") for key in ("vae", CLAIM)]),
    (r"the (\d+) nats by which this row leads the VAE", [lead("hoffman")]),
    (r"nor the (\d+) by which it trails LPC", [lead(CLAIM, over="hoffman")]),
    (r"gains (\d+) nats in (\d+) batches", [lead_at_320(INCREMENTAL)[0], 320 / 10]),
    (r"after 320 updates (\d+) nats, and ahead in all five", [lead_at_320(CLAIM)[0]]),
]


def at_30s(key: str, column: str = "log_evidence") -> float:
    return summarize(TIMED, key, "end", column).mean


def lead_at_30s(key: str, column: str = "log_evidence", over: str = "vae") -> tuple[float, float]:
    """Mean and half width of the difference in equal time."""
    return difference(TIMED, key, "end", column, over)[:2]


def batches_at_30s(key: str) -> int:
    return next(run["curve"]["iteration"][-1] for run in TIMED["runs"] if run["method"] == key)


def seconds_at_30s(key: str) -> float:
    return TIMED["costs"]["seconds_an_iteration"][key] * batches_at_30s(key)


NUMBERS += [
    (
        r"(\d),(\d+) for the VAE, (\d),(\d+) for IWAE\(10\), (\d),(\d+) for Hoffman's method, (\d),(\d+) for LPC with",
        [part for key in ("vae", "iwae-10", "hoffman", CLAIM) for part in divmod(batches_at_30s(key), 1000)],
    ),
    (r"and (\d+) batches of twenty steps", [batches_at_30s(INCREMENTAL)]),
    (r"Incremental LPC is (\d+) ± (\d+) nats ahead of the VAE and ahead of every", lead_at_30s(INCREMENTAL)),
    (r"every other finalist, of LPC by (\d+) ± (\d+)", lead_at_30s(INCREMENTAL, over=CLAIM)),
    (
        r"of the five, (\d+) against the VAE's (\d+), and the largest recall",
        [at_30s(key, FITTED[0]) for key in (INCREMENTAL, "vae")],
    ),
    (r"in precision behind, by (0\.\d+) ± (0\.\d+)", [abs(x) for x in lead_at_30s(INCREMENTAL, "precision_fitted")]),
    (r"LPC is (\d+) ± (\d+) nats ahead of the VAE, but no longer", lead_at_30s(CLAIM)),
    (r"distance is larger by (\d+) ± (\d+), and its coverage", lead_at_30s(CLAIM, FITTED[0])),
    (r"after equal updates, is (\d+) behind in equal time", [-lead_at_30s("iwae-10")[0]]),
    (r"row is (\d+) ± (\d+) nats ahead of the VAE, and the ruler", lead_at_30s("hoffman")),
    (r"has a gap of (\d+) nats, and with 3,000", [at_30s("hoffman", "bdmc_gap")]),
    (r"the lead is (\d+) ± (\d+)\.", lead_at_30s("hoffman", "log_evidence_3000")),
    (
        r"seconds are (\d+), incremental LPC's (\d+) and LPC's (\d+)",
        [seconds_at_30s(key) for key in ("vae", INCREMENTAL, CLAIM)],
    ),
    (
        r"in thirty of them (\d+) nats more than the VAE, .* and (0\.\d+) less precision",
        [lead_at_30s(INCREMENTAL)[0], -lead_at_30s(INCREMENTAL, "precision_fitted")[0]],
    ),
    (r"\(in equal time (\d+) less\)", [-lead_at_30s("iwae-10")[0]]),
]


@pytest.mark.parametrize(("pattern", "expected"), NUMBERS, ids=[pattern for pattern, _ in NUMBERS])
def test_numbers_in_prose(pattern: str, expected: list[float]):
    found = re.search(pattern, prose(9))
    assert found, f"the sentence is gone: {pattern}"
    for text, value in zip(found.groups(), expected, strict=True):
        decimals = len(text.partition(".")[2])
        assert float(text) == pytest.approx(round(value, decimals)), f"{pattern}: {text} is {value:.3f}"


def test_at_equal_updates_the_claim_is_ahead_in_all_but_precision():
    assert verdict(RESULTS, CLAIM, "end", ("log_evidence", *FITTED)) == "+++.++"
    for rival in ("iwae-10", "vae-10", "hoffman"):
        assert difference(RESULTS, CLAIM, "end", "log_evidence", rival).excludes_zero
        assert lead(CLAIM, over=rival) > 0


def test_from_the_normal_prior_it_leads_in_no_measure_of_samples():
    assert verdict(RESULTS, CLAIM, "end", OF_SAMPLES) == "....-"


def test_with_320_updates_the_claim_is_ahead_in_everything_but_one_precision():
    assert verdict(SHORT, CLAIM, "end", ("log_evidence", *FITTED)) == "++++++"
    assert verdict(SHORT, CLAIM, "end", OF_SAMPLES) == "++-++"
    assert verdict(SHORT, INCREMENTAL, "end", ("log_evidence", *FITTED, *OF_SAMPLES)).count("-") == 0
    hoffman = {column: difference(SHORT, CLAIM, "end", column, "hoffman").excludes_zero for column in FITTED}
    assert [hoffman[column] for column in FITTED] == [True, True, False, False, False]
    assert sorted(SHORT["methods"], key=at_320)[-2:] == ["hoffman", CLAIM]


def acceptances(results: dict) -> list[float]:
    """Mean acceptance of the last batch of Hoffman's method, run by run."""
    return [run["curve"]["acceptance"][-1] for run in results["runs"] if run["method"] == "hoffman"]


def test_hoffmans_chains_stand_still_after_1600_updates_and_move_after_320():
    assert acceptances(RESULTS) == [0.0] * 5
    found = re.search(r"end with an acceptance of (\.\d\d) to (\.\d\d)", prose(9))
    assert [f"{value:.2f}"[1:] for value in (min(acceptances(SHORT)), max(acceptances(SHORT)))] == list(found.groups())
    steps = {run["hyperparameters"]["step_size"] for run in RESULTS["runs"] if run["method"] == "hoffman"}
    assert len(steps) == 1 and "step_schedule" not in SEARCH["hoffman"]["fixed"]


def test_the_second_best_trial_of_hoffmans_method_moves():
    trials = SEARCH["hoffman"]["trials"]
    second, best = sorted(trials, key=lambda trial: trial["curve"][-1]["log_evidence"])[-2:]
    assert trials.index(best) == SEARCH["hoffman"]["best_trial"]
    assert trials.index(second) == SEARCH["hoffman"]["best_trial_by"]["frechet"]
    assert [round(trial["curve"][-1]["log_evidence"], 1) for trial in (best, second)] == [24.6, 22.6]
    assert [round(trial["curve"][-1]["acceptance"], 2) for trial in (best, second)] == [0, 0.97]
    assert second["hyperparameters"]["step_size"] < 0.1 * best["hyperparameters"]["step_size"]


def test_in_equal_time_the_incremental_form_leads_and_the_other_has_worse_samples_than_the_vae():
    assert verdict(TIMED, INCREMENTAL, "end", ("log_evidence", *FITTED)) == "++.-+."
    assert verdict(TIMED, INCREMENTAL, "end", OF_SAMPLES) == "....-"
    for rival in TIMED["methods"].keys() - {INCREMENTAL}:
        for column in ("log_evidence", FITTED[0], "recall_fitted"):
            assert difference(TIMED, INCREMENTAL, "end", column, rival).excludes_zero, (rival, column)
        assert lead_at_30s(INCREMENTAL, over=rival)[0] > 0 > lead_at_30s(INCREMENTAL, FITTED[0], rival)[0]
        assert lead_at_30s(INCREMENTAL, "recall_fitted", rival)[0] > 0
    assert verdict(TIMED, CLAIM, "end", ("log_evidence", *FITTED)) == "+--..-"
    assert verdict(TIMED, CLAIM, "end", OF_SAMPLES) == "--+--"
    assert 4 < batches_at_30s("vae") / batches_at_30s(CLAIM) < 4.3  # "four times as many"
    assert [f"{value:.2f}"[1:] for value in (min(acceptances(TIMED)), max(acceptances(TIMED)))] == [".86", ".93"]


def test_what_is_not_settled_in_equal_time():
    searched = load_search("headline-30s")["methods"]
    assert {key for key in searched if searched[key]["not_settled"]} == {"vae", "iwae-10", "hoffman"}
    assert (
        searched[INCREMENTAL]["hyperparameters"]["num_steps"]
        == 20
        == max(trial["hyperparameters"]["num_steps"] for trial in searched[INCREMENTAL]["trials"])
    )
    assert searched[CLAIM]["hyperparameters"]["num_steps"] == 7
    best, doubled = searched[INCREMENTAL]["refinement"][:2]
    assert doubled["hyperparameters"]["learning_rate"] == pytest.approx(2 * best["hyperparameters"]["learning_rate"])
    assert round(doubled["curve"][-1]["log_evidence"]) == -943


def test_what_is_not_settled_at_320_updates():
    moved = {}
    for key, found in load_search("headline-320")["methods"].items():
        ends = [point["curve"][-1]["log_evidence"] for point in found["refinement"]]
        moved[key] = (round(ends[found["chosen"]] - ends[0]), ends[0], bool(found["not_settled"]))
    assert {key: gain for key, (gain, _, _) in moved.items()} == {
        "vae": 0,
        INCREMENTAL: 0,
        "iwae-10": 25,
        "hoffman": 16,
        CLAIM: 71,
    }
    assert sum(unsettled for _, _, unsettled in moved.values()) == 3
    points = load_search("headline-320")["methods"][CLAIM]["refinement"]
    rates = [points[i]["hyperparameters"]["learning_rate"] for i in (0, 1)]
    assert rates[1] == pytest.approx(2 * rates[0], rel=1e-3)
    before = {key: first for key, (_, first, _) in moved.items()}
    assert round(before[CLAIM] - before["vae"]) == 24
    assert before[CLAIM] < min(before["hoffman"], before[INCREMENTAL])


def test_incremental_lpc_is_ahead_in_evidence_and_frechet_and_behind_in_nothing():
    assert verdict(RESULTS, INCREMENTAL, "end", ("log_evidence", *FITTED)) == "++...."
    assert seconds(INCREMENTAL) < seconds("vae")


def test_the_lead_in_evidence_is_larger_than_the_ruler_could_be_wrong():
    gaps = [mean(key, "bdmc_gap") for key in ("vae", CLAIM)]
    assert lead(CLAIM) > 2 * max(gaps)
    for column in ("log_evidence_checked", "log_evidence_300", "log_evidence_3000"):
        assert difference(RESULTS, CLAIM, "end", column).excludes_zero
    assert lead(CLAIM, "log_evidence_3000") > lead(CLAIM, "log_evidence_checked")


def test_from_the_normal_prior_predictive_coding_leads_in_frechet_and_trails_in_what_samples_show():
    assert verdict(RESULTS, "pc", "end", OF_SAMPLES) == "++---"
    ahead = [key for key in RESULTS["methods"] if set(verdict(RESULTS, key, "end", OF_SAMPLES[2:])) == {"+"}]
    assert not ahead


def test_seeds_fail_without_a_shared_preconditioner_and_not_with_it():
    shared = ("lpc-reverse-shared", CLAIM, "lpc-tempered", INCREMENTAL)
    assert [sum(value < 0 for value in of_seeds(key)) for key in ("pc", "lpc-reverse", *shared)] == [2, 1, 0, 0, 0, 0]
    assert all(of_seeds(key)[-1] - of_seeds(key)[0] < 7 for key in shared)  # "within seven nats"
    with_noise = (0.435, 0.515)
    ranges = {"pc": (0.415, 0.46), **dict.fromkeys(("lpc-reverse", "lpc-reverse-shared", CLAIM), with_noise)}
    for key, (low, high) in ranges.items():
        coverage = values_by_seed(RESULTS, key, "end", "coverage_fitted")
        evidence = values_by_seed(RESULTS, key, "end", "log_evidence")
        assert all(low < coverage[seed] < high for seed, value in evidence.items() if value > 0)


def test_the_loss_of_the_encoder_is_not_decided():
    for column in ("log_evidence", *FITTED):
        assert not difference(RESULTS, CLAIM, "end", column, "lpc-reverse-shared").excludes_zero, column
    assert difference(RESULTS, CLAIM, "end", "frechet_extrapolated", "lpc-reverse-shared").excludes_zero
    assert lead(CLAIM, "encoder_scale", over="lpc-reverse-shared") > 0


def test_ten_draws_gain_a_vae_next_to_nothing_and_iwae_is_behind_in_nothing():
    assert verdict(RESULTS, "vae-10", "end", ("log_evidence", *FITTED)) == "..+..."
    assert "-" not in verdict(RESULTS, "iwae-10", "end", ("log_evidence", *FITTED))


def test_stretched_the_vae_and_iwae_are_closer_than_the_claim():
    best = {
        key: [best_scale(curve)["frechet"] for curve in values_by_seed(RESULTS, key, "end", "over_scales").values()]
        for key in ("vae", "iwae-10", CLAIM)
    }
    means = {key: sum(values) / len(values) for key, values in best.items()}
    assert means["iwae-10"] < means["vae"] < means[CLAIM]


def test_what_else_is_decided_where_the_prior_is_stretched():
    def stretched(key: str, column: str) -> list[float]:
        curves = values_by_seed(RESULTS, key, "end", "over_scales")
        return [best_scale(curves[seed])[column] for seed in sorted(curves)]

    def shown(column: str) -> list[str]:
        return [f"{statistics.mean(stretched(key, column)):.2f}"[1:] for key in (CLAIM, "iwae-10")]

    found = re.search(r"more precision, (\S+) against (\S+), and less recall, (\S+) against (\S+)\. Beside", prose(9))
    assert list(found.groups()) == [*shown("precision"), *shown("recall")]
    for rival, decided in (("iwae-10", {"frechet", "density", "precision", "recall"}), ("vae", {"frechet"})):
        columns = ("frechet", "density", "coverage", "precision", "recall")
        pairs = {column: paired_interval(stretched(CLAIM, column), stretched(rival, column)) for column in columns}
        assert {column for column in columns if pairs[column].excludes_zero} == decided


def test_the_order_of_fitted_samples_holds_on_both_networks():
    def ranked(sampler: str, network: str) -> list[str]:
        return sorted(RESULTS["methods"], key=lambda key: mean(key, f"frechet_extrapolated{sampler}{network}"))

    for network in ("", "_second"):
        order = ranked("_fitted", network)
        assert set(order[:3]) == {"pc", "lpc-reverse-shared", CLAIM} and set(order[-2:]) == {"vae", "vae-10"}
    assert [ranked("", network).index("lpc-tempered") + 1 for network in ("", "_second")] == [1, 7]


def test_the_sizes_that_the_rules_name():
    setting = RESULTS["setting"]
    assert (setting["latent_dim"], setting["hidden"]) == (32, [256, 256])
    assert (setting["initial_scale"], setting["batch_size"]) == (0.4, 100)
    fixed = SEARCH["hoffman"]["fixed"]
    assert (fixed["num_steps"], fixed["num_leapfrog"]) == (2, 4)
    assert {SEARCH[key]["fixed"]["num_steps"] for key in SEARCH if key.startswith(("lpc", "pc"))} == {10}


def test_stretching_the_prior_helps_every_method_without_heat():
    for key in set(RESULTS["methods"]) - {"lpc-tempered"}:
        for curve in values_by_seed(RESULTS, key, "end", "over_scales").values():
            assert best_scale(curve)["frechet"] < curve["test"]["frechet"][curve["scale"].index(1.0)], key


def test_no_seed_of_the_rows_that_need_no_tuning_to_spare_fails():
    for key in (CLAIM, INCREMENTAL, "vae"):
        assert max(of_seeds(key)) - min(of_seeds(key)) < 20, key


def ends(key: str, column: str) -> list[float]:
    """A validation measure at the end of each trial of a method that did not fail, in the order of the trials."""
    return [trial["curve"][-1][column] for trial in SEARCH[key]["trials"] if trial["curve"] and not trial["failed"]]


def lost_by_frechet(key: str) -> float:
    """Nats of validation log-evidence between the best trials by log-evidence and by Frechet distance."""
    evidence, frechet = ends(key, "log_evidence"), ends(key, "frechet")
    return max(evidence) - evidence[frechet.index(min(frechet))]


def chosen(key: str) -> float:
    """Validation log-evidence of the point that was chosen."""
    return SEARCH[key]["refinement"][SEARCH[key]["chosen"]]["curve"][-1]["log_evidence"]


def refined(key: str) -> list[float]:
    """Validation log-evidence of a method's best trial with another seed, and of its four neighbors."""
    return [point["curve"][-1]["log_evidence"] for point in SEARCH[key]["refinement"]]


def test_how_far_choices_moved():
    gains = {key: chosen(key) - refined(key)[0] for key in SEARCH if SEARCH[key]["not_settled"]}
    assert (round(min(gains.values())), round(max(gains.values())), round(gains["vae"])) == (1, 35, 23)


def test_a_cliff_is_near_at_twice_the_decoders_rate():
    for key in ("pc", INCREMENTAL, "lpc-reverse-shared", "lpc-tempered"):
        best, doubled = SEARCH[key]["refinement"][:2]
        rates = [point["hyperparameters"]["learning_rate"] for point in (best, doubled)]
        assert rates[1] == pytest.approx(2 * rates[0], rel=1e-3) and refined(key)[1] < refined(key)[0] - 200
    assert round(refined("pc")[1]) == -341


def test_incremental_lpc_needs_the_refinement():
    drawn = tuple(f"{name}_draws" for name in OF_SAMPLES)
    assert verdict(RESULTS, INCREMENTAL, "end", (drawn[0], drawn[1], drawn[3], drawn[4])) == "----"
    assert verdict(RESULTS, INCREMENTAL, "end", OF_SAMPLES) == "--+--"
    steps = inspect.signature(refined_latents).parameters["num_steps"].default
    setting, passes = RESULTS["setting"], 1600
    assert (steps, setting["test"]["num_latents"]) == (30, 3000)  # "30 passes for each of 3,000 images"
    assert 0.5 < steps * setting["test"]["num_latents"] / (passes * setting["batch_size"]) < 0.6  # "more than half"


def test_what_the_search_says():
    assert sum(bool(found["not_settled"]) for found in SEARCH.values()) == 9 and len(SEARCH) == 10
    spans = [max(ends(key, "log_evidence")) - min(ends(key, "log_evidence")) for key in SEARCH]
    assert round(min(spans), -2) == 300 and round(max(spans), -2) == 3500
    means = [mean(key, "log_evidence") for key in RESULTS["methods"]]
    assert min(spans) > max(means) - min(means)
    assert lost_by_frechet("vae") < 20 and min(lost_by_frechet(key) for key in ("pc", "lpc-reverse")) > 150


def test_a_free_temperature_found_less():
    hot = SEARCH["lpc-tempered"]
    assert hot["hyperparameters"]["temperature"] == pytest.approx(1.64, abs=0.005)
    assert mean("lpc-tempered", "precision") == min(mean(key, "precision") for key in RESULTS["methods"])
