// The values of a template. Text remembers for each byte whether a message brought it, through every operation:
// that is what keeps the words of a user from becoming special tokens.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace kylin::jinja {

enum class Origin : char { source, content };  // the template's own words; a message's or a tool's

// Valid UTF-8.
class Text {
public:
    Text() = default;
    Text(std::string_view bytes, Origin origin) : bytes_(bytes), origins_(bytes.size(), static_cast<char>(origin)) {}

    const std::string& bytes() const { return bytes_; }
    size_t size() const { return bytes_.size(); }
    bool empty() const { return bytes_.empty(); }
    Origin origin(size_t at) const { return static_cast<Origin>(origins_[at]); }
    Text substr(size_t at, size_t n = std::string::npos) const { return {bytes_.substr(at, n), origins_.substr(at, n)}; }
    Text& operator+=(const Text& other) {
        bytes_ += other.bytes_;
        origins_ += other.origins_;
        return *this;
    }
    void append(std::string_view bytes, Origin origin) {
        bytes_ += bytes;
        origins_.append(bytes.size(), static_cast<char>(origin));
    }

private:
    Text(std::string bytes, std::string origins) : bytes_(std::move(bytes)), origins_(std::move(origins)) {}
    std::string bytes_, origins_;
};

class Value;
struct List;
struct Dict;
struct Namespace;
struct Arguments;
using Function = std::function<Value(const Arguments&)>;

struct Undefined {
    std::string name;  // what was looked for, for messages
};
struct None {};

class Value {
public:
    using Variant = std::variant<Undefined, None, bool, int64_t, double, std::shared_ptr<const Text>, std::shared_ptr<const List>,
                                 std::shared_ptr<const Dict>, std::shared_ptr<Namespace>, std::shared_ptr<const Function>>;

    Value() : v_(Undefined{}) {}
    Value(Undefined u) : v_(std::move(u)) {}
    Value(None n) : v_(n) {}
    explicit Value(bool b) : v_(b) {}
    explicit Value(int64_t n) : v_(n) {}
    explicit Value(double x) : v_(x) {}
    Value(Text text) : v_(std::make_shared<const Text>(std::move(text))) {}
    Value(List list);
    Value(Dict dict);
    Value(std::shared_ptr<Namespace> n) : v_(std::move(n)) {}
    Value(Function f) : v_(std::make_shared<const Function>(std::move(f))) {}
    static Value source(std::string_view text) { return Text(text, Origin::source); }

    bool is_undefined() const { return std::holds_alternative<Undefined>(v_); }
    bool is_none() const { return std::holds_alternative<None>(v_); }
    bool is_number() const { return as_bool() || as_int() || as_float(); }
    const Undefined* as_undefined() const { return std::get_if<Undefined>(&v_); }
    const bool* as_bool() const { return std::get_if<bool>(&v_); }
    const int64_t* as_int() const { return std::get_if<int64_t>(&v_); }
    const double* as_float() const { return std::get_if<double>(&v_); }
    const Text* as_text() const { return pointed<const Text>(); }
    const List* as_list() const { return pointed<const List>(); }
    const Dict* as_dict() const { return pointed<const Dict>(); }
    Namespace* as_namespace() const { return pointed<Namespace>(); }
    const Function* as_function() const { return pointed<const Function>(); }

    // The integer that a bool or an int is.
    std::optional<int64_t> integer() const;
    // The number that a bool, an int or a float is.
    std::optional<double> number() const;
    bool truth() const;
    // As the language calls the type: "str", "dict", ...
    std::string_view type_name() const;
    // How many lists and dicts lie inside each other.
    int depth() const;
    // What making the value costs: its own text or items, not what lies inside those.
    size_t width() const;
    // What writing or comparing it costs: everything inside, as often as it is there. Huge numbers stay at a ceiling.
    size_t weight() const;

private:
    template <class T>
    T* pointed() const {
        const auto* p = std::get_if<std::shared_ptr<T>>(&v_);
        return p ? p->get() : nullptr;
    }
    Variant v_;
};

// Lists and dicts never change, so they cannot contain themselves.
struct List {
    std::vector<Value> items;
    bool is_tuple = false;  // differs in how it is written, and is equal only to tuples
    int depth = 1;          // this and `weight` are set when it becomes a Value
    size_t weight = 1;
};
struct Dict {
    std::vector<std::pair<Value, Value>> items;  // in the order of insertion
    int depth = 1;                               // as of lists
    size_t weight = 1;

    const Value* find(const Value& key) const;
    const Value* find(std::string_view key) const;
    void set(Value key, Value value);
};
// What namespace() makes: the only value that templates may change.
struct Namespace {
    std::vector<std::pair<std::string, Value>> items;
};
struct Arguments {
    std::vector<Value> positional;
    std::vector<std::pair<std::string, Value>> named;

    // The argument at a place or with a name; nullptr when absent.
    const Value* find(size_t at, std::string_view name) const;
};

// Python's ==, and the order of numbers and of strings; nullopt when Python has none.
bool equal(const Value& a, const Value& b);
std::optional<bool> less(const Value& a, const Value& b);

// Every string in it is content. Throws InputError for JSON nested deeper than `max_depth`.
Value from_json(const nlohmann::ordered_json& json, int max_depth);

// Python's str(); what {{ value }} writes.
Text to_text(const Value& value);
// As Python's json.dumps; nullopt when the value has no JSON form.
struct JsonStyle {
    std::optional<int64_t> indent = std::nullopt;
    bool ensure_ascii = false;
};
std::optional<Text> to_json(const Value& value, JsonStyle style);

}  // namespace kylin::jinja
