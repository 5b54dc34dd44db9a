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
    -3.9,
    Signals(
        coverage=2.37,
        scarce=-6.63,
        unknown=0.69,
        unknown_names=0.0,
        paired=-0.99,
        poorest_clause=2.78,
        unsaid=-1.65,
        unmeasured=-1.28,
        other_subject=-0.93,
        opposed_clauses=-2.99,
        opposed=-0.74,
        denied=-1.83,
        reversed=-2.28,
        moved=-2.46,
        exchanged=-1.57,
        length=0.93,
    ),
)
WITH_TOKENS = Calibration(
    -0.84,
    Signals(
        coverage=0.29,
        scarce=0.0,
        unknown=0.56,
        unknown_names=0.0,
        paired=-1.15,
        poorest_clause=1.42,
        unsaid=-1.74,
        unmeasured=-1.02,
        other_subject=-1.24,
        opposed_clauses=-2.93,
        opposed=-1.31,
        denied=-1.6,
        reversed=-2.66,
        moved=-2.73,
        exchanged=-1.68,
        length=1.26,
        weak=-2.59,
        unborne=-12.47,
        strange=-0.31,
    ),
)
WITHOUT_TOKENS = Calibration(
    -5.76,
    Signals(
        coverage=1.74,
        scarce=-4.84,
        unknown=0.62,
        unknown_names=0.0,
        paired=-1.0,
        poorest_clause=2.52,
        unsaid=-0.59,
        unmeasured=-1.25,
        other_subject=-0.74,
        opposed_clauses=-3.15,
        opposed=-0.92,
        denied=-1.61,
        reversed=-2.55,
        moved=-2.47,
        exchanged=-1.55,
        length=0.85,
        cosine=3.29,
    ),
)
