import json

from click.testing import CliRunner

from opsapp.cli import main


def test_a_simulation_prints_sums_that_add_up(servers):
    words = ["simulate", "--subscriptions", "6", "--months", "1", "--seed", "4", "--json"]
    environment = {"DATABASE_URL": servers.database_url}
    result = CliRunner().invoke(main, words, env=environment, catch_exceptions=False)
    told = json.loads(result.stdout)
    assert result.exit_code == 0, told
    assert told["violations"] == 0
    assert told["due"] == sum(told["sums"].values()) > 0
    assert {row["id"] for row in told["rows"]} == {f"I{n}" for n in range(1, 13)}
