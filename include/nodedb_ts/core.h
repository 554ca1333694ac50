/*
 * core.h - the wall between PostgreSQL (C, src/pg) and the core (C++20).
 *
 * The core knows nothing of PostgreSQL: bytes in, bytes out, status back. It
 * never calls back, never longjmps, never throws across this file: every
 * function is noexcept, turns C++ exceptions into codes, and reports failure by
 * returning a code other than NTS_OK with the same code and a message in
 * *status (which is untouched on success). It does no I/O and takes no lock;
 * a handle belongs to one thread.
 *
 * Words. A *part* holds the rows that one (sub)transaction put into one table
 * and that are not in shared storage yet. All parts of a backend share one
 * *manager*, which holds the memory budget. A *segment* is an immutable byte
 * string of row groups of column chunks of vectors. A *batch* is a small byte
 * string of rows that fits in one page. FORMAT.md in src/segment describes the
 * bytes.
 */
#ifndef NODEDB_TS_CORE_H
#define NODEDB_TS_CORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#define NTS_NOEXCEPT noexcept
#else
#define NTS_NOEXCEPT
#endif

/* ---- status ---------------------------------------------------------- */

typedef enum NtsCode
{
	NTS_OK = 0,
	NTS_ERR_CORRUPT = 1,		/* stored bytes are not what was written */
	NTS_ERR_MEMORY = 2,			/* allocation failed */
	NTS_ERR_UNSUPPORTED = 3,	/* valid, but this version cannot do it */
	NTS_ERR_LIMIT = 4,			/* a documented limit was exceeded */
	NTS_ERR_BUG = 5				/* a broken precondition or invariant */
} NtsCode;

typedef struct NtsStatus
{
	int32_t		code;			/* an NtsCode */
	char		message[252];	/* English, NUL-terminated, no newline */
} NtsStatus;

/* ---- schema and values ----------------------------------------------- */

/* Physical kinds of a column. Numbers are stored on disk: never reuse one. */
typedef enum NtsKind
{
	NTS_KIND_NONE = 0,			/* dropped column: every value is NULL */
	NTS_KIND_INT = 1,			/* passed by value: width 1, 2, 4 or 8 bytes, signed */
	NTS_KIND_FLOAT4 = 2,		/* IEEE 754 binary32 */
	NTS_KIND_FLOAT8 = 3,		/* IEEE 754 binary64 */
	NTS_KIND_FIXED = 4,			/* exactly `width` opaque bytes, 1..32767 */
	NTS_KIND_VAR = 5			/* 0..2^30-9 opaque bytes */
} NtsKind;

/* Flags of a column */
#define NTS_COLUMN_LABEL 1		/* text-like, enum, uuid, boolean ...: a likely
								 * series column (tag) rather than a metric */

typedef struct NtsColumn
{
	uint8_t		kind;			/* an NtsKind */
	uint8_t		align;			/* alignment of a decoded value: 1, 2, 4 or 8 bytes */
	uint16_t	flags;			/* NTS_COLUMN_* */
	uint32_t	width;			/* bytes: INT 1/2/4/8, FLOAT4 4, FLOAT8 8, FIXED n, else 0 */
} NtsColumn;

typedef struct NtsSchema
{
	const NtsColumn *columns;	/* copied by whoever takes a schema */
	uint32_t	column_count;	/* 0..1600 */
	int32_t		time_column;	/* index of an INT column, or -1: no time */
	int64_t		bucket_width;	/* in the unit of the time column; 0: a single
								 * bucket. Buckets are [k*width, (k+1)*width) with
								 * floor division; NULL time has a bucket of its own,
								 * before all others */
} NtsSchema;

/* One value on its way in (or back out of a part). */
typedef struct NtsValue
{
	uint64_t	word;			/* INT: two's complement, only the low `width`
								 * bytes count; FLOAT4: bits in the low half;
								 * FLOAT8: bits; FIXED, VAR: address of the bytes */
	uint32_t	length;			/* VAR: bytes at the address; otherwise ignored */
	uint32_t	is_null;		/* 0 or 1; 1: the other members are ignored */
} NtsValue;

/* Bytes of one value, borrowed. */
typedef struct NtsSlice
{
	const uint8_t *bytes;
	size_t		length;
} NtsSlice;

#define NTS_NO_ROW_ID UINT64_MAX	/* row without an id yet; real ids are < 2^40 */

/* ---- trained dictionaries -------------------------------------------- */

/*
 * A set of dictionaries, at most one for each column of byte strings, that segments may refer to: they name it by
 * its id, and whoever opens such a segment hands the set in. Segments, merges and parts keep what they were given,
 * so it may be closed at any time.
 */
typedef struct NtsDictionaries NtsDictionaries;

/* Neither the dictionaries of a set nor its bytes are more: whoever reads a segment has all of its set in memory. */
#define NTS_DICTIONARIES_BYTES (16 * 1024 * 1024)

/* Parses and checks the bytes, which are copied. Close it with nts_dictionaries_close. */
NtsDictionaries *nts_dictionaries_open(const uint8_t *bytes, size_t length, NtsStatus *status) NTS_NOEXCEPT;
void		nts_dictionaries_close(NtsDictionaries *dictionaries) NTS_NOEXCEPT;	/* NULL is allowed */
/* Never 0. */
uint32_t	nts_dictionaries_id(const NtsDictionaries *dictionaries) NTS_NOEXCEPT;
/* Bytes that the column's dictionary takes in the set; 0: it has none. */
uint64_t	nts_dictionaries_bytes(const NtsDictionaries *dictionaries, uint32_t column) NTS_NOEXCEPT;
/* Bytes of memory that the set takes, about; grows when it is used. */
uint64_t	nts_dictionaries_memory(const NtsDictionaries *dictionaries) NTS_NOEXCEPT;

