// render_lines < cases > results: renders one case per line, {"template": ..., "context": {...}}, and writes one line for each,
// {"text": ...} or {"error": ...}. The Jinja oracle drives it.
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>

#include "base/error.h"
#include "text/jinja/interpreter.h"
#include "text/jinja/parser.h"

int main() {
    using namespace kylin;
    using Json = nlohmann::ordered_json;
    const jinja::Limits limits;
    for (std::string line; std::getline(std::cin, line);) {
        Json result;
        try {
            const Json test = Json::parse(line);
            jinja::Variables variables;
            for (const auto& [name, value] : test.at("context").items())
                variables.emplace_back(name, jinja::from_json(value, limits.value_depth));
            const jinja::Body body = jinja::parse(test.at("template").get<std::string>());
            result["text"] = jinja::render(body, variables, limits).bytes();
        } catch (const InputError& e) {
            result["error"] = e.what();
        }
        std::cout << result.dump() << '\n';
    }
}
