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
    -3.72,
    Signals(
        coverage=2.35,
        scarce=-6.51,
        unknown=0.69,
        unknown_names=-2.93,
        paired=-0.93,
        poorest_clause=2.71,
        unsaid=-1.66,
        unmeasured=-1.28,
        other_subject=-0.83,
        opposed_clauses=-2.98,
        opposed=-0.75,
        denied=-1.8,
        reversed=-2.27,
        moved=-2.38,
        exchanged=-1.6,
        length=0.88,
    ),
)
WITH_TOKENS = Calibration(
    -0.62,
    Signals(
        coverage=0.23,
        scarce=0.0,
        unknown=0.56,
        unknown_names=-3.0,
        paired=-1.09,
        poorest_clause=1.34,
        unsaid=-1.75,
        unmeasured=-1.03,
        other_subject=-1.14,
        opposed_clauses=-2.92,
        opposed=-1.31,
        denied=-1.55,
        reversed=-2.65,
        moved=-2.64,
        exchanged=-1.71,
        length=1.2,
        weak=-2.57,
        unborne=-12.62,
        strange=-0.31,
    ),
)
WITHOUT_TOKENS = Calibration(
    -5.58,
    Signals(
        coverage=1.73,
        scarce=-4.71,
        unknown=0.62,
        unknown_names=-2.87,
        paired=-0.92,
        poorest_clause=2.44,
        unsaid=-0.6,
        unmeasured=-1.26,
        other_subject=-0.63,
        opposed_clauses=-3.13,
        opposed=-0.91,
        denied=-1.58,
        reversed=-2.54,
        moved=-2.39,
        exchanged=-1.59,
        length=0.79,
        cosine=3.28,
    ),
)
