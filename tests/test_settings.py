"""The settings: one read, every problem at once, and no secret in what is said of them."""

import re
from pathlib import Path
from typing import Any

import pytest

from app.errors import SettingsError
from app.resources import unknown_names
from app.settings import Secret, Settings, describe, environment, load_settings

ROOT = Path(__file__).parents[1]
PLANTED = "planted-7f3a"
ENOUGH = {
    "QDRANT_CLUSTER_ENDPOINT": "https://qdrant.example",
    "QDRANT_API_KEY": "qdrant-key",
    "DATABASE_URL": "postgresql://user:password@db.example/book",
    "OPENAI_API_KEY": "openai-key",
}
READS_ENVIRONMENT = re.compile(r"\bos\.environb?\b|\bgetenvb?\b|\bimport environb?\b|\bdotenv\b")
MAY_READ_ENVIRONMENT = {
    "app/settings.py",
    # hands it on to the processes of the embedded PostgreSQL
    "app/history/postgres_binaries.py",
    "app/history/postgres_process.py",
}


def problems_of(environ: dict[str, str], **options: Any) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load_settings(environ, **options)
    return caught.value.problems


def names_of(problems: list[str]) -> list[str]:
    return [problem.partition(":")[0] for problem in problems]


def test_the_required_settings_are_enough():
    settings = load_settings(ENOUGH)
    assert settings.qdrant_cluster_endpoint == "https://qdrant.example"
    assert settings.openai_api_key.reveal() == "openai-key"
    assert settings.model == "gpt-4.1-mini"


def test_every_missing_setting_is_listed_at_once():
    assert problems_of({}) == [
        "QDRANT_CLUSTER_ENDPOINT: is missing",
        "QDRANT_API_KEY: is missing",
        "DATABASE_URL: is missing",
        "OPENAI_API_KEY: is missing (MODEL_PROVIDER is openai)",
    ]


def test_missing_and_wrong_settings_are_listed_together():
    problems = problems_of({"PORT": "x", "LOG_LEVEL": "loud", "BOOK_BASE_URL": "nowhere"})
    assert {"PORT", "LOG_LEVEL", "BOOK_BASE_URL", "QDRANT_API_KEY", "OPENAI_API_KEY"} <= set(names_of(problems))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "::1", "fe80::1%eth0", "localhost", "my-server.example", "srv_1"])
def test_a_host_is_an_address_or_a_name(host):
    assert load_settings(ENOUGH | {"HOST": host}).host == host


@pytest.mark.parametrize("proxies", ["*", "127.0.0.1", "10.0.0.0/8, ::1", "fd00::/8"])
def test_proxies_are_addresses_and_networks_or_all(proxies):
    assert load_settings(ENOUGH | {"FORWARDED_ALLOW_IPS": proxies}).forwarded_allow_ips == proxies


def test_names_of_what_is_not_there_are_listed_with_all_others():
    environ = {"PROMPT_VERSION": "v99", "EMBEDDING_MODEL": "no/such", "HOST": "a b", "PORT": "x"}
    problems = problems_of(ENOUGH | environ, also=unknown_names)
    assert set(names_of(problems)) == set(environ)
    assert "there is no prompt book_agent/v99.md" in "".join(problems)


@pytest.mark.parametrize("name", ["all-MiniLM-L6-v2-int8", "sentence-transformers/All-MiniLM-L6-v2"])
def test_a_known_embedding_model_is_no_problem(name):
    assert load_settings(ENOUGH | {"EMBEDDING_MODEL": name}, also=unknown_names).embedding_model == name


def test_a_command_may_require_less():
    assert load_settings({}, required=(), provider_key=False).database_url.reveal() == ""
    assert names_of(problems_of({}, required=("database_url",), provider_key=False)) == ["DATABASE_URL"]


@pytest.mark.parametrize(
    ("provider", "missing"),
    [("openai", ["OPENAI_API_KEY"]), ("gemini", ["GEMINI_API_KEY"]), ("offline", [])],
)
def test_only_the_chosen_providers_key_is_required(provider, missing):
    environ = ENOUGH | {"OPENAI_API_KEY": "", "MODEL_PROVIDER": provider}
    if missing:
        assert problems_of(environ) == [f"{missing[0]}: is missing (MODEL_PROVIDER is {provider})"]
    else:
        assert load_settings(environ).model_provider == provider


