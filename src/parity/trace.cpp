#include "parity/trace.h"

#include <cstring>
#include <nlohmann/json.hpp>

#include "base/atomic_file.h"
#include "base/error.h"
#include "base/mapped_file.h"
#include "gguf/block_codec.h"

namespace kylin::parity {
namespace {

using Json = nlohmann::ordered_json;
constexpr uint64_t max_header = 100 << 20;  // the bound safetensors itself sets

struct Reader {
    std::string name;
    std::span<const std::byte> data;  // after the header

    [[noreturn]] void fail(const std::string& what) const { throw InputError(name, what); }

    TraceTensor tensor(const std::string& key, const Json& entry) const {
        TraceTensor t;
        uint64_t n = 1;
        for (const Json& extent : entry.at("shape")) {
            const auto e = extent.get<uint64_t>();
            if (e != 0 && n > data.size() / e) fail("tensor " + key + " has more values than the file has bytes");
            n *= e;
            t.shape.push_back(static_cast<size_t>(e));
        }
        const auto dtype = entry.at("dtype").get<std::string>();
        const uint64_t bytes = dtype == "F64" ? 8 : dtype == "F32" ? 4 : dtype == "F16" ? 2 : 0;
        if (bytes == 0) fail("tensor " + key + " has dtype " + dtype + " (F64, F32 and F16 are read)");
        const auto first = entry.at("data_offsets").at(0).get<uint64_t>(), last = entry.at("data_offsets").at(1).get<uint64_t>();
        if (first > last || last > data.size() || last - first != n * bytes) fail("tensor " + key + " has offsets that do not fit");
        const std::byte* source = data.data() + first;
        t.values.resize(static_cast<size_t>(n));
        for (size_t i = 0; i < t.values.size(); ++i) t.values[i] = value(source + i * bytes, bytes);
        return t;
    }

    static double value(const std::byte* source, uint64_t bytes) {
        if (bytes == 8) return load<double>(source);
        if (bytes == 4) return static_cast<double>(load<float>(source));
        return static_cast<double>(f16_to_f32(load<uint16_t>(source)));
    }
    template <class T>
    static T load(const std::byte* source) {
        T v;
        std::memcpy(&v, source, sizeof v);
        return v;
    }

    Trace trace(const Json& header) const {
        const Json& about = header.at("__metadata__");
        if (about.value("format", "") != "kylin.trace/1") fail("not a trace: metadata format is not kylin.trace/1");
        Trace t;
        t.engine = about.value("engine", "");
        t.numerics = about.value("numerics", "");
        t.tokens = Json::parse(about.at("tokens").get<std::string>()).get<std::vector<int32_t>>();
        t.n_prompt = std::stoi(about.value("n_prompt", std::to_string(t.tokens.size())));
        if (t.tokens.empty() || t.n_prompt < 1 || static_cast<size_t>(t.n_prompt) > t.tokens.size())
            fail("n_prompt does not fit the tokens");
        for (const auto& [key, entry] : header.items())
            if (key != "__metadata__") t.tensors.emplace(key, tensor(key, entry));
        return t;
    }
};

}  // namespace

void write_trace(const std::filesystem::path& path, const Trace& trace, TraceElement element) {
    const uint64_t bytes = element == TraceElement::f64 ? 8 : 4;
    Json header;
    header["__metadata__"] = {{"format", "kylin.trace/1"},
                              {"engine", trace.engine},
                              {"numerics", trace.numerics},
                              {"tokens", Json(trace.tokens).dump()},
                              {"n_prompt", std::to_string(trace.n_prompt)}};
    uint64_t offset = 0;
    for (const auto& [name, t] : trace.tensors) {
        const uint64_t end = offset + t.values.size() * bytes;
        header[name] = {{"dtype", element == TraceElement::f64 ? "F64" : "F32"}, {"shape", t.shape}, {"data_offsets", {offset, end}}};
        offset = end;
    }
    std::string text = header.dump();
    text.resize((text.size() + 7) / 8 * 8, ' ');  // safetensors aligns the data to 8 bytes
    const uint64_t size = text.size();

    AtomicFile file(path);
    file.write(std::as_bytes(std::span(&size, 1)));
    file.write(std::as_bytes(std::span(text)));
    for (const auto& [name, t] : trace.tensors) {
        if (element == TraceElement::f64) {
            file.write(std::as_bytes(std::span(t.values)));
        } else {
            const std::vector<float> narrow(t.values.begin(), t.values.end());
            file.write(std::as_bytes(std::span(narrow)));
        }
    }
    file.commit();
}

Trace read_trace(const std::filesystem::path& path) {
    const MappedFile file = MappedFile::open(path);
    const std::span<const std::byte> bytes = file.bytes();
    if (bytes.size() < 8) throw InputError(path.string(), "too short for a safetensors file");
    const auto size = Reader::load<uint64_t>(bytes.data());
    if (size > bytes.size() - 8 || size > max_header) throw InputError(path.string(), "header longer than the file", 0);
    const auto text = bytes.subspan(8, static_cast<size_t>(size));
    const Reader reader{path.string(), bytes.subspan(8 + static_cast<size_t>(size))};
    try {
        return reader.trace(
            Json::parse(reinterpret_cast<const char*>(text.data()), reinterpret_cast<const char*>(text.data() + text.size())));
    } catch (const Json::exception& e) {
        throw InputError(path.string(), "header is not that of a trace: " + std::string(e.what()), 8);
    } catch (const std::logic_error&) {  // std::stoi
        throw InputError(path.string(), "n_prompt is not a number", 8);
    }
}

}  // namespace kylin::parity
