// libFuzzer: any bytes either parse or throw InputError.
#include "base/error.h"
#include "gguf/file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    try {
        kylin::gguf::File::parse({reinterpret_cast<const std::byte*>(data), size});
    } catch (const kylin::InputError&) {
        return 0;
    }
    return 0;
}
