// The old file or the new one, never half of one, and no litter.
#include "base/atomic_file.h"

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "test_folder.h"

namespace kylin {
namespace {

using testing::content_of;
using testing::TestFolder;

std::span<const std::byte> bytes_of(const std::string& text) { return std::as_bytes(std::span(text)); }

TEST(AtomicFile, AppearsOnCommit) {
    const TestFolder folder;
    AtomicFile file(folder / "a");
    file.write(bytes_of("one "));
    file.write(bytes_of("two"));
    EXPECT_FALSE(std::filesystem::exists(folder / "a"));
    file.commit();
    EXPECT_EQ(content_of(folder / "a"), "one two");
    EXPECT_EQ(file.size(), 7u);
    EXPECT_EQ(folder.n_files(), 1u);
}

TEST(AtomicFile, WithoutCommitTheOldFileStaysAndNothingElse) {
    const TestFolder folder;
    testing::fill(folder / "a", "old");
    {
        AtomicFile file(folder / "a");
        file.write(bytes_of("new"));
    }
    EXPECT_EQ(content_of(folder / "a"), "old");
    EXPECT_EQ(folder.n_files(), 1u);
}

TEST(AtomicFile, PiecesLargerThanTheBufferArrive) {
    const TestFolder folder;
    std::string text;
    for (int i = 0; i < 3000000; ++i) text += static_cast<char>('a' + i % 26);
    AtomicFile file(folder / "a");
    file.write(bytes_of("x"));
    file.write(bytes_of(text));
    file.commit();
    EXPECT_EQ(content_of(folder / "a"), "x" + text);
}

TEST(AtomicFile, ReplacesTheTargetOfASymbolicLink) {
    const TestFolder folder;
    testing::fill(folder / "target", "old");
    std::filesystem::create_symlink("target", folder / "link");
    AtomicFile file(folder / "link");
    file.write(bytes_of("new"));
    file.commit();
    EXPECT_TRUE(std::filesystem::is_symlink(folder / "link"));
    EXPECT_EQ(content_of(folder / "target"), "new");
}

TEST(AtomicFile, HasTheModeOfAnOrdinaryFile) {
    const TestFolder folder;
    const mode_t mask = umask(022);
    AtomicFile file(folder / "a");
    file.commit();
    umask(mask);
    struct stat status = {};
    ASSERT_EQ(stat((folder / "a").c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0644u);
}

TEST(AtomicFile, RefusesDirectoriesDevicesAndMissingFolders) {
    const auto error_of = [](const char* path) {
        try {
            AtomicFile file(path);
        } catch (const InputError& error) {
            return std::string(error.what());
        }
        return std::string("no error");
    };
    EXPECT_EQ(error_of("/tmp"), "/tmp: is a directory, it cannot be written as a file");
    EXPECT_EQ(error_of("/dev/null"), "/dev/null: is not a regular file, it would be replaced");
    EXPECT_EQ(error_of("/nowhere/a"), "/nowhere/a: cannot be created: No such file or directory");
}

// The file has its temporary name by then.
TEST(AtomicFile, WhatCannotTakeItsPlaceLeavesNothingBehind) {
    const TestFolder folder;
    {
        AtomicFile file(folder / "a");
        file.write(bytes_of("new"));
        std::filesystem::create_directory(folder / "a");
        EXPECT_THROW(file.commit(), InputError);
    }
    EXPECT_TRUE(std::filesystem::is_directory(folder / "a"));
    EXPECT_EQ(folder.n_files(), 1u);
}

TEST(AtomicFile, AFullDiskIsAnError) {
    const TestFolder folder;
    // A child whose files may hold 1 MB at most stands for the full disk.
    const auto write_too_much = [&] {
        signal(SIGXFSZ, SIG_IGN);
        const rlimit limit = {1 << 20, 1 << 20};
        setrlimit(RLIMIT_FSIZE, &limit);
        try {
            AtomicFile file(folder / "a");
            const std::string text(4 << 20, 'x');
            file.write(bytes_of(text));
            file.commit();
        } catch (const InputError& error) {
            std::fprintf(stderr, "%s", error.what());
            std::exit(1);
        }
        std::exit(0);
    };
    EXPECT_EXIT(write_too_much(), ::testing::ExitedWithCode(1), "a: cannot be written: File too large");
    EXPECT_EQ(folder.n_files(), 0u);
}

// Whether the file system knows files without a name; elsewhere a killed writer leaves its temporary file behind.
bool has_unnamed_files(const TestFolder& folder) {
    return static_cast<bool>(FileDescriptor(open(folder.path().c_str(), O_WRONLY | O_TMPFILE | O_CLOEXEC, 0600)));
}

TEST(AtomicFile, AKilledWriterLeavesTheOldFile) {
    const TestFolder folder;
    testing::fill(folder / "a", "old");
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
        AtomicFile file(folder / "a");
        file.write(bytes_of(std::string(2 << 20, 'x')));
        raise(SIGKILL);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFSIGNALED(status));
    EXPECT_EQ(content_of(folder / "a"), "old");
    EXPECT_EQ(folder.n_files(), has_unnamed_files(folder) ? 1u : 2u);
}

}  // namespace
}  // namespace kylin
