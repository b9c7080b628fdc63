"""One line that tells how a run goes: share done, speed, loss, time left; silent when stderr is no terminal."""

from __future__ import annotations

from types import TracebackType

from tqdm import tqdm


class RunProgress:
    """A progress bar over the share of the run that is done."""

    def __init__(self, *, shown: bool) -> None:
        self._bar: tqdm[None] = tqdm(
            total=1.0, disable=None if shown else True, bar_format="{percentage:5.1f}% |{bar:20}| {postfix}", leave=False
        )

    def __enter__(self) -> RunProgress:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._bar.close()

    def show(self, *, share: float, minutes: float, step: int, plies_per_s: float, loss: float) -> None:
        """Renew the line."""
        left = minutes / share * (1 - share) if share > 0 else 0.0
        self._bar.n = min(share, 1.0)
        self._bar.set_postfix_str(f"step {step}  loss {loss:.3f}  {plies_per_s:,.0f} plies/s  {max(left, 0):.1f} min left")
