// crc32c.h - CRC-32C (Castagnoli, polynomial 0x1EDC6F41 reflected).
#ifndef NODEDB_TS_BASE_CRC32C_H
#define NODEDB_TS_BASE_CRC32C_H

#include <cstddef>
#include <cstdint>

namespace nodedb_ts::base {

// CRC of `size` bytes, continuing from `seed`, the CRC of what came before (0 for
// a new one). Uses the processor's instruction where there is one.
uint32_t Crc32c(uint32_t seed, const void* bytes, size_t size);

// The table-driven version, on every machine; public so that tests compare both.
uint32_t Crc32cPortable(uint32_t seed, const void* bytes, size_t size);

}  // namespace nodedb_ts::base

#endif  // NODEDB_TS_BASE_CRC32C_H
