// Holds back the beginning of a character until its rest is there.
#include "text/text_stream.h"

#include "text/unicode.h"

namespace kylin {

std::string TextStream::push(std::string_view bytes) {
    pending_ += bytes;
    std::string out;
    std::string_view rest = pending_;
    while (!rest.empty()) {
        const Utf8Unit unit = first_unit(rest);
        if (unit.kind == Utf8Unit::truncated) break;
        out += unit.kind == Utf8Unit::character ? rest.substr(0, unit.bytes) : replacement_character;
        rest.remove_prefix(unit.bytes);
    }
    pending_.erase(0, pending_.size() - rest.size());
    return out;
}

std::string TextStream::flush() {
    if (pending_.empty()) return {};
    pending_.clear();
    return std::string(replacement_character);
}

}  // namespace kylin
