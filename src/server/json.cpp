#include "server/json.h"

#include <memory>
#include <unordered_set>
#include <vector>

#include "base/error.h"

namespace kylin::server {
namespace {

constexpr int max_depth = 64;
// ordered_json looks members up one after the other, so their number bounds the work.
constexpr size_t max_members = 1100, max_members_together = 20000;

// Watches the parser at work; throws when something goes too far.
class Watch {
public:
    bool operator()(int depth, Json::parse_event_t event, Json& value) {
        using Event = Json::parse_event_t;
        if (depth > max_depth) throw InputError("body", "nested deeper than " + std::to_string(max_depth) + " levels");
        if (event == Event::object_start) open_.emplace_back();
        if (event == Event::object_end) open_.pop_back();
        if (event == Event::key) add(value.get_ref<const std::string&>());
        return true;
    }

private:
    void add(const std::string& name) {
        if (!open_.back().insert(name).second) throw InputError(name.empty() ? "body" : name, "given twice");
        if (open_.back().size() > max_members || ++n_members_ > max_members_together) throw InputError("body", "too many members");
    }
    std::vector<std::unordered_set<std::string>> open_;
    size_t n_members_ = 0;
};

}  // namespace

Json parse_json(std::string_view text) {
    if (text.find_first_not_of(" \t\r\n") == text.npos) throw InputError("body", "it is empty; a JSON object is expected");
    try {
        return Json::parse(text, [watch = std::make_shared<Watch>()](int depth, Json::parse_event_t event, Json& value) {
            return (*watch)(depth, event, value);
        });
    } catch (const Json::exception& e) {
        // "[json.exception.parse_error.101] parse error at line 1, column 2: …"
        std::string what = e.what();
        const size_t bracket = what.find("] ");
        throw InputError("body", "not JSON: " + (bracket == what.npos ? what : what.substr(bracket + 2)));
    }
}

bool says(const Json& value, std::string_view text) { return value.is_string() && value.get_ref<const std::string&>() == text; }

std::string dump(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

}  // namespace kylin::server