typedef enum NtsTrainingResult
{
	NTS_TRAINING_DONE = 0,
	NTS_TRAINING_TOO_FEW = 1,	/* too few bytes to learn from, or to check on */
	NTS_TRAINING_NO_GAIN = 2	/* level 1 does without it, or as well without */
} NtsTrainingResult;

typedef struct NtsTraining
{
	int32_t		result;			/* an NtsTrainingResult */
	uint32_t	reserved;
	uint64_t	sample_bytes;	/* of the values that it learned from */
	uint64_t	test_values;	/* that it was checked on, which are others, */
	uint64_t	test_bytes;		/* their bytes, */
	uint64_t	plain_bytes;	/* those of a chunk of level 1 without it, */
	uint64_t	trained_bytes;	/* and with it */
	uint64_t	dictionary_bytes;	/* uncompressed */
} NtsTraining;

typedef struct NtsTrainer NtsTrainer;

/* Vectors that nts_trainer_add has a use for, spread over the table; of each at most 64 kB are kept. */
#define NTS_TRAINER_VECTORS 256

/* column: of kind FIXED or VAR. */
NtsTrainer *nts_trainer_new(const NtsColumn *column, NtsStatus *status) NTS_NOEXCEPT;
void		nts_trainer_free(NtsTrainer *trainer) NTS_NOEXCEPT;	/* NULL is allowed */
/* Takes values of neighbouring rows, none of them NULL, up to its share: those of one vector. */
int			nts_trainer_add(NtsTrainer *trainer, const NtsSlice *values, uint32_t count,
							NtsStatus *status) NTS_NOEXCEPT;
/* Learns from some of the values and judges by the others. Takes about a second. */
int			nts_trainer_train(NtsTrainer *trainer, NtsTraining *training, NtsStatus *status) NTS_NOEXCEPT;
/*
 * Makes the bytes of a set with this id: the trained dictionary for `column`, and of `older`, unless NULL, those of
 * the other columns that keep[keep_count] says. They are owned by the trainer. NTS_ERR_LIMIT: more than
 * NTS_DICTIONARIES_BYTES. REQUIRES: NTS_TRAINING_DONE.
 */
int			nts_trainer_write(NtsTrainer *trainer, uint32_t id, uint32_t column,
							  const NtsDictionaries *older, const bool *keep, uint32_t keep_count,
							  const uint8_t **bytes, size_t *length, NtsStatus *status) NTS_NOEXCEPT;

/* ---- memtable manager ------------------------------------------------ */

typedef struct NtsManager NtsManager;
typedef struct NtsPart NtsPart;

typedef struct NtsManagerOptions
{
	uint64_t	memory_budget_bytes;	/* hard limit over all parts; >= 1024 */
	double		active_fraction;	/* (0, 1]: share of the budget at which an
									 * append reports FLUSH_NEEDED */
	uint64_t	max_series;		/* >= 1, per part; over it the coldest series is
								 * evicted to the part's flush queue */
} NtsManagerOptions;

typedef struct NtsCounters
{
	uint64_t	flushes;		/* frozen memtables that were flushed successfully */
	uint64_t	ingested;		/* rows accepted */
	uint64_t	rejected;		/* appends answered REJECTED */
	uint64_t	evictions;		/* series evicted to a flush queue */
	uint64_t	active_bytes;	/* bytes held by active memtables, real allocations */
	uint64_t	frozen_bytes;	/* bytes held by frozen memtables and flush queues */
	uint64_t	active_series;	/* series in active memtables */
	uint64_t	active_rows;
	uint64_t	has_frozen;		/* 1 when any part holds frozen or queued rows */
} NtsCounters;

typedef enum NtsIngest
{
	NTS_INGEST_OK = 0,
	NTS_INGEST_FLUSH_NEEDED = 1,	/* the row is in; flush soon (active bytes of all
									 * parts reached active_fraction * budget) */
	NTS_INGEST_REJECTED = 2		/* the row is NOT in; flush, then try once more */
} NtsIngest;

NtsManager *nts_manager_new(const NtsManagerOptions *options, NtsStatus *status) NTS_NOEXCEPT;
/* Frees the manager and every part still open. NULL is allowed. */
void		nts_manager_free(NtsManager *manager) NTS_NOEXCEPT;
/* Takes effect with the next append; rows already held stay. */
int			nts_manager_configure(NtsManager *manager, const NtsManagerOptions *options,
								  NtsStatus *status) NTS_NOEXCEPT;
void		nts_manager_counters(const NtsManager *manager, NtsCounters *counters) NTS_NOEXCEPT;
/* The part to flush when an append to `appended` says so: whose flush takes most from what makes one due. NULL: none holds a row. */
NtsPart    *nts_manager_largest(NtsManager *manager, const NtsPart *appended) NTS_NOEXCEPT;

NtsPart    *nts_part_new(NtsManager *manager, const NtsSchema *schema, NtsStatus *status) NTS_NOEXCEPT;
void		nts_part_free(NtsPart *part) NTS_NOEXCEPT;	/* drops its rows; NULL is allowed */
/* Drops all rows (active, queued, frozen), keeps small buffers and the choice of
 * series columns for reuse by a later transaction; large buffers are released. */
