#include "cli/config_file.h"

#include <fmt/format.h>
#include <toml++/toml.h>
#include <vector>

#include "base/error.h"

namespace kylin::cli {
namespace {

std::string place(const std::string& path, const toml::source_region& source) { return fmt::format("{}:{}", path, source.begin.line); }

toml::table read(const std::string& path) {
    try {
        return toml::parse_file(path);
    } catch (const toml::parse_error& error) {
        // A file that cannot be opened has no lines.
        throw InputError(error.source().begin ? place(path, error.source()) : path, std::string(error.description()));
    }
}

// As it would stand on the command line.
std::string text_of(const toml::node& node, const CLI::Option& option) {
    const bool is_flag = option.get_items_expected_max() == 0;
    if (is_flag != node.is_boolean()) throw InputError(option.get_name(), is_flag ? "takes true or false" : "does not take true or false");
    if (const auto* text = node.as_string()) return text->get();
    if (const auto* integer = node.as_integer()) return fmt::format("{}", integer->get());
    if (const auto* real = node.as_floating_point()) return fmt::format("{}", real->get());
    if (node.is_boolean()) return "true";
    throw InputError(option.get_name(), "takes a string, a number, true or false, or an array of these");
}

std::vector<std::string> texts_of(const toml::node& node, const CLI::Option& option) {
    std::vector<std::string> texts;
    if (const auto* array = node.as_array()) {
        for (const toml::node& element : *array) texts.push_back(text_of(element, option));
    } else if (!(node.is_boolean() && !node.as_boolean()->get() && option.get_items_expected_max() == 0)) {  // a flag that is not set
        texts.push_back(text_of(node, option));
    }
    return texts;
}

void set(CLI::App& command, const std::string& name, const toml::node& node) {
    CLI::Option* option = command.get_option_no_throw("--" + name);
    if (!option || !option->get_configurable()) throw InputError("\"" + name + "\"", "there is no such setting; see kylin serve --help");
    const std::vector<std::string> texts = texts_of(node, *option);  // checked even where it does not count
    if (!option->empty() || texts.empty()) return;
    for (const std::string& text : texts) option->add_result(text);
    option->run_callback();
}

}  // namespace

void apply_config_file(CLI::App& command, const std::string& path) {
    for (const auto& [key, node] : read(path)) {
        try {
            set(command, std::string(key.str()), node);
        } catch (const InputError& error) {
            throw InputError(place(path, key.source()), error.what());
        } catch (const CLI::ParseError& error) {
            throw InputError(place(path, key.source()), error.what());
        }
    }
}

}  // namespace kylin::cli
