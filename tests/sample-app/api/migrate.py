"""Applies migrations/*.sql in the order of their names, each once and whole."""
import asyncio
import pathlib

import asyncpg

from database import settings

# Any number works, as long as every migration takes the same one.
LOCK = 20250101


async def main():
    connection = await asyncpg.connect(timeout=30, **settings())
    # Two migrations at once take turns. The lock ends with the connection, however that ends.
    await connection.execute("SELECT pg_advisory_lock($1)", LOCK)
    await connection.execute(
        "CREATE TABLE IF NOT EXISTS schema_migrations"
        " (name text PRIMARY KEY, applied timestamptz NOT NULL DEFAULT now())"
    )
    applied = {row["name"] for row in await connection.fetch("SELECT name FROM schema_migrations")}
    waiting = [file for file in sorted(pathlib.Path("migrations").glob("*.sql")) if file.name not in applied]
    for file in waiting:
        print(f"applying {file.name}")
        async with connection.transaction():
            await connection.execute(file.read_text(encoding="utf-8"))
            await connection.execute("INSERT INTO schema_migrations (name) VALUES ($1)", file.name)
    print(f"{len(waiting)} applied, {len(applied)} were there")
    await connection.close()


asyncio.run(main())
