// Follows a text through a grammar, byte by byte. Cheap to copy: a draft is tried on a copy.
#pragma once
#include <memory>
#include <string_view>

#include "grammar/readings.h"

namespace kylin::grammar {

class Matcher {
public:
    explicit Matcher(std::shared_ptr<const Program> program);

    // Goes on with these bytes; false, and nothing has changed, when the grammar has no such text. Throws InputError when there are too
    // many ways to read it.
    bool accept(std::string_view bytes);
    bool may_end() const { return readings_.may_end(); }
    // Complete, and nothing can follow.
    bool must_end() const { return readings_.may_end() && readings_.items.empty(); }
    const Readings& readings() const { return readings_; }

private:
    std::shared_ptr<const Program> program_;
    Readings readings_;
};

}  // namespace kylin::grammar
