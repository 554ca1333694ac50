#include "segment/dictionary_set.h"

#include <algorithm>
#include <string>

#include "base/byte_reader.h"
#include "base/byte_writer.h"
#include "base/crc32c.h"
#include "codec/zstd/zstd.h"
#include "segment/format.h"

namespace nodedb_ts::segment {
namespace {

using base::ByteReader;
using base::Status;

constexpr uint32_t kSetMagic = 0x4453544E;  // "NTSD"
constexpr uint16_t kSetVersion = 1;

Status Wrong(const char* what) {
  return Status::Corrupt(std::string("trained dictionaries: ") + what);
}

Status TooMany() {
  return Status::Limit("trained dictionaries of more than " + std::to_string(NTS_DICTIONARIES_BYTES) + " bytes");
}

}  // namespace

Status DictionarySet::Open(std::span<const uint8_t> bytes, std::shared_ptr<const DictionarySet>* set) {
  auto parsed = std::make_shared<DictionarySet>();
  Status status = parsed->Parse(bytes);
  if (status.ok()) *set = std::move(parsed);
  return status;
}

Status DictionarySet::Parse(std::span<const uint8_t> bytes) {
  ByteReader in(bytes.data(), bytes.size());
  const uint8_t* crc;
  uint32_t magic;
  uint16_t version;
  uint16_t flags;
  uint64_t count;
  if (bytes.size() > NTS_DICTIONARIES_BYTES) return Wrong("too many bytes");
  if (!in.TakeTail(4, &crc) || base::LoadLe<uint32_t>(crc) != base::Crc32c(0, bytes.data(), in.remaining())) {
    return Wrong("checksum mismatch");
  }
  if (!in.ReadU32(&magic) || magic != kSetMagic) return Wrong("bad magic number");
  if (!in.ReadU16(&version) || version == 0) return Wrong("bad version");
  if (version != kSetVersion) {
    return Status::Unsupported("trained dictionaries of format version " + std::to_string(version) + ", not " +
                               std::to_string(kSetVersion));
  }
  if (!in.ReadU16(&flags) || flags != 0) return Wrong("bad flags");
  if (!in.ReadU32(&id_) || id_ == 0) return Wrong("bad id");
  if (!in.ReadVarint(&count) || count > kMaxColumns) return Wrong("bad count");
  uint64_t next = 0;
  uint64_t room = NTS_DICTIONARIES_BYTES;
  for (uint64_t i = 0; i < count; i++) {
    uint64_t column;
    uint64_t length;
    ByteReader frame;
    std::vector<uint8_t> content;
    if (!in.ReadVarint(&column) || column < next || column >= kMaxColumns) return Wrong("bad column");
    next = column + 1;
    if (!in.ReadVarint(&length) || !in.ReadSpan(length, &frame)) return Wrong("bad length");
    if (!codec::Unpack(frame, std::min(codec::kMaxZstdDictionary, room), &content)) return Wrong("bad frame");
    room -= content.size();
    std::unique_ptr<const codec::TrainedDictionary> dictionary =
        codec::TrainedDictionary::Open(std::move(content));
    if (dictionary == nullptr) return Wrong("bad dictionary");
    members_.emplace(static_cast<uint32_t>(column), Member{std::move(dictionary), length});
  }
  return in.empty() ? Status::Ok() : Wrong("bytes left over");
}

const codec::TrainedDictionary* DictionarySet::Find(uint32_t column) const {
  const auto found = members_.find(column);
  return found == members_.end() ? nullptr : found->second.dictionary.get();
}

uint64_t DictionarySet::StoredBytes(uint32_t column) const {
  const auto found = members_.find(column);
  return found == members_.end() ? 0 : found->second.stored_bytes;
}

uint64_t DictionarySet::MemoryBytes() const {
  uint64_t bytes = sizeof(*this);
  for (const auto& [column, member] : members_) bytes += sizeof(member) + member.dictionary->MemoryBytes();
  return bytes;
}

Status WriteDictionarySet(uint32_t id, const std::map<uint32_t, std::span<const uint8_t>>& contents,
                          std::vector<uint8_t>* bytes) {
  bytes->clear();
  base::ByteWriter out(bytes);
  out.U32(kSetMagic);
  out.U16(kSetVersion);
  out.U16(0);
  out.U32(id);
  out.Varint(contents.size());
  codec::BytesEncoder encoder(2);
  uint64_t total = 0;
  for (const auto& [column, content] : contents) {
    total += content.size();
    if (total > NTS_DICTIONARIES_BYTES) return TooMany();
    std::vector<uint8_t> frame;
    encoder.Pack(content, &frame);
    out.Varint(column);
    out.Varint(frame.size());
    out.Bytes(frame.data(), frame.size());
  }
  out.U32(base::Crc32c(0, bytes->data(), bytes->size()));
  return bytes->size() > NTS_DICTIONARIES_BYTES ? TooMany() : Status::Ok();
}

}  // namespace nodedb_ts::segment
