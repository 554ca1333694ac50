-- time_bucket: against date_bin, date_trunc and generate_series; zones, months, extremes, errors.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS nodedb_ts;
DROP SCHEMA IF EXISTS time_bucket CASCADE;
RESET client_min_messages;
CREATE SCHEMA time_bucket;
SET search_path = time_bucket, public;
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
SELECT setseed(0.5);

-- examples
SELECT time_bucket('15 minutes', timestamptz '2024-03-05 10:44:59.999999+00');
SELECT time_bucket('1 day', timestamp '2024-03-05 10:44'), time_bucket('7 days', date '2024-03-05'),
  extract(isodow FROM time_bucket('7 days', date '2024-03-05')) AS monday;
SELECT time_bucket('1 month', timestamp '2024-03-05 10:44'), time_bucket('3 months', date '2024-03-05'),
  time_bucket('1 year', timestamptz '2024-03-05 10:44+00');
SELECT time_bucket('1 day', timestamptz '2024-03-05 23:30+00', 'Europe/Berlin');
SELECT time_bucket(10, 17), time_bucket(10, -17), time_bucket(10, 17, 3), time_bucket(10, 2, 3),
  pg_typeof(time_bucket(10::smallint, 1::smallint)), pg_typeof(time_bucket(10, 1)),
    pg_typeof(time_bucket(10, 1::bigint));
-- the session's time zone does not matter without one, and by name it does
SET timezone = 'America/New_York';
SELECT time_bucket('1 day', timestamptz '2024-03-05 23:30+00') AT TIME ZONE 'UTC' AS utc,
  time_bucket('1 month', timestamptz '2024-03-01 00:30+00') AT TIME ZONE 'UTC' AS utc_month,
  time_bucket('1 day', timestamptz '2024-03-05 23:30+00', 'Europe/Berlin') AT TIME ZONE 'UTC' AS berlin;
SET timezone = 'UTC';
-- literals of no type: text comes before timestamptz; names help
SELECT time_bucket('1 day', timestamptz '2024-03-05 23:30+00', 'Asia/Tokyo');
SELECT time_bucket('1 day', timestamptz '2024-03-05 23:30+00', origin => '2000-01-01 12:00+00'),
  time_bucket('1 day', timestamptz '2024-03-05 23:30+00', 'Asia/Tokyo', '2000-01-01 12:00+09'),
  time_bucket('1 day', timestamptz '2024-03-05 23:30+00', timezone => 'Asia/Tokyo');
-- NULLs
SELECT time_bucket(NULL, now()), time_bucket('1 day', NULL::date), time_bucket('1 day', now(), NULL::text),
  time_bucket(1, 1, NULL), time_bucket('1 day', now(), 'UTC', NULL);
SELECT p.pronargs, p.provolatile, p.proparallel, p.proisstrict, count(*)
FROM pg_proc p JOIN pg_depend d ON d.objid = p.oid AND d.deptype = 'e' WHERE p.proname = 'time_bucket'
GROUP BY 1, 2, 3, 4 ORDER BY 1, 2;

-- fixed widths: as date_bin, whatever the origin
CREATE TABLE random AS
SELECT make_interval(days => (random() * random() * 100)::int,
  secs => (1 + random() * 10 ^ (random() * 6))::numeric(12, 6)) AS width,
  timestamp '2000-01-01' + (random() - 0.5) * 10 ^ (random() * 5) * interval '1 day' AS ts,
  timestamp '2000-01-01' + (random() - 0.5) * 10 ^ (random() * 5) * interval '1 day' AS origin
