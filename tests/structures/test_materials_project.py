"""The Materials Project's own client against a server on loopback that answers in its shapes."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest
from click.testing import CliRunner

from skcfgp.campaign import Campaign
from skcfgp.cli import main
from skcfgp.structures import materials_project, read_materials_project, structure_digest
from skcfgp.structures import remote as answers

KEY = "0123456789abcdefghijklmnopqrstuv"

# Shapes of the real interface: /heartbeat, /materials/summary/ and its refusals.
HEARTBEAT = {
    "status": "OK",
    "time": "2026-01-01T00:00:00.000000",
    "version": "0.87.3",
    "pymatgen": "2026.10.24",
    "db_version": "2025.09.25",
    "suffix": "2025_09_25",
    "access_controlled_batch_ids": ["gnome_r2scan_statics"],
}
META = {"api_version": "0.87.3", "time_stamp": "2026-01-01T00:00:00.000000", "max_limit": 1000}
NO_KEY = (401, {"message": "Invalid authentication credentials"})
INVALID = {"loc": ["query", "nelements_max"], "msg": "value is not a valid integer", "type": "x"}


class MaterialsProject(BaseHTTPRequestHandler):
    def do_GET(self):
        server, url = self.server, urlsplit(self.path)
        terms = {name: values[-1] for name, values in parse_qs(url.query).items()}
        if url.path == "/heartbeat":
            self.answer(200, HEARTBEAT)
            return
        server.questions.append(terms)
        if self.headers["x-api-key"] != KEY:
            self.answer(*NO_KEY)
        elif server.failures and (status := server.failures.pop(0)):
            self.answer(status, {"detail": "try again later"})
        elif terms.get("nelements_max") == "99":
            self.answer(422, {"detail": [INVALID]})
        else:
            found = [d for d in server.documents if self.meets(d, terms)]
            start = int(terms.get("_skip", 0))
            page = found[start : start + int(terms["_limit"])]
            names = terms["_fields"].split(",")
            data = [{name: d[name] for name in names if name in d} for d in page]
            self.answer(200, {"data": data, "meta": META | {"total_doc": len(found)}})

    def meets(self, document, terms):
        if "material_ids" in terms:
            return document["material_id"] in terms["material_ids"].split(",")
        elements = {site["species"][0]["element"] for site in document["structure"]["sites"]}
        return set(terms["elements"].split(",")) <= elements

    def answer(self, status, content):
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


@pytest.fixture
def client_settings():
    """The settings of the client, whose import takes seconds: not while tests are collected."""
    pytest.importorskip("mp_api.client", reason="no mp-api here", exc_type=ImportError)
    from mp_api.client.core.settings import MAPI_CLIENT_SETTINGS

    return MAPI_CLIENT_SETTINGS


@pytest.fixture
def project(crystals, client_settings, monkeypatch):
    monkeypatch.setenv("MP_API_KEY", KEY)
    monkeypatch.setattr(answers, "INITIAL_DELAY", 0.001)
    monkeypatch.setattr(materials_project, "CHUNK", 3)
    with ThreadingHTTPServer(("127.0.0.1", 0), MaterialsProject) as server:
        server.documents = [
            {
                "material_id": f"mp-{i}",
                "structure": structure.as_dict(),
                "formation_energy_per_atom": float(y),
                "efermi": None,
            }
            for i, (structure, y) in enumerate(zip(*crystals, strict=True))
        ]
        server.questions, server.failures = [], []
        url = f"http://127.0.0.1:{server.server_address[1]}/"
        monkeypatch.setattr(client_settings, "ENDPOINT", url)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


QUERY = {"elements": ["Al"]}


@pytest.fixture
def wanted(crystals):
    found = {f"mp-{i}": s for i, s in enumerate(crystals[0]) if "Al" in s.symbol_set}
    assert 6 < len(found) < 50
    return found


def test_crystals_and_columns(project, wanted, crystals):
    names = ["formation_energy_per_atom", "efermi"]
    frame = read_materials_project(QUERY, fields=names)
    assert frame.columns.tolist() == ["structure", *names]
    assert frame.index.tolist() == list(wanted)
    for id_, row in frame.iterrows():
        assert structure_digest(row["structure"]) == structure_digest(wanted[id_])
        assert row["formation_energy_per_atom"] == crystals[1][int(id_[3:])]
        assert row["efermi"] is None
    assert len(read_materials_project(QUERY, max_crystals=4)) == 4


def test_it_goes_on_where_it_stopped(project, wanted, tmp_path):
    options = {"cache_dir": tmp_path}
    project.failures = [0, 0, 503, 503, 503]  # after the ids and three crystals
    with pytest.raises(OSError, match=r"(?s)in 3 attempts: .*status code 503.*in the cache"):
        read_materials_project(QUERY, attempts=3, **options)
    n = len(project.questions)
    frame = read_materials_project(QUERY, **options)
    assert frame.index.tolist() == list(wanted)
    asked = ",".join(q["material_ids"] for q in project.questions[n:])
    assert asked.split(",") == list(wanted)[3:]
    n = len(project.questions)
    assert len(read_materials_project(QUERY, **options)) == len(wanted)
    assert len(project.questions) == n
    assert not any(KEY in path.read_text() for path in tmp_path.iterdir())


def test_no_server(client_settings, monkeypatch):
    monkeypatch.setenv("MP_API_KEY", KEY)
    monkeypatch.setattr(answers, "INITIAL_DELAY", 0.001)
    monkeypatch.setattr(client_settings, "ENDPOINT", "http://127.0.0.1:9/")
    with pytest.raises(OSError, match="could not be read in 2 attempts"):
        read_materials_project(QUERY, attempts=2)


def test_refusals_are_not_asked_again(project, monkeypatch):
    def refused(query, message):
        n = len(project.questions)
        with pytest.raises(ValueError, match=message) as error:
            read_materials_project(query)
        assert len(project.questions) <= n + 1
        assert KEY not in str(error.value)

    refused({}, "the query is empty")
    refused({"num_elements": 99}, "nelements_max - value is not a valid integer")
    refused({"color": "blue"}, "color")
    monkeypatch.setenv("MP_API_KEY", KEY[::-1])
    refused(QUERY, "Invalid authentication credentials")
    monkeypatch.setenv("MP_API_KEY", "short")
    refused(QUERY, "32 characters")
    monkeypatch.delenv("MP_API_KEY")
    refused(QUERY, "environment variable MP_API_KEY")


def test_a_campaign_lists_what_cannot_be_used(project, wanted, tmp_path):
    ids = list(wanted)
    documents = {document["material_id"]: document for document in project.documents}
    del documents[ids[1]]["structure"]["lattice"]
    options = ["--target", "e", "--unit", "eV", "--recipe", "composition"]
    command = ["campaign", "init", str(tmp_path / "campaign"), *options, "--materials-project"]
    result = CliRunner().invoke(main, [*command, json.dumps(QUERY)])
    assert result.exit_code == 1, result.output
    assert f"refused: {ids[1]}: expected the keys 'lattice'" in result.stderr
    assert Campaign(tmp_path / "campaign").state().ids == [ids[0], *ids[2:]]
    result = CliRunner().invoke(main, [*command, "elements=Al"])
    assert result.exit_code == 2
    assert "expected a JSON object" in result.output
