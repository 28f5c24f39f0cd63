"""A training method with its options, for tests of methods."""

from dataclasses import replace

from support.information_laws import TOY
from svae_core.methods import method_for


def configured(method: str, **options):
    settings = replace(TOY, method=method, method_options=tuple(sorted(options.items())))
    return settings, method_for(settings)