FROM generate_series(1, 20000);
SELECT count(*), count(*) FILTER (WHERE ts < origin) > 5000 AS before_origin,
  count(*) FILTER (WHERE time_bucket(width, ts, origin) IS DISTINCT FROM date_bin(width, ts, origin)) AS differ,
  count(*) FILTER (WHERE time_bucket(width, ts) IS DISTINCT FROM date_bin(width, ts, '2000-01-03')) AS differ_default,
  count(*) FILTER (WHERE time_bucket(width, ts AT TIME ZONE 'UTC', origin AT TIME ZONE 'UTC')
    IS DISTINCT FROM date_bin(width, ts AT TIME ZONE 'UTC', origin AT TIME ZONE 'UTC')) AS differ_tz,
  count(*) FILTER (WHERE time_bucket(width, ts AT TIME ZONE 'UTC')
    IS DISTINCT FROM date_bin(width, ts AT TIME ZONE 'UTC', '2000-01-03 00:00+00')) AS differ_tz_default,
  count(*) FILTER (WHERE time_bucket(width, ts::date, origin::date)
    IS DISTINCT FROM date_bin(width, ts::date, origin::date)::date) AS differ_date,
  count(*) FILTER (WHERE time_bucket(date_trunc('day', width) + interval '1 day', ts::date)
    IS DISTINCT FROM date_bin(date_trunc('day', width) + interval '1 day', ts::date,
      '2000-01-03')::date) AS differ_days,
  count(*) FILTER (WHERE time_bucket(width, ts AT TIME ZONE 'UTC', 'UTC', origin AT TIME ZONE 'UTC')
    IS DISTINCT FROM date_bin(width, ts AT TIME ZONE 'UTC', origin AT TIME ZONE 'UTC')) AS differ_zone,
  count(*) FILTER (WHERE NOT (time_bucket(width, ts) <= ts AND ts < time_bucket(width, ts) + width)) AS outside
FROM random;
-- integers: as numeric arithmetic
CREATE TABLE integers AS
SELECT (1 + random() * 10 ^ (random() * 18))::bigint AS width,
  ((random() - 0.5) * 10 ^ (random() * 18))::bigint AS value,
  ((random() - 0.5) * 10 ^ (random() * 18))::bigint AS origin FROM generate_series(1, 20000);
SELECT count(*), count(*) FILTER (WHERE time_bucket(width, value, origin)
    <> value - mod(mod(value::numeric - origin, width) + width, width)) AS differ,
  count(*) FILTER (WHERE time_bucket(width, value)
    <> value - mod(mod(value::numeric, width) + width, width)) AS differ_default,
  count(*) FILTER (WHERE time_bucket((1 + width % 10000)::int, (value % 1000000)::int, (origin % 1000000)::int)
    <> time_bucket(1 + width % 10000, value % 1000000, origin % 1000000)) AS differ_int,
  count(*) FILTER (WHERE time_bucket((1 + width % 1000)::smallint, (value % 30000)::smallint,
    (origin % 30000)::smallint)
    <> time_bucket(1 + width % 1000, value % 30000, origin % 30000)) AS differ_smallint
FROM integers;

-- months: as date_trunc
SELECT count(*) FILTER (WHERE time_bucket('1 month', ts) IS DISTINCT FROM date_trunc('month', ts)) AS month,
  count(*) FILTER (WHERE time_bucket('3 months', ts) IS DISTINCT FROM date_trunc('quarter', ts)) AS quarter,
  count(*) FILTER (WHERE time_bucket('1 year', ts) IS DISTINCT FROM date_trunc('year', ts)) AS year,
  count(*) FILTER (WHERE time_bucket('10 years', ts) IS DISTINCT FROM date_trunc('decade', ts)) AS decade,
  count(*) FILTER (WHERE time_bucket('1 month', ts::date) IS DISTINCT FROM date_trunc('month', ts)::date) AS month_date,
  count(*) FILTER (WHERE time_bucket('1 month', ts AT TIME ZONE 'UTC')
    IS DISTINCT FROM date_trunc('month', ts AT TIME ZONE 'UTC')) AS month_tz,
  count(*) FILTER (WHERE time_bucket('7 days', ts) IS DISTINCT FROM date_trunc('week', ts)) AS week
FROM random;
-- with any origin, days that a month lacks included: the last of all starts, origin + k months, that is not after it
CREATE TABLE starts AS
SELECT o AS origin, w AS width, o + k * w * interval '1 month' AS start
FROM unnest('{2000-01-31 10:30, 2020-02-29 23:59:59.999999, 1996-12-30, 2004-03-01 00:00:00.000001}'::timestamp[]) o,
  unnest('{1,2,5,12,13}'::int[]) w, generate_series(-480, 480) k;
CREATE INDEX ON starts (origin, width, start);
CREATE INDEX ON starts (origin, width, (start::date));
CREATE TABLE moments AS
SELECT ts FROM (SELECT timestamp '1970-01-01' + random() * 20000 * interval '1 day' FROM generate_series(1, 300)
  UNION ALL SELECT start + d FROM starts, unnest('{-1 us, 0, 1 us}'::interval[]) d
    WHERE width = 1 AND start BETWEEN '1990-01-01' AND '2005-01-01') m (ts);
