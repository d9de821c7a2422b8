// The parser of GGUF: one pass over the bytes, then the checks that need all tensors.
#include "gguf/header.h"

#include <algorithm>
#include <numeric>
#include <optional>
#include <utility>

#include "base/byte_reader.h"
#include "base/utf8.h"

namespace kylin::gguf {
namespace {

constexpr uint64_t least_entry_bytes = 8 + 1 + 4 + 1;           // key length, key, type, value
constexpr uint64_t least_tensor_bytes = 8 + 1 + 4 + 8 + 4 + 8;  // name length, name, n_dims, ne[1], type, offset
constexpr uint64_t least_string_bytes = 8;                      // its length
constexpr uint32_t last_value_type = static_cast<uint32_t>(ValueType::f64);

// Types that older or other programs wrote and that this table does not hold.
struct OtherType {
    uint32_t id;
    const char* name;
};
constexpr OtherType other_types[] = {
    {4, "Q4_2, removed from the format"},
    {5, "Q4_3, removed from the format"},
    {9, "Q8_1"},
    {15, "Q8_K"},
    {16, "IQ2_XXS"},
    {17, "IQ2_XS"},
    {18, "IQ3_XXS"},
    {19, "IQ1_S"},
    {21, "IQ3_S"},
    {22, "IQ2_S"},
    {23, "IQ4_XS"},
    {24, "I8"},
    {25, "I16"},
    {26, "I32"},
    {27, "I64"},
    {28, "F64"},
    {29, "IQ1_M"},
    {31, "Q4_0_4_4, removed from the format"},
    {32, "Q4_0_4_8, removed from the format"},
    {33, "Q4_0_8_8, removed from the format"},
    {34, "TQ1_0"},
    {35, "TQ2_0"},
    {39, "MXFP4"},
};

class HeaderParser {
public:
    HeaderParser(std::span<const std::byte> bytes, const std::string& name) : bytes_(bytes), in_(bytes, name) {}

    Header parse() {
        read_magic_and_version();
        const auto n_tensors = read_number_of("tensors", max_tensors, least_tensor_bytes);
        const auto n_entries = read_number_of("metadata entries", max_entries, least_entry_bytes);
        header_.entries.reserve(n_entries);
        for (uint64_t i = 0; i < n_entries; ++i) read_entry();
        index_entries();
        header_.tensors.reserve(n_tensors);
        for (uint64_t i = 0; i < n_tensors; ++i) read_tensor();
        index_tensors();
        place_tensors();
        return std::move(header_);
    }

private:
    void read_magic_and_version();
    uint64_t read_number_of(const char* what, uint64_t ceiling, uint64_t least_bytes);
    std::string read_name(const char* what, uint64_t max_bytes);
    void read_entry();
    Value read_value(ValueType type);
    Array read_array();
    std::string_view read_string();
    StringList read_strings(uint64_t count);
    template <class T>
    std::vector<T> read_numbers(uint64_t count);
    bool read_bool();
    ValueType read_value_type();
    void read_tensor();
    BlockTypeInfo read_block_type();
    void index_entries();
    void index_tensors();
    uint64_t alignment() const;
    void place_tensors();
    void check_overlaps() const;

