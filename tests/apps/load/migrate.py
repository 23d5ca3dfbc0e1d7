"""Makes the table, or fails where the commit wants that."""
import asyncio
import pathlib
import sys

import asyncpg

from database import settings


async def main():
    connection = await asyncpg.connect(timeout=30, **settings())
    await connection.execute("CREATE TABLE IF NOT EXISTS counted (id bigserial PRIMARY KEY)")
    await connection.close()


if "fail" in pathlib.Path("migration").read_text(encoding="utf-8"):
    print("this migration was made to fail")
    sys.exit(3)
asyncio.run(main())
