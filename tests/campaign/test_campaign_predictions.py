"""A campaign predicts what ``skcfgp predict`` and `make_cfgp` predict from the same labels."""

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from skcfgp.calibration import predict_distribution
from skcfgp.campaign import Campaign
from skcfgp.cli import main
from skcfgp.models import make_cfgp
from skcfgp.models.default import fit_predictor
from skcfgp.models.predictor import predict_crystals


@pytest.fixture(scope="module")
def data(formation_energy):
    ids = [f"c{i}" for i in range(70)]
    return (
        pd.Series(formation_energy.structures[:70], ids),
        pd.Series(formation_energy.target[:70], ids),
    )


def begin(folder, data, n_labelled, **options):
    labelled = data[1][:n_labelled]
    return Campaign.init(folder, data[0], target="e", unit="eV", labelled=labelled, **options)


@pytest.mark.filterwarnings("ignore::skcfgp.calibration.FewScoresWarning")
@pytest.mark.parametrize("n", [2, 5, 30])
def test_predictions_are_those_of_the_calibrated_pipeline(data, tmp_path, n):
    table = begin(tmp_path, data, n, recipe="composition").predict(coverage=0.8)
    model = make_cfgp(recipe="composition", calibrated=True)
    model.fit(list(data[0][:n]), data[1][:n].to_numpy())
    mean, std = model.predict(list(data[0][n:]), return_std=True)
    np.testing.assert_allclose(table["prediction"], mean, rtol=1e-6)
    np.testing.assert_allclose(table["std"], std, rtol=1e-6)
    interval = predict_distribution(model, list(data[0][n:])).interval(0.8)
    np.testing.assert_allclose(table[["lower", "upper"]].T, interval, rtol=1e-6)


@pytest.mark.network
def test_predict_and_campaign_give_the_same_numbers(data, tmp_path):
    """With the same network, crystals and labels, before and after a label is told."""
    weights = "formation_energy_1800"
    campaign = begin(tmp_path, data, 40, weights=weights)
    campaign.tell({"c40": data[1]["c40"]})
    model, _ = fit_predictor((list(data[0][:41]), data[1][:41].to_numpy()), weights)
    expected = predict_crystals(model, data[0][41:], "eV")
    table = campaign.predict()
    assert table["id"].tolist() == expected["id"].tolist()
    for name in ("prediction", "std"):
        np.testing.assert_allclose(table[name], expected[name], rtol=1e-5)


@pytest.mark.parametrize("with_std", [False, True])
@pytest.mark.parametrize(
    "options",
    [
        ["--recipe", "composition"],
        pytest.param(["--weights", "formation_energy_1800"], marks=pytest.mark.network),
    ],
)
def test_three_commands_give_the_same_numbers(data, tmp_path, options, with_std):
    """``predict``, ``screen`` and ``campaign`` on one table of labels and one folder.

    Also where the labels have standard errors.
    """
    (tmp_path / "new").mkdir()
    (tmp_path / "known").mkdir()
    rows = ["file,energy" + ",label_std" * with_std]
    for k, (id_, structure) in enumerate(data[0][:45].items()):
        folder = "known" if k < 30 else "new"
        structure.to(str(tmp_path / folder / f"{id_}.vasp"), fmt="poscar")
        if k < 30:
            std = f",{k % 4 / 4}" if with_std else ""
            rows.append(f"known/{id_}.vasp,{float(data[1][id_])!r}{std}")
    (tmp_path / "train.csv").write_text("\n".join(rows))
    train = ["--train", tmp_path / "train.csv", "--unit", "eV", *options]
    run("predict", tmp_path / "new", *train, "--out", tmp_path / "predict.csv")
    run("screen", tmp_path / "new", "--below", -1, *train, "--out", tmp_path / "screen.csv")
    pool = ["--pool", tmp_path / "new", "--labelled", tmp_path / "train.csv"]
    run("campaign", "init", tmp_path / "c", *pool, "--target", "energy", "--unit", "eV", *options)
    run("campaign", "predict", tmp_path / "c", "--out", tmp_path / "campaign.csv")
    run("screen", tmp_path / "c", "--below", -1, "--out", tmp_path / "odds.csv")
    names = ["prediction", "std", "lower", "upper", "df"]
    tables = {
        name: pd.read_csv(tmp_path / f"{name}.csv").set_index("id")
        for name in ("predict", "screen", "campaign", "odds")
    }
    expected = tables["predict"]
    assert len(expected) == 15
    # Latent vectors, in single precision, depend on what else is in the batch.
    rtol = 1e-9 if "composition" in options else 1e-6
    for name in ("screen", "campaign"):
        found = tables[name].loc[expected.index, names]
        pd.testing.assert_frame_equal(found, expected[names], rtol=rtol)
    odds = [tables[name].loc[expected.index, "p_meets"] for name in ("screen", "odds")]
    np.testing.assert_allclose(*odds, rtol=10 * rtol, atol=1e-9)


def run(*arguments):
    result = CliRunner().invoke(main, list(map(str, arguments)))
    assert result.exit_code == 0, result.output


def test_what_is_suggested_has_the_predictions_of_predict(data, tmp_path):
    campaign = begin(tmp_path, data, 30, recipe="composition")
    table = campaign.predict().set_index("id")
    for pick in campaign.suggest(3):
        for name in ("prediction", "std", "lower", "upper"):
            assert pick[name] == pytest.approx(table.loc[pick["id"], name], rel=1e-9)


def test_two_std_hold_as_much_as_two_sigma(data, tmp_path):
    table = begin(tmp_path, data, 30, recipe="composition").predict(coverage=0.954499736)
    np.testing.assert_allclose(table["upper"] - table["prediction"], 2 * table["std"], rtol=1e-6)
    with pytest.raises(ValueError, match="coverage must be between 0 and 1"):
        Campaign(tmp_path).predict(coverage=95)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_equal_labels_leave_error_bars(data, tmp_path):
    equal = pd.Series(1.0, data[1].index)
    campaign = begin(tmp_path, (data[0], equal), 20, recipe="composition")
    assert (campaign.predict()["std"] > 0).all()
