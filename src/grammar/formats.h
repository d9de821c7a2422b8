// The values of `format` that can be honoured, as regular expressions.
#pragma once
#include <optional>
#include <string>
#include <string_view>

namespace kylin::grammar {

// Every string that matches has the format. For most the reverse holds too; email, hostname and uri leave out rare forms (quoted local
// parts, internationalized names, IP literals), and times leave out leap seconds.
std::optional<std::string> format_regex(std::string_view name);

// "date, date-time, …"
std::string format_names();

}  // namespace kylin::grammar
