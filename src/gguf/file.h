// A GGUF file (versions 2 and 3): metadata and tensors, memory-mapped and fully checked before anybody sees it.
// Grammar (little endian; string = u64 length, bytes):
//   file   = "GGUF" u32:version u64:n_tensors u64:n_kv kv* tensor* padding data
//   kv     = string:key u32:type value        value = scalar | string | array      array = u32:type u64:count value*
//   tensor = string:name u32:n_dims u64:ne[n_dims] u32:type u64:offset             offset counts from the start of data
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>
#include <vector>

#include "base/string_list.h"
#include "gguf/block_types.h"

namespace kylin::gguf {

enum class ValueType : uint32_t { u8 = 0, i8, u16, i16, u32, i32, f32, boolean, string, array, u64, i64, f64 };
std::string_view name(ValueType type);

// An array holds one of the lists; nested arrays are refused.
using Array = std::variant<std::vector<uint8_t>, std::vector<int8_t>, std::vector<uint16_t>, std::vector<int16_t>, std::vector<uint32_t>,
                           std::vector<int32_t>, std::vector<float>, std::vector<bool>, StringList, std::vector<uint64_t>,
                           std::vector<int64_t>, std::vector<double>>;
using Value =
    std::variant<uint8_t, int8_t, uint16_t, int16_t, uint32_t, int32_t, float, bool, std::string, Array, uint64_t, int64_t, double>;
ValueType type_of(const Value& value);
ValueType element_type_of(const Array& array);
size_t size_of(const Array& array);

struct Entry {
    std::string key;
    Value value;
    uint64_t offset = 0;  // of the key in the file, for messages
};

struct Tensor {
    std::string name;
    BlockType type = BlockType::f32;
    std::array<uint64_t, 4> ne = {1, 1, 1, 1};  // ne[0] values in a row
    int n_dims = 1;
    std::span<const std::byte> data;  // into the mapping
    uint64_t offset = 0;              // of data in the file, for messages

    uint64_t width() const { return ne[0]; }
    uint64_t n_rows() const { return ne[1] * ne[2] * ne[3]; }
    uint64_t n_values() const { return width() * n_rows(); }
    std::span<const std::byte> row(uint64_t r) const {
        const size_t bytes = row_bytes(type, width());
        return data.subspan(r * bytes, bytes);
    }
};

// Cannot exist invalid: every count, length, offset and shape was compared with the bytes there are.
// Immutable and safe to read from any thread. Owns the mapping that its tensors view.
class File {
public:
    static File open(const std::filesystem::path& path);                               // throws InputError
    static File parse(std::span<const std::byte> bytes, std::string name = "memory");  // views `bytes`, which must outlive it
    File(File&&) noexcept;
    File& operator=(File&&) noexcept;
    ~File();

    const std::string& name() const;  // the path, for messages
    uint32_t version() const;
    uint64_t size() const;  // bytes
    std::span<const Entry> metadata() const;
    std::span<const Tensor> tensors() const;

    const Value* find(std::string_view key) const;           // nullptr when absent
    const Tensor* find_tensor(std::string_view name) const;  // nullptr when absent

    // Typed reads: absent gives nullopt, another type than asked for throws InputError naming key, type and offset.
    // Integers accept every integer type that holds the value; floats accept f32 and f64.
    std::optional<int64_t> find_int(std::string_view key) const;
    std::optional<double> find_float(std::string_view key) const;
    std::optional<bool> find_bool(std::string_view key) const;
    const std::string* find_string(std::string_view key) const;
    const StringList* find_strings(std::string_view key) const;
    std::optional<std::vector<int64_t>> find_ints(std::string_view key) const;
    std::optional<std::vector<double>> find_floats(std::string_view key) const;

    // Gives back the memory behind a tensor's data; reading it again costs time, nothing else. Does nothing for bytes in memory.
    void release(std::span<const std::byte> data) const;
    // Copies tensor data that is read once, without keeping the memory behind it.
    void copy(std::span<const std::byte> data, std::byte* to) const;

    // The error for an entry or for the file as a whole.
    [[noreturn]] void fail(std::string_view key, const std::string& what) const;

private:
    struct Parsed;
    explicit File(std::unique_ptr<Parsed> parsed);
    std::unique_ptr<Parsed> parsed_;
};

}  // namespace kylin::gguf
