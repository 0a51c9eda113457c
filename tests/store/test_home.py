"""The home folder: one process at a time, and the owner's alone."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from connector.store.config import BadConfig, Config, UnitEntry, read_config
from connector.store.config_engine import BundleSettings, EngineSettings
from connector.store.home import Home, HomeExposed, HomeInUse, HomeLock, HomeMissing, is_in_use

CONFIG = Config(
    space="space.example",
    form="organisation",
    participant="did:web:alfa.example",
    name='Alfa "the" town \\ here',
    kind="municipality",
    listen="127.0.0.1:7443",
    endpoint="",
    controller="",
    units=(UnitEntry("main", "Åse"),),
)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    home.create()
    home.config.write_text(CONFIG.to_toml())
    return home


def test_a_second_process_is_refused_and_the_lock_goes_with_the_first(home: Home) -> None:
    script = (
        "import sys; from pathlib import Path; from connector.store.home import Home, HomeLock\n"
        "lock = HomeLock(Home(Path(sys.argv[1]))); print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(home.folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        assert is_in_use(home)
        with pytest.raises(HomeInUse):
            HomeLock(home)
        other.kill()
    assert not is_in_use(home)
    HomeLock(home).release()


def test_a_home_that_others_can_read_is_refused(home: Home) -> None:
    home.folder.chmod(0o750)
    with pytest.raises(HomeExposed):
        home.require()


def test_a_folder_where_nobody_lives_is_named(tmp_path: Path) -> None:
    with pytest.raises(HomeMissing):
        Home(tmp_path).require()


def test_the_configuration_reads_back_as_written(home: Home) -> None:
    assert read_config(home.config) == CONFIG
    switched = replace(CONFIG, require_price_ground=True, countersign_settlements=True)
    home.config.write_text(switched.to_toml())
    assert read_config(home.config) == switched


ENGINES = [
    EngineSettings(),
    EngineSettings("server", "http://127.0.0.1:8181"),
    EngineSettings("server", "https://opa.example", "opa.token", "opa.pem", "opa.key", 300),
]


@pytest.mark.parametrize("engine", ENGINES)
def test_the_chosen_engine_reads_back_as_written(home: Home, engine: EngineSettings) -> None:
    home.config.write_text(replace(CONFIG, engine=engine).to_toml())
    assert read_config(home.config) == replace(CONFIG, engine=engine)


def test_where_bundles_are_served_reads_back_as_written(home: Home) -> None:
    home.config.write_text(CONFIG.to_toml() + "\n[bundle]\n")
    assert read_config(home.config).bundle == BundleSettings("127.0.0.1:8282")
    for bundle in (BundleSettings("[::1]:9000"), BundleSettings("0.0.0.0:8282", "b.pem", "b.key")):
        home.config.write_text(replace(CONFIG, bundle=bundle).to_toml())
        assert read_config(home.config).bundle == bundle


@pytest.mark.parametrize(
    "listen", ["0.0.0.0:8282", "10.0.0.1:8282", "bundles.example:8282", "127.0.0.1", ":1", "127.0.0.1:99999"]
)
def test_bundles_are_served_in_the_clear_on_this_machine_alone(home: Home, listen: str) -> None:
    home.config.write_text(f'{CONFIG.to_toml()}\n[bundle]\nlisten = "{listen}"\n')
    with pytest.raises(BadConfig) as raised:
        read_config(home.config)
    assert raised.value.field == "bundle.listen"


WRONG_ENGINES = {
    "engine.kind": 'kind = "regorus"',
    "engine.url": 'kind = "server"',
    "engine.surprise": 'kind = "embedded"\nsurprise = 1',
    "engine.certificate": 'kind = "server"\nurl = "https://a.example"\ncertificate = "c"',
    "engine.time_limit_ms": 'kind = "server"\nurl = "https://a.example"\ntime_limit_ms = 1',
}


@pytest.mark.parametrize("field", WRONG_ENGINES)
def test_an_engine_that_cannot_be_is_refused_by_name(home: Home, field: str) -> None:
    home.config.write_text(f"{CONFIG.to_toml()}\n[engine]\n{WRONG_ENGINES[field]}\n")
    with pytest.raises(BadConfig) as raised:
        read_config(home.config)
    assert raised.value.field == field


@pytest.mark.parametrize(
    "url",
    [
        "http://opa.example:8181", "http://10.0.0.1", "ftp://127.0.0.1", "127.0.0.1:8181", "https://",
        "https://name:word@opa.example", "https://opa.example/path", "https://opa.example?x", "https://[",
        "https://opa.example:99999",
    ],
)  # fmt: skip
def test_an_opa_elsewhere_is_reached_over_tls_alone_and_by_host_and_port(home: Home, url: str) -> None:
    home.config.write_text(f'{CONFIG.to_toml()}\n[engine]\nkind = "server"\nurl = "{url}"\n')
    with pytest.raises(BadConfig) as raised:
        read_config(home.config)
    assert raised.value.field == "engine.url"


@pytest.mark.parametrize(
    "content",
    [
        "not toml =",
        CONFIG.to_toml() + "\nlisten_adress = 'x'\n",
        CONFIG.to_toml().replace("organisation", "club"),
        "form = 3",
        "\x00",
    ],
)
def test_a_configuration_that_makes_no_sense_is_refused_by_name(home: Home, content: str) -> None:
    home.config.write_text(content)
    with pytest.raises(BadConfig):
        read_config(home.config)
