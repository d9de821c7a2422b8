// GGUF files: ownership, look-up and typed reads. The parser is header.cpp.
#include "gguf/file.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <type_traits>
#include <utility>

#include "base/error.h"
#include "base/mapped_file.h"
#include "gguf/header.h"

namespace kylin::gguf {
namespace {

constexpr std::string_view value_type_names[] = {"u8",   "i8",     "u16",   "i16", "u32", "i32", "f32",
                                                 "bool", "string", "array", "u64", "i64", "f64"};
static_assert(std::variant_size_v<Value> == std::size(value_type_names));

// The variants list their types in the order of the ids; arrays leave out the array itself.
static_assert(std::is_same_v<std::variant_alternative_t<static_cast<size_t>(ValueType::f64), Value>, double>);
static_assert(std::is_same_v<std::variant_alternative_t<static_cast<size_t>(ValueType::array), Value>, Array>);
static_assert(std::is_same_v<std::variant_alternative_t<static_cast<size_t>(ValueType::f64) - 1, Array>, std::vector<double>>);

template <class T>
constexpr bool is_integer = std::is_integral_v<T> && !std::is_same_v<T, bool>;

template <class T>
std::optional<int64_t> as_int64(T value) {
    if (!std::in_range<int64_t>(value)) return std::nullopt;
    return static_cast<int64_t>(value);
}

std::string described(const Value& value) {
    const std::string type(name(type_of(value)));
    const auto* array = std::get_if<Array>(&value);
    return array ? type + " of " + std::string(name(element_type_of(*array))) : type;
}

}  // namespace

std::string_view name(ValueType type) { return value_type_names[static_cast<size_t>(type)]; }
ValueType type_of(const Value& value) { return static_cast<ValueType>(value.index()); }

ValueType element_type_of(const Array& array) {
    const auto index = static_cast<uint32_t>(array.index());
    return static_cast<ValueType>(index < static_cast<uint32_t>(ValueType::array) ? index : index + 1);
}

size_t size_of(const Array& array) {
    return std::visit([](const auto& values) { return values.size(); }, array);
}

struct File::Parsed {
    std::string name;
    MappedFile mapping;
    std::span<const std::byte> bytes;
    Header header;
};

File::File(std::unique_ptr<Parsed> parsed) : parsed_(std::move(parsed)) {}
File::File(File&&) noexcept = default;
File& File::operator=(File&&) noexcept = default;
File::~File() = default;

File File::open(const std::filesystem::path& path) {
    auto parsed = std::make_unique<Parsed>();
    parsed->name = path.string();
    parsed->mapping = MappedFile::open(path);
    parsed->bytes = parsed->mapping.bytes();
    parsed->header = parse_header(parsed->bytes, parsed->name);
    return File(std::move(parsed));
}

File File::parse(std::span<const std::byte> bytes, std::string name) {
    auto parsed = std::make_unique<Parsed>();
    parsed->name = std::move(name);
    parsed->bytes = bytes;
    parsed->header = parse_header(bytes, parsed->name);
    return File(std::move(parsed));
}

const std::string& File::name() const { return parsed_->name; }
uint32_t File::version() const { return parsed_->header.version; }
uint64_t File::size() const { return parsed_->bytes.size(); }
void File::release(std::span<const std::byte> data) const {
    if (!parsed_->mapping.bytes().empty()) parsed_->mapping.release(data);
}

void File::copy(std::span<const std::byte> data, std::byte* to) const {
    if (!parsed_->mapping.bytes().empty()) return parsed_->mapping.copy(data, to);
    std::memcpy(to, data.data(), data.size());
}

std::span<const Entry> File::metadata() const { return parsed_->header.entries; }
std::span<const Tensor> File::tensors() const { return parsed_->header.tensors; }

namespace {

const Entry* find_entry(const Header& header, std::string_view key) {
    const auto& order = header.entries_by_key;
    const auto at =
        std::lower_bound(order.begin(), order.end(), key, [&](uint32_t i, std::string_view k) { return header.entries[i].key < k; });
    return at != order.end() && header.entries[*at].key == key ? &header.entries[*at] : nullptr;
}

}  // namespace

const Value* File::find(std::string_view key) const {
    const Entry* entry = find_entry(parsed_->header, key);
    return entry ? &entry->value : nullptr;
}

const Tensor* File::find_tensor(std::string_view tensor_name) const {
    const auto& order = parsed_->header.tensors_by_name;
    const auto& tensors = parsed_->header.tensors;
    const auto at =
        std::lower_bound(order.begin(), order.end(), tensor_name, [&](uint32_t i, std::string_view n) { return tensors[i].name < n; });
    return at != order.end() && tensors[*at].name == tensor_name ? &tensors[*at] : nullptr;
}

void File::fail(std::string_view key, const std::string& what) const {
    const Entry* entry = find_entry(parsed_->header, key);
    const std::string message = key.empty() ? what : std::string(key) + " " + what;
    throw InputError(parsed_->name, message, entry ? std::optional(entry->offset) : std::nullopt);
}

std::optional<int64_t> File::find_int(std::string_view key) const {
    const Value* value = find(key);
    if (!value) return std::nullopt;
    return std::visit(
        [&](const auto& held) -> std::optional<int64_t> {
            using T = std::decay_t<decltype(held)>;
            if constexpr (is_integer<T>) {
                if (const auto number = as_int64(held)) return number;
                fail(key, "is " + std::to_string(held) + ", beyond a signed 64-bit integer");
            } else {
                fail(key, "has type " + described(*value) + ", an integer is needed");
            }
        },
        *value);
}

std::optional<double> File::find_float(std::string_view key) const {
    const Value* value = find(key);
    if (!value) return std::nullopt;
    if (const auto* single = std::get_if<float>(value)) return static_cast<double>(*single);
    if (const auto* twice = std::get_if<double>(value)) return *twice;
    fail(key, "has type " + described(*value) + ", a floating-point number is needed");
}

std::optional<bool> File::find_bool(std::string_view key) const {
    const Value* value = find(key);
    if (!value) return std::nullopt;
    if (const auto* held = std::get_if<bool>(value)) return *held;
    fail(key, "has type " + described(*value) + ", a bool is needed");
}

const std::string* File::find_string(std::string_view key) const {
    const Value* value = find(key);
    if (!value) return nullptr;
    if (const auto* held = std::get_if<std::string>(value)) return held;
    fail(key, "has type " + described(*value) + ", a string is needed");
}

const StringList* File::find_strings(std::string_view key) const {
    const Value* value = find(key);
    if (!value) return nullptr;
    const auto* array = std::get_if<Array>(value);
    if (const auto* held = array ? std::get_if<StringList>(array) : nullptr) return held;
    fail(key, "has type " + described(*value) + ", an array of strings is needed");
}

std::optional<std::vector<int64_t>> File::find_ints(std::string_view key) const {
    const Value* value = find(key);
    if (!value) return std::nullopt;
    const auto* array = std::get_if<Array>(value);
    if (!array) fail(key, "has type " + described(*value) + ", an array of integers is needed");
    if (size_of(*array) > max_strings) fail(key, "has " + std::to_string(size_of(*array)) + " elements, too many");
    return std::visit(
        [&](const auto& held) -> std::vector<int64_t> {
            using T = typename std::decay_t<decltype(held)>::value_type;
            std::vector<int64_t> numbers;
            if constexpr (is_integer<T>) {
                numbers.reserve(held.size());
                for (const T element : held) {
                    const auto number = as_int64(element);
                    if (!number) fail(key, "holds " + std::to_string(element) + ", beyond a signed 64-bit integer");
                    numbers.push_back(*number);
                }
                return numbers;
            } else {
                fail(key, "has type " + described(*value) + ", an array of integers is needed");
            }
        },
        *array);
}

std::optional<std::vector<double>> File::find_floats(std::string_view key) const {
    const Value* value = find(key);
    if (!value) return std::nullopt;
    const auto* array = std::get_if<Array>(value);
    if (!array) fail(key, "has type " + described(*value) + ", an array of floating-point numbers is needed");
    if (size_of(*array) > max_strings) fail(key, "has " + std::to_string(size_of(*array)) + " elements, too many");
    if (const auto* single = std::get_if<std::vector<float>>(array)) return std::vector<double>(single->begin(), single->end());
    if (const auto* twice = std::get_if<std::vector<double>>(array)) return *twice;
    fail(key, "has type " + described(*value) + ", an array of floating-point numbers is needed");
}

}  // namespace kylin::gguf