void		nts_part_reset(NtsPart *part) NTS_NOEXCEPT;
void		nts_part_set_owner(NtsPart *part, void *owner) NTS_NOEXCEPT;
void	   *nts_part_owner(const NtsPart *part) NTS_NOEXCEPT;
/* Rows held: active + queued + frozen. */
uint64_t	nts_part_rows(const NtsPart *part) NTS_NOEXCEPT;
uint64_t	nts_part_bytes(const NtsPart *part) NTS_NOEXCEPT;

/*
 * Sets the series columns (indexes, ascending) that the newest segment was
 * sorted by. Ignored when rows were already keyed. Without it the part chooses
 * at its 10 000th row or first freeze. count 0: "no series columns" is the choice.
 */
int			nts_part_set_series(NtsPart *part, const uint16_t *columns, uint32_t count,
								NtsStatus *status) NTS_NOEXCEPT;
/* True once the part has chosen or was told its series columns. */
bool		nts_part_has_series(const NtsPart *part) NTS_NOEXCEPT;

/*
 * Appends one row: values[column_count of the schema]. Bytes are copied.
 * *result is set when NTS_OK is returned. A failure leaves the part as it was.
 * row_id: the id that was (or may have been) handed out, or NTS_NO_ROW_ID.
 */
int			nts_part_append(NtsPart *part, const NtsValue *values, uint64_t row_id,
							uint32_t command_id, int *result, NtsStatus *status) NTS_NOEXCEPT;

/*
 * Rows as PostgreSQL's slots hold them: words[i][c] is the Datum of row i and column c
 * (VAR: address of a varlena; FIXED: of the bytes), nulls[i][c] says that it is NULL.
 * images: NULL, or of each row NULL or bytes that stand for its values of all VAR and FIXED
 * columns: in rows with equal images these are equal, byte for byte and NULL for NULL.
 * following: rows that the caller has behind the block.
 */
typedef struct NtsRowBlock
{
	const uint64_t *const *words;
	const bool *const *nulls;
	uint32_t	count;
	const uint8_t *const *images;
	const uint32_t *image_lengths;
	uint32_t	following;
} NtsRowBlock;

/*
 * Appends rows from the start of a block, without ids, faster than one by one. *appended:
 * how many; the next one is for nts_part_append, which also says what is wrong with it, if
 * anything is. *result: NTS_INGEST_OK or NTS_INGEST_FLUSH_NEEDED, for the rows that are in.
 */
int			nts_part_append_block(NtsPart *part, const NtsRowBlock *block, uint32_t command_id,
								  uint32_t *appended, int *result, NtsStatus *status) NTS_NOEXCEPT;

/* Bytes that appending this row would add at most; for the bypass of large rows. */
uint64_t	nts_part_row_bytes(const NtsPart *part, const NtsValue *values) NTS_NOEXCEPT;

/* Moves all rows of `from` behind those of `into` (same schema); `from` is empty
 * afterwards. On failure both are unchanged. */
int			nts_part_merge(NtsPart *into, NtsPart *from, NtsStatus *status) NTS_NOEXCEPT;

/*
 * Finds the row with this id. *found = false when the part does not hold it.
 * values[column_count]: addresses point into the part and are valid until the
 * next call that changes it.
 */
int			nts_part_fetch(NtsPart *part, uint64_t row_id, NtsValue *values, uint32_t *command_id,
						   bool *found, NtsStatus *status) NTS_NOEXCEPT;

/* ---- flushing a part ------------------------------------------------- */

typedef struct NtsFlushOptions
{
	uint32_t	max_batch_bytes;	/* largest batch payload; rows that do not fit go
									 * into a segment */
	uint32_t	max_batch_rows;	/* <= 65535 */
	uint64_t	min_segment_rows;	/* fewer rows than this (and fewer than
									 * min_segment_bytes) make batches; 1: always
									 * segments. Neighbouring time buckets are
									 * joined until a segment has this many */
	uint64_t	min_segment_bytes;	/* raw bytes */
	uint64_t	max_segment_rows;
	uint64_t	max_segment_bytes;	/* raw bytes */
	bool		keep_command_ids;	/* false: nobody will look at them any more */
	uint8_t		level;			/* 1 or 2: which codecs to prefer (speed or size) */
	const NtsDictionaries *dictionaries;	/* that segments may use, or NULL; kept until nts_flush_end */
} NtsFlushOptions;

typedef enum NtsOutputKind
{
	NTS_OUTPUT_END = 0,
	NTS_OUTPUT_BATCH = 1,
	NTS_OUTPUT_SEGMENT = 2
} NtsOutputKind;

typedef struct NtsOutput
{
	int32_t		kind;			/* NtsOutputKind */
	uint8_t		has_time;		/* min_time/max_time are set (some non-NULL time) */
	uint8_t		has_null_time;	/* some row has NULL time (or the table no time column) */
	uint8_t		has_row_ids;	/* the rows have ids of their own: a batch's are
								 * first_row_id + i; a segment stores an id column */
	uint8_t		batch_layout;	/* batch: 0 plain rows, 1 columns (FORMAT.md) */
	const uint8_t *bytes;		/* owned by the part, until the next call */
	uint64_t	length;
	uint64_t	rows;
	int64_t		min_time;
	int64_t		max_time;
	uint64_t	min_row_id;		/* has_row_ids: smallest and largest id */
	uint64_t	max_row_id;
	uint32_t	min_command_id; /* of the rows, whether or not they are kept */
	uint32_t	max_command_id;
	uint64_t	footer_offset;	/* segment: where its footer starts; it ends at length */
	uint32_t	dictionaries;	/* segment: id of the set that it refers to, or 0 */
	uint32_t	reserved;
} NtsOutput;