class TestFallback:
    BOTH = ENOUGH | {"GEMINI_API_KEY": "gemini-key"}

    @pytest.mark.parametrize(
        ("given", "models"),
        [
            ({}, [("openai", "gpt-4.1-mini")]),
            ({"MODEL_FALLBACK": "gemini"}, [("openai", "gpt-4.1-mini"), ("gemini", "gemini-2.5-flash")]),
            ({"MODEL_FALLBACK": " openai , gemini "}, [("openai", "gpt-4.1-mini"), ("gemini", "gemini-2.5-flash")]),
            (
                {"MODEL_NAME": "gpt-5", "MODEL_FALLBACK": "openai:gpt-4.1,gemini:gemini-2.5-pro,openai"},
                [("openai", "gpt-5"), ("openai", "gpt-4.1"), ("gemini", "gemini-2.5-pro")],
            ),
            (
                {"MODEL_PROVIDER": "gemini", "MODEL_FALLBACK": "openai,gemini,openai"},
                [("gemini", "gemini-2.5-flash"), ("openai", "gpt-4.1-mini")],
            ),
            ({"MODEL_FALLBACK": "openai:gpt-4.1-mini"}, [("openai", "gpt-4.1-mini")]),
            ({"MODEL_FALLBACK": "openai:acme:large"}, [("openai", "gpt-4.1-mini"), ("openai", "acme:large")]),
        ],
        ids=str,
    )
    def test_models_are_asked_in_order_each_once(self, given, models):
        assert load_settings(self.BOTH | given).models == models

    @pytest.mark.parametrize(
        ("given", "problems"),
        [
            ({"MODEL_FALLBACK": "acme"}, ["MODEL_FALLBACK: `acme` is none of openai, gemini"]),
            ({"MODEL_FALLBACK": "gemini,"}, ["MODEL_FALLBACK: `` is none of openai, gemini"]),
            ({"MODEL_FALLBACK": "offline"}, ["MODEL_FALLBACK: `offline` is none of openai, gemini"]),
            ({"MODEL_FALLBACK": "gemini:"}, ["MODEL_FALLBACK: `gemini:` names no model after the colon"]),
            (
                {"MODEL_FALLBACK": "gemini", "GEMINI_API_KEY": ""},
                ["GEMINI_API_KEY: is missing (MODEL_FALLBACK names gemini)"],
            ),
            (
                {"MODEL_FALLBACK": "gemini", "MODEL_PROVIDER": "offline"},
                ["MODEL_FALLBACK: is of no use while MODEL_PROVIDER is offline"],
            ),
        ],
        ids=str,
    )
    def test_what_is_wrong_with_it_is_told(self, given, problems):
        assert problems_of(self.BOTH | given) == problems

    def test_no_key_is_needed_where_no_model_is(self):
        assert load_settings({"MODEL_FALLBACK": "gemini"}, required=(), provider_key=False).model_fallback == "gemini"


def test_an_unknown_provider_is_the_only_problem_told_of_the_provider():
    environ = ENOUGH | {"OPENAI_API_KEY": "", "MODEL_PROVIDER": "acme"}
    assert problems_of(environ) == ["MODEL_PROVIDER: is none of openai, gemini, offline"]