    std::span<const std::byte> bytes_;
    ByteReader in_;
    Header header_;
    uint64_t n_strings_ = 0;
    std::vector<uint64_t> tensor_offsets_;  // of each tensor's description
    std::vector<uint64_t> data_offsets_;    // as the file gives them, from the start of data
};

void HeaderParser::read_magic_and_version() {
    if (bytes_.empty()) in_.fail("the file is empty");
    const auto magic = in_.take(4, "the magic");
    if (std::memcmp(magic.data(), "GGUF", 4) != 0) in_.fail_at(0, "is not a GGUF file");
    const uint64_t at = in_.offset();
    const auto version = in_.read<uint32_t>("the version");
    if (version == 2 || version == 3) {
        header_.version = version;
        return;
    }
    if (const uint32_t swapped = __builtin_bswap32(version); swapped == 2 || swapped == 3)
        in_.fail_at(at, "is a big-endian GGUF file, only little-endian files can be read");
    if (version == 1) in_.fail_at(at, "is a GGUF file of version 1, which no longer can be read; convert the model again");
    in_.fail_at(at, "has GGUF version " + std::to_string(version) + ", versions 2 and 3 can be read");
}

uint64_t HeaderParser::read_number_of(const char* what, uint64_t ceiling, uint64_t least_bytes) {
    const uint64_t at = in_.offset();
    const uint64_t count = in_.read_count(least_bytes, std::string("the number of ") + what);
    if (count > ceiling)
        in_.fail_at(at, "the number of " + std::string(what) + " is " + std::to_string(count) + ", at most " + std::to_string(ceiling) +
                            " can be read");
    return count;
}

// A key or tensor name. These are shown to people, so they hold no control characters.
std::string HeaderParser::read_name(const char* what, uint64_t max_bytes) {
    const uint64_t at = in_.offset();
    const uint64_t length = in_.read_count(1, std::string("the length of a ") + what);
    if (length == 0) in_.fail_at(at, std::string("a ") + what + " is empty");
    if (length > max_bytes)
        in_.fail_at(at, std::string("a ") + what + " has " + std::to_string(length) + " bytes, at most " + std::to_string(max_bytes) +
                            " are allowed");
    const auto bytes = in_.take(length, what);
    std::string text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    if (!is_utf8(text)) in_.fail_at(at, std::string("a ") + what + " is not valid UTF-8");
    if (std::any_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; }))
        in_.fail_at(at, std::string("a ") + what + " holds a control character");
    return text;
}

void HeaderParser::read_entry() {
    Entry entry;
    entry.offset = in_.offset();
    entry.key = read_name("key", max_key_bytes);
    entry.value = read_value(read_value_type());
    header_.entries.push_back(std::move(entry));
}

ValueType HeaderParser::read_value_type() {
    const uint64_t at = in_.offset();
    const auto type = in_.read<uint32_t>("a value type");
    if (type > last_value_type) in_.fail_at(at, "value type " + std::to_string(type) + " is unknown");
    return static_cast<ValueType>(type);
}

Value HeaderParser::read_value(ValueType type) {
    switch (type) {
        case ValueType::u8:
            return in_.read<uint8_t>("a value");
        case ValueType::i8:
            return in_.read<int8_t>("a value");
        case ValueType::u16:
            return in_.read<uint16_t>("a value");
        case ValueType::i16:
            return in_.read<int16_t>("a value");
        case ValueType::u32:
            return in_.read<uint32_t>("a value");
        case ValueType::i32:
            return in_.read<int32_t>("a value");
        case ValueType::f32:
            return in_.read<float>("a value");
        case ValueType::boolean:
            return read_bool();
        case ValueType::string:
            return std::string(read_string());
        case ValueType::array:
            return read_array();
        case ValueType::u64:
            return in_.read<uint64_t>("a value");
        case ValueType::i64:
            return in_.read<int64_t>("a value");
        case ValueType::f64:
            return in_.read<double>("a value");
    }
    in_.fail("value type is unknown");
}

bool HeaderParser::read_bool() {
    const uint64_t at = in_.offset();
    const auto byte = in_.read<uint8_t>("a boolean");
    if (byte > 1) in_.fail_at(at, "a boolean is " + std::to_string(byte));
    return byte == 1;
}