/*
 * Freezes the active rows together with the flush queue and plans the outputs.
 * When an earlier flush failed, its frozen rows are planned again. A batch never
 * mixes rows with and without ids; its ids are consecutive; when
 * keep_command_ids, its rows are stored with command ids unless all are equal.
 */
int			nts_flush_begin(NtsPart *part, const NtsFlushOptions *options, NtsStatus *status) NTS_NOEXCEPT;

/* Rows by column: words and nulls of column c begin at words[c] and nulls[c] (0 or 1). Words are Datums as in NtsRowBlock;
 * of dropped columns nothing is looked at. */
typedef struct NtsColumnBlock
{
	const uint64_t *const *words;
	const uint8_t *const *nulls;
	uint32_t	count;
} NtsColumnBlock;

/*
 * The same for rows, without ids, of one command, that are where the caller has them instead of in the part, which must
 * hold none: what appending them first would write. They are borrowed until nts_flush_end, with which they are forgotten
 * whatever comes of the flush.
 */
int			nts_flush_begin_columns(NtsPart *part, const NtsColumnBlock *blocks, uint32_t block_count,
									uint32_t command_id, const NtsFlushOptions *options,
									NtsStatus *status) NTS_NOEXCEPT;
/* Encodes the next output; kind END when there is none. */
int			nts_flush_next(NtsPart *part, NtsOutput *output, NtsStatus *status) NTS_NOEXCEPT;
/* success: the frozen rows are in shared storage, drop them and count one flush.
 * Otherwise they stay frozen and a later nts_flush_begin starts again. */
void		nts_flush_end(NtsPart *part, bool success) NTS_NOEXCEPT;

/*
 * One row straight into a batch payload of layout 0, without a part in between: the
 * path of one-row commits. head, head_length: nts_batch_head of the schema.
 * *length = 0: it does not fit into capacity.
 */
int			nts_batch_encode_row(const NtsSchema *schema, const uint8_t *head,
								 uint32_t head_length, const NtsValue *values,
								 uint8_t *payload, size_t capacity, size_t *length,
								 NtsStatus *status) NTS_NOEXCEPT;

/* Bytes at the start of every payload of this schema that say how rows are made up;
 * mostly equal from batch to batch, so that a page need not repeat them. */
uint32_t	nts_batch_head_length(const NtsSchema *schema) NTS_NOEXCEPT;
/* Fills head[nts_batch_head_length(schema)]. */
int			nts_batch_head(const NtsSchema *schema, uint8_t *head, NtsStatus *status) NTS_NOEXCEPT;

/* ---- reading batches ------------------------------------------------- */

/* A batch's payload. */
typedef struct NtsBatchBytes
{
	const uint8_t *head;		/* how rows are made up, when that stands elsewhere: the first batch of its kind on a page has it */
	size_t		head_length;	/* 0: the head stands in the body */
	const uint8_t *body;
	size_t		body_length;
	uint32_t	rows;
	uint8_t		layout;
	bool		head_checked;	/* a call with this head, and with these columns, has succeeded */
} NtsBatchBytes;

typedef struct NtsBatchInfo
{
	uint32_t	column_count;	/* columns stored: the row type may have grown since */
	uint32_t	has_command_ids;
	uint64_t	data_bytes;		/* room that decoding the by-reference values takes at most,
								 * with alignment padding, if data is 8-aligned */
} NtsBatchInfo;

/* Validates what it reports; columns/column_count: the current row type. */
int			nts_batch_info(const NtsColumn *columns, uint32_t column_count, const NtsBatchBytes *batch,
						   NtsBatchInfo *info, NtsStatus *status) NTS_NOEXCEPT;

/*
 * Decodes a batch into an array for each column: value of column c, row r goes to
 * values[c][first + r], nulls[c][first + r] (0 or 1; values of NULLs are 0).
 * Only columns < min(column_count, stored) are written.
 * Words: INT sign-extended to 64 bits, FLOAT4 bits zero-extended, FLOAT8 bits,
 * FIXED: address in `data`, VAR: address in `data` of a 4-byte native-endian word
 * (length + 4) << 2 followed by the bytes; every address is aligned to the
 * column's align. data must be 8-aligned and hold data_bytes.
 * command_ids: NULL or room for rows; written only when has_command_ids.
 */
int			nts_batch_decode(const NtsColumn *columns, uint32_t column_count, const NtsBatchBytes *batch,
							 size_t first, uint64_t *const *values, uint8_t *const *nulls,
							 uint8_t *data, uint64_t data_bytes, uint32_t *command_ids,
							 NtsStatus *status) NTS_NOEXCEPT;

/* ---- reading segments ------------------------------------------------ */

typedef struct NtsSegment NtsSegment;	/* a parsed footer */

/* Hidden columns that a segment may have */
#define NTS_COLUMN_ROW_ID (-1)
#define NTS_COLUMN_COMMAND_ID (-2)

typedef struct NtsSegmentInfo
{
	uint64_t	rows;
	uint32_t	row_groups;
	uint32_t	column_count;	/* stored; later columns take their defaults */
	uint8_t		level;
	uint8_t		has_row_ids;
	uint8_t		has_command_ids;
	uint8_t		has_last_rows;	/* row group number `row_groups`, which is none of the rows, holds
								 * copies: the last row, by time, of each series */
	uint64_t	series;			/* distinct series */
	int32_t		time_column;	/* the one it was built with, or -1 */
	uint32_t	series_column_count;
	uint16_t	series_columns[16];
	uint32_t	dictionaries;	/* id of the set that must be handed in, or 0 */
} NtsSegmentInfo;

