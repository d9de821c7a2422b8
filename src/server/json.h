// JSON from a client, read strictly: one document, valid UTF-8, bounded depth and number of members, no member twice.
#pragma once
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace kylin::server {

using Json = nlohmann::ordered_json;

// Throws InputError.
Json parse_json(std::string_view text);

// True for a string that says `text`. The library's == makes JSON of the text first, and ends the program if memory is lacking for that.
bool says(const Json& value, std::string_view text);

// Never throws: what is not UTF-8 is replaced.
std::string dump(const Json& json);

}  // namespace kylin::server