SELECT count(*), count(*) FILTER (WHERE time_bucket(width * interval '1 month', ts, origin) IS DISTINCT FROM
    (SELECT max(start) FROM starts s WHERE s.origin = o.origin AND s.width = o.width AND start <= ts)) AS differ,
  count(*) FILTER (WHERE time_bucket(width * interval '1 month', ts::date, origin::date) IS DISTINCT FROM
    (SELECT max(start::date) FROM starts s WHERE s.origin = o.origin AND s.width = o.width
      AND start::date <= ts::date)) AS differ_date
FROM (SELECT DISTINCT origin, width FROM starts) o, (SELECT * FROM moments ORDER BY ts OFFSET 0) m
WHERE extract(epoch FROM ts)::bigint % 11 = 0 OR ts > '2004-01-01';
SELECT ts, time_bucket('1 month', ts, '2000-01-31') FROM unnest(ARRAY[timestamp '2023-02-27', '2023-02-28',
  '2024-02-28', '2024-02-29', '2024-04-29', '2024-04-30']) ts;

-- time zones: as date_trunc where it has such a unit, hour by hour and in between
CREATE TABLE hours AS
SELECT ts, zone FROM generate_series(timestamptz '2018-02-01', '2018-11-30', '20 minutes') ts,
  unnest(ARRAY['Europe/Berlin', 'America/New_York', 'America/Havana', 'America/Sao_Paulo', 'Asia/Beirut',
    'Australia/Lord_Howe', 'Asia/Kathmandu', 'Pacific/Apia', 'EST', '+05:30']) zone
WHERE extract(month FROM ts) IN (2, 3, 4, 10, 11);
SELECT count(*),
  count(*) FILTER (WHERE time_bucket('1 hour', ts, zone) IS DISTINCT FROM date_trunc('hour', ts, zone)) AS hour,
  count(*) FILTER (WHERE time_bucket('1 day', ts, zone) IS DISTINCT FROM date_trunc('day', ts, zone)) AS day,
  count(*) FILTER (WHERE time_bucket('7 days', ts, zone) IS DISTINCT FROM date_trunc('week', ts, zone)) AS week,
  count(*) FILTER (WHERE time_bucket('1 month', ts, zone) IS DISTINCT FROM date_trunc('month', ts, zone)) AS month,
  count(*) FILTER (WHERE time_bucket('1 year', ts, zone) IS DISTINCT FROM date_trunc('year', ts, zone)) AS year
FROM hours;
-- half an hour of daylight saving: date_trunc's hours of Lord Howe overlap, ours do not
SELECT zone, ts AT TIME ZONE zone AS local, time_bucket('1 hour', ts, zone) AS bucket,
  date_trunc('hour', ts, zone) AS date_trunc
FROM hours WHERE time_bucket('1 hour', ts, zone) <> date_trunc('hour', ts, zone) ORDER BY ts;
-- buckets below a day never begin after what lies in them, nor before the bucket of anything earlier
SELECT width, count(*), count(*) FILTER (WHERE bucket > ts) AS late, count(*) FILTER (WHERE bucket < previous) AS back,
  count(*) FILTER (WHERE bucket <= ts - width - interval '1 hour') AS long
FROM (SELECT *, lag(bucket) OVER (PARTITION BY zone, width ORDER BY ts) AS previous
  FROM (SELECT ts, zone, width, time_bucket(width, ts, zone) AS bucket
    FROM hours, unnest('{15 minutes,1 hour,2 hours,7 hours,12 hours}'::interval[]) width
    WHERE zone IN ('Europe/Berlin', 'America/New_York', 'America/Havana', 'America/Sao_Paulo')) b) p
GROUP BY width ORDER BY width;
-- the hour that comes twice, and the one that never comes
SELECT ts, time_bucket('1 hour', ts, 'Europe/Berlin') AS hour, time_bucket('2 hours', ts, 'Europe/Berlin') AS two,
  time_bucket('6 hours', ts, 'Europe/Berlin') AS six, time_bucket('1 day', ts, 'Europe/Berlin') AS day
FROM generate_series(timestamptz '2024-10-26 22:30+00', '2024-10-27 04:30+00', '1 hour') ts;
SELECT ts, time_bucket('1 hour', ts, 'Europe/Berlin') AS hour, time_bucket('50 minutes', ts, 'Europe/Berlin') AS fifty,
  time_bucket('2 hours', ts, 'Europe/Berlin', '2000-01-01 00:30+01') AS odd,
    time_bucket('1 day', ts, 'Europe/Berlin') AS day