typedef struct NtsRowGroupInfo
{
	uint64_t	first_row;		/* position of its first row in the segment */
	uint64_t	first_byte;		/* offset of its first chunk in the segment */
	uint32_t	rows;
	uint32_t	vectors;
} NtsRowGroupInfo;

typedef struct NtsChunkInfo
{
	uint64_t	offset;			/* from the segment's first byte */
	uint64_t	length;
	uint32_t	crc32c;
	uint32_t	null_count;
	uint8_t		codec;			/* chunk-level codec number, FORMAT.md */
	uint8_t		uses_dictionary;	/* 1: the column's, of the set that the segment refers to */
} NtsChunkInfo;

/*
 * Parses a footer (copied) and checks it against segment_length, its own
 * checksum and the current row type (a stored column's kind and width must agree,
 * unless either is NONE). Close it with nts_segment_close.
 */
NtsSegment *nts_segment_open(const uint8_t *footer, size_t footer_length, uint64_t segment_length,
							 const NtsColumn *columns, uint32_t column_count,
							 NtsStatus *status) NTS_NOEXCEPT;
void		nts_segment_close(NtsSegment *segment) NTS_NOEXCEPT;	/* NULL is allowed */
/* Hands in the set that the segment refers to (NtsSegmentInfo); without it what needs it is NTS_ERR_CORRUPT. */
int			nts_segment_use_dictionaries(NtsSegment *segment, const NtsDictionaries *dictionaries,
										 NtsStatus *status) NTS_NOEXCEPT;
/* Keeps what is parsed of chunks, for reading them again, while it takes no more bytes; what is beyond goes at once.
 * Without this call only that of the row group read last is kept. */
void		nts_segment_keep_parsed(NtsSegment *segment, uint64_t bytes) NTS_NOEXCEPT;
void		nts_segment_info(const NtsSegment *segment, NtsSegmentInfo *info) NTS_NOEXCEPT;
int			nts_segment_row_group(const NtsSegment *segment, uint32_t group,
								  NtsRowGroupInfo *info, NtsStatus *status) NTS_NOEXCEPT;
/* Rows of one vector (1..1024) and the position of its first row in the row group. */
int			nts_segment_vector(const NtsSegment *segment, uint32_t group, uint32_t vector,
							   uint32_t *first_row, uint32_t *rows, NtsStatus *status) NTS_NOEXCEPT;
/* Positions in the segment of the last row of series `first`...: of those whose copies are the last rows, if it has them. */
int			nts_segment_last_rows(const NtsSegment *segment, uint32_t first, uint32_t count,
								  uint64_t *rows, NtsStatus *status) NTS_NOEXCEPT;
/* column: 0..column_count-1 (stored) or NTS_COLUMN_*. */
int			nts_segment_chunk(const NtsSegment *segment, uint32_t group, int32_t column,
							  NtsChunkInfo *info, NtsStatus *status) NTS_NOEXCEPT;
/* The name of a chunk's codec; never NULL. */
const char *nts_codec_name(uint8_t codec) NTS_NOEXCEPT;
/* Compares the chunk's bytes with its CRC-32C. */
int			nts_chunk_verify(const NtsSegment *segment, uint32_t group, int32_t column,
							 const uint8_t *chunk, size_t length, NtsStatus *status) NTS_NOEXCEPT;
/* Bytes of room that nts_vector_decode needs in `data` (0 for INT, FLOAT4, FLOAT8). */
int			nts_vector_size(const NtsSegment *segment, uint32_t group, int32_t column,
							const uint8_t *chunk, size_t length, uint32_t vector,
							uint64_t *data_bytes, NtsStatus *status) NTS_NOEXCEPT;
/*
 * Decodes one vector. values[rows], nulls[rows]: words and flags as for
 * nts_batch_decode. chunk, length: the chunk's bytes in memory. *any_null tells
 * whether some flag is 1; *uniform, unless uniform is NULL, that all rows have the same word or are all NULL (where it
 * is false they may, too). wanted: how many rows matter, from the first on, or UINT32_MAX; other rows' flags are right,
 * but their words may be anything (addresses are those of some row).
 */
int			nts_vector_decode(const NtsSegment *segment, uint32_t group, int32_t column,
							  const uint8_t *chunk, size_t length, uint32_t vector, uint32_t wanted,
							  uint64_t *values, uint8_t *nulls, uint8_t *data, uint64_t data_bytes,
							  bool *any_null, bool *uniform, NtsStatus *status) NTS_NOEXCEPT;

/* What is known of the values of a row group's column, or of one vector of it. */
typedef struct NtsStatistics
{
	uint32_t	rows;
	uint32_t	null_count;
	uint8_t		has_range;		/* words that are not NULL lie in [min, max]; floats in
								 * PostgreSQL's order, NaN greatest */
	uint8_t		has_sum;
	uint8_t		nulls_known;	/* 0: null_count is no more than a bound; some may be NULL */
	uint8_t		reserved[5];
	uint64_t	min;			/* words as decoded */
	uint64_t	max;
	int64_t		sum;			/* has_sum: of an INT column */
} NtsStatistics;

