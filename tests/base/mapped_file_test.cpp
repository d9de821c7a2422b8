// Odd paths are errors, never waits or crashes.
#include "base/mapped_file.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "test_folder.h"

namespace kylin {
namespace {

using testing::TestFolder;

std::string error_of(const std::filesystem::path& path) {
    try {
        MappedFile::open(path);
    } catch (const InputError& error) {
        EXPECT_EQ(error.where(), path.string());
        return error.what();
    }
    return "no error";
}

TEST(MappedFile, HasTheBytes) {
    const TestFolder folder;
    testing::fill(folder / "a", "four");
    const MappedFile file = MappedFile::open(folder / "a");
    ASSERT_EQ(file.bytes().size(), 4u);
    EXPECT_EQ(static_cast<char>(file.bytes()[0]), 'f');
}

TEST(MappedFile, AnEmptyFileHasNoBytes) {
    const TestFolder folder;
    testing::fill(folder / "empty", "");
    EXPECT_TRUE(MappedFile::open(folder / "empty").bytes().empty());
}

TEST(MappedFile, MovingLeavesOneOwner) {
    const TestFolder folder;
    testing::fill(folder / "a", "four");
    MappedFile first = MappedFile::open(folder / "a");
    MappedFile second = std::move(first);
    first = MappedFile();
    EXPECT_EQ(static_cast<char>(second.bytes()[3]), 'r');
}

TEST(MappedFile, CopiesAPart) {
    const TestFolder folder;
    testing::fill(folder / "a", "0123456789");
    const MappedFile file = MappedFile::open(folder / "a");
    char copied[3] = {};
    file.copy(file.bytes().subspan(4, 3), reinterpret_cast<std::byte*>(copied));
    EXPECT_EQ(std::string_view(copied, 3), "456");
}

TEST(MappedFile, MissingFile) {
    EXPECT_EQ(error_of("/nowhere/model.gguf"), "/nowhere/model.gguf: cannot be opened: No such file or directory");
}

TEST(MappedFile, Directory) { EXPECT_EQ(error_of("/tmp"), "/tmp: is a directory, a regular file is needed"); }

TEST(MappedFile, Device) { EXPECT_EQ(error_of("/dev/zero"), "/dev/zero: is a device, a regular file is needed"); }

TEST(MappedFile, FifoWithoutAWriterDoesNotWait) {
    const TestFolder folder;
    ASSERT_EQ(mkfifo((folder / "fifo").c_str(), 0600), 0);
    EXPECT_NE(error_of(folder / "fifo").find("is a FIFO"), std::string::npos);
}

TEST(MappedFile, UnreadableFile) {
    const TestFolder folder;
    testing::fill(folder / "secret", "x");
    ASSERT_EQ(chmod(folder.path().c_str(), 0755), 0);
    ASSERT_EQ(chmod((folder / "secret").c_str(), 0), 0);
    // Root may read everything, so it becomes nobody for a moment.
    const uid_t user = geteuid();
    if (user == 0) {
        ASSERT_EQ(seteuid(65534), 0);
    }
    const std::string message = error_of(folder / "secret");
    ASSERT_EQ(seteuid(user), 0);
    EXPECT_NE(message.find("Permission denied"), std::string::npos) << message;
}

// A child that may not have so much address space stands for a file larger than that.
TEST(MappedFileDeathTest, AFileTooLargeToBeMappedIsAnError) {
    const TestFolder folder;
    testing::fill(folder / "a", "");
    std::filesystem::resize_file(folder / "a", uint64_t{4} << 30);  // sparse
    const auto open_it = [&] {
        uint64_t pages = 0;
        std::ifstream("/proc/self/statm") >> pages;
        const rlim_t bytes = pages * static_cast<uint64_t>(sysconf(_SC_PAGESIZE)) + (uint64_t{1} << 30);
        const rlimit limit = {bytes, bytes};
        setrlimit(RLIMIT_AS, &limit);
        std::fprintf(stderr, "%s", error_of(folder / "a").c_str());
        std::exit(0);
    };
    EXPECT_EXIT(open_it(), ::testing::ExitedWithCode(0), "a: cannot be mapped: Cannot allocate memory$");
}

TEST(MappedFile, ReleasedPagesComeBack) {
    const TestFolder folder;
    std::string content(5 * 4096 + 7, 'a');
    for (size_t i = 0; i < content.size(); ++i) content[i] = static_cast<char>(i * 31 % 251);
    testing::fill(folder / "a", content);
    const MappedFile file = MappedFile::open(folder / "a");
    file.release(file.bytes());
    file.release(file.bytes().subspan(100, 50));
    file.release({});
    const std::string again(reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size());
    EXPECT_EQ(again, content);
}

TEST(MappedFileDeathTest, AFileThatShrinksEndsTheProgramWithOneLine) {
    const TestFolder folder;
    const auto use_lost_page = [&](auto use) {
        testing::fill(folder / "a", std::string(100000, 'x'));
        end_program_when_mapped_file_shrinks();
        const MappedFile file = MappedFile::open(folder / "a");
        std::filesystem::resize_file(folder / "a", 10);
        use(file, file.bytes().subspan(90000, 100));
    };
    const auto read = [](const MappedFile&, std::span<const std::byte> lost) {
        volatile std::byte first = lost[0];
        static_cast<void>(first);
    };
    const auto copy = [](const MappedFile& file, std::span<const std::byte> lost) {
        std::byte copied[100];
        file.copy(lost, copied);
    };
    constexpr const char* line = "^error: a mapped file was cut short while it was being read\n$";
    EXPECT_EXIT(use_lost_page(read), ::testing::ExitedWithCode(1), line);
    EXPECT_EXIT(use_lost_page(copy), ::testing::ExitedWithCode(1), line);
}

TEST(MappedFileDeathTest, LostPagesReadAsNaN) {
    const TestFolder folder;
    testing::fill(folder / "a", std::string(100000, 'x'));
    const auto read_lost_pages = [&] {
        read_nan_where_mapped_file_shrinks();
        const MappedFile file = MappedFile::open(folder / "a");
        std::filesystem::resize_file(folder / "a", 8192);
        const auto is_lost = [](std::byte b) { return b == std::byte{0xFF}; };
        const auto kept = file.bytes().first(8192), lost = file.bytes().subspan(8192);
        bool right = std::ranges::none_of(kept, is_lost) && std::ranges::all_of(lost, is_lost);
        file.release(file.bytes());
        right = right && std::ranges::none_of(kept, is_lost) && std::ranges::all_of(lost, is_lost);
        std::exit(right ? 0 : 2);
    };
    EXPECT_EXIT(read_lost_pages(), ::testing::ExitedWithCode(0), "^$");
}

}  // namespace
}  // namespace kylin
