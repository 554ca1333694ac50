\echo Use "CREATE EXTENSION null_am" to load this file. \quit
CREATE FUNCTION null_am_handler(internal) RETURNS table_am_handler LANGUAGE C STRICT AS 'MODULE_PATHNAME';
CREATE ACCESS METHOD null_am TYPE TABLE HANDLER null_am_handler;
COMMENT ON ACCESS METHOD null_am IS 'throws rows away; what a COPY costs without storing anything';