/* From the footer alone; of a stored column (not NTS_COLUMN_*), never a sum. */
int			nts_segment_statistics(const NtsSegment *segment, uint32_t group, int32_t column,
								   NtsStatistics *statistics, NtsStatus *status) NTS_NOEXCEPT;
/* The same of each vector of the row group, which has as many as `vectors` has room for;
 * those of a chunk that keeps none have no range. */
int			nts_chunk_statistics(const NtsSegment *segment, uint32_t group, int32_t column,
								 const uint8_t *chunk, size_t length, NtsStatistics *vectors,
								 NtsStatus *status) NTS_NOEXCEPT;
/*
 * The distinct values that a chunk lists: its constant, or the entries of its dictionary by code; no NULL.
 * *count = 0: it lists none, or more than `most`. values NULL: sets *count and *data_bytes, the room that is
 * needed; else `*count` words as decoded, with by-reference values in `data`, which has *data_bytes. An entry
 * may be one that no row has.
 */
int			nts_chunk_distinct(const NtsSegment *segment, uint32_t group, int32_t column,
							   const uint8_t *chunk, size_t length, uint32_t most, uint64_t *values,
							   uint8_t *data, uint64_t *data_bytes, uint32_t *count,
							   NtsStatus *status) NTS_NOEXCEPT;
/* Of each vector of a chunk with a dictionary (nts_chunk_distinct found some, and the chunk has bytes): bit c % 64 is
 * set when some row has the value with code c; whether some row is NULL. */
int			nts_chunk_members(const NtsSegment *segment, uint32_t group, int32_t column,
							  const uint8_t *chunk, size_t length, uint64_t *members, uint8_t *any_null,
							  NtsStatus *status) NTS_NOEXCEPT;
/* Bytes of memory that the handle takes, about. */
uint64_t	nts_segment_memory(const NtsSegment *segment) NTS_NOEXCEPT;

/* ---- conditions on vectors ------------------------------------------- */

typedef enum NtsCompare
{
	NTS_COMPARE_LT = 1,
	NTS_COMPARE_LE = 2,
	NTS_COMPARE_EQ = 3,
	NTS_COMPARE_GE = 4,
	NTS_COMPARE_GT = 5,
	NTS_COMPARE_NE = 6
} NtsCompare;

/* How words are compared. Floats: -0 = 0, NaN = NaN and greater than all others. */
typedef enum NtsWordOrder
{
	NTS_ORDER_INT = 1,			/* signed 64 bits */
	NTS_ORDER_FLOAT4 = 2,		/* bits in the low half; compared as float8 */
	NTS_ORDER_FLOAT8 = 3
} NtsWordOrder;

/* < 0, 0, > 0. The second word is always an INT or a FLOAT8. */
int			nts_word_compare(int32_t order, uint64_t word, uint64_t constant) NTS_NOEXCEPT;
/* keep[i], 0 or 1, stays 1 only where value i is not NULL and (value compare constant).
 * constant: as for nts_word_compare. */
void		nts_filter_compare(int32_t order, int32_t compare, const uint64_t *values,
							   const uint8_t *nulls, uint32_t rows, uint64_t constant,
							   uint8_t *keep) NTS_NOEXCEPT;
/* keep[i] stays 1 only where value i is not NULL and among the constants, which are sorted. */
void		nts_filter_in(int32_t order, const uint64_t *values, const uint8_t *nulls,
						  uint32_t rows, const uint64_t *constants, uint32_t count,
						  uint8_t *keep) NTS_NOEXCEPT;
/* Writes the positions of the ones among keep[0..rows) to positions[rows]; how many. */
uint32_t	nts_filter_positions(const uint8_t *keep, uint32_t rows, uint32_t *positions) NTS_NOEXCEPT;

/* ---- merging sorted segments ----------------------------------------- */

typedef struct NtsMerge NtsMerge;

typedef struct NtsMergeOptions
{
	uint64_t	max_segment_rows;	/* a segment is ended before a row group that might */
	uint64_t	max_segment_bytes;	/* bring it over one of these, */
	uint64_t	max_segment_series; /* or when it has so many series */
	uint64_t	group_bytes;	/* of the decoded rows of a row group, about */
	const uint16_t *series_columns; /* copied; every input is sorted by them, then by the
									 * schema's time column */
	uint32_t	series_column_count;	/* 0..16 */
	uint8_t		level;			/* 1 or 2: which codecs to prefer (speed or size) */
	uint8_t		series_index;	/* 0: leave it out, of segments that are merged again */
	int32_t		compression_level;	/* of zstd at level 2, 1..22; 0: a good default */
	int64_t		units_per_second;	/* of the time column; 0: it is no clock's time */
	const NtsDictionaries *dictionaries;	/* that segments may use, or NULL */
} NtsMergeOptions;

typedef enum NtsMergeKind
{
	NTS_MERGE_END = 0,
	NTS_MERGE_READ = 1,			/* put `length` bytes of the segment `input`, from
								 * `offset` on, into `room` before the next call */
	NTS_MERGE_BYTES = 2,		/* bytes, length: what the segment goes on with */
	NTS_MERGE_SEGMENT = 3		/* the same, and the segment ends with them: output says
								 * what it is; its bytes are those of all steps since
								 * the segment before */
} NtsMergeKind;

typedef struct NtsMergeStep
{
	int32_t		kind;			/* an NtsMergeKind */
	uint32_t	input;
	uint64_t	offset;
	uint64_t	length;
	uint8_t    *room;			/* owned by the merge, as is */
	const uint8_t *bytes;		/* this; both until the next call */
	NtsOutput	output;			/* without bytes, row ids and command ids */
} NtsMergeStep;

