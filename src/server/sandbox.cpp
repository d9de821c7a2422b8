#include "server/sandbox.h"

#include <cerrno>
#include <memory>
#include <sched.h>
#include <seccomp.h>
#include <system_error>

namespace kylin::server {
namespace {

// A call that this architecture does not have is a negative number, which libseccomp leaves out.
constexpr int forbidden[] = {
    // Files by name, or by a handle that stands for one.
    SCMP_SYS(open), SCMP_SYS(openat), SCMP_SYS(openat2), SCMP_SYS(creat), SCMP_SYS(open_by_handle_at), SCMP_SYS(truncate), SCMP_SYS(unlink),
    SCMP_SYS(unlinkat), SCMP_SYS(rename), SCMP_SYS(renameat), SCMP_SYS(renameat2), SCMP_SYS(link), SCMP_SYS(linkat), SCMP_SYS(symlink),
    SCMP_SYS(symlinkat), SCMP_SYS(mkdir), SCMP_SYS(mkdirat), SCMP_SYS(rmdir), SCMP_SYS(mknod), SCMP_SYS(mknodat), SCMP_SYS(chmod),
    SCMP_SYS(fchmodat), SCMP_SYS(chown), SCMP_SYS(lchown), SCMP_SYS(fchownat), SCMP_SYS(chdir), SCMP_SYS(chroot), SCMP_SYS(mount),
    SCMP_SYS(umount2), SCMP_SYS(pivot_root),
    // Programs and processes, this one's neighbours included.
    SCMP_SYS(execve), SCMP_SYS(execveat), SCMP_SYS(fork), SCMP_SYS(vfork), SCMP_SYS(ptrace), SCMP_SYS(process_vm_readv),
    SCMP_SYS(process_vm_writev), SCMP_SYS(pidfd_getfd), SCMP_SYS(memfd_create), SCMP_SYS(unshare), SCMP_SYS(setns),
    // Connections, and a second way to all of the above.
    SCMP_SYS(socket), SCMP_SYS(socketpair), SCMP_SYS(connect), SCMP_SYS(io_uring_setup), SCMP_SYS(bpf)};

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool is_sanitized = true;
#else
constexpr bool is_sanitized = false;
#endif

// libseccomp's functions return 0 or a negative errno.
void check(int result) {
    if (result < 0) throw std::system_error(-result, std::generic_category(), "seccomp");
}

}  // namespace

void enter_sandbox() {
    if (is_sanitized) return;
    const std::unique_ptr<void, void (*)(scmp_filter_ctx)> filter(seccomp_init(SCMP_ACT_ALLOW), seccomp_release);
    if (!filter) throw std::bad_alloc();
    check(seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_TSYNC, 1));  // the threads that are running, too
    for (const int call : forbidden) check(seccomp_rule_add(filter.get(), SCMP_ACT_ERRNO(EPERM), call, 0));
    // Threads may be made, processes not. The arguments of clone3 lie in memory, where no filter sees them: libc then takes clone.
    check(seccomp_rule_add(filter.get(), SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0));
    check(seccomp_rule_add(filter.get(), SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1, SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, 0)));
    check(seccomp_load(filter.get()));
}

}  // namespace kylin::server
