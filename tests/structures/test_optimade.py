"""A real OPTIMADE server on loopback, and one that fails now and then."""

import json
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from click.testing import CliRunner

from skcfgp.campaign import Campaign
from skcfgp.cli import main
from skcfgp.structures import crystal_from_optimade, read_optimade, structure_digest
from skcfgp.structures import remote as answers


def entry(id_, structure):
    """One line of the file that the server is filled from."""
    adapter = pytest.importorskip("optimade.adapters.structures.pymatgen")
    attributes = adapter.from_pymatgen(structure).model_dump(mode="json", exclude_none=True)
    attributes |= {"last_modified": "2026-01-01T00:00:00Z"}
    return {"type": "structures", "id": id_, "attributes": attributes}


@pytest.fixture(scope="module")
def server(crystals, tmp_path_factory):
    """optimade-python-tools with 23 crystals, at most twenty a page."""
    folder = tmp_path_factory.mktemp("optimade")
    lines = [{"x-optimade": {"meta": {"api_version": "1.2.0"}}}]
    lines += [entry(f"m{i}", s) for i, s in enumerate(crystals[0][:23])]
    data = folder / "data.jsonl"
    data.write_text("\n".join(json.dumps(line) for line in lines) + "\n")
    settings = {"insert_from_jsonl": str(data), "insert_test_data": False, "page_limit_max": 20}
    settings |= {"log_dir": str(folder)}
    (folder / "config.json").write_text(json.dumps(settings))
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-W", "ignore", "-m", "uvicorn", "optimade.server.main:app"]
    environment = {**os.environ, "OPTIMADE_CONFIG_FILE": str(folder / "config.json")}
    url = f"http://127.0.0.1:{port}"
    with (
        (folder / "log").open("w") as log,
        subprocess.Popen(
            [*command, "--port", str(port)], env=environment, stdout=log, stderr=log
        ) as process,
    ):
        try:
            for _ in range(120):
                try:
                    urllib.request.urlopen(f"{url}/v1/info", timeout=5).close()
                    break
                except OSError:
                    time.sleep(0.5)
            else:
                pytest.fail((folder / "log").read_text()[-2000:])
            yield url, process
        finally:
            process.kill()


def test_all_pages_of_a_real_server(server, crystals, tmp_path):
    url, _ = server
    found = read_optimade(url, cache_dir=tmp_path / "pages", page_limit=5)
    assert sorted(found.ids) == sorted(f"m{i}" for i in range(23))
    assert found.failures == []
    assert len(list((tmp_path / "pages").iterdir())) == 5
    for id_, structure in zip(found.ids, found.structures, strict=True):
        original = crystals[0][int(id_[1:])]
        assert structure.composition == original.composition
        assert structure.volume == pytest.approx(original.volume)
        assert structure_digest(structure) == structure_digest(original) or structure.matches(
            original
        )


def test_filter_and_limit(server, crystals):
    url, _ = server
    wanted = {f"m{i}" for i, s in enumerate(crystals[0][:23]) if "O" in s.symbol_set}
    found = read_optimade(f"{url}/v1", 'elements HAS "O"')
    assert set(found.ids) == wanted
    assert 0 < len(wanted) < 23
    assert len(read_optimade(url, max_crystals=7).ids) == 7
    with pytest.raises(ValueError, match="was refused: 400"):
        read_optimade(url, "no filter")
    with pytest.raises(ValueError, match="was refused: 403, Max allowed page_limit is 20"):
        read_optimade(url, page_limit=100)


def test_a_campaign_from_a_server(server, tmp_path):
    options = ["--target", "e", "--unit", "eV", "--recipe", "composition"]
    folder, question = str(tmp_path / "campaign"), 'elements HAS ANY "O","S"'
    source = ["--optimade", server[0], "--filter", question]
    result = CliRunner().invoke(main, ["campaign", "init", folder, *source, *options])
    assert result.exit_code == 0, result.output
    state = Campaign(folder).state()
    assert f"{len(state.ids)} crystals are in" in result.output
    assert set(state.ids) == set(read_optimade(server[0], question).ids)
    assert CliRunner().invoke(main, ["campaign", "init", folder, *options]).exit_code == 2