/*
 * defaults[column_count]: the values of columns that an input does not store, as in
 * nts_part_append; their bytes are borrowed. NULL: all are NULL. Row ids and command ids
 * of the inputs are dropped.
 */
NtsMerge   *nts_merge_new(const NtsSchema *schema, const NtsMergeOptions *options,
						  const NtsValue *defaults, NtsStatus *status) NTS_NOEXCEPT;
void		nts_merge_free(NtsMerge *merge) NTS_NOEXCEPT;	/* NULL is allowed */
/* Adds an input, which is borrowed; the first has number 0. Of rows that are equal in
 * series and time, those of inputs with smaller numbers come first. */
int			nts_merge_add(NtsMerge *merge, const NtsSegment *segment, NtsStatus *status) NTS_NOEXCEPT;
/* The next step. Damaged inputs, also such as are not sorted, give NTS_ERR_CORRUPT. */
int			nts_merge_next(NtsMerge *merge, NtsMergeStep *step, NtsStatus *status) NTS_NOEXCEPT;
/* Bytes that a merge is likely to hold of this input: its largest row group, and vectors. */
uint64_t	nts_merge_input_bytes(const NtsSegment *segment) NTS_NOEXCEPT;

/* ---- checking a whole segment ---------------------------------------- */

/* What a directory entry says of its segment. */
typedef struct NtsSegmentFacts
{
	uint64_t	rows;
	uint64_t	first_row_id;	/* smallest and */
	uint64_t	last_row_id;	/* largest one */
	int64_t		min_time;		/* has_time: of the rows' times that are not NULL */
	int64_t		max_time;
	uint32_t	min_command_id;
	uint8_t		level;
	uint8_t		has_time;
	uint8_t		has_null_time;	/* or there is no time column */
	uint8_t		has_row_ids;
	uint8_t		has_command_ids;
	uint8_t		reserved[3];
} NtsSegmentFacts;

typedef enum NtsProblem
{
	NTS_PROBLEM_SEGMENT = 1,	/* the footer, or it and the directory disagree */
	NTS_PROBLEM_CHUNK = 2,		/* a chunk fails its checksum or cannot be decoded */
	NTS_PROBLEM_STATISTICS = 3, /* minima, maxima, sums, NULL counts are not the data's */
	NTS_PROBLEM_ORDER = 4,		/* rows are not sorted by series and time */
	NTS_PROBLEM_SERIES = 5,		/* the series index is not that of the rows */
	NTS_PROBLEM_ROW_IDS = 6,
	NTS_PROBLEM_COMMAND_IDS = 7,
	NTS_PROBLEM_LAST_ROWS = 8	/* the last rows are not copies of the rows */
} NtsProblem;

typedef enum NtsVerifyKind
{
	NTS_VERIFY_END = 0,
	NTS_VERIFY_PROBLEM = 1,		/* problem, group, column, text are set */
	NTS_VERIFY_CHUNK = 2		/* group, column: read that chunk, then call
								 * nts_verifier_chunk, or go on when it cannot be read */
} NtsVerifyKind;

#define NTS_NO_GROUP UINT32_MAX
#define NTS_NO_COLUMN INT32_MIN

typedef struct NtsVerifyStep
{
	int32_t		kind;			/* an NtsVerifyKind */
	int32_t		problem;		/* an NtsProblem */
	uint32_t	group;			/* row group, or NTS_NO_GROUP */
	int32_t		column;			/* stored column, NTS_COLUMN_*, or NTS_NO_COLUMN */
	char		text[220];		/* English, NUL-terminated, no newline */
} NtsVerifyStep;

typedef struct NtsVerifier NtsVerifier;

/* Borrows the segment. */
NtsVerifier *nts_verifier_new(const NtsSegment *segment, const NtsSegmentFacts *facts,
							  NtsStatus *status) NTS_NOEXCEPT;
void		nts_verifier_free(NtsVerifier *verifier) NTS_NOEXCEPT;	/* NULL is allowed */
/* The next problem, or the next chunk to read, each once; then END. Damage is a
 * problem, never a failure: that is memory or a bug. */
int			nts_verifier_next(NtsVerifier *verifier, NtsVerifyStep *step,
							  NtsStatus *status) NTS_NOEXCEPT;
/* Checks the chunk asked for: checksum, dictionary, every vector, statistics. *sound:
 * it can be decoded and no problem was found in it. */
int			nts_verifier_chunk(NtsVerifier *verifier, const uint8_t *chunk, size_t length,
							   bool *sound, NtsStatus *status) NTS_NOEXCEPT;

/* ---- aggregates over vectors ------------------------------------------ */

/*
 * Words as nts_vector_decode makes them, without gaps; nulls: one byte a word, 0 or 1, or NULL: none is NULL. Each
 * function folds the values that are not NULL into what it is given and returns how many they are. Sums of floats are
 * made in row order, so that they are what adding one row after another gives, to the bit.
 */
typedef struct NtsWideSum		/* 128 bits, two's complement */
{
	uint64_t	low;
	int64_t		high;
} NtsWideSum;

