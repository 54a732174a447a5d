"""How `FeatureNet` is trained: plain classification, with the best epoch chosen on the validation split."""

import copy
from collections.abc import Callable

import torch
from torch import nn

from pcltut.arguments import whole_number
from pcltut.data import Images, batches
from pcltut.evaluation.features import FeatureNet, accuracy

LEARNING_RATE, WEIGHT_DECAY = 2e-3, 5e-2


def train_feature_net(
    train: Images,
    validation: Images,
    *,
    generator: torch.Generator,
    num_epochs: int = 10,
    batch_size: int = 100,
    report: Callable[[int, float], None] = lambda epoch, accuracy: None,
) -> FeatureNet:
    """Train on one split, and keep the weights of the epoch that is most accurate on the other.

    Cross-entropy, AdamW, a learning rate that falls linearly to zero. The same generator state gives the same bits on
    the same machine with the same number of threads.

    Args:
        report: called after each epoch with its number and the validation accuracy.
    """
    num_epochs, batch_size = whole_number("num_epochs", num_epochs), whole_number("batch_size", batch_size)
    network = FeatureNet(generator=generator)
    optimizer = torch.optim.AdamW(network.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    total = num_epochs * -(-len(train) // batch_size)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, total_iters=total)
    best, weights = -1.0, network.state_dict()
    for epoch in range(1, num_epochs + 1):
        for batch in batches(train, batch_size, generator=generator):
            optimizer.zero_grad()
            nn.functional.cross_entropy(network.logits(batch.x), batch.labels).backward()
            optimizer.step()
            schedule.step()
        score = accuracy(network, validation.as_float(), validation.labels)
        report(epoch, score)
        if score > best:
            best, weights = score, copy.deepcopy(network.state_dict())
    network.load_state_dict(weights)
    return network.eval().requires_grad_(False)
