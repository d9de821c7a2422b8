#include "options.h"

#include <charconv>
#include <stdexcept>
#include <string_view>
#include <thread>

namespace kylin::reference {

RunOptions clean_run() {
    RunOptions options;
    options.threads = static_cast<int>(std::thread::hardware_concurrency());
    return options;
}

RunOptions llama_defaults() {
    RunOptions options = clean_run();
    options.flash_attn = "auto";
    options.kv = "f16";
    options.rotate_kv = true;
    options.repack = true;
    options.ubatch = 512;
    return options;
}

void add_run_options(CLI::App& app, RunOptions& options) {
    app.add_option("-m,--model", options.model, "GGUF file")->required();
    app.add_option("--flash-attn", options.flash_attn, "Flash attention")
        ->check(CLI::IsMember({"on", "off", "auto"}))
        ->capture_default_str();
    app.add_option("--kv", options.kv, "Type of the K and V cache")
        ->check(CLI::IsMember({"f32", "f16", "bf16", "q8_0", "q4_0"}))
        ->capture_default_str();
    app.add_option("--repack", options.repack, "Rearrange weights for the CPU at load: on or off")
        ->default_str(options.repack ? "on" : "off");
    app.add_option("--threads", options.threads, "Threads")->check(CLI::Range(1, 1024))->capture_default_str();
    app.add_option("--ubatch", options.ubatch, "Most rows of one forward pass, 0 for the whole prompt")
        ->check(CLI::Range(0, 1 << 20))
        ->capture_default_str();
    app.add_option("--override-kv", options.overrides,
                   "Replace metadata: KEY=TYPE:VALUE with TYPE int, float, bool or str; may be repeated")
        ->expected(1)
        ->take_all();
    app.add_flag("--verbose", options.verbose, "Show llama.cpp's log on stderr");
}

std::string describe(const RunOptions& options) {
    std::string text = "flash-attn=" + options.flash_attn + " kv=" + options.kv + " repack=" + (options.repack ? "on" : "off") +
                       " threads=" + std::to_string(options.threads) + " ubatch=" + std::to_string(options.ubatch);
    for (const std::string& entry : options.overrides) text += " override-kv=" + entry;
    return text;
}

std::vector<int> parse_token_list(const std::string& text) {
    std::vector<int> ids;
    std::string_view rest = text;
    while (true) {
        const std::string_view item = rest.substr(0, rest.find(','));
        int id = 0;
        const auto [end, status] = std::from_chars(item.data(), item.data() + item.size(), id);
        if (status != std::errc() || end != item.data() + item.size() || id < 0)
            throw std::runtime_error("'" + std::string(item) + "' is not a token id; write --tokens 1,2,3");
        ids.push_back(id);
        if (item.size() == rest.size()) return ids;
        rest.remove_prefix(item.size() + 1);
    }
}

}  // namespace kylin::reference