class Flaky(BaseHTTPRequestHandler):
    """Two crystals a page, 503 at every second request, and for good after some."""

    def do_GET(self):
        server = self.server
        server.n_requests += 1
        if server.n_requests % 2 or server.n_requests > server.n_good:
            self.send_response(503)
            self.end_headers()
            return
        number = int(self.path.rsplit("page=", 1)[1]) if "page=" in self.path else 0
        page = {"data": server.entries[2 * number : 2 * number + 2], "links": {}}
        if 2 * number + 2 < len(server.entries):
            page["links"]["next"] = {"href": f"/v1/structures?page={number + 1}"}
        if server.n_requests >= server.n_strange:
            page["links"] = server.strange
        body = json.dumps(page).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


@pytest.fixture
def flaky(crystals, monkeypatch):
    monkeypatch.setattr(answers, "INITIAL_DELAY", 0.001)
    with ThreadingHTTPServer(("127.0.0.1", 0), Flaky) as server:
        server.entries = [
            {
                "id": f"e{i}",
                "attributes": {
                    "lattice_vectors": s.lattice.matrix.tolist(),
                    "cartesian_site_positions": s.cart_coords.tolist(),
                    "species_at_sites": [site.specie.symbol for site in s],
                    "species": [
                        {"name": e, "chemical_symbols": [e], "concentration": [1.0]}
                        for e in sorted(s.symbol_set)
                    ],
                },
            }
            for i, s in enumerate(crystals[0][:9])
        ]
        server.n_requests, server.n_good, server.n_strange = 0, 10**9, 10**9
        threading.Thread(target=server.serve_forever, daemon=True).start()
        server.url = f"http://127.0.0.1:{server.server_address[1]}"
        yield server
        server.shutdown()


def test_retry(flaky):
    assert len(read_optimade(flaky.url).ids) == 9
    assert flaky.n_requests == 10


def test_an_interrupted_download_goes_on(flaky, tmp_path):
    flaky.n_good = 5
    with pytest.raises(OSError, match="in 3 attempts"):
        read_optimade(flaky.url, cache_dir=tmp_path, attempts=3)
    assert len(list(tmp_path.iterdir())) == 2
    flaky.n_requests, flaky.n_good = 0, 10**9
    assert len(read_optimade(flaky.url, cache_dir=tmp_path).ids) == 9
    assert flaky.n_requests == 6  # three pages, each at the second attempt
    assert len(read_optimade(flaky.url, cache_dir=tmp_path).ids) == 9
    assert flaky.n_requests == 6


def test_crystals_that_cannot_be_used_are_listed(flaky):
    broken = flaky.entries
    mixed = {"chemical_symbols": ["Fe", "Ni"], "concentration": [0.5, 0.5]}
    broken[1]["attributes"]["species"][0] |= mixed
    broken[4]["attributes"]["dimension_types"] = [1, 1, 0]
    del broken[6]["attributes"]["lattice_vectors"]
    found = read_optimade(flaky.url)
    assert [(f.index, f.id) for f in found.failures] == [(1, "e1"), (4, "e4"), (6, "e6")]
    assert [s is None for s in found.structures] == [i in (1, 4, 6) for i in range(9)]
    assert "disordered" in found.failures[0].reason


def test_wrong_addresses():
    with pytest.raises(ValueError, match="http:// or https://"):
        read_optimade("file:///etc/passwd")
    with pytest.raises(ValueError, match="is not periodic"):
        crystal_from_optimade({"dimension_types": [0, 0, 0]})


def test_pages_that_go_on_elsewhere_are_an_error_and_not_an_end(flaky):
    flaky.n_strange, flaky.strange = 4, {"next": "file:///etc/passwd"}
    with pytest.raises(ValueError, match=r"http:// or https://, got 'file:"):
        read_optimade(flaky.url)
    flaky.n_requests, flaky.strange = 0, None
    assert len(read_optimade(flaky.url).ids) == 4
