// Which members an object may have, and in which order they are written.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "grammar/language.h"
#include "grammar/schema.h"

namespace kylin::grammar {

struct Member {
    std::string name;
    Places places;  // the schemas of its value
    bool is_required;
};

struct Members {
    // In the order of their declaration; names that are only required come last.
    std::vector<Member> declared;

    // Behind them, any number with other names.
    struct More {
        std::optional<Language> names;  // none: any
        Places places;
        uint32_t min, max;
    };
    std::optional<More> more;
};

// An object that declares properties and does not speak of others has no others. Throws InputError for counts that cannot be honoured.
Members members_of(const Schema& schema, SchemaReader& reader, Budget& budget);

}  // namespace kylin::grammar
