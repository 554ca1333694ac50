// status.h - how the core reports what data, users or memory can cause.
#ifndef NODEDB_TS_BASE_STATUS_H
#define NODEDB_TS_BASE_STATUS_H

#ifdef POSTGRES_H
#error "the core must not see PostgreSQL"
#endif

#include <cstdint>
#include <string>
#include <utility>

namespace nodedb_ts::base {

// Numbers are those of NtsCode in nodedb_ts/core.h.
enum class Code : int32_t {
  kOk = 0,
  kCorrupt = 1,
  kMemory = 2,
  kUnsupported = 3,
  kLimit = 4,
  kBug = 5,
};

class [[nodiscard]] Status {
 public:
  Status() = default;  // OK
  Status(Code code, std::string message) : code_(code), message_(std::move(message)) {}

  static Status Ok() { return Status(); }
  static Status Corrupt(std::string message) { return {Code::kCorrupt, std::move(message)}; }
  static Status Memory(std::string message) { return {Code::kMemory, std::move(message)}; }
  static Status Unsupported(std::string message) {
    return {Code::kUnsupported, std::move(message)};
  }
  static Status Limit(std::string message) { return {Code::kLimit, std::move(message)}; }
  static Status Bug(std::string message) { return {Code::kBug, std::move(message)}; }

  bool ok() const { return code_ == Code::kOk; }
  Code code() const { return code_; }
  const std::string& message() const { return message_; }

 private:
  Code code_ = Code::kOk;
  std::string message_;
};

}  // namespace nodedb_ts::base

#endif  // NODEDB_TS_BASE_STATUS_H
