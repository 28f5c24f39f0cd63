"""Pages and figures of the site that are made from the code: `python docs/site/generate.py`.

Into build/docs-made: the command line from `--help`, methods and data sets from their files,
findings from the heads of their scripts, figures of `svae_core.figures`, and Plotly.js, which draws
them, from the installed package.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

os.environ["COLUMNS"] = "78"  # of the help texts, whatever the terminal

from svae_core.__main__ import main
from svae_core.commands import scan_commands
from svae_core.config.plugins import Plugin
from svae_core.datasets import scan_datasets
from svae_core.figures import (
    diversity,
    number_line,
    rate_distortion,
    shell_view,
    unit_gauge,
)
from svae_core.latent.results import load_studies
from svae_core.methods import scan_methods
from svae_core.problem import prepare, sharpened
from svae_core.records import Settings, knobs

ROOT = Path(__file__).resolve().parents[2]
MADE = ROOT / "build" / "docs-made"
_LONGEST_USAGE = 6  # lines; longer ones are replaced by [options]


def commands_page() -> str:
    """Every command with its docstring and its `--help`."""
    parts = [
        "# Command line",
        "Installed as a package, `svae COMMAND` is short for `python -m svae_core COMMAND`. With "
        "`--json`, standard output is one JSON object and nothing else; progress goes to standard "
        "error. Exit status 0: done; 2: the request is wrong, and one sentence says how to correct "
        "it; 1: an answer that asks for attention; 130: stopped by Ctrl-C. These texts are what "
        "`--help` prints, without the options of single [methods](methods.md) and "
        "[data sets](datasets.md), which every command that trains takes as well.",
        f"## svae\n\n{_fenced(_help())}",
    ]
    for name, module in scan_commands().items():
        first, _, rest = (module.__doc__ or "").strip().partition("\n")
        text = "\n\n".join(part for part in (first, rest.strip()) if part)
        parts.append(f"## {name}\n\n{_escaped(text)}\n\n{_fenced(_help(name))}")
    return "\n\n".join(parts) + "\n"


def _help(*command: str) -> str:
    """What `--help` prints, without what other pages list: options of data sets and methods."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.suppress(SystemExit):
        main([*command, "--help"])
    text = re.sub(r"\S*generate\.py|python -m svae_core", "svae", said.getvalue())
    parts, dropped = [], False
    for part in text.split("\n\n"):
        begins = re.match(r"(dataset|method) \S+:", part)
        dropped = bool(begins) or (dropped and part.startswith("  "))
        if not dropped:
            parts.append(part)
    if not command:
        whole = re.sub(r"\s+\{app,[^}]*\}\s+\.\.\.", " COMMAND …", "\n\n".join(parts))
        return re.sub(r"\{app,[^}]*\}", "COMMAND", whole)
    if parts[0].count("\n") > _LONGEST_USAGE:
        where = [" RUN" if "RUN" in part else "" for part in parts if "positional" in part]
        parts[0] = " ".join(["usage: svae", *command, "[options]"]) + "".join(where)
    return "\n\n".join(parts)


def methods_page() -> str:
    """Every training method: title, what it does, what it guards, options, source."""
    parts = [
        "# Methods",
        'A run trains one of these methods: `--method NAME`, or `method="NAME"` of the '
        "estimator. “Keeps” says what a method keeps above 0 by construction: the KL can be large "
        "while the decoder ignores the code, so a method that guards the KL does not guard "
        "information.",
    ]
    for plugin in scan_methods().values():
        method = plugin.module.Method
        kept = [
            f"- Keeps {what}: {how}."
            for what, how in (
                ("the KL", method.guards_kl),
                ("information", method.guards_information),
            )
            if how
        ]
        projected = "is projected onto the shell" if method.projected else "is not projected"
        parts += [_section(plugin), "\n".join([*kept, f"- Its decoder {projected}."])]
        parts += _options(plugin, "method")
    return "\n\n".join(parts) + "\n"


def datasets_page() -> str:
    """Every data set: title, what the data are, terms, options, source."""
    parts = [
        "# Data sets",
        "A data set is named by `--dataset NAME`; a file of your own is named by its path (see "
        "[Own data](researcher.md#own-data)). Only `mnist` is downloaded, when it is first used.",
    ]
    for plugin in scan_datasets().values():
        parts.append(_section(plugin))
        if plugin.licence:
            parts.append(f"- Terms: {_escaped(plugin.licence)}.")
        parts += _options(plugin, "dataset")
    return "\n\n".join(parts) + "\n"


def _section(plugin: Plugin) -> str:
    source = _escaped(plugin.source.removeprefix("Source:").strip())
    return (
        f"## {plugin.name}\n\n**{_escaped(plugin.title)}.** {_escaped(plugin.explanation)}\n\n"
        f"Source: {source}"
    )


