"""Sums of random days as distributions, convolved by Fourier transform; loads numpy.

What the numbers mean is said in `forecast`, which imports this where a distribution is really needed.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.float64]
Spectrum = npt.NDArray[np.complex128]


class Convolution:
    """Distributions of the items done after 1, 2, 4 … days, cut off at what is needed."""

    def __init__(self, sample: Sequence[int], needed: int) -> None:
        self.needed = needed
        self.width = 1 << (2 * needed - 1).bit_length()
        daily = np.bincount([min(n, needed) for n in sample], minlength=needed + 1)[:needed] / len(sample)
        self.wholes: list[Numbers] = [daily]
        self.spectra: list[Spectrum] = [np.fft.rfft(daily, self.width)]

    def spectrum(self, n: int) -> Spectrum:
        """Return the transform of the distribution after 2^n days."""
        while len(self.spectra) <= n:
            self.wholes.append(self.cut(self.spectra[-1] * self.spectra[-1]))
            self.spectra.append(np.fft.rfft(self.wholes[-1], self.width))
        return self.spectra[n]

    def whole(self, n: int) -> Numbers:
        """Return the distribution after 2^n days."""
        self.spectrum(n)
        return self.wholes[n]

    def cut(self, spectrum: Spectrum) -> Numbers:
        """Return the distribution of a transform, without what is needed and more."""
        kept: Numbers = np.maximum(np.fft.irfft(spectrum, self.width)[: self.needed], 0.0)
        return kept

    @property
    def start(self) -> Numbers:
        """The distribution after no day: nothing is done."""
        start = np.zeros(self.needed)
        start[0] = 1.0
        return start

    def after(self, days: int, begun: Numbers | None = None) -> Numbers:
        """Return the distribution after so many days, from `begun` on (None: from nothing done)."""
        there = begun
        for n in range(days.bit_length()):
            if days >> n & 1:
                there = self.whole(n) if there is None else self.cut(self.transform(there) * self.spectrum(n))
        return self.start if there is None else there

    def transform(self, whole: Numbers) -> Spectrum:
        """Return the transform of a distribution."""
        found: Spectrum = np.fft.rfft(whole, self.width)
        return found

    def done_by(self, days: int, begun: Numbers | None = None) -> float:
        """Return the probability that all is done within so many days."""
        return probability(self.after(days, begun))

    def first_day(self, p: float, max_days: int, begun: Numbers | None = None) -> int | None:
        """Lift through the powers of two to the last day on which it is less likely than p."""
        day, so_far = 0, self.transform(begun) if begun is not None else None
        for n in reversed(range(max_days.bit_length())):
            further = self.whole(n) if so_far is None else self.cut(so_far * self.spectrum(n))
            if probability(further) < p:
                day, so_far = day + (1 << n), self.transform(further)
        return day + 1 if day + 1 <= max_days else None


def probability(less: Numbers) -> float:
    """Return how likely it is that nothing is left, from the distribution of having done less."""
    return min(max(round(1.0 - float(less.sum()), 9), 0.0), 1.0) + 0.0
