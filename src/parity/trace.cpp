#include "parity/trace.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <functional>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <sys/stat.h>
#include <utility>

#include "base/error.h"
#include "gguf/block_codec.h"

namespace kylin::parity {
namespace {

using Json = nlohmann::ordered_json;

constexpr uint64_t max_header = 100 << 20;  // the bound safetensors itself sets
constexpr uint64_t length_bytes = 8;

struct Dtype {
    std::string_view name;
    uint64_t bytes;
};
constexpr Dtype dtypes[] = {{"F16", 2}, {"F32", 4}, {"F64", 8}};  // in the order of TraceElement
const Dtype& info(TraceElement e) { return dtypes[static_cast<size_t>(e)]; }

template <class T>
T load(const std::byte* source) {
    T v;
    std::memcpy(&v, source, sizeof v);
    return v;
}

double value(const std::byte* source, TraceElement element) {
    if (element == TraceElement::f64) return load<double>(source);
    if (element == TraceElement::f32) return static_cast<double>(load<float>(source));
    return static_cast<double>(f16_to_f32(load<uint16_t>(source)));
}

// A whole number that T can hold: nlohmann's own get casts what it finds, and that of a large float is undefined.
template <class T>
T integer(const Json& number) {
    const bool fits = number.is_number_unsigned()  ? std::in_range<T>(number.get<uint64_t>())
                      : number.is_number_integer() ? std::in_range<T>(number.get<int64_t>())
                                                   : false;
    if (!fits) throw std::runtime_error("header has something else where an integer of " + std::to_string(8 * sizeof(T)) + " bits belongs");
    return number.get<T>();
}

std::vector<int32_t> integers(const std::string& list) {
    const Json numbers = Json::parse(list);
    if (!numbers.is_array()) throw std::runtime_error("header has something else where a list of integers belongs");
    std::vector<int32_t> out;
    for (const Json& number : numbers) out.push_back(integer<int32_t>(number));
    return out;
}

// Throws Json::exception for fields of another type, std::runtime_error saying what does not fit.
TraceTensor parse_tensor(const std::string& name, const Json& entry, uint64_t data_bytes) {
    const auto fail = [&](const std::string& what) { throw std::runtime_error("tensor " + name + " " + what); };
    TraceTensor t;
    uint64_t n = 1;
    for (const Json& extent : entry.at("shape")) {
        const auto e = integer<uint64_t>(extent);
        if (e != 0 && n > data_bytes / e) fail("has more values than the file has bytes");
        n *= e;
        t.shape.push_back(static_cast<size_t>(e));
    }
    const auto dtype = entry.at("dtype").get<std::string>();
    size_t element = 0;
    while (element < std::size(dtypes) && dtypes[element].name != dtype) ++element;
    if (element == std::size(dtypes)) fail("has dtype " + dtype + " (F64, F32 and F16 are read)");
    t.element = static_cast<TraceElement>(element);
    t.offset = integer<uint64_t>(entry.at("data_offsets").at(0));
    const auto end = integer<uint64_t>(entry.at("data_offsets").at(1));
    if (t.offset > end || end > data_bytes || end - t.offset != n * info(t.element).bytes) fail("has offsets that do not fit");
    return t;
}

TraceAbout parse_about(const Json& metadata) {
    if (metadata.value("format", "") != "kylin.trace/1") throw std::runtime_error("not a trace: metadata format is not kylin.trace/1");
    TraceAbout about;
    about.engine = metadata.value("engine", "");
    about.numerics = metadata.value("numerics", "");
    about.tokens = integers(metadata.at("tokens").get<std::string>());
    const auto n_prompt = integer<uint64_t>(Json::parse(metadata.value("n_prompt", std::to_string(about.tokens.size()))));
    if (n_prompt < 1 || n_prompt > about.tokens.size()) throw std::runtime_error("n_prompt does not fit the tokens");
    about.n_prompt = static_cast<int>(n_prompt);
    return about;
}

}  // namespace

size_t TraceTensor::n_values() const {
    size_t n = 1;
    for (const size_t extent : shape) n *= extent;
    return n;
}

TraceReader TraceReader::open(const std::filesystem::path& path) {
    TraceReader reader;
    reader.path_ = path;
    reader.file_ = FileDescriptor(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (!reader.file_) throw InputError(path.string(), "cannot be opened: " + std::string(std::strerror(errno)));
    struct stat status {};
    if (::fstat(reader.file_.get(), &status) != 0 || !S_ISREG(status.st_mode)) throw InputError(path.string(), "not a regular file");
    const auto bytes = static_cast<uint64_t>(status.st_size);
    if (bytes < length_bytes) throw InputError(path.string(), "too short for a safetensors file");
    uint64_t n = 0;
    reader.read_bytes(0, std::as_writable_bytes(std::span(&n, 1)));
    if (n > bytes - length_bytes || n > max_header) throw InputError(path.string(), "header longer than the file", 0);
    std::vector<char> text(static_cast<size_t>(n));
    reader.read_bytes(length_bytes, std::as_writable_bytes(std::span(text)));
    reader.data_ = length_bytes + n;
    reader.parse_header(text, bytes - reader.data_);
    return reader;
}

void TraceReader::parse_header(std::span<const char> text, uint64_t data_bytes) {
    try {
        const Json header = Json::parse(text.begin(), text.end());
        about_ = parse_about(header.at("__metadata__"));
        for (const auto& [name, entry] : header.items())
            if (name != "__metadata__") tensors_.emplace(name, parse_tensor(name, entry, data_bytes));
        for (const auto& [key, list] : header.at("__metadata__").items())
            if (key.starts_with("rows.")) parse_rows(key.substr(5), list.get<std::string>());
    } catch (const Json::parse_error& e) {
        throw InputError(path_.string(), "header is not JSON", length_bytes + e.byte - 1);
    } catch (const Json::exception&) {
        throw InputError(path_.string(), "header is not that of a trace: a field is missing or of another type", length_bytes);
    } catch (const std::runtime_error& e) {
        throw InputError(path_.string(), e.what(), length_bytes);
    }
}

void TraceReader::parse_rows(const std::string& name, const std::string& list) {
    const auto found = tensors_.find(name);
    if (found == tensors_.end()) return;
    TraceTensor& t = found->second;
    t.rows = integers(list);
    const bool ascending = std::ranges::adjacent_find(t.rows, std::greater_equal<>()) == t.rows.end();
    const bool inside = !t.rows.empty() && t.rows.front() >= 0 && static_cast<size_t>(t.rows.back()) < about_.tokens.size();
    if (!ascending || !inside || t.shape.empty() || t.shape[0] != t.rows.size())
        throw std::runtime_error("rows." + name + " does not fit its tensor");
}

const TraceTensor* TraceReader::find(const std::string& name) const {
    const auto found = tensors_.find(name);
    return found == tensors_.end() ? nullptr : &found->second;
}

void TraceReader::read(const TraceTensor& tensor, size_t first, std::span<double> out) const {
    const uint64_t bytes = info(tensor.element).bytes;
    std::vector<std::byte> raw(out.size() * bytes);
    read_bytes(data_ + tensor.offset + first * bytes, raw);
    for (size_t i = 0; i < out.size(); ++i) out[i] = value(raw.data() + i * bytes, tensor.element);
}

void TraceReader::read_bytes(uint64_t offset, std::span<std::byte> out) const {
    while (!out.empty()) {
        const ssize_t n = ::pread(file_.get(), out.data(), out.size(), static_cast<off_t>(offset));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) throw InputError(path_.string(), "cannot be read: " + std::string(std::strerror(errno)), offset);
        if (n == 0) throw InputError(path_.string(), "ends early", offset);
        out = out.subspan(static_cast<size_t>(n));
        offset += static_cast<uint64_t>(n);
    }
}

TraceWriter::TraceWriter(const std::filesystem::path& path, TraceElement element, size_t header_bytes)
    : file_(path), element_(element), header_bytes_((header_bytes + 7) / 8 * 8) {}  // safetensors aligns the data to 8 bytes

void TraceWriter::write(const std::string& name, const std::vector<size_t>& shape, size_t first, std::span<const double> values) {
    auto found = tensors_.find(name);
    if (found == tensors_.end()) {
        found = tensors_.emplace(name, TraceTensor{shape, element_, data_bytes_, {}}).first;
        data_bytes_ += found->second.n_values() * info(element_).bytes;
        file_.grow(length_bytes + header_bytes_ + data_bytes_);
    }
    const uint64_t at = length_bytes + header_bytes_ + found->second.offset + first * info(element_).bytes;
    if (element_ == TraceElement::f64) return file_.write_at(at, std::as_bytes(values));
    const std::vector<float> narrow(values.begin(), values.end());
    file_.write_at(at, std::as_bytes(std::span(narrow)));
}

void TraceWriter::finish(const TraceAbout& about) {
    Json header;
    header["__metadata__"] = {{"format", "kylin.trace/1"},
                              {"engine", about.engine},
                              {"numerics", about.numerics},
                              {"tokens", Json(about.tokens).dump()},
                              {"n_prompt", std::to_string(about.n_prompt)}};
    for (const auto& [name, t] : tensors_) {
        const uint64_t end = t.offset + t.n_values() * info(t.element).bytes;
        header[name] = {{"dtype", info(t.element).name}, {"shape", t.shape}, {"data_offsets", {t.offset, end}}};
    }
    std::string text = header.dump();
    if (text.size() > header_bytes_) throw std::length_error("the header of a trace outgrew its room");
    text.resize(header_bytes_, ' ');
    const uint64_t size = header_bytes_;
    file_.write_at(0, std::as_bytes(std::span(&size, 1)));
    file_.write_at(length_bytes, std::as_bytes(std::span(text)));
    file_.commit();
}

size_t header_room(size_t n_tensors, size_t n_tokens) { return 4096 + n_tensors * 160 + n_tokens * 12; }

}  // namespace kylin::parity
