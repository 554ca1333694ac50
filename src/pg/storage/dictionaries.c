/*
 * dictionaries.c - which sets of trained dictionaries are in use, and when one ends. README, "Trained dictionaries".
 */
#include "postgres.h"

#include "access/transam.h"
#include "utils/rel.h"

#include "pg/fault.h"
#include "pg/storage/directory_cache.h"
#include "pg/storage/storage.h"

/* Has its maker committed, for good? */
static bool
is_settled(const NtsEntry *entry)
{
	NtsXidFate	made;

	if (entry->level != NTS_LEVEL_DICTIONARIES || entry->state != NTS_ENTRY_LIVE)
		return false;
	made = nts_xid_fate(entry->xmin, InvalidTransactionId);
	return made != NTS_XID_RUNNING && made != NTS_XID_ABORTED;
}

const NtsEntryRef *
nts_dictionaries_newest(const NtsDirectory *directory)
{
	const NtsEntryRef *newest = NULL;

	for (int i = 0; i < directory->dictionary_count; i++)
	{
		const NtsEntryRef *ref = nts_directory_entry(directory, directory->dictionaries[i]);

		if ((newest == NULL || ref->entry.dictionaries > newest->entry.dictionaries) && is_settled(&ref->entry))
			newest = ref;
	}
	return newest;
}

const NtsEntryRef *
nts_dictionaries_place(const NtsDirectory *directory, uint32 id)
{
	for (int i = 0; directory != NULL && i < directory->dictionary_count; i++)
	{
		const NtsEntryRef *ref = nts_directory_entry(directory, directory->dictionaries[i]);

		if (ref->entry.dictionaries == id)
			return ref;
	}
	return NULL;
}

/* Is there a newer one that new segments use? */
static bool
is_superseded(const NtsEntryRef *entries, int count, const NtsEntry *entry)
{
	for (int i = 0; i < count; i++)
		if (entries[i].entry.level == NTS_LEVEL_DICTIONARIES && entries[i].entry.dictionaries > entry->dictionaries &&
			is_settled(&entries[i].entry))
			return true;
	return false;
}

static bool
is_referred_to(const NtsEntryRef *entries, int count, const NtsEntry *entry)
{
	for (int i = 0; i < count; i++)
		if (entries[i].entry.level != NTS_LEVEL_DICTIONARIES && entries[i].entry.dictionaries == entry->dictionaries)
			return true;
	return false;
}

bool
nts_dictionaries_are_needed(const NtsEntryRef *entries, int count, const NtsEntry *entry)
{
	return !is_superseded(entries, count, entry) || is_referred_to(entries, count, entry);
}

/* Have all transactions ended that were running when everybody knew that it was retired? */
static bool
has_passed(uint64 retired_at, TransactionId oldest_xmin)
{
	FullTransactionId next = ReadNextFullTransactionId();
	uint32		epoch = EpochFromFullTransactionId(next);

	if (oldest_xmin > XidFromFullTransactionId(next))
		epoch--;
	return retired_at != 0 &&
		retired_at <= U64FromFullTransactionId(FullTransactionIdFromEpochAndXid(epoch, oldest_xmin));
}

/* From now on nobody chooses it; who has may still be writing a segment. */
static void
retire(Relation rel, NtsEntryRef *ref)
{
	if ((ref->entry.flags & NTS_ENTRY_RETIRED) == 0)
	{
		ref->entry.flags |= NTS_ENTRY_RETIRED;
		nts_entry_write(rel, ref, false);
		NTS_FAULT(dictionary_retired);
	}
	/* read when the first change is there: whoever chose it before has an older id */
	ref->entry.min_time = (int64) U64FromFullTransactionId(ReadNextFullTransactionId());
	nts_entry_write(rel, ref, false);
}

uint64
nts_dictionaries_clean(Relation rel, NtsEntryRef *entries, int count, TransactionId oldest_xmin)
{
	uint64		freed = 0;

	for (int i = 0; i < count; i++)
	{
		NtsEntryRef *ref = &entries[i];

		if (!is_settled(&ref->entry) || !is_superseded(entries, count, &ref->entry))
			continue;
		if ((ref->entry.flags & NTS_ENTRY_RETIRED) == 0 || ref->entry.min_time == 0)
			retire(rel, ref);
		else if (has_passed((uint64) ref->entry.min_time, oldest_xmin) &&
				 !is_referred_to(entries, count, &ref->entry) && nts_extent_free(rel, ref, 0))
			freed += ref->entry.block_count;
	}
	return freed;
}
