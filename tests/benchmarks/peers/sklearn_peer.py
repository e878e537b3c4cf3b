"""scikit-learn: MLPClassifier and MLPRegressor, an epoch a call of partial_fit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.neural_network import MLPClassifier, MLPRegressor

from ..cases import Net


def training(net: Net) -> Callable[[Any], Any]:
    x, t = net.numbers()
    target = t.argmax(axis=1) if net.output == "softmax" else t
    base = MLPRegressor if net.output == "linear" else MLPClassifier

    class Model(base):
        """Begins with the weights of the case."""

        def _init_coef(self, *_: Any) -> tuple[Any, Any]:
            return next(self.first)

    def call(order: Any) -> Any:
        model = Model(
            hidden_layer_sizes=net.sizes[1:-1], activation="tanh", solver=net.optimizer, alpha=0, batch_size=net.batch,
            learning_rate_init=net.lr, momentum=0, nesterovs_momentum=False, shuffle=False,
        )  # fmt: skip
        model.first = iter(net.initial())
        classes = {} if net.output == "linear" else {"classes": np.arange(max(2, net.sizes[-1]))}
        losses = []
        for index in order:
            model.partial_fit(*((x, target) if net.whole else (x[index], target[index])), **classes)
            losses.append(model.loss_)
        return list(zip(model.coefs_, model.intercepts_, strict=True)), losses

    return call
