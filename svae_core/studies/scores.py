"""Scores of compared runs, and tables of their mean and spread over seeds.

Free of torch: the web server and the figures use scores; `measure` computes them.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from svae_core.certificate.diagnostics import VERDICTS
from svae_core.methods import scan_methods, title_of
from svae_core.own_data.names import inert
from svae_core.records import Certificate, Options, Settings
from svae_core.studies.job import Measure

#: The method whose training time the others' is compared with.
REFERENCE = "baseline"
#: Seconds of a batch below which times are not compared: some systems count in steps of 1/64 s.
SHORTEST_TIMED = 0.2
#: The column that says it.
TIME_RATIO = "CPU time ÷ conventional VAE's"


@dataclass(frozen=True)
class Score:
    """One compared run: its certificate and further measures. NaN where a measure is undefined."""

    settings: Settings
    certificate: Certificate | None = None
    refused: str = ""  # one sentence if it cannot be trained: an empty band, an invalid option
    position: float = math.nan  # (D − W)/(δ − W), with the δ of the settings
    error: float = math.nan  # summed squared error of sampled reconstructions, in data space
    log_likelihood: float = math.nan  # nats per point, see measure.log_likelihood
    likelihood_part: str = ""  # training | held-out: which points it was measured on
    ari: float = math.nan  # adjusted Rand index of K-means on sampled latents …
    nmi: float = math.nan  # … and normalised mutual information
    agreement: str = ""  # labels | clusters: the classes that ARI and NMI refer to
    accuracy: float = math.nan  # 5-nearest-neighbour accuracy on sampled latents, if labelled
    sensitivity: float = math.nan  # variance of reconstructions over z, as a share of the data's
    seconds: float = math.nan  # of training, this run's share of its batch
    cpu_seconds: float = math.nan  # the same as processor time, of the training steps alone
    batch_runs: int = 0  # how many runs were trained together in that time
    engine: str = ""  # what trained them, see training/trainer


@dataclass(frozen=True)
class Timing:
    """How long a batch of runs of one method took to train."""

    seconds: float  # on the clock
    cpu_seconds: float  # processor time of the training steps alone; nan: not measured
    batch_runs: int
    engine: str

    def of_one_run(self) -> dict[str, Any]:
        """The fields of a run's score."""
        return {
            "seconds": self.seconds / self.batch_runs,
            "cpu_seconds": self.cpu_seconds / self.batch_runs,
            "batch_runs": self.batch_runs,
            "engine": self.engine,
        }


def _of(name: str) -> Callable[[Score], float]:
    return lambda score: float(getattr(score.certificate, name)) if score.certificate else math.nan


def _own(name: str) -> Callable[[Score], float]:
    return lambda score: float(getattr(score, name))


MEASURES = {
    "loss": Measure("D", "", "loss with sampled latents, on the shell", _of("loss")),
    "position": Measure("position", "", "of the loss between W (0) and δ (1)", _own("position")),
    "kl": Measure("KL", "nats", "mean KL from the prior", _of("kl")),
    "mutual_information": Measure(
        "I(x;z)", "nats", "mutual information by the aggregate posterior", _of("mutual_information")
    ),
    "floor": Measure(
        "floor",
        "nats",
        "proved lower bound on the information at this loss",
        lambda score: score.certificate.floors.proved if score.certificate else math.nan,
    ),
    "active_units": Measure(
        "active", "", "latent units whose posterior mean varies", _of("active_units")
    ),
    "sensitivity": Measure(
        "sensitivity",
        "",
        "variance of reconstructions as a share of the data's: 0 when the decoder ignores z",
        _own("sensitivity"),
    ),
    "error": Measure("error", "", "squared error in data space, summed", _own("error")),
    "log_likelihood": Measure(
        "log p(x)", "nats", "importance-sampled bound, at σ² = D/d", _own("log_likelihood")
    ),
    "ari": Measure("ARI", "", "K-means on sampled latents against labels or clusters", _own("ari")),
    "nmi": Measure("NMI", "", "the same as normalised mutual information", _own("nmi")),
    "accuracy": Measure(
        "5-NN", "", "label accuracy of nearest latent neighbours", _own("accuracy")
    ),
    "seconds": Measure("time", "s", "training, this run's share of its batch", _own("seconds")),
    "cpu_seconds": Measure(
        *("CPU time", "s", "processor time of the training steps alone, this run's share"),
        _own("cpu_seconds"),
    ),
}


@dataclass(frozen=True)
class Row:
    """One method on one data set, over all its seeds."""

    dataset: str
    method: str
    guards_kl: str
    guards_information: str
    runs: int
    verdicts: dict[str, int]
    means: dict[str, float]  # by measure, over the seeds where it is defined
    spreads: dict[str, float]  # standard deviation over seeds; nan for one seed
    refused: str = ""
    #: Processor time of its training over that of the conventional VAE's on these data; nan where
    #: the two are not comparable: see `_time_ratio`.
    time_ratio: float = math.nan


def rows(scores: Iterable[Score]) -> tuple[Row, ...]:
    """One row per data set and method, in the order of first appearance."""
    groups: dict[tuple[str, Options, str], list[Score]] = {}
    for score in scores:
        settings = score.settings
        key = settings.dataset, settings.dataset_options, settings.method
        groups.setdefault(key, []).append(score)
    return tuple(
        _row(method, mine, groups.get((data, options, REFERENCE), []))
        for (data, options, method), mine in groups.items()
    )


