// The sandbox binds every thread of the process and leaves what a server needs. Each test enters it in a process of its own.
#include "server/sandbox.h"

#include <cerrno>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <latch>
#include <sys/socket.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace kylin::server {
namespace {

bool denied(long result) { return result < 0 && errno == EPERM; }

// The number of the first claim that does not hold, 0 if all do.
int claims_in_the_sandbox() {
    int pipe_ends[2];
    if (::pipe(pipe_ends) != 0) return 1;
    std::latch entered(1), tried(1);
    bool older_thread_denied = false;
    std::thread older([&] {
        entered.wait();
        older_thread_denied = denied(::open("/dev/null", O_RDONLY));
        tried.count_down();
    });
    enter_sandbox();
    entered.count_down();
    tried.wait();
    older.join();
    if (!older_thread_denied) return 2;
    char name[] = "/bin/true";
    char* arguments[] = {name, nullptr};
    if (!denied(::execv(name, arguments))) return 3;
    if (!denied(::fork())) return 4;
    if (!denied(::socket(AF_INET, SOCK_STREAM, 0))) return 5;
    if (!denied(::unlink("/nowhere"))) return 6;
    bool ran = false;
    std::thread([&] { ran = true; }).join();
    if (!ran) return 7;
    char byte = 'x';
    if (::write(pipe_ends[1], &byte, 1) != 1 || ::read(pipe_ends[0], &byte, 1) != 1) return 8;
    return 0;
}

TEST(SandboxDeathTest, BindsEveryThreadAndLeavesWhatAServerNeeds) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    GTEST_SKIP() << "sanitizers need the calls it forbids";
#endif
    EXPECT_EXIT(std::_Exit(claims_in_the_sandbox()), testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace kylin::server
