"""A method that was renamed: saved settings, links and scripts still name it as before."""

from __future__ import annotations

import argparse

import pytest

from pages.visitor.settings_in_url import from_query, owned, to_query
from svae_core.commands import add_settings, settings_of
from svae_core.config.settings import settings_from_dict, settings_to_dict
from svae_core.figures.palette import mark_of
from svae_core.methods import method_for, scan_methods, title_of
from svae_core.records import Settings

RENAMED = [(old, each.name) for each in scan_methods().values() for old in each.former]


def test_some_method_was_renamed() -> None:
    assert ("gmvae", "vade") in RENAMED


@pytest.mark.parametrize(("old", "new"), RENAMED)
def test_a_former_name_leads_to_the_same_method_everywhere(old: str, new: str) -> None:
    plugins = scan_methods()
    assert old in plugins and plugins[old] is plugins[new] is plugins.get(old)
    assert old not in list(plugins)
    assert title_of(old) == title_of(new) and mark_of(old) == mark_of(new)
    saved = settings_from_dict(settings_to_dict(Settings(method=old)))
    assert type(method_for(saved)) is type(method_for(Settings(method=new)))


def test_options_under_a_former_name_are_read_from_links_and_commands() -> None:
    query = {"method": "gmvae", "gmvae.components": "4"}
    found = from_query(query)
    assert (found.method, found.method_options) == ("vade", (("components", 4),))
    assert owned(query) == query and to_query(found)["vade.components"] == "4"
    parser = argparse.ArgumentParser()
    add_settings(parser)
    asked = parser.parse_args(["--method", "gmvae", "--gmvae.components", "4"])
    assert settings_of(asked).method_options == (("components", 4),)
    assert settings_of(asked).method == "vade"
