#include "grammar/matcher.h"

namespace kylin::grammar {

Matcher::Matcher(std::shared_ptr<const Program> program) : program_(std::move(program)), readings_(Reader(*program_).start()) {}

bool Matcher::accept(std::string_view bytes) {
    Reader reader(*program_);
    Readings next = readings_;
    for (const char c : bytes) {
        next = reader.advance(next, static_cast<uint8_t>(c));
        if (next.is_dead()) return false;
    }
    readings_ = std::move(next);
    return true;
}

}  // namespace kylin::grammar