uint64_t	nts_count_values(const uint8_t *nulls, size_t count) NTS_NOEXCEPT;
uint64_t	nts_sum_int(const uint64_t *words, const uint8_t *nulls, size_t count, NtsWideSum *sum) NTS_NOEXCEPT;
/* *least starts as INT64_MAX, *greatest as INT64_MIN. */
uint64_t	nts_min_int(const uint64_t *words, const uint8_t *nulls, size_t count, int64_t *least) NTS_NOEXCEPT;
uint64_t	nts_max_int(const uint64_t *words, const uint8_t *nulls, size_t count, int64_t *greatest) NTS_NOEXCEPT;
uint64_t	nts_sum_float8(const uint64_t *words, const uint8_t *nulls, size_t count, double *sum) NTS_NOEXCEPT;
/* float4: bits in the low half of the word. */
uint64_t	nts_sum_float4(const uint64_t *words, const uint8_t *nulls, size_t count, float *sum) NTS_NOEXCEPT;
uint64_t	nts_sum_float4_wide(const uint64_t *words, const uint8_t *nulls, size_t count, double *sum) NTS_NOEXCEPT;
/* NaN is the greatest value. *least starts as NaN, *greatest as -Infinity. */
uint64_t	nts_min_float8(const uint64_t *words, const uint8_t *nulls, size_t count, double *least) NTS_NOEXCEPT;
uint64_t	nts_max_float8(const uint64_t *words, const uint8_t *nulls, size_t count, double *greatest) NTS_NOEXCEPT;
uint64_t	nts_min_float4(const uint64_t *words, const uint8_t *nulls, size_t count, double *least) NTS_NOEXCEPT;
uint64_t	nts_max_float4(const uint64_t *words, const uint8_t *nulls, size_t count, double *greatest) NTS_NOEXCEPT;
/* Are all float8 words, NULL or not, finite and below 1e100 in size, so that no sum of their squares overflows? */
bool		nts_moderate_float8(const uint64_t *words, size_t count) NTS_NOEXCEPT;

/* Sums of numbers k / 10^scale, and of their squares, in 128 bits; all zero at first. */
typedef struct NtsExactSums
{
	NtsWideSum	sum;			/* of k */
	NtsWideSum	squares;		/* of k^2, at twice the scale */
	uint64_t	count;
	uint64_t	scale_count;	/* numbers that have the scale themselves; the others' is smaller */
	uint32_t	scale;
} NtsExactSums;

/*
 * Numerics are PostgreSQL's, their bytes behind the length word.
 * Each stops before a number that it cannot take (NaN, too many digits, a sum that would overflow) and returns how many
 * it took. Greatest or least of numerics: of equal ones the last; *place is set if the result is not 0.
 */
size_t		nts_sum_numerics(const NtsSlice *numerics, size_t count, bool with_squares,
							 NtsExactSums *sums) NTS_NOEXCEPT;
size_t		nts_sum_squares(const uint64_t *words, const uint8_t *nulls, size_t count,
							NtsExactSums *sums) NTS_NOEXCEPT;
/*
 * A sum of ints by their number, as numeric_div gives it: bytes behind the length word, into room for
 * NTS_QUOTIENT_BYTES; returns how many, or 0 if the quotient has too many digits. REQUIRES: count > 0.
 */
#define NTS_QUOTIENT_BYTES 24
size_t		nts_quotient_numeric(const NtsWideSum *sum, uint64_t count, uint8_t *numeric) NTS_NOEXCEPT;
size_t		nts_extreme_numeric(const NtsSlice *numerics, size_t count, bool greatest,
								size_t *place) NTS_NOEXCEPT;

/* out[i] = words[rows[i]]; the same for bytes. */
void		nts_gather_words(const uint64_t *words, const uint32_t *rows, size_t count, uint64_t *out) NTS_NOEXCEPT;
void		nts_gather_bytes(const uint8_t *bytes, const uint32_t *rows, size_t count, uint8_t *out) NTS_NOEXCEPT;
/* marks[i] |= 1 where word (byte) i differs from the one before; marks[0] is left alone. */
void		nts_mark_changed_words(const uint64_t *words, size_t count, uint8_t *marks) NTS_NOEXCEPT;
void		nts_mark_changed_bytes(const uint8_t *bytes, size_t count, uint8_t *marks) NTS_NOEXCEPT;
/* Positions of the marks that are set, ascending; returns how many. */
size_t		nts_list_marks(const uint8_t *marks, size_t count, uint32_t *positions) NTS_NOEXCEPT;
/* Is no word, as an int64, smaller than the one before? May be false where some are not in [-2^62, 2^62). */
bool		nts_is_ascending(const uint64_t *words, size_t count) NTS_NOEXCEPT;
/* Of ascending int64 words, how many are less than the limit. Takes a time that grows as the logarithm of that. */
size_t		nts_count_below(const uint64_t *words, size_t count, int64_t limit) NTS_NOEXCEPT;
/*
 * out[i] = the start of the bucket [origin + k * width, origin + (k + 1) * width) that word i lies in. Stops at the
 * first word not in [origin, limit), or so far from origin that int64 cannot hold the distance; returns its position,
 * or count. REQUIRES: width > 0.
 */
size_t		nts_floor_buckets(const uint64_t *words, size_t count, int64_t origin, int64_t limit, int64_t width,
							  uint64_t *out) NTS_NOEXCEPT;

/* ---- checksums ------------------------------------------------------- */

/* CRC-32C (Castagnoli) of bytes, starting from `seed` (0 for a new one). */
uint32_t	nts_crc32c(uint32_t seed, const void *bytes, size_t length) NTS_NOEXCEPT;

/* True when the core was built from the same version of this file. */
#define NTS_CORE_VERSION 1
int32_t		nts_core_version(void) NTS_NOEXCEPT;

#ifdef __cplusplus
}
#endif

#endif							/* NODEDB_TS_CORE_H */
