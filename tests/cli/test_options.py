"""One meaning of an option, whatever the command: name, short form, type, default and help."""

import inspect

import click
import pytest
from click.testing import CliRunner

from skcfgp.campaign import Campaign
from skcfgp.cli import main
from skcfgp.cli.model import SHARED
from skcfgp.models.default import PUBLISHED
from skcfgp.screening import predict_pool

#: Options whose default or help differs, and why.
DIFFER = {
    "--out": "a table, a folder of files or a page",
    "--target": "the name of the property in a campaign, a column of --train elsewhere",
    "--unit": "of the property in a campaign, of the values of a table elsewhere",
    "-n": "how many to choose, and how far to plan",
}


def commands(group=main, name=""):
    """Yield the name of each command with its parameters."""
    for key, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, f"{name}{key} ")
        else:
            yield f"{name}{key}", command


ALL = dict(commands())
OPTIONS = [
    (name, option)
    for name, command in ALL.items()
    for option in command.params
    if isinstance(option, click.Option)
]
SHARED_DEFAULTS = {o.name: o.default for _, o in OPTIONS if o.name in SHARED}


def test_every_command_is_looked_at():
    assert {"predict", "screen", "campaign init", "campaign predict", "demo", "doctor"} < set(ALL)
    assert len(OPTIONS) > 60


def meaning(option):
    return (
        option.type.to_info_dict(),
        option.default,
        option.multiple,
        option.is_flag,
        option.nargs,
        option.help,
    )


def test_an_option_is_the_same_in_every_command():
    seen = {}
    for command, option in OPTIONS:
        for flag in option.opts:
            first, known = seen.setdefault(flag, (command, option))
            assert sorted(option.opts) == sorted(known.opts), (command, first, flag)
            if flag not in DIFFER and not set(option.opts) & set(DIFFER):
                assert meaning(option) == meaning(known), (command, first, flag)


def test_a_short_form_or_a_parameter_has_one_long_form():
    by_name = {}
    for command, option in OPTIONS:
        assert by_name.setdefault(option.name, set(option.opts)) == set(option.opts), command
    for flag in ("-o", "-n"):
        assert len({tuple(o.opts) for _, o in OPTIONS if flag in o.opts}) == 1


def test_the_options_of_models_and_tables_are_shared():
    for command, names in {
        "predict": {"train", "recipe", "weights", "estimates", "columns", "log", "coverage"},
        "screen": {*SHARED},
        "campaign init": {"train", "recipe", "weights", "estimates", "columns", "log"},
        "campaign predict": {"coverage", "rescale"},
        "campaign export": {"coverage", "rescale"},
    }.items():
        assert names <= {option.name for option in ALL[command].params}, command


def test_all_commands_take_the_same_network_and_coverage():
    init = inspect.signature(Campaign.init).parameters
    assert init["weights"].default == PUBLISHED
    assert init["recipe"].default == SHARED_DEFAULTS["recipe"]
    for function in (Campaign.predict, Campaign.export, Campaign.screen, predict_pool):
        default = inspect.signature(function).parameters["coverage"].default
        assert default == SHARED_DEFAULTS["coverage"]


def test_every_option_and_command_says_what_it_does():
    for command, option in OPTIONS:
        assert option.help or option.hidden, (command, option.name)
    for name, command in ALL.items():
        assert command.help, name


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("init c --pool . --target e --unit eV --recipe composition --weights x", "--weights has"),
        (
            "init c --pool . --target e --unit eV --strategy random_sampling --random-fraction 0.5",
            "--random-fraction has no effect with --strategy random_sampling",
        ),
        ("init c --pool . --target e --unit eV --filter x", "--filter is for --optimade"),
        ("init c --target e --unit eV", "give one of --pool, --optimade and --materials-project"),
    ],
)
def test_an_option_of_a_campaign_without_effect_is_an_error(
    arguments, message, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, ["campaign", *arguments.split()])
    assert result.exit_code == 2
    assert message in " ".join(result.output.split())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("suggest {} --format poscar", "--format has no effect without --out"),
        ("tell {} --failed a --reason b --unit eV", "--unit has no effect with --failed"),
        ("screen {} --below 0 --coverage 0.5", "--coverage has no effect without --out"),
        ("screen {} --below 0 --log", "--log has no effect on a campaign"),
        ("screen {}/p.csv --out {}/p --scheduler x --workers 2", "--workers has no effect with"),
    ],
)
def test_an_option_without_effect_is_an_error(arguments, message, tmp_path):
    table = tmp_path / "p.csv"
    table.write_text("id,formula\na,NaCl\nb,KCl\n")
    run = CliRunner().invoke
    begin = ["init", tmp_path, "--pool", table, "--target", "e", "--unit", "eV"]
    begin = ["campaign", *begin, "--recipe", "composition"]
    assert run(main, list(map(str, begin))).exit_code == 0
    words = arguments.format(*[tmp_path] * 2).split()
    words = words if words[0] == "screen" else ["campaign", *words]
    result = run(main, words)
    assert result.exit_code == 2, result.output
    assert message in " ".join(result.output.split())
