"""The feature network: its committed weights, how they are verified, and the command that made them."""

from pathlib import Path

import pytest
import torch
from oracles import seeded
from safetensors import safe_open
from typer.testing import CliRunner

from pcltut import data
from pcltut.cli import app
from pcltut.evaluation import FeatureNet, frechet_distance, load_feature_net, train_feature_net
from pcltut.evaluation import features as module


def metadata() -> dict[str, str]:
    with safe_open(module.WEIGHTS, framework="pt") as file:
        return file.metadata()


def test_the_committed_network_is_as_accurate_as_its_file_says():
    """2,000 of the official test images: within 4.5 standard errors of the accuracy on all 10,000."""
    test = data.load("fashion-mnist-mini", "test")
    network = load_feature_net()
    accuracy = module.accuracy(network, test.as_float(), test.labels)
    recorded = float(metadata()["test_accuracy"])
    assert recorded >= 0.91
    assert accuracy >= 0.91
    assert abs(accuracy - recorded) < 4.5 * (recorded * (1 - recorded) / len(test)) ** 0.5


def test_the_file_is_small_and_says_where_it_comes_from():
    assert module.WEIGHTS.stat().st_size < 2_000_000
    found = metadata()
    assert found["data"] == "fashion-mnist"
    assert found["command"] == f"python -m pcltut features --epochs {found['epochs']} --seed {found['seed']}"
    assert {"torch", "validation_accuracy"} <= found.keys()


def test_features_are_what_the_classes_are_computed_from_and_do_not_depend_on_the_batch(monkeypatch):
    x = data.load("fashion-mnist-mini", "test")[:30].as_float()
    network = load_feature_net()
    features = network(x)
    assert features.shape == (30, 64)
    assert not features.requires_grad
    whole = network(data.load("fashion-mnist-mini", "test").as_float())
    assert torch.linalg.matrix_rank(whole.T.cov()) == 64
    torch.testing.assert_close(network.logits(x), network.classes(features))
    monkeypatch.setattr(module, "BATCH", 7)
    torch.testing.assert_close(network(x), features)


@pytest.mark.slow
def test_noise_and_blur_move_the_features_away_from_real_images():
    images = data.load("fashion-mnist-mini", "test").as_float()
    real, other = images[:1000], images[1000:]
    network = load_feature_net()
    near = frechet_distance(network(real), network(other))
    blurred = torch.nn.functional.avg_pool2d(other, 5, stride=1, padding=2, count_include_pad=False)
    noisy = (other + 0.5 * torch.randn(other.shape, generator=seeded(0))).clamp(-1, 1)
    assert frechet_distance(network(real), network(blurred)) > 5 * near
    assert frechet_distance(network(real), network(noisy)) > 5 * near


def test_missing_and_altered_weights_are_one_line_errors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    content = bytearray(module.WEIGHTS.read_bytes())
    copy = tmp_path / "feature_net.safetensors"
    monkeypatch.setattr(module, "WEIGHTS", copy)
    with pytest.raises(ValueError, match=r"cannot be read \(No such file or directory\); restore it with"):
        load_feature_net()
    content[-1] ^= 1
    copy.write_bytes(content)
    with pytest.raises(ValueError, match=r"was altered or truncated \(\d+ bytes\); restore it with") as error:
        load_feature_net()
    assert "\n" not in str(error.value)


@pytest.mark.slow
def test_training_repeats_bit_for_bit_and_keeps_the_best_epoch():
    train = data.load("fashion-mnist-mini", "train")[:500]
    validation = data.load("fashion-mnist-mini", "validation")[:200]
    runs = []
    for _ in range(2):
        scores: list[float] = []
        network = train_feature_net(
            train,
            validation,
            generator=seeded(1),
            num_epochs=3,
            batch_size=50,
            report=lambda epoch, score, scores=scores: scores.append(score),
        )
        assert len(scores) == 3
        assert module.accuracy(network, validation.as_float(), validation.labels) == max(scores)
        runs.append(network.state_dict())
    assert max(scores) > 0.5
    assert all(torch.equal(runs[0][name], runs[1][name]) for name in runs[0])


def test_the_command_writes_a_file_that_can_be_read_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    load = data.load
    monkeypatch.setattr(data, "load", lambda name, split, root=None: load("fashion-mnist-mini", split)[:100])
    path = tmp_path / "runs" / "net.safetensors"
    result = CliRunner().invoke(app, ["features", "--epochs", "1", "--seed", "3", "--out", str(path)])
    assert result.exit_code == 0, result.output
    assert "epoch 1 of 1: validation accuracy" in result.stdout
    network, found = module.read_feature_net(path)
    test = load("fashion-mnist-mini", "test")[:100]
    assert found["test_accuracy"] == f"{module.accuracy(network, test.as_float(), test.labels):.4f}"
    assert found["command"] == "python -m pcltut features --epochs 1 --seed 3"
    assert [child.name for child in path.parent.iterdir()] == ["net.safetensors"]


def test_an_untrained_network_follows_its_generator():
    x = torch.zeros(2, 1, 28, 28)
    nets = [FeatureNet(generator=seeded(seed)) for seed in (0, 0, 1)]
    assert torch.equal(nets[0](x), nets[1](x))
    assert not torch.equal(nets[0](x), nets[2](x))