FROM generate_series(timestamptz '2024-03-30 23:05+00', '2024-03-31 02:35+00', '30 minutes') ts;

-- infinities and the ends of the ranges
SELECT time_bucket('1 day', 'infinity'::timestamptz), time_bucket('1 month', '-infinity'::timestamp),
  time_bucket('1 day', 'infinity'::date), time_bucket('1 month', '-infinity'::date),
  time_bucket('1 day', 'infinity'::timestamptz, 'Europe/Berlin'),
    time_bucket('1 hour', '-infinity'::timestamptz, 'Europe/Berlin');
SELECT time_bucket('100000 years', timestamp '294276-12-31 23:59:59.999999'),
  time_bucket('106751991 days', timestamp '294276-12-31'),
  time_bucket('1 us', timestamp '4714-11-24 00:00:00 BC'), time_bucket('1 day', timestamp '4714-11-24 00:00:00 BC');
SELECT time_bucket('1 day', timestamp '294276-12-31 23:59:59.999999', '4714-11-24 00:00:00 BC'),
  time_bucket('1 day', timestamp '4714-11-24 00:00:00 BC', '294276-12-31');
SELECT time_bucket('1 day', date '5874897-12-31'), time_bucket('1 year', date '5874897-12-31'),
  time_bucket('2147483647 days', date '5874897-12-31'),
    time_bucket('2147483647 days', date '5874897-12-31', '4714-11-24 BC');
SELECT time_bucket(9223372036854775807, 9223372036854775806), time_bucket(9223372036854775807, -9223372036854775807),
  time_bucket(1, (-9223372036854775808)::bigint),
    time_bucket(9223372036854775807, 9223372036854775807, -9223372036854775808),
  time_bucket(9223372036854775807, -9223372036854775808, -9223372036854775808),
  time_bucket(2147483647, 2147483647, -2147483648), time_bucket(32767::smallint, 32767::smallint, (-32768)::smallint);

-- what is refused, and what has no answer in the type's range
DO $$
DECLARE
  statement text;
BEGIN
  FOREACH statement IN ARRAY ARRAY[
    $s$ '0'::interval, now() $s$, $s$ '-1 day'::interval, now() $s$, $s$ '1 day -24 hours'::interval, now() $s$,
    $s$ '-1 month'::interval, '2024-01-01'::date $s$, $s$ '1 day -25 hours'::interval, now(), 'UTC' $s$,
    $s$ '-2147483648 days -2562047788 hours'::interval, now() $s$,
    $s$ '0'::interval, 'infinity'::timestamp $s$, $s$ '0'::interval, 'infinity'::date $s$,
    $s$ '1 month 1 day'::interval, now() $s$, $s$ '1 year 1 hour'::interval, '2024-01-01'::date $s$,
    $s$ '1 month -1 day'::interval, now(), 'UTC' $s$,
    $s$ '1 day'::interval, now(), 'Nowhere/City' $s$, $s$ '1 day'::interval, now(), '2000-01-01' $s$,
    $s$ 0, 1 $s$, $s$ -5, 1::bigint $s$, $s$ (-32768)::smallint, 1::smallint $s$, $s$ -9223372036854775808, 5 $s$,
    $s$ 1.5, 1.5 $s$,
    $s$ '1 day', timestamp '2024-01-01', 'infinity' $s$,
    $s$ '1 month', date '2024-01-01', '-infinity' $s$,
    $s$ '1 day', timestamptz '2024-01-01', 'UTC', 'infinity' $s$,
    $s$ '1 month', timestamp '4714-11-24 00:00:00 BC' $s$,
    $s$ '178956970 years', timestamp '1999-12-31' $s$,
    $s$ '7 days', timestamp '4714-11-24 00:00:00 BC', '2000-01-01' $s$,
    $s$ '2147483647 days', timestamp '2000-01-04' $s$,
    $s$ '106751991 days', timestamp '2000-01-01' $s$,
    $s$ '1 day', timestamptz '4714-11-24 00:00+00 BC', 'America/New_York' $s$,
    $s$ '1 hour', date '5874897-12-31' $s$,
    $s$ '1 month', date '4714-11-24 BC' $s$,
    $s$ '2147483647 days', date '1999-12-31' $s$,
    $s$ 10, (-9223372036854775808)::bigint $s$,
    $s$ 9223372036854775807, -9223372036854775808 $s$,
    $s$ 10, -2147483648 $s$,
    $s$ 10::smallint, (-32768)::smallint $s$]
  LOOP
    BEGIN
      EXECUTE 'SELECT time_bucket(' || statement || ')';
      RAISE NOTICE '%: accepted', statement;
    EXCEPTION WHEN others THEN
      RAISE NOTICE '%: % %', statement, sqlstate, sqlerrm;
    END;
  END LOOP;
