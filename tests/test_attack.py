"""The search for a counter-example: repeatable, resumable, and every end explained."""

import json

import pytest
from support.effort import effort
from support.information_laws import assert_information_laws

from svae_core.__main__ import main
from svae_core.config.settings import check_settings
from svae_core.studies import attack, jsonl


@pytest.mark.slow
def test_the_plan_follows_from_its_seed_and_is_wide():
    plan = attack.plan(96, seed=3)
    assert plan == attack.plan(96, seed=3) != attack.plan(96, seed=4)
    members = [settings for batch in plan for settings in batch]
    assert len(members) == 96
    for settings in members:
        check_settings(settings)
    for name in ("dataset", "arch", "start", "collapse_loss", "lower_edge", "latent_dim"):
        assert len({getattr(settings, name) for settings in members}) > 1, name
    assert min(s.sigma2 for s in members) < 0.03 and max(s.sigma2 for s in members) > 30
    assert min(s.clusters for s in members) == 2 and max(s.clusters for s in members) > 60


@pytest.fixture(scope="module")
def attempts():
    (batch,) = attack.plan(effort(3, 6), seed=1)
    return batch, attack.attempt(batch)


@pytest.mark.slow
def test_every_run_is_judged_and_explained(attempts):
    batch, ended = attempts
    assert tuple(item.settings for item in ended) == batch
    for item in ended:
        assert item.outcome in attack.OUTCOMES
        if item.outcome == attack.HELD:
            assert item.certificate.in_band and item.certificate.kl > 0
        else:
            assert item.explanation
        if item.certificate is not None:
            assert_information_laws(item.certificate)
    assert {item.outcome for item in ended} <= set(attack.OUTCOMES)


@pytest.mark.slow
def test_a_counter_example_would_be_found(attempts):
    """The judge is shown a run in its band without information: it must cry out."""
    from dataclasses import replace

    held = next(item for item in attempts[1] if item.certificate is not None)
    forged = replace(
        held.certificate,
        in_band=True,
        kl=0.001,
        kl_per_dim=(0.001,) * len(held.certificate.kl_per_dim),
    )
    judged = attack._judge(held.settings, forged, reach=0.0, falling=0.0)
    assert judged.outcome == attack.BROKEN and "KL = 0.0010" in judged.explanation


@pytest.mark.slow
def test_the_command_resumes_where_it_stopped(tmp_path, capsys, monkeypatch):
    out = tmp_path / "attempts.jsonl"
    (batch,) = attack.plan(2, seed=5)
    (part,) = attack.Attack(2, 5).plan()
    jsonl.append(out, attack.Attack(2, 5).take(part, attack.attempt(batch)))
    with out.open("a") as file:
        file.write('{"seed": 5, "batch": 1, "att')  # a line torn by a crash
    monkeypatch.setattr(attack, "attempt", lambda _: pytest.fail("this batch was done already"))
    assert main(["attack", "--runs", "2", "--seed", "5", "--out", str(out), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["runs"] == 2 and sum(answer["outcomes"].values()) == 2
    assert main(["attack", "--runs", "0"]) == 2
    assert main(["attack", "--seed", "-1"]) == 2


@pytest.mark.slow
def test_a_longer_search_does_the_last_batch_again(tmp_path, capsys):
    out = str(tmp_path / "attempts.jsonl")
    words = ["attack", "--seed", "5", "--out", out, "--json", "--runs"]
    answers = []
    for count in ("1", "2", "1"):
        assert main([*words, count]) == 0
        answers.append(json.loads(capsys.readouterr().out))
    assert [answer["runs"] for answer in answers] == [1, 2, 1]
    assert answers[0] == answers[2]
