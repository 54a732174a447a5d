"""Trains the two small decoders that chapter 7's explorable shows at seven times of their training.

``python book/_tools/make_snapshots.py`` writes ``pcltut/explorables/snapshots.safetensors``, in half precision, since
it is shipped inside the page. It takes about a minute on one thread; other processors give slightly other weights.
"""

import torch
from torch import nn

from pcltut.data import load
from pcltut.experiments.run import SCHEDULES
from pcltut.explorables.snapshots import COMPONENTS, UPDATES, WEIGHTS, chosen_images, new_model
from pcltut.files import save_tensors
from pcltut.models import mlp_encoder
from pcltut.samplers import RMSPreconditioner
from pcltut.training import LPC, VAE, TrainingState, train_until

ALGORITHMS = {"LPC": LPC(5, 0.15, preconditioner=RMSPreconditioner(decay=0.9, share="batch")), "VAE": VAE()}


def principal_components(images):
    """The first components, each in units of its standard deviation, and the mean image, in half precision."""
    flat = images.flatten(1)
    _, values, directions = torch.linalg.svd(flat - flat.mean(0), full_matrices=False)
    components = directions[:COMPONENTS].T * values[:COMPONENTS] / len(flat) ** 0.5
    return components.half().float(), flat.mean(0).half().float()


def cosine(update):
    return 4e-3 * SCHEDULES["cosine"](update / UPDATES[-1])


def main():
    torch.set_num_threads(1)
    train = load("fashion-mnist-mini", "train")
    components, mean = principal_components(train.as_float())
    tensors = {"components": components, "mean": mean}
    for name, algorithm in ALGORITHMS.items():
        generator = torch.Generator().manual_seed(0)
        model = new_model(components, mean, generator=generator)
        encoder = mlp_encoder(train.event_shape, 2, hidden=(128, 64), generator=generator)
        options = {"encoder": encoder, "batch_size": 100, "learning_rate": cosine, "generator": generator}
        state = TrainingState.init(algorithm, model, train, **options)
        found = {"weights": [], "log_scale": [], "guesses": []}
        for update in UPDATES:
            train_until(state, update)
            q = encoder(chosen_images())
            found["weights"].append(nn.utils.parameters_to_vector(model.decoder[0].parameters()))
            found["log_scale"].append(model.likelihood.log_scale.clone())
            found["guesses"].append(torch.cat([q.mean, q.log_scale], -1))
        tensors |= {f"{name}.{key}": torch.stack(values) for key, values in found.items()}
    save_tensors(WEIGHTS, {name: tensor.half() for name, tensor in tensors.items()}, {})


if __name__ == "__main__":
    main()
