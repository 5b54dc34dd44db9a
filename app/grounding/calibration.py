"""From signals to a probability: logistic regressions, calibrated on the sample book's pairs."""

import math

import msgspec

from app.grounding.signals import Signals


class Calibration(msgspec.Struct, frozen=True):
    """`benchmarks/support.py` computes it."""

    constant: float
    weights: Signals

    def score(self, signals: Signals) -> float:
        values = zip(msgspec.structs.astuple(self.weights), msgspec.structs.astuple(signals), strict=True)
        odds = self.constant + sum(weight * value for weight, value in values)
        return (1 + math.tanh(odds / 2)) / 2  # the logistic function, for odds of any size


BY_WORDS = Calibration(
    -5.48,
    Signals(
        coverage=3.04,
        scarce=-6.1,
        unknown=0.59,
        unknown_names=-1.75,
        paired=-0.76,
        poorest_clause=2.38,
        unmeasured=-1.18,
        other_subject=-1.49,
        opposed_clauses=-3.28,
        opposed=-0.77,
        denied=-1.99,
        reversed=-2.05,
        moved=-3.91,
        exchanged=-1.53,
        length=1.27,
    ),
)
WITH_TOKENS = Calibration(
    -2.09,
    Signals(
        coverage=0.35,
        scarce=-1.65,
        unknown=0.53,
        unknown_names=-1.63,
        paired=-0.83,
        poorest_clause=2.31,
        unmeasured=-1.05,
        other_subject=-1.82,
        opposed_clauses=-3.34,
        opposed=-1.43,
        denied=-1.76,
        reversed=-2.37,
        moved=-4.03,
        exchanged=-1.57,
        length=1.11,
        distant=-7.28,
        weak=-4.8,
    ),
)
WITHOUT_TOKENS = Calibration(
    -6.04,
    Signals(
        coverage=2.18,
        scarce=-4.1,
        unknown=0.58,
        unknown_names=-1.59,
        paired=-0.75,
        poorest_clause=2.11,
        unmeasured=-1.23,
        other_subject=-1.19,
        opposed_clauses=-3.35,
        opposed=-0.94,
        denied=-1.8,
        reversed=-2.26,
        moved=-3.99,
        exchanged=-1.5,
        length=0.95,
        cosine=3.0,
    ),
)
