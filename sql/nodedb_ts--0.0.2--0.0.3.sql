-- nodedb_ts 0.0.2 to 0.0.3. Complain if the script is sourced in psql.
\echo Use "ALTER EXTENSION nodedb_ts UPDATE" to load this file. \quit

-- time_bucket. As PostgreSQL's date_trunc, it is STABLE where it depends on a time zone by name, else IMMUTABLE.
CREATE FUNCTION @extschema@.time_bucket(width interval, ts timestamptz)
RETURNS timestamptz
LANGUAGE C STRICT IMMUTABLE PARALLEL SAFE COST 1
AS 'MODULE_PATHNAME', 'nts_time_bucket_timestamp';
COMMENT ON FUNCTION @extschema@.time_bucket(interval, timestamptz) IS
'start of the bucket of this width in UTC that the time lies in';

CREATE FUNCTION @extschema@.time_bucket(width interval, ts timestamptz, origin timestamptz)
RETURNS timestamptz
LANGUAGE C STRICT IMMUTABLE PARALLEL SAFE COST 1
AS 'MODULE_PATHNAME', 'nts_time_bucket_timestamp';
COMMENT ON FUNCTION @extschema@.time_bucket(interval, timestamptz, timestamptz) IS
'start of the bucket of this width in UTC that the time lies in; one bucket begins at the origin';

CREATE FUNCTION @extschema@.time_bucket(width interval, ts timestamptz, timezone text)
RETURNS timestamptz
LANGUAGE C STRICT STABLE PARALLEL SAFE COST 10
AS 'MODULE_PATHNAME', 'nts_time_bucket_timestamptz_zone';
COMMENT ON FUNCTION @extschema@.time_bucket(interval, timestamptz, text) IS
'start of the bucket of this width, in local time of the zone, that the time lies in';

CREATE FUNCTION @extschema@.time_bucket(width interval, ts timestamptz, timezone text, origin timestamptz)
RETURNS timestamptz
LANGUAGE C STRICT STABLE PARALLEL SAFE COST 10
AS 'MODULE_PATHNAME', 'nts_time_bucket_timestamptz_zone';
COMMENT ON FUNCTION @extschema@.time_bucket(interval, timestamptz, text, timestamptz) IS
'start of the bucket of this width, in local time of the zone, that the time lies in; one bucket begins at the origin';

CREATE FUNCTION @extschema@.time_bucket(width interval, ts timestamp)
RETURNS timestamp
LANGUAGE C STRICT IMMUTABLE PARALLEL SAFE COST 1
AS 'MODULE_PATHNAME', 'nts_time_bucket_timestamp';
COMMENT ON FUNCTION @extschema@.time_bucket(interval, timestamp) IS
'start of the bucket of this width that the time lies in';

CREATE FUNCTION @extschema@.time_bucket(width interval, ts timestamp, origin timestamp)
RETURNS timestamp
LANGUAGE C STRICT IMMUTABLE PARALLEL SAFE COST 1
AS 'MODULE_PATHNAME', 'nts_time_bucket_timestamp';
COMMENT ON FUNCTION @extschema@.time_bucket(interval, timestamp, timestamp) IS
'start of the bucket of this width that the time lies in; one bucket begins at the origin';

CREATE FUNCTION @extschema@.time_bucket(width interval, ts date)
RETURNS date
LANGUAGE C STRICT IMMUTABLE PARALLEL SAFE COST 1
AS 'MODULE_PATHNAME', 'nts_time_bucket_date';
COMMENT ON FUNCTION @extschema@.time_bucket(interval, date) IS
'day on which the bucket of this width begins that the date lies in';

CREATE FUNCTION @extschema@.time_bucket(width interval, ts date, origin date)
RETURNS date
LANGUAGE C STRICT IMMUTABLE PARALLEL SAFE COST 1
AS 'MODULE_PATHNAME', 'nts_time_bucket_date';
COMMENT ON FUNCTION @extschema@.time_bucket(interval, date, date) IS
'day on which the bucket of this width begins that the date lies in; one bucket begins at the origin';

CREATE FUNCTION @extschema@.time_bucket(width smallint, value smallint)
RETURNS smallint
LANGUAGE C STRICT IMMUTABLE PARALLEL SAFE COST 1
AS 'MODULE_PATHNAME', 'nts_time_bucket_int2';
COMMENT ON FUNCTION @extschema@.time_bucket(smallint, smallint) IS
'largest multiple of the width that is not greater than the value';

CREATE FUNCTION @extschema@.time_bucket(width smallint, value smallint, origin smallint)
RETURNS smallint
LANGUAGE C STRICT IMMUTABLE PARALLEL SAFE COST 1
AS 'MODULE_PATHNAME', 'nts_time_bucket_int2';
COMMENT ON FUNCTION @extschema@.time_bucket(smallint, smallint, smallint) IS
'largest multiple of the width that is not greater than the value, counted from the origin';

