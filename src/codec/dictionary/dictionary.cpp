#include "codec/dictionary/dictionary.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <functional>

#include "base/bits.h"

namespace nodedb_ts::codec {
namespace {

inline uint64_t Mix(uint64_t v) {
  v *= 0x9E3779B97F4A7C15;
  v ^= v >> 32;
  v *= 0x9E3779B97F4A7C15;
  return v ^ v >> 29;
}

inline uint64_t Hash(uint64_t v) { return Mix(v); }
inline uint64_t Hash(std::string_view v) { return std::hash<std::string_view>{}(v); }

inline bool Same(uint64_t a, uint64_t b) { return a == b; }
// Rows of a series share their values' bytes.
inline bool Same(std::string_view a, std::string_view b) {
  return a.size() == b.size() && (a.data() == b.data() || a == b);
}

constexpr size_t kFirstSlots = 1024;

template <typename T>
void LookUp(const uint8_t* words, std::span<uint64_t> codes) {
  for (uint64_t& v : codes) v = base::LoadLe<T>(words + v * sizeof(T));
}

uint8_t OffsetWidth(uint64_t largest) {
  if (largest < (1u << 8)) return 1;
  if (largest < (1u << 16)) return 2;
  return largest <= UINT32_MAX ? 4 : 8;
}

}  // namespace

template <typename Value>
void DictionaryBuilder<Value>::Grow(size_t size) {
  slots_.assign(size, 0);
  const size_t mask = slots_.size() - 1;
  for (size_t e = 0; e < entries_.size(); e++) {
    size_t slot = Hash(entries_[e]) & mask;
    while (slots_[slot] != 0) slot = (slot + 1) & mask;
    slots_[slot] = static_cast<uint32_t>(e + 1);
  }
}

template <typename Value>
bool DictionaryBuilder<Value>::Build(const Value* values, const uint8_t* nulls, size_t count,
                                     size_t max_entries, std::vector<uint64_t>* codes) {
  entries_.clear();
  Grow(std::bit_ceil(std::clamp<size_t>(std::min(count, max_entries) * 2 + 1, 64, kFirstSlots)));
  codes->resize(count);
  uint64_t* const out = codes->data();
  uint64_t code = 0;
  Value before = Value();  // that `code` stands for
  bool has_before = false;
  for (size_t i = 0; i < count;) {
    // Sorted rows repeat the value before.
    if (has_before) {
      while (i < count && !nulls[i] && Same(before, values[i])) out[i++] = code;
    }
    if (i == count) break;
    if (nulls[i]) {
      out[i++] = 0;
      continue;
    }
    before = values[i];
    has_before = true;
    if (entries_.size() * 2 >= slots_.size()) Grow(slots_.size() * 2);
    const size_t mask = slots_.size() - 1;
    size_t slot = Hash(values[i]) & mask;
    while (slots_[slot] != 0 && entries_[slots_[slot] - 1] != values[i]) slot = (slot + 1) & mask;
    if (slots_[slot] == 0) {
      if (entries_.size() == max_entries) return false;
      entries_.push_back(values[i]);
      slots_[slot] = static_cast<uint32_t>(entries_.size());
    }
    code = slots_[slot] - 1;
    out[i++] = code;
  }
  return true;
}

template class DictionaryBuilder<uint64_t>;
template class DictionaryBuilder<std::string_view>;

void WriteDictionary(const std::vector<uint64_t>& entries, uint32_t width, base::ByteWriter* out) {
  out->Varint(entries.size());
  for (const uint64_t v : entries) out->Width(v, width);
}

void WriteDictionary(const std::vector<std::string_view>& entries, uint32_t fixed_width,
                     base::ByteWriter* out) {
  out->Varint(entries.size());
  if (fixed_width == 0) {
    uint64_t total = 0;
    for (const std::string_view v : entries) total += v.size();
    const uint8_t offset_width = OffsetWidth(total);
    out->U8(offset_width);
    uint64_t end = 0;
    for (const std::string_view v : entries) out->Width(end += v.size(), offset_width);
  }
  for (const std::string_view v : entries) out->Bytes(v.data(), v.size());
}

void WriteFrontCoded(const std::vector<std::string_view>& entries, base::ByteWriter* out) {
  // Columns: bytes of a kind compress better together.
  std::vector<uint8_t> suffixes;
  base::ByteWriter rest(&suffixes);
  out->Varint(entries.size());
  std::string_view before;
  for (const std::string_view v : entries) {
    const size_t limit = std::min(before.size(), v.size());
    const size_t shared = static_cast<size_t>(
        std::mismatch(v.begin(), v.begin() + static_cast<ptrdiff_t>(limit), before.begin()).first -
        v.begin());
    out->Varint(shared);
    rest.Bytes(v.data() + shared, v.size() - shared);
    before = v;
  }
  for (const std::string_view v : entries) out->Varint(v.size());
  out->Bytes(suffixes.data(), suffixes.size());
}

bool ReadFrontCoded(base::ByteReader in, uint32_t fixed_width, uint64_t max_bytes,
                    std::vector<uint8_t>* out) {
  uint64_t count;
  if (!in.ReadVarint(&count) || count > in.remaining() / 2) return false;
  std::vector<uint64_t> shared(count);
  std::vector<uint64_t> sizes(count);
  uint64_t total = 0;
  for (uint64_t& v : shared) {
    if (!in.ReadVarint(&v)) return false;
  }
  for (size_t i = 0; i < count; i++) {
    if (!in.ReadVarint(&sizes[i]) || sizes[i] > max_bytes) return false;
    if (shared[i] > sizes[i] || shared[i] > (i == 0 ? 0 : sizes[i - 1])) return false;
    if (fixed_width != 0 && sizes[i] != fixed_width) return false;
    total += sizes[i];
    if (total > max_bytes) return false;
  }
  out->clear();
  base::ByteWriter writer(out);
  writer.Varint(count);
  if (fixed_width == 0) {
    const uint8_t offset_width = OffsetWidth(total);
    writer.U8(offset_width);
    uint64_t end = 0;
    for (const uint64_t size : sizes) writer.Width(end += size, offset_width);
  }
  uint8_t* at = writer.Extend(total);
  for (size_t i = 0; i < count; i++) {
    const uint8_t* suffix;
    if (!in.ReadBytes(sizes[i] - shared[i], &suffix)) return false;
    if (shared[i] > 0) std::memmove(at, at - sizes[i - 1], shared[i]);
    if (sizes[i] > shared[i]) std::memcpy(at + shared[i], suffix, sizes[i] - shared[i]);
    at += sizes[i];
  }
  return in.empty();
}

bool Dictionary::Open(base::ByteReader in, uint32_t width) {
  width_ = width;
  if (!in.ReadVarint(&size_) || size_ > in.remaining() + 1) return false;
  if (width == 0) {
    if (!in.ReadU8(&offset_width_)) return false;
    if (offset_width_ != 1 && offset_width_ != 2 && offset_width_ != 4 && offset_width_ != 8) {
      return false;
    }
    if (!in.ReadBytes(size_ * offset_width_, &offsets_)) return false;
  } else if (in.remaining() != size_ * width) {
    return false;
  }
  bytes_ = in.at();
  byte_count_ = in.remaining();
  return true;
}

bool Dictionary::Words(std::span<uint64_t> codes) const {
  uint64_t largest = 0;
  for (const uint64_t code : codes) largest = std::max(largest, code);
  if (!codes.empty() && largest >= size_) return false;
  switch (width_) {
    case 1:
      for (uint64_t& v : codes) v = bytes_[v];
      return true;
    case 2: LookUp<uint16_t>(bytes_, codes); return true;
    case 4: LookUp<uint32_t>(bytes_, codes); return true;
    case 8: LookUp<uint64_t>(bytes_, codes); return true;
    default: return false;
  }
}

bool Dictionary::Get(uint64_t code, const uint8_t** bytes, uint64_t* length) const {
  uint64_t begin = code * width_;
  uint64_t end = begin + width_;
  if (width_ == 0) {
    begin = code == 0 ? 0 : base::LoadLeWidth(offsets_ + (code - 1) * offset_width_, offset_width_);
    end = base::LoadLeWidth(offsets_ + code * offset_width_, offset_width_);
  }
  if (begin > end || end > byte_count_) return false;
  *bytes = bytes_ + begin;
  *length = end - begin;
  return true;
}

}  // namespace nodedb_ts::codec