def data_of(score: Score) -> str:
    """The name of the data; uploaded files are distinguished by their titles."""
    return score.certificate.dataset if score.certificate else score.settings.dataset


def _row(method: str, mine: list[Score], reference: list[Score]) -> Row:
    guard = scan_methods()[method].module.Method
    measured = [score for score in mine if score.certificate is not None]
    means, spreads = {}, {}
    for name, measure in MEASURES.items():
        values = np.array([measure.of(score) for score in measured])
        values = values[np.isfinite(values)]
        means[name] = float(values.mean()) if len(values) else math.nan
        spreads[name] = float(values.std(ddof=1)) if len(values) > 1 else math.nan
    ended = [score.certificate.verdict for score in measured if score.certificate]
    return Row(
        dataset=data_of(mine[0]),
        method=method,
        guards_kl=guard.guards_kl,
        guards_information=guard.guards_information,
        runs=len(measured),
        verdicts={name: ended.count(name) for name in VERDICTS},
        means=means,
        spreads=spreads,
        refused=next((score.refused for score in mine if score.refused), ""),
        time_ratio=_time_ratio(measured, [one for one in reference if one.certificate]),
    )


def _time_ratio(mine: list[Score], reference: list[Score]) -> float:
    """CPU time of a run of `mine` over that of `reference`; nan if they were not trained alike.

    Alike: by the same engine and in batches of the same sizes, for the time of a step depends on
    both. Times too short to be measured have no ratio either.
    """

    def trained(scores: list[Score]) -> set[tuple[str, int]]:
        return {(score.engine, score.batch_runs) for score in scores}

    if not mine or trained(mine) != trained(reference):
        return math.nan
    spent, usual = (float(np.mean([one.cpu_seconds for one in runs])) for runs in (mine, reference))
    together = max(one.batch_runs for one in mine)
    return spent / usual if together * min(spent, usual) >= SHORTEST_TIMED else math.nan


# --------------------------------------------------------------------------------- exports


def to_csv(scores: Iterable[Score]) -> str:
    """One line per run with every measure; no cell can run as a spreadsheet formula."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["dataset", "method", "seed", "sigma2", "beta", "verdict", *MEASURES])
    for score in scores:
        settings = score.settings
        verdict = score.certificate.verdict if score.certificate else f"refused: {score.refused}"
        data = inert(data_of(score))
        head = [data, settings.method, settings.seed, settings.sigma2, settings.beta]
        values = [measure.of(score) for measure in MEASURES.values()]
        writer.writerow([*head, verdict, *("" if math.isnan(v) else f"{v:.6g}" for v in values)])
    return out.getvalue()


def to_latex(found: Iterable[Row], names: tuple[str, ...] = ("loss", "kl", "active_units")) -> str:
    """A LaTeX table of mean ± spread; needs the booktabs package only."""
    head = " & ".join(["data", "method", "certified", *(_latex(MEASURES[n].title) for n in names)])
    lines = [r"\begin{tabular}{ll" + "r" * (len(names) + 1) + "}", r"\toprule", head + r" \\"]
    lines.append(r"\midrule")
    for row in found:
        cells = [
            _latex(row.dataset),
            _latex(title_of(row.method)),
            f"{row.verdicts['certified']}/{row.runs}",
        ]
        cells += [_plus_minus(row, name, r"$\,\pm\,$") for name in names]
        lines.append(" & ".join(cells) + r" \\")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", ""])


def to_markdown(found: Iterable[Row], names: tuple[str, ...] = tuple(MEASURES)) -> str:
    """A Markdown table of mean ± spread, with what each method keeps above 0."""
    titles = [_titled(MEASURES[name]) for name in names]
    head = ["data", "method", "guards KL", "guards information", "certified", "collapsed", *titles]
    head.append(TIME_RATIO)
    lines = ["| " + " | ".join(head) + " |", "| --- " * 4 + "| ---: " * (len(names) + 3) + "|"]
    for row in found:
        cells = [
            row.dataset.replace("|", r"\|"),
            title_of(row.method),
            row.guards_kl or "–",
            row.guards_information or "–",
        ]
        if row.runs == 0:
            cells += [f"refused: {row.refused}", *["–"] * (len(names) + 2)]
        else:
            cells += [f"{row.verdicts[name]}/{row.runs}" for name in ("certified", "collapsed")]
            cells += [_plus_minus(row, name, " ± ") for name in names]
            cells.append("–" if math.isnan(row.time_ratio) else f"{row.time_ratio:.2f}")
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _titled(measure: Measure) -> str:
    return f"{measure.title} ({measure.unit})" if measure.unit else measure.title


def _plus_minus(row: Row, name: str, sign: str) -> str:
    mean, spread = row.means[name], row.spreads[name]
    if math.isnan(mean):
        return "–"
    digits = 1 if abs(mean) >= 100 else 2 if abs(mean) >= 10 else 3
    spread_text = "" if math.isnan(spread) else f"{sign}{spread:.{digits}f}"
    return f"{mean:.{digits}f}{spread_text}"


_TEX = str.maketrans(
    {sign: "\\" + sign for sign in "&%_#${}"}
    | {"~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "\\": r"\textbackslash{}"}
)


#: Signs in titles of methods and measures; σ² comes before σ.
_GREEK = {"σ²": r"$\sigma^2$", "σ": r"$\sigma$", "β": r"$\beta$", "δ": r"$\delta$"}


def _latex(text: str) -> str:
    text = text.translate(_TEX)
    for sign, command in _GREEK.items():
        text = text.replace(sign, command)
    return text
