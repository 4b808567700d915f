"""Running one benchmark after the other."""

from collections.abc import Iterator
from pathlib import Path

from bench.figures import Figure
from bench.suite import Run, check, run_all

FIGURE = Figure(benchmark="b", name="n", value=1, unit="s")


def test_a_benchmark_that_fails_keeps_its_figures_and_lets_the_others_run() -> None:
    def half(run: Run) -> Iterator[Figure]:
        yield FIGURE
        check(False, "all segments are there")

    results = run_all({"half": half, "good": lambda run: [FIGURE]}, full=False, announce=str)
    assert results.figures == [FIGURE, FIGURE]
    (failure,) = results.failures
    assert failure.startswith("half failed:")
    assert "all segments are there" in failure


def test_each_benchmark_has_an_empty_folder_that_is_gone_afterwards() -> None:
    folders: list[Path] = []

    def write(run: Run) -> list[Figure]:
        assert list(run.folder.iterdir()) == []
        (run.folder / "file").touch()
        folders.append(run.folder)
        return []

    assert run_all({"one": write, "two": write}, full=False, announce=str).failures == []
    assert len(set(folders)) == 2
    assert not any(folder.exists() for folder in folders)