CREATE FUNCTION @extschema@.time_bucket(width integer, value integer)
RETURNS integer
LANGUAGE C STRICT IMMUTABLE PARALLEL SAFE COST 1
AS 'MODULE_PATHNAME', 'nts_time_bucket_int4';
COMMENT ON FUNCTION @extschema@.time_bucket(integer, integer) IS
'largest multiple of the width that is not greater than the value';

CREATE FUNCTION @extschema@.time_bucket(width integer, value integer, origin integer)
RETURNS integer
LANGUAGE C STRICT IMMUTABLE PARALLEL SAFE COST 1
AS 'MODULE_PATHNAME', 'nts_time_bucket_int4';
COMMENT ON FUNCTION @extschema@.time_bucket(integer, integer, integer) IS
'largest multiple of the width that is not greater than the value, counted from the origin';

CREATE FUNCTION @extschema@.time_bucket(width bigint, value bigint)
RETURNS bigint
LANGUAGE C STRICT IMMUTABLE PARALLEL SAFE COST 1
AS 'MODULE_PATHNAME', 'nts_time_bucket_int8';
COMMENT ON FUNCTION @extschema@.time_bucket(bigint, bigint) IS
'largest multiple of the width that is not greater than the value';

CREATE FUNCTION @extschema@.time_bucket(width bigint, value bigint, origin bigint)
RETURNS bigint
LANGUAGE C STRICT IMMUTABLE PARALLEL SAFE COST 1
AS 'MODULE_PATHNAME', 'nts_time_bucket_int8';
COMMENT ON FUNCTION @extschema@.time_bucket(bigint, bigint, bigint) IS
'largest multiple of the width that is not greater than the value, counted from the origin';

-- first and last
CREATE FUNCTION @extschema@.nodedb_ts_first_step(internal, anyelement, "any")
RETURNS internal
LANGUAGE C IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'nts_first_step';
CREATE FUNCTION @extschema@.nodedb_ts_last_step(internal, anyelement, "any")
RETURNS internal
LANGUAGE C IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'nts_last_step';
CREATE FUNCTION @extschema@.nodedb_ts_first_combine(internal, internal)
RETURNS internal
LANGUAGE C IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'nts_first_combine';
CREATE FUNCTION @extschema@.nodedb_ts_last_combine(internal, internal)
RETURNS internal
LANGUAGE C IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'nts_last_combine';
CREATE FUNCTION @extschema@.nodedb_ts_first_last_serialize(internal)
RETURNS bytea
LANGUAGE C STRICT IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'nts_first_last_serialize';
CREATE FUNCTION @extschema@.nodedb_ts_first_last_deserialize(bytea, internal)
RETURNS internal
LANGUAGE C STRICT IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'nts_first_last_deserialize';
CREATE FUNCTION @extschema@.nodedb_ts_first_last_final(internal, anyelement, "any")
RETURNS anyelement
LANGUAGE C IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'nts_first_last_final';

CREATE AGGREGATE @extschema@.first(value anyelement, "time" "any") (
  SFUNC = @extschema@.nodedb_ts_first_step,
  STYPE = internal,
  SSPACE = 128,
  FINALFUNC = @extschema@.nodedb_ts_first_last_final,
  FINALFUNC_EXTRA,
  COMBINEFUNC = @extschema@.nodedb_ts_first_combine,
  SERIALFUNC = @extschema@.nodedb_ts_first_last_serialize,
  DESERIALFUNC = @extschema@.nodedb_ts_first_last_deserialize,
  PARALLEL = SAFE
);
COMMENT ON AGGREGATE @extschema@.first(anyelement, "any") IS
'value of the row with the least time; rows whose time is NULL do not count';

CREATE AGGREGATE @extschema@.last(value anyelement, "time" "any") (
  SFUNC = @extschema@.nodedb_ts_last_step,
  STYPE = internal,
  SSPACE = 128,
  FINALFUNC = @extschema@.nodedb_ts_first_last_final,
  FINALFUNC_EXTRA,
  COMBINEFUNC = @extschema@.nodedb_ts_last_combine,
  SERIALFUNC = @extschema@.nodedb_ts_first_last_serialize,
  DESERIALFUNC = @extschema@.nodedb_ts_first_last_deserialize,
  PARALLEL = SAFE
);
COMMENT ON AGGREGATE @extschema@.last(anyelement, "any") IS
'value of the row with the greatest time; rows whose time is NULL do not count';

-- trained dictionaries
CREATE FUNCTION @extschema@.ts_train_dictionary("table" regclass, "column" name)
RETURNS TABLE (relation regclass, dictionary bigint, bytes bigint, test_values bigint, test_bytes_without bigint, test_bytes_with bigint)
LANGUAGE C STRICT VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ts_train_dictionary';
COMMENT ON FUNCTION @extschema@.ts_train_dictionary(regclass, name) IS
'makes a zstd dictionary of the column''s own values, for segments to come; one row for each table where it pays';