END $$;

-- widths of days and hours that cancel each other in part
SELECT time_bucket('1 day -12 hours', timestamp '2024-01-01 13:00'),
  time_bucket('-1 day 30 hours', timestamp '2024-01-01 13:00');
-- dates and widths that are no whole days: the day on which the bucket begins
SELECT d::date, time_bucket('36 hours', d::date), time_bucket('6 hours', d::date)
FROM generate_series('2000-01-01'::timestamp, '2000-01-05', '1 day') d;

-- in queries: groups, expression indexes and generated columns (IMMUTABLE), workers
CREATE TABLE m (ts timestamptz, v int,
  hour timestamptz GENERATED ALWAYS AS (time_bucket('1 hour', ts)) STORED) USING heap;
CREATE INDEX ON m (time_bucket('1 day', ts));
CREATE INDEX ON m (time_bucket('1 day', ts, 'UTC'));
CREATE TABLE n (ts timestamptz, v int) USING nodedb_ts;
INSERT INTO m SELECT '2024-01-01'::timestamptz + k * interval '7 s', k FROM generate_series(1, 50000) k;
INSERT INTO n SELECT ts, v FROM m;
SELECT time_bucket('1 day', ts) AS day, count(*), sum(v) FROM n GROUP BY day ORDER BY day;
SELECT count(*) FROM (SELECT time_bucket('1 hour', ts), sum(v) FROM n GROUP BY 1
  EXCEPT SELECT date_trunc('hour', ts), sum(v) FROM m GROUP BY 1) x;
SELECT count(*) FROM m WHERE hour <> date_trunc('hour', ts);
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET force_parallel_mode = on;
SELECT time_bucket('1 day', ts, 'Europe/Berlin') AS day, count(*) FROM m GROUP BY day ORDER BY day;

SET client_min_messages = warning;
DROP SCHEMA time_bucket CASCADE;

-- as a group key of the aggregate node: before and after the origin, infinities, NULL
CREATE TABLE bucketed (ts timestamptz, plain timestamp, v int) USING nodedb_ts;
INSERT INTO bucketed SELECT '1999-12-25'::timestamptz + i * interval '7 minutes 13 seconds', '1999-12-25'::timestamp + i * interval '1 hour', i
  FROM generate_series(1, 5000) i;
INSERT INTO bucketed VALUES ('infinity', '-infinity', 1), (NULL, 'infinity', 2), ('-infinity', NULL, 3), ('2000-01-03', '2000-01-03', 4);
SELECT ts_flush('bucketed') >= 0 AS flushed;
CREATE FUNCTION bucket_differences(keys text[]) RETURNS TABLE (compared int, different int) LANGUAGE plpgsql AS $$
DECLARE k text; q text; a text; b text;
BEGIN
  compared := 0; different := 0;
  FOREACH k IN ARRAY keys LOOP
    q := format('SELECT md5(string_agg(x::text, '' '' ORDER BY k)) FROM (SELECT %s AS k, count(*), sum(v) FROM bucketed GROUP BY 1) x', k);
    SET LOCAL nodedb_ts.enable_vectorized_aggregate = on;
    EXECUTE q INTO a;
    SET LOCAL nodedb_ts.enable_vectorized_aggregate = off;
    EXECUTE q INTO b;
    compared := compared + 1;
    different := different + (a IS DISTINCT FROM b)::int;
  END LOOP;
  RETURN NEXT;
END $$;
SELECT * FROM bucket_differences('{"time_bucket(''5 minutes'', ts)","time_bucket(''1 day 30 minutes'', ts)","time_bucket(''1 week'', ts)","time_bucket(''1 month'', ts)",
  "time_bucket(''90 minutes'', plain)","time_bucket(''2 days'', ts, origin => ''2000-01-10 05:00+00''::timestamptz)","time_bucket(''11 hours'', plain, ''1999-01-01''::timestamp)",
  "time_bucket(''3 days'', ts, ''Europe/Berlin'')","time_bucket(''0.000007 seconds'', ts)","time_bucket(7, v)"}');
DROP FUNCTION bucket_differences;
DROP TABLE bucketed;