@pytest.mark.parametrize(
    ("provider", "model"),
    [("openai", "gpt-4.1-mini"), ("gemini", "gemini-2.5-flash"), ("offline", "offline-extractive")],
)
def test_each_provider_has_a_default_model(provider, model):
    assert Settings(model_provider=provider).model == model
    assert Settings(model_provider=provider, model_name="mine").model == "mine"


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        pytest.param("PORT", "eighty", "must be a whole number", id="not a number"),
        pytest.param("PORT", "80.5", "must be a whole number", id="not a whole number"),
        pytest.param("PORT", "65536", "must be at most 65535", id="too high"),
        pytest.param("QDRANT_ATTEMPTS", "0", "must be at least 1", id="too low"),
        pytest.param("TURN_TIMEOUT_S", "nan", "must be more than 0", id="nan"),
        pytest.param("TURN_TIMEOUT_S", "inf", "must be at most 900", id="infinity"),
        pytest.param("DATABASE_TIMEOUT_S", "-1", "must be more than 0", id="negative seconds"),
        pytest.param("OPENAI_TRACING", "maybe", "must be true or false", id="not a yes or no"),
        pytest.param("LOG_LEVEL", "loud", "is none of debug, info, warning, error", id="not a choice"),
        pytest.param("QDRANT_COLLECTION", "a/b", r"must match ^[\w.-]{1,255}$", id="not a collection's name"),
        pytest.param("PROMPT_VERSION", "../secret", "must match", id="not a file's name"),
        pytest.param("HOST", "http://localhost", "is not an address or a name", id="a URL for a host"),
        pytest.param("HOST", "999.1.1.1", "is not an address or a name", id="no IP address"),
        pytest.param("HOST", "two words", "is not an address or a name", id="no host name"),
        pytest.param("FORWARDED_ALLOW_IPS", "foo,,bar", "`foo`, ``, `bar`: is not an IP", id="no proxies"),
        pytest.param("FORWARDED_ALLOW_IPS", "10.0.0.1,", "``: is not an IP", id="a comma too many"),
        pytest.param("FORWARDED_ALLOW_IPS", "*,10.0.0.1", "`*`: is not", id="all and one"),
        pytest.param("FORWARDED_ALLOW_IPS", "10.0.0.1/8", "`10.0.0.1/8`: is not", id="a network with a host"),
        pytest.param("QDRANT_CLUSTER_ENDPOINT", "qdrant.example", "is not a URL", id="no scheme"),
        pytest.param("QDRANT_CLUSTER_ENDPOINT", "ftp://qdrant.example", "is not a URL", id="other scheme"),
        pytest.param("QDRANT_CLUSTER_ENDPOINT", "https://", "is not a URL", id="no host"),
        pytest.param("QDRANT_CLUSTER_ENDPOINT", "https://[::1", "is not a URL", id="half an address"),
        pytest.param("QDRANT_CLUSTER_ENDPOINT", "https://h:99999", "is not a URL", id="no such port"),
        pytest.param("OPENAI_BASE_URL", "https://me@h", "must not contain a user name", id="user in a URL"),
        pytest.param("DATABASE_URL", "mysql://user@h/d", "is not a PostgreSQL URL", id="other database"),
        pytest.param("DATABASE_URL", "postgresql:///book", "is not a PostgreSQL URL", id="database without a host"),
        pytest.param("DATABASE_DIRECT_URL", "db.example", "is not a PostgreSQL URL", id="direct URL"),
        pytest.param("QDRANT_API_KEY", "a\nb", "has a character that no key", id="key of two lines"),
        pytest.param("QDRANT_API_KEY", "kéy", "has a character that no key", id="key that no header can hold"),
    ],
)
def test_a_wrong_value_is_told_with_its_name(name, value, says):
    (problem,) = problems_of(ENOUGH | {name: value})
    assert problem.startswith(f"{name}: ")
    assert says in problem


@pytest.mark.parametrize(
    ("url", "key"),
    [
        ("QDRANT_CLUSTER_ENDPOINT", "QDRANT_API_KEY"),
        ("OPENAI_BASE_URL", "OPENAI_API_KEY"),
        ("GEMINI_BASE_URL", "GEMINI_API_KEY"),
    ],
)
def test_no_key_is_sent_over_plain_http(url, key):
    problems = problems_of(ENOUGH | {key: "key", url: "http://server.example"})
    assert problems == [f"{url}: would send {key} over plain http; use https"]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LOCALHOST", "[::1]"])
def test_a_key_may_go_over_plain_http_on_this_machine(host):
    url = f"http://{host}:6333"
    assert load_settings(ENOUGH | {"QDRANT_CLUSTER_ENDPOINT": url}).qdrant_cluster_endpoint == url


@pytest.mark.parametrize("host", ["127.0.0.1.example", "localhost.example", "0.0.0.0", "[::2]"])
def test_a_host_that_looks_like_this_machine_is_not(host):
    assert names_of(problems_of(ENOUGH | {"QDRANT_CLUSTER_ENDPOINT": f"http://{host}"})) == ["QDRANT_CLUSTER_ENDPOINT"]


def test_plain_http_without_a_key_is_fine():
    assert load_settings(ENOUGH | {"BOOK_BASE_URL": "http://book.example"}).book_base_url == "http://book.example"


@pytest.mark.parametrize("value", ["", "   ", "\n"], ids=["empty", "blanks", "a line end"])
def test_an_empty_value_counts_as_unset(value):
    assert load_settings(ENOUGH | {"PORT": value}).port == Settings().port
    assert problems_of(ENOUGH | {"DATABASE_URL": value}) == ["DATABASE_URL: is missing"]


def test_blanks_around_a_value_are_not_part_of_it():
    settings = load_settings(ENOUGH | {"QDRANT_API_KEY": f"  {PLANTED}\n", "PORT": " 80 ", "LOG_LEVEL": "debug "})
    assert (settings.qdrant_api_key.reveal(), settings.port, settings.log_level) == (PLANTED, 80, "debug")


