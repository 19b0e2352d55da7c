"""The page of a campaign: what is in it, and what it does in a browser."""

import json
import re
import shutil
import subprocess
from html import unescape

import numpy as np
import pandas as pd
import pytest

from skcfgp.campaign import Campaign
from skcfgp.datasets import load_formation_energy
from skcfgp.structures import Crystal

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")

# Runs in the page after its own script, and writes down what it sees.
PROBE = """
const found = {errors: window.pageErrors, ready: document.body.dataset.ready};
const click = (e) => e.dispatchEvent(new MouseEvent("click", {bubbles: true}));
const column = (id, k) => [...document.querySelectorAll(`#${id} tbody tr`)].map(
  (tr) => tr.cells[k].textContent);
found.rows = column("all-table", 0).length;
const head = document.querySelectorAll("#all-table th");
click(head[4]); found.up = column("all-table", 4);
click(head[4]); found.down = column("all-table", 4);
const search = document.getElementById("search");
search.value = "pending"; search.oninput();
found.searched = column("all-table", 2);
search.value = ""; search.oninput();
const hover = (id) => {
  const canvas = document.getElementById(id), box = canvas.getBoundingClientRect();
  const spot = canvas.spots()[0];
  canvas.dispatchEvent(new MouseEvent("mousemove",
    {clientX: box.left + spot[0], clientY: box.top + spot[1]}));
  return document.getElementById("tip").textContent;
};
found.hover = {pool: hover("pool-plot"), parity: hover("parity-plot"), map: hover("map-plot")};
const ink = () => {
  const canvas = document.getElementById("crystal");
  return canvas.toDataURL().length > 3000 ? canvas.toDataURL() : "";
};
found.queue = column("queue-table", 1);
const before = ink();
turn(0.7, 0.2);
found.turned = before !== "" && ink() !== before;
const rows = document.querySelectorAll("#queue-table tbody tr");
click(rows[rows.length - 1]);
found.name = document.getElementById("crystal-name").textContent;
found.wait = performance.now();
const out = document.createElement("pre");
out.id = "found";
out.textContent = JSON.stringify(found);
document.body.append(out);
"""


@pytest.fixture(scope="module")
def campaign(tmp_path_factory):
    data = load_formation_energy(split="pool", structures="arrays")
    ids = data.material_id[:80].astype(object)
    ids[3] = "</script><b>&amp;'\"{{title}}"  # what a person may call a crystal
    campaign = Campaign.init(
        tmp_path_factory.mktemp("report") / "campaign",
        pd.Series(data.structures[:80], ids),
        target="formation_energy_per_atom",
        unit="eV/atom",
        labelled=dict(zip(ids[:25], data.target[:25], strict=True)),
        recipe="composition",
        random_fraction=0.2,
    )
    truth = dict(zip(ids, data.target[:80], strict=True))
    for _ in range(3):
        picks = campaign.suggest(5)
        campaign.tell({p["id"]: truth[p["id"]] for p in picks[:4]})
    campaign.fail(picks[4]["id"], "SCF did not converge <here>")
    return campaign


def data_of(page):
    (text,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page, re.S)
    return json.loads(text)


