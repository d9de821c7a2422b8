// libFuzzer: any bytes throw InputError, or are a trace all of whose values can be read.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/error.h"
#include "fuzz/require.h"
#include "parity/trace.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    using namespace kylin;
    const FileDescriptor file(::memfd_create("trace", MFD_CLOEXEC));
    require(::write(file.get(), data, size) == static_cast<ssize_t>(size), "memory can be written");
    try {
        const auto trace = parity::TraceReader::open("/proc/self/fd/" + std::to_string(file.get()));
        require(trace.about().n_prompt >= 1 && static_cast<size_t>(trace.about().n_prompt) <= trace.n_tokens(), "there is a prompt");
        for (const auto& [name, tensor] : trace.tensors()) {
            require(tensor.n_values() <= size, "a tensor has no more values than the file has bytes");
            std::vector<double> values(tensor.n_values());
            try {
                trace.read(tensor, 0, values);
            } catch (const InputError&) {
                require(false, "a tensor that was accepted can be read");
            }
        }
    } catch (const InputError&) {
        return 0;
    }
    return 0;
}
