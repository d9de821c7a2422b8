// A JSON Schema as one conjunction: what all keywords that hold for a value say together.
#pragma once
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "grammar/budget.h"
#include "grammar/json_text.h"

namespace kylin::grammar {

// A schema in a document, or several that hold together. `where` is for errors: a name of the document and a JSON pointer.
struct Place {
    const Json* json;
    std::string where;
};
using Places = std::vector<Place>;

enum Type : unsigned {
    type_null = 1,
    type_boolean = 2,
    type_integer = 4,
    type_fraction = 8,  // a number that is no integer
    type_string = 16,
    type_array = 32,
    type_object = 64,
    type_number = type_integer | type_fraction,
    type_any = 127,
};

struct Schema {
    std::string where;
    unsigned types = type_any;
    unsigned types_meant = 0;  // by keywords for one type; they decide where no `type` does
    bool has_type = false;

    std::optional<std::vector<const Json*>> values;  // enum, const

    struct Pattern {
        std::string regex, where;
    };
    struct Name {
        std::string text, where;
    };
    uint32_t min_length = 0, max_length = unlimited;
    std::vector<Pattern> patterns;  // formats too

    struct Bound {
        bool is_lower, is_strict;
        const Json* value;
        std::string where;
    };
    std::vector<Bound> bounds;

    struct ArrayPart {
        Places prefix;
        std::optional<Place> items;  // behind the prefix
    };
    std::vector<ArrayPart> arrays;
    uint32_t min_items = 0, max_items = unlimited;

    struct ObjectPart {
        bool has_properties;  // the keyword, perhaps with none
        std::vector<std::pair<std::string, Place>> properties;
        std::optional<Place> additional;
    };
    std::vector<ObjectPart> objects;
    std::vector<Name> required;
    Places property_names;
    uint32_t min_properties = 0, max_properties = unlimited;

    // Of each, one option must hold too; exclusive: exactly one.
    struct Options {
        Places options;
        bool is_exclusive;
        std::string where;
        std::vector<const Json*> path;
    };
    std::vector<Options> choices;

    std::set<const Json*> parts;  // every schema object it says; they determine all of it once no choice is left

    size_t size() const;  // about what a copy costs
    // With the types that its keywords mean, when it names none.
    unsigned effective_types() const { return has_type || types_meant == 0 ? types : types & types_meant; }
};

// Equal exactly for values that JSON Schema calls equal: members of an object count in any order, and 1 is 1.0.
std::string value_key(const Json& value);

// Reads the schemas of one document, which must outlive what is read.
class SchemaReader {
public:
    SchemaReader(const Json& document, std::string name, Budget& budget) : document_(document), name_(std::move(name)), budget_(budget) {}

    Place root() const { return {&document_, name_}; }
    // Throws InputError, which names keyword and pointer, for what is malformed or cannot be honoured.
    Schema read(const Places& places);
    // Adds an option of `choice`, one of the schema's that was taken out of it.
    void add_option(Schema& schema, const Schema::Options& choice, size_t option);

private:
    using Path = std::vector<const Json*>;  // the schemas through which one was reached without a value in between
    void add(Schema& schema, const Place& place, Path path);
    void add_reference(Schema& schema, const Place& keyword, const Path& path);
    void add_group(Schema& schema, const Place& place, std::string_view keyword, const Path& path);

    const Json& document_;
    std::string name_;
    Budget& budget_;
};

}  // namespace kylin::grammar