def test_what_is_in_the_page(campaign, tmp_path):
    page = campaign.report(tmp_path / "report.html").read_text(encoding="utf-8")
    assert not re.findall(r"""(?:src|href)=["']?(?:https?:)?//""", page)
    content, state = data_of(page), campaign.state()
    assert re.search(r"principal component analysis: \d+% of the variance", page)
    x, y = (np.array(content["crystals"][name]) for name in "xy")
    assert np.var(x) > np.var(y) > 0
    assert np.corrcoef(x, y)[0, 1] == pytest.approx(0, abs=1e-5)
    assert content["crystals"]["id"] == state.ids
    assert content["counts"] == state.counts()
    assert len(content["queue"]) == len(state.pending) + 10
    assert len(content["comparisons"]) == 12
    n_known = len(state.labels) + len(state.pending)
    assert [c["n_labels"] - n_known for c in content["forecast"]] == list(
        range(1, state.counts()["pool"])
    )
    forecast = [c["mean_std"] for c in content["forecast"]]
    assert forecast[-1] < forecast[len(forecast) // 2] < forecast[0]
    assert content["failures"][0][2] == "SCF did not converge <here>"
    names = {row[0] for row in content["settings"]}
    assert {"target", "recipe", "strategy", "numpy"} <= names
    structure = campaign.structure(content["queue"][0]["id"])
    drawn = content["queue"][0]["structure"]
    np.testing.assert_allclose(drawn["cell"], structure.lattice.matrix, atol=1e-3)
    assert len(drawn["atoms"]) >= len(structure)


def test_the_report_changes_nothing(campaign, tmp_path):
    n = len(campaign.history())
    campaign.report(tmp_path / "a.html")
    assert len(campaign.history()) == n


def in_browser(path):
    """Load a page, probe it, and return what was found."""
    page = path.read_text(encoding="utf-8")
    listen = "<script>window.pageErrors = []; addEventListener('error', (e) => pageErrors.push("
    listen += "e.message)); addEventListener('securitypolicyviolation', (e) => pageErrors.push("
    listen += "e.violatedDirective));</script>"
    page = page.replace("<body>", "<body>" + listen)
    page = page.replace("</body>", f"<script>{PROBE}</script></body>")
    probed = path.with_name("probed.html")
    probed.write_text(page, encoding="utf-8")
    command = [CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--dump-dom"]
    command += ["--window-size=1240,1600", f"--user-data-dir={path.parent / 'profile'}"]
    result = subprocess.run(
        [*command, probed.as_uri()], capture_output=True, text=True, check=False, timeout=120
    )
    (text,) = re.findall(r'<pre id="found">(.*?)</pre>', result.stdout, re.S)
    return json.loads(unescape(text))


@pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium")
def test_in_a_browser(campaign, tmp_path):
    found = in_browser(campaign.report(tmp_path / "report.html"))
    assert found["errors"] == []
    assert found["ready"] == "yes"
    assert found["rows"] == 50
    for order, reverse in (("up", False), ("down", True)):
        numbers = [float(text) for text in found[order] if text]
        assert len(numbers) > 30
        assert numbers == sorted(numbers, reverse=reverse)
    state = campaign.state()
    assert found["searched"] == ["pending"] * len(state.pending)
    for text in found["hover"].values():
        assert text.split("\n")[0] in state.ids
        assert "eV/atom" in text
    assert found["turned"]
    assert found["name"].startswith(found["queue"][-1] + ", ")


@pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium")
def test_ten_thousand_crystals_in_a_browser(tmp_path):
    """Cells of every size, so that no two crystals are equal."""
    data = load_formation_energy(split="pool", structures="arrays")
    rng = np.random.default_rng(0)
    pool = {}
    for i in range(10_000):
        crystal = data.structures[i % 1000]
        scaled = crystal.lattice * rng.uniform(0.97, 1.05)
        pool[f"c{i}"] = Crystal(scaled, crystal.frac_coords, crystal.atomic_numbers)
    campaign = Campaign.init(
        tmp_path / "campaign",
        pool,
        target="e",
        unit="eV",
        labelled={f"c{i}": data.target[i] for i in range(60)},
        recipe="composition",
        strategy="max_std",
    )
    campaign.tell({p["id"]: 0.0 for p in campaign.suggest(4)[:3]})
    path = campaign.report(tmp_path / "report.html")
    assert path.stat().st_size < 4e6
    found = in_browser(path)
    assert found["errors"] == []
    assert found["rows"] == 50
    assert len(found["queue"]) == 11
    assert found["wait"] < 20_000  # milliseconds, with everything that the probe did