std::string_view HeaderParser::read_string() {
    const auto bytes = in_.take(in_.read_count(1, "the length of a string"), "a string");
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// Twice over the bytes: once for what they take together.
StringList HeaderParser::read_strings(uint64_t count) {
    const ByteReader start = in_;
    size_t n_bytes = 0;
    for (uint64_t i = 0; i < count; ++i) n_bytes += read_string().size();
    in_ = start;
    StringList strings;
    strings.reserve(count, n_bytes);
    for (uint64_t i = 0; i < count; ++i) strings.push_back(read_string());
    return strings;
}

template <class T>
std::vector<T> HeaderParser::read_numbers(uint64_t count) {
    std::vector<T> values(count);
    const auto bytes = in_.take(count * sizeof(T), "an array");
    if (!bytes.empty()) std::memcpy(values.data(), bytes.data(), bytes.size());
    return values;
}

uint64_t least_bytes(ValueType type) {
    switch (type) {
        case ValueType::u8:
        case ValueType::i8:
        case ValueType::boolean:
            return 1;
        case ValueType::u16:
        case ValueType::i16:
            return 2;
        case ValueType::u32:
        case ValueType::i32:
        case ValueType::f32:
            return 4;
        case ValueType::u64:
        case ValueType::i64:
        case ValueType::f64:
            return 8;
        case ValueType::string:
        case ValueType::array:
            break;
    }
    return least_string_bytes;
}

Array HeaderParser::read_array() {
    const uint64_t at = in_.offset();
    const ValueType type = read_value_type();
    if (type == ValueType::array) in_.fail_at(at, "an array of arrays is not supported");
    const uint64_t count = in_.read_count(least_bytes(type), "the length of an array");
    switch (type) {
        case ValueType::u8:
            return read_numbers<uint8_t>(count);
        case ValueType::i8:
            return read_numbers<int8_t>(count);
        case ValueType::u16:
            return read_numbers<uint16_t>(count);
        case ValueType::i16:
            return read_numbers<int16_t>(count);
        case ValueType::u32:
            return read_numbers<uint32_t>(count);
        case ValueType::i32:
            return read_numbers<int32_t>(count);
        case ValueType::f32:
            return read_numbers<float>(count);
        case ValueType::u64:
            return read_numbers<uint64_t>(count);
        case ValueType::i64:
            return read_numbers<int64_t>(count);
        case ValueType::f64:
            return read_numbers<double>(count);
        case ValueType::boolean: {
            std::vector<bool> values(count);
            for (uint64_t i = 0; i < count; ++i) values[i] = read_bool();
            return values;
        }
        case ValueType::string: {
            n_strings_ += count;
            if (n_strings_ > max_strings) in_.fail_at(at, "more than " + std::to_string(max_strings) + " strings in arrays");
            return read_strings(count);
        }
        case ValueType::array:
            break;
    }
    in_.fail_at(at, "an array's element type is unknown");
}

BlockTypeInfo HeaderParser::read_block_type() {
    const uint64_t at = in_.offset();
    const auto id = in_.read<uint32_t>("a tensor type");
    if (const auto type = block_type_by_id(id)) return *type;
    std::string what = "tensor type " + std::to_string(id);
    for (const OtherType& other : other_types)
        if (other.id == id) in_.fail_at(at, what + " (" + other.name + ") is not supported");
    in_.fail_at(at, what + " is unknown");
}

void HeaderParser::read_tensor() {
    Tensor tensor;
    const uint64_t start = in_.offset();
    tensor.name = read_name("tensor name", max_tensor_name_bytes);
    const uint64_t dims_at = in_.offset();
    const auto n_dims = in_.read<uint32_t>("the number of dimensions");
    if (n_dims < 1 || n_dims > 4)
        in_.fail_at(dims_at, "tensor " + tensor.name + " has " + std::to_string(n_dims) + " dimensions, 1 to 4 are allowed");
    tensor.n_dims = static_cast<int>(n_dims);
    Checked n_values(1);
    for (uint32_t d = 0; d < n_dims; ++d) {
        const uint64_t at = in_.offset();
        tensor.ne[d] = in_.read<uint64_t>("a dimension");
        if (tensor.ne[d] == 0) in_.fail_at(at, "tensor " + tensor.name + " has a dimension of 0");
        n_values = n_values * tensor.ne[d];
    }
    const BlockTypeInfo type = read_block_type();
    tensor.type = type.type;
    // A block holds no more than 2^8 values, so a shape within 2^62 values cannot overflow in bytes.
    if (!n_values.within(uint64_t{1} << 61)) in_.fail_at(dims_at, "the shape of tensor " + tensor.name + " overflows");
    if (tensor.ne[0] % type.values != 0)
        in_.fail_at(dims_at, "tensor " + tensor.name + " has rows of " + std::to_string(tensor.ne[0]) + " values, not a multiple of the " +
                                 std::to_string(type.values) + " in a block of " + std::string(type.name));
    data_offsets_.push_back(in_.read<uint64_t>("a tensor offset"));
    tensor_offsets_.push_back(start);
    header_.tensors.push_back(std::move(tensor));
}

// Sorting keeps hostile names from being slow, which a hash table would not.
template <class Items, class NameOf>
std::vector<uint32_t> sorted_index(const Items& items, NameOf name_of) {
    std::vector<uint32_t> order(items.size());
    std::iota(order.begin(), order.end(), 0u);
    std::sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) {
        const int compared = name_of(items[a]).compare(name_of(items[b]));
        return compared < 0 || (compared == 0 && a < b);
    });
    return order;
}

