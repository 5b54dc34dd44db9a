"""From signals to a probability: logistic regressions, calibrated on the sample book's pairs."""

import math

import msgspec

from app.chat.signals import Signals


class Calibration(msgspec.Struct, frozen=True):
    """`benchmarks/support.py` computes it."""

    constant: float
    weights: Signals

    def score(self, signals: Signals) -> float:
        values = zip(msgspec.structs.astuple(self.weights), msgspec.structs.astuple(signals), strict=True)
        return 1 / (1 + math.exp(-self.constant - sum(weight * value for weight, value in values)))


BY_WORDS = Calibration(
    -4.73,
    Signals(
        coverage=4.45,
        scarce=-5.5,
        unknown=0.42,
        unknown_names=-1.66,
        paired=-0.7,
        opposed=-1.99,
        denied=-2.92,
        moved=-4.08,
        exchanged=-1.57,
        length=1.18,
    ),
)
WITH_TOKENS = Calibration(
    -5.78,
    Signals(
        coverage=0.12,
        scarce=-4.21,
        unknown=0.34,
        unknown_names=-1.42,
        paired=-0.7,
        opposed=-2.44,
        denied=-2.9,
        moved=-4.12,
        exchanged=-1.53,
        length=1.11,
        similarity=4.67,
        distant=-10.58,
        weakest_quarter=1.61,
    ),
)
WITHOUT_TOKENS = Calibration(
    -5.3,
    Signals(
        coverage=3.1,
        scarce=-3.99,
        unknown=0.4,
        unknown_names=-1.51,
        paired=-0.74,
        opposed=-2.32,
        denied=-2.91,
        moved=-4.34,
        exchanged=-1.51,
        length=0.88,
        cosine=3.27,
    ),
)
