#include "grammar/formats.h"

#include <algorithm>
#include <map>

namespace kylin::grammar {
namespace {

std::string either(const std::string& a, const std::string& b) { return "(?:" + a + "|" + b + ")"; }

std::string date() {
    const std::string year = "[0-9]{4}", month_31 = "(?:0[13578]|1[02])", month_30 = "(?:0[469]|11)";
    const std::string day_28 = "(?:0[1-9]|1[0-9]|2[0-8])", day_30 = "(?:0[1-9]|[12][0-9]|30)", day_31 = "(?:0[1-9]|[12][0-9]|3[01])";
    const std::string by_four_but_zero = "(?:0[48]|[2468][048]|[13579][26])", by_four = "(?:[02468][048]|[13579][26])";
    const std::string leap_year = either("[0-9]{2}" + by_four_but_zero, by_four + "00");
    return "(?:" + year + "-" + month_31 + "-" + day_31 + "|" + year + "-" + month_30 + "-" + day_30 + "|" + year + "-02-" + day_28 + "|" +
           leap_year + "-02-29)";
}

std::string time() {
    const std::string hour = "(?:[01][0-9]|2[0-3])", minute = "[0-5][0-9]";
    return hour + ":" + minute + ":" + minute + "(?:\\.[0-9]{1,9})?" + either("Z", "[+-]" + hour + ":" + minute);
}

// RFC 3339, appendix A.
std::string duration() {
    const std::string n = "[0-9]{1,9}";
    const std::string of_time = "T(?:" + n + "H(?:" + n + "M(?:" + n + "S)?)?|" + n + "M(?:" + n + "S)?|" + n + "S)";
    const std::string of_date = "(?:" + n + "Y(?:" + n + "M(?:" + n + "D)?)?|" + n + "M(?:" + n + "D)?|" + n + "D)(?:" + of_time + ")?";
    return "P(?:" + of_date + "|" + of_time + "|" + n + "W)";
}

std::string ipv4() {
    const std::string byte = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])";
    return byte + "(?:\\." + byte + "){3}";
}

// Eight groups, of which a run of at least one may be left out once.
std::string ipv6() {
    const std::string group = "[0-9A-Fa-f]{1,4}";
    const auto groups = [&](int n) { return group + "(?::" + group + "){0," + std::to_string(n - 1) + "}"; };
    std::string all = group + "(?::" + group + "){7}|::|::" + groups(7);
    for (int before = 1; before <= 7; ++before) {
        all += "|" + group + "(?::" + group + "){" + std::to_string(before - 1) + "}::";
        if (before < 7) all += "(?:" + groups(7 - before) + ")?";
    }
    return "(?:" + all + ")";
}

std::string hostname() {
    const std::string label = "[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?";
    return label + "(?:\\." + label + "){0,3}";  // shorter than the 253 characters that are allowed
}

std::string email() {
    const std::string atom = "[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]{1,20}", label = "[A-Za-z0-9](?:[A-Za-z0-9-]{0,30}[A-Za-z0-9])?";
    return atom + "(?:\\." + atom + "){0,2}@" + label + "(?:\\." + label + "){1,3}";
}

std::string uri() {
    const std::string character = "(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2})";
    const std::string authority = "//[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::[0-9]{1,5})?(?:/" + character + "*)*";
    const std::string opaque = character + "+(?:/" + character + "*)*";
    const std::string rest = "(?:" + character + "|[/?])*";
    return "[A-Za-z][A-Za-z0-9+.-]*:" + either(authority, opaque) + "(?:\\?" + rest + ")?(?:#" + rest + ")?";
}

const std::map<std::string_view, std::string (*)()> formats = {
    {"date", date},
    {"time", time},
    {"date-time", [] { return date() + "T" + time(); }},
    {"duration", duration},
    {"uuid", [] { return std::string("[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"); }},
    {"ipv4", ipv4},
    {"ipv6", ipv6},
    {"hostname", hostname},
    {"email", email},
    {"uri", uri},
};

}  // namespace

std::optional<std::string> format_regex(std::string_view name) {
    const auto it = formats.find(name);
    if (it == formats.end()) return std::nullopt;
    return "^" + it->second() + "$";
}

std::string format_names() {
    std::string names;
    for (const auto& [name, make] : formats) names += (names.empty() ? "" : ", ") + std::string(name);
    return names;
}

}  // namespace kylin::grammar