def test_migrations_go_past_the_pooler_where_there_is_one():
    direct = "postgresql://direct.example/book"
    assert load_settings(ENOUGH | {"DATABASE_DIRECT_URL": direct}).migrations_url == direct
    assert load_settings(ENOUGH).migrations_url == ENOUGH["DATABASE_URL"]


def test_a_secret_never_shows_in_the_settings():
    keys = dict.fromkeys(("QDRANT_API_KEY", "OPENAI_API_KEY", "GEMINI_API_KEY"), PLANTED)
    urls = dict.fromkeys(("DATABASE_URL", "DATABASE_DIRECT_URL"), f"postgresql://user:{PLANTED}@db.example/book")
    settings = load_settings(ENOUGH | keys | urls)
    secrets = [name for name in Settings.__struct_fields__ if isinstance(getattr(settings, name), Secret)]
    assert all(PLANTED in getattr(settings, name).reveal() for name in secrets), "plant one in each secret"
    assert PLANTED not in f"{settings} {settings!r} {settings.qdrant_api_key} {settings.database_url}"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        pytest.param("DATABASE_URL", f"mysql://user:{PLANTED}@db.example/book", id="other database"),
        pytest.param("DATABASE_URL", f"postgresql://user:%zz{PLANTED}@db.example/book", id="bad escape"),
        pytest.param("DATABASE_URL", f"postgresql://user:{PLANTED}@db.example/book?{PLANTED}=1", id="bad option"),
        pytest.param("DATABASE_DIRECT_URL", f"password={PLANTED}", id="no host"),
        pytest.param("QDRANT_API_KEY", f"{PLANTED}\nsecond line", id="key of two lines"),
        pytest.param("OPENAI_API_KEY", f"{PLANTED}é", id="key that no header can hold"),
        pytest.param("GEMINI_API_KEY", f"{PLANTED}\x00", id="key with NUL"),
        pytest.param("QDRANT_CLUSTER_ENDPOINT", f"https://user:{PLANTED}@qdrant.example", id="password in a URL"),
        pytest.param("OPENAI_BASE_URL", f"http://user:{PLANTED}@[::1", id="password in half a URL"),
        pytest.param("GEMINI_BASE_URL", PLANTED, id="key in place of a URL"),
        pytest.param("MODEL_PROVIDER", PLANTED, id="key in place of a choice"),
        pytest.param("PORT", PLANTED, id="key in place of a number"),
        pytest.param("QDRANT_COLLECTION", f"{PLANTED} {PLANTED}", id="key in place of a name"),
    ],
)
def test_a_secret_never_shows_in_a_problem(name, value):
    with pytest.raises(SettingsError) as caught:
        load_settings(ENOUGH | {name: value})
    error = caught.value
    assert names_of(error.problems) == [name]
    assert PLANTED not in f"{error} {error!r} {error.detail} {error.problems} {error.__context__} {error.__cause__}"


def test_the_process_environment_stands_over_the_env_file(tmp_path, monkeypatch):
    (tmp_path / ".env").write_text("PORT=1111\nHOST=0.0.0.0\nBOOK_TITLE='Of Tides'\nEMPTY\n")
    monkeypatch.setenv("PORT", "2222")
    environ = environment(tmp_path)
    assert (environ["PORT"], environ["HOST"], environ["BOOK_TITLE"]) == ("2222", "0.0.0.0", "Of Tides")
    assert "EMPTY" not in environ


def test_a_folder_needs_no_env_file(tmp_path, monkeypatch):
    monkeypatch.setenv("PORT", "2222")
    assert environment(tmp_path)["PORT"] == "2222"


def test_every_setting_is_described():
    described = list(describe())
    assert [name for name, _, _ in described] == [field.upper() for field in Settings.__struct_fields__]
    assert all(description for _, _, description in described)


def test_a_described_default_is_one_that_can_be_set():
    environ = {name: default for name, default, _ in describe()}
    assert repr(load_settings(environ, required=(), provider_key=False)) == repr(Settings())


def test_only_the_settings_read_the_environment():
    files = [*(ROOT / "app").rglob("*.py"), *(ROOT / "tools").rglob("*.py")]
    readers = {str(file.relative_to(ROOT)) for file in files if READS_ENVIRONMENT.search(file.read_text())}
    assert "app/settings.py" in readers
    assert readers <= MAY_READ_ENVIRONMENT
