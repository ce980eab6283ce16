"""Builds the GraphQL schema of a set of generations from the files in sdl/.

A generation that is off is not in the schema at all, so what a client gets for using it is the GraphQL library's own
validation error, not an imitation of one.
"""

from functools import cache
from pathlib import Path

from graphql import GraphQLScalarType, GraphQLSchema, assert_valid_schema, build_schema

from . import resolvers, scalars

_SDL = Path(__file__).parent / "sdl"


@cache
def schema_for(*, v1: bool, v2: bool) -> GraphQLSchema:
    """One of four immutable schemas, shared by all instances: per-instance state travels in the context value.

    v1: `cachedEntitlements` and its subscriptions. v2: `entitlementsState`, `credit` in the measurement,
    `idempotencyKey` in ReportUsageInput and its subscriptions. Mutations and `sdkConfiguration` are always there.
    """
    names = ["common"] + ["v1"] * v1 + ["v2"] * v2
    schema = build_schema("\n".join((_SDL / f"{name}.graphql").read_text("utf-8") for name in names))
    for name, functions in (("DateTime", scalars.DATE_TIME), ("JSON", scalars.JSON)):
        scalar = schema.type_map[name]
        assert isinstance(scalar, GraphQLScalarType)
        scalars.attach(scalar, functions)
    for root, fields in (
        (schema.query_type, resolvers.QUERIES),
        (schema.mutation_type, resolvers.MUTATIONS),
    ):
        assert root is not None
        for name in root.fields:
            root.fields[name].resolve = fields[name]
    assert_valid_schema(schema)
    return schema