def _options(plugin: Plugin, kind: str) -> list[str]:
    known = knobs(plugin.config)
    if not known:
        return []
    rows = [
        f"| `--{plugin.name}.{name.replace('_', '-')}` | `{about.format(about.default)}` | "
        f"{_escaped(about.help).replace('|', chr(92) + '|')} |"
        for name, about in known.items()
    ]
    return [
        "\n".join([f"| option of the {kind} | default | meaning |", "| --- | --- | --- |", *rows])
    ]


def findings_page() -> str:
    """What was found in packages of others, from the head of each script."""
    parts = [
        "# Findings",
        "Surprises in packages that this project stands on, each with a script that shows it. A "
        "script exits with 0 while it is so, and with 1 once it has changed.",
    ]
    for path in sorted((ROOT / "findings").glob("*.sh")):
        lines = path.read_text("utf-8").splitlines()[1:]
        head = [
            line[1:].strip()
            for line in lines[: next(i for i, s in enumerate(lines) if s[:1] != "#")]
        ]
        paragraphs = "\n".join(head).split("\n\n")
        title = path.stem.replace("_", " ").capitalize()
        parts.append(f"## {title}")
        for paragraph in paragraphs:
            first, _, rest = paragraph.partition("\n")
            if first.startswith("Output seen") and first.endswith(":"):
                parts += [_escaped(first), _fenced(rest)]
            else:
                parts.append(_escaped(paragraph))
        parts.append(f"The script: [{path.name}](../findings/{path.name}).")
    return "\n\n".join(parts) + "\n"


# ---------------------------------------------------------------------------------- figures


def figures() -> Iterator[tuple[str, Callable[[bool, bool], Any], str]]:
    """Name, figure of (dark, narrow), and the sentence that says what it shows."""
    digits = prepare(Settings(dataset="digits", clusters=10, band=(0.0, 0.5)))
    wine = sharpened(prepare(Settings(dataset="wine", clusters=3, band=(0.0, 0.5))))
    about_shell = f"{shell_view.describe_shell(wine)} {shell_view.describe_view(wine)}"
    yield "shell", partial(shell_view.shell_view, wine), about_shell
    line = digits.region
    about_line = f"{number_line.describe_number_line(line)} {number_line.describe_edges(line)}"
    yield "number-line", partial(number_line.number_line, line), f"Digits. {about_line}"
    value = unit_gauge.gauge_value(digits, Settings(dataset="digits", sigma2=1.0))
    about_gauge = (
        f"A VAE on digits with σ² = 1 and β = 1 has the gauge {value:.2f}: its collapse is stable, "
        "whatever its nets."
    )
    yield "unit-gauge", lambda dark, _narrow: unit_gauge.unit_gauge(value, dark), about_gauge
    floors, region = wine.floors, wine.region
    about_floors = rate_distortion.describe_guarantee(floors, region)
    yield (
        *("guarantee", lambda dark, _narrow: rate_distortion.guarantee(floors, region, dark)),
        f"Wine. {about_floors}",
    )
    study = load_studies(ROOT / "assets" / "band_study.json")[0]
    about_band = diversity.describe_diversity(study)
    yield "diversity", lambda dark, _narrow: diversity.diversity(study, dark), about_band


def write_figures() -> None:
    """Each figure as JSON, in light and dark, wide and narrow, with its sentence; and Plotly.js."""
    import plotly

    (MADE / "figures").mkdir()
    for name, draw, sentence in figures():
        shown = {
            f"{shade}-{width}": json.loads(draw(shade == "dark", width == "narrow").to_json())
            for shade in ("light", "dark")
            for width in ("wide", "narrow")
        }
        plain = json.dumps({"figure": shown, "sentence": sentence}, ensure_ascii=False)
        (MADE / "figures" / f"{name}.json").write_text(plain, "utf-8")
    script = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"
    shutil.copy(script, MADE / "figures" / "plotly.min.js")


# ------------------------------------------------------------------------------------ texts


def _fenced(text: str) -> str:
    """As it is printed, in columns: a narrow page scrolls it, and breaks no line."""
    return f"```console\n{text.strip(chr(10)).rstrip()}\n```"


def _escaped(text: str) -> str:
    """Plain text as Markdown: nothing in it is markup but code in backticks."""
    parts = re.split(r"(`[^`\n]+`)", text)
    return "".join(
        part if part.startswith("`") else re.sub(r"([\\*_\[\]<>$])", r"\\\1", part)
        for part in parts
    )


def make() -> None:
    """Everything anew."""
    shutil.rmtree(MADE, ignore_errors=True)
    MADE.mkdir(parents=True)
    pages = {
        "commands": commands_page,
        "methods": methods_page,
        "datasets": datasets_page,
        "findings": findings_page,
    }
    for name, page in pages.items():
        (MADE / f"{name}.md").write_text(page(), "utf-8")
    write_figures()


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__).parse_args()
    make()
