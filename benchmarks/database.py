"""Queries through pools of several sizes, beside the bound: a pool is a semaphore (notebook 08)."""

import asyncio
import statistics
import time
from collections.abc import Iterator

import asyncpg

from helpers.world import NoDatabase, postgres

from .measure import Row

GOAL = 1.25


async def query(pool: asyncpg.Pool, seconds: float) -> None:
    async with pool.acquire() as connection:
        await connection.fetchval("SELECT pg_sleep($1)", seconds)


async def measured(address: str, size: int, queries: int, seconds: float) -> float:
    """How long so many queries of so many seconds take together, through a pool of that size."""
    async with asyncpg.create_pool(address, min_size=size, max_size=size) as pool:
        start = time.perf_counter()
        await asyncio.gather(*(query(pool, seconds) for _ in range(queries)))
        return time.perf_counter() - start


def rows(rounds: int = 5, queries: int = 32, seconds: float = 0.1) -> Iterator[Row]:
    with asyncio.Runner() as runner:
        server = postgres()
        try:
            address = runner.run(server.__aenter__())
        except NoDatabase:
            yield Row("PostgreSQL", "", "its wheel", "is not installed")
            return
        try:
            for size in (1, 4, 16):
                bound = -(-queries // size) * seconds
                took = [
                    runner.run(measured(address, size, queries, seconds)) for _ in range(rounds)
                ]
                yield Row(
                    f"{queries} queries of {1e3 * seconds:.0f} ms, a pool of {size}: real time",
                    f"{1e3 * statistics.median(took):,.0f} ms",
                    "the bound",
                    f"{1e3 * bound:,.0f} ms",
                    statistics.median(took) / bound,
                    min(took) / bound,
                    GOAL,
                )
        finally:
            runner.run(server.__aexit__(None, None, None))