void HeaderParser::index_entries() {
    auto& order = header_.entries_by_key;
    const auto& entries = header_.entries;
    order = sorted_index(entries, [](const Entry& e) -> const std::string& { return e.key; });
    for (size_t i = 1; i < order.size(); ++i)
        if (entries[order[i]].key == entries[order[i - 1]].key)
            in_.fail_at(entries[order[i]].offset, "key " + entries[order[i]].key + " appears twice");
}

void HeaderParser::index_tensors() {
    auto& order = header_.tensors_by_name;
    const auto& tensors = header_.tensors;
    order = sorted_index(tensors, [](const Tensor& t) -> const std::string& { return t.name; });
    for (size_t i = 1; i < order.size(); ++i)
        if (tensors[order[i]].name == tensors[order[i - 1]].name)
            in_.fail_at(tensor_offsets_[order[i]], "tensor " + tensors[order[i]].name + " appears twice");
}

uint64_t HeaderParser::alignment() const {
    for (const Entry& entry : header_.entries) {
        if (entry.key != "general.alignment") continue;
        const auto* value = std::get_if<uint32_t>(&entry.value);
        if (!value) in_.fail_at(entry.offset, "general.alignment has type " + std::string(name(type_of(entry.value))) + ", u32 is needed");
        if (*value < 8 || *value > max_alignment || (*value & (*value - 1)) != 0)
            in_.fail_at(entry.offset, "general.alignment is " + std::to_string(*value) + ", a power of two from 8 to 2^20 is needed");
        return *value;
    }
    return default_alignment;
}

void HeaderParser::place_tensors() {
    const uint64_t step = alignment();
    const uint64_t data_start = Checked(in_.offset()).rounded_up(step).value().value();  // both are far below 2^63
    for (size_t i = 0; i < header_.tensors.size(); ++i) {
        Tensor& tensor = header_.tensors[i];
        const uint64_t bytes = row_bytes(tensor.type, tensor.n_values());
        const Checked begin = Checked(data_start) + data_offsets_[i];
        if (data_offsets_[i] % step != 0)
            in_.fail_at(tensor_offsets_[i], "tensor " + tensor.name + " lies at offset " + std::to_string(data_offsets_[i]) +
                                                " of the data, not a multiple of the alignment " + std::to_string(step));
        if (!(begin + bytes).within(bytes_.size()))
            in_.fail_at(tensor_offsets_[i], "the data of tensor " + tensor.name + " (" + std::to_string(bytes) + " bytes at offset " +
                                                std::to_string(data_offsets_[i]) + " of the data) ends beyond the file");
        tensor.offset = begin.value().value();
        tensor.data = bytes_.subspan(tensor.offset, bytes);
    }
    check_overlaps();
}

void HeaderParser::check_overlaps() const {
    const auto& tensors = header_.tensors;
    std::vector<uint32_t> order(tensors.size());
    std::iota(order.begin(), order.end(), 0u);
    std::sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) { return tensors[a].offset < tensors[b].offset; });
    for (size_t i = 1; i < order.size(); ++i) {
        const Tensor &before = tensors[order[i - 1]], &after = tensors[order[i]];
        if (before.offset + before.data.size() > after.offset)
            in_.fail_at(tensor_offsets_[order[i]], "the data of tensors " + before.name + " and " + after.name + " overlap");
    }
}

}  // namespace

Header parse_header(std::span<const std::byte> bytes, const std::string& name) { return HeaderParser(bytes, name).parse(); }

}  // namespace kylin::gguf
