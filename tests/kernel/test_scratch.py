from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import psycopg

from opsapp.kernel.scratch import scratch_database

START = datetime(2028, 2, 29, tzinfo=UTC)
CLOCKS = "SELECT clock_timestamp(), ops_now(), pg_sleep(0.002), clock_timestamp()"


def test_the_clock_of_a_scratch_database_stands_still_until_it_is_moved(servers):
    with (
        scratch_database(servers.database_url, starts_at=START) as url,
        psycopg.connect(url, autocommit=True) as connection,
    ):
        connection.execute("SET timezone TO UTC")
        first, business, _, then = connection.execute(CLOCKS).fetchone()
        assert first == business == then == START
        later = START + timedelta(days=1)
        move = "SELECT set_config('opsapp.virtual_now', %s, false)"
        connection.execute(move, [later.isoformat()])
        connection.execute("INSERT INTO timetable_slots (job, slot) VALUES ('x', ops_now())")
        [moments] = connection.execute("SELECT slot, fired_at FROM timetable_slots")
        assert moments == (later, later)
    name = urlsplit(url).path.removeprefix("/")
    with psycopg.connect(servers.database_url) as server:
        found = server.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name])
        assert found.fetchall() == []
