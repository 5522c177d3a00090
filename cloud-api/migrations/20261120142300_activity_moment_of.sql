-- When something happened, by a monotonic time and what to add to it; clamped to years that RFC 3339 knows.
CREATE FUNCTION moment_of(mono_ms bigint, offset_ms bigint) RETURNS timestamptz
LANGUAGE sql IMMUTABLE STRICT
RETURN to_timestamp(
    LEAST(GREATEST(mono_ms::numeric + offset_ms, -62135596800000), 253402300799999)::double precision / 1000
);
