//! The system calls that a command may not make: what Docker's default profile refuses to a
//! container with its default capabilities.
//!
//! Docker's profile lists what is allowed; the list of what is refused says the same in a quarter
//! of the lines, as long as calls that came later than this list are refused too. They "do not
//! exist" (`ENOSYS`), so that a C library falls back to an older call; what is refused on purpose
//! "is not permitted" (`EPERM`). The filter is a search tree over ranges of numbers: a dozen
//! instructions per call, and next to nothing to install.
//!
//! Two differences, both on purpose. `keyctl` and its like are refused, as in the releases of
//! Docker: keys are not namespaced, so root here would be root of the machine's keys. Programs for
//! the other word size (32-bit on x86-64) are killed by SIGSYS: their numbers mean other calls.
//!
//! Source: Docker documentation, "Seccomp security profiles for Docker"; seccomp(2).

use nix::libc;
use seccompiler::{BpfProgram, sock_filter};

/// `removexattrat`, Linux 6.13: what is newer is unknown here and does not exist for the command.
const NEWEST: u32 = 466;

/// What to answer to a call, in the words of seccomp(2).
const ALLOW: u32 = 0x7fff_0000;
const KILL: u32 = 0x8000_0000;
const ERRNO: u32 = 0x0005_0000;
const REFUSE: u32 = ERRNO | libc::EPERM as u32;
const UNKNOWN: u32 = ERRNO | libc::ENOSYS as u32;

/// `AUDIT_ARCH_*` of linux/audit.h.
#[cfg(target_arch = "x86_64")]
const ARCHITECTURE: Option<u32> = Some(0xc000_003e);
#[cfg(target_arch = "aarch64")]
const ARCHITECTURE: Option<u32> = Some(0xc000_00b7);
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
const ARCHITECTURE: Option<u32> = None;

/// Offsets into `struct seccomp_data`, little-endian.
const NUMBER: u32 = 0;
const ARCH: u32 = 4;
const FIRST_ARGUMENT: u32 = 16;

/// `CLONE_NEW*`, as Docker's profile masks them.
const NEW_NAMESPACES: u32 = 0x7e02_0000;
/// `AF_VSOCK`: sockets of the hypervisor know no namespaces.
const VSOCK: u32 = 40;
/// Linux, Linux 32-bit, both with one uname of old, and the question.
const PERSONALITIES: [u32; 5] = [0, 8, 0x2_0000, 0x2_0008, u32::MAX];

/// What happens to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Allow,
    Refuse,
    Unknown,
    /// Refused with a flag for a new namespace.
    Clone,
    /// Refused for the hypervisor's sockets.
    Socket,
    /// Allowed for a few harmless values.
    Personality,
}

/// Refused to every container that has no more than Docker's default capabilities.
const REFUSED: &[libc::c_long] = &[
    libc::SYS_acct,
    libc::SYS_add_key,
    libc::SYS_bpf,
    libc::SYS_clock_settime,
    libc::SYS_delete_module,
    libc::SYS_fanotify_init,
    libc::SYS_finit_module,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fsopen,
    libc::SYS_fspick,
    libc::SYS_get_mempolicy,
    libc::SYS_init_module,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_io_uring_setup,
    libc::SYS_kcmp,
    libc::SYS_kexec_load,
    libc::SYS_keyctl,
    libc::SYS_lookup_dcookie,
    libc::SYS_mbind,
    libc::SYS_migrate_pages,
    libc::SYS_mount,
    libc::SYS_mount_setattr,
    libc::SYS_move_mount,
    libc::SYS_move_pages,
    libc::SYS_open_by_handle_at,
    libc::SYS_open_tree,
    libc::SYS_perf_event_open,
    libc::SYS_pidfd_getfd,
    libc::SYS_pivot_root,
    libc::SYS_process_madvise,
    libc::SYS_quotactl,
    libc::SYS_reboot,
    libc::SYS_request_key,
    libc::SYS_set_mempolicy,
    libc::SYS_setdomainname,
    libc::SYS_sethostname,
    libc::SYS_setns,
    libc::SYS_settimeofday,
    libc::SYS_swapoff,
    libc::SYS_swapon,
    libc::SYS_syslog,
    libc::SYS_umount2,
    libc::SYS_unshare,
    libc::SYS_userfaultfd,
    libc::SYS_vhangup,
    // Since 424 every architecture has the same numbers: quotactl_fd, set_mempolicy_home_node,
    // lsm_get_self_attr, lsm_set_self_attr, lsm_list_modules.
    443,
    450,
    459,
    460,
    461,
    #[cfg(target_arch = "x86_64")]
    libc::SYS__sysctl,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_afs_syscall,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_getpmsg,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_ioperm,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_iopl,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_kexec_file_load,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_nfsservctl,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_putpmsg,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_security,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_sysfs,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_tuxcall,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_uselib,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_ustat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_vserver,
    // create_module, get_kernel_syms and query_module, gone since Linux 2.6.
    #[cfg(target_arch = "x86_64")]
    174,
    #[cfg(target_arch = "x86_64")]
    177,
    #[cfg(target_arch = "x86_64")]
    178,
    // kexec_file_load and nfsservctl, which the other tables have elsewhere.
    #[cfg(target_arch = "aarch64")]
    294,
    #[cfg(target_arch = "aarch64")]
    42,
];

/// The filter for the architecture that this program was built for; `None` where it is not known,
/// which is where no image is built.
pub(super) fn filter() -> Option<BpfProgram> {
    let architecture = ARCHITECTURE?;
    let mut program = vec![load(ARCH), jump(EQUAL, architecture, 1, 0), answer(KILL), load(NUMBER)];
    program.extend(tree(&ranges()));
    Some(program)
}

/// Where a verdict begins that holds up to the next one, in ascending order from 0.
fn ranges() -> Vec<(u32, Verdict)> {
    let mut special: Vec<(u32, Verdict)> = REFUSED
        .iter()
        .map(|number| (*number, Verdict::Refuse))
        .chain([
            (libc::SYS_clone, Verdict::Clone),
            (libc::SYS_clone3, Verdict::Unknown),
            (libc::SYS_personality, Verdict::Personality),
            (libc::SYS_socket, Verdict::Socket),
        ])
        .filter_map(|(number, verdict)| Some((u32::try_from(number).ok()?, verdict)))
        .collect();
    special.sort_by_key(|(number, _)| *number);
    let mut ranges = vec![(0, Verdict::Allow)];
    for (number, verdict) in special {
        // The call after one with a verdict of its own has begun a range already.
        if ranges.last().is_some_and(|(start, _)| *start == number) {
            ranges.pop();
        }
        if ranges.last().is_none_or(|(_, last)| *last != verdict) {
            ranges.push((number, verdict));
        }
        ranges.push((number + 1, Verdict::Allow));
    }
    // On x86-64 this takes the numbers of the x32 interface too, which begin at 2^30.
    ranges.push((NEWEST + 1, Verdict::Unknown));
    ranges
}

/// Instructions that find the range of the number in the accumulator and answer.
fn tree(ranges: &[(u32, Verdict)]) -> BpfProgram {
    let middle = ranges.len() / 2;
    let (below, from) = ranges.split_at(middle);
    match (below, from) {
        ([], [(_, verdict)]) => leaf(*verdict),
        (below, [(start, _), ..]) => {
            let left = tree(below);
            // The jumps of conditions reach 255 instructions; the plain one reaches all.
            let far = u32::try_from(left.len()).expect("a filter has a few hundred instructions");
            let mut program = vec![jump(NOT_BELOW, *start, 0, 1), jump_always(far)];
            program.extend(left);
            program.extend(tree(from));
            program
        }
        (_, []) => Vec::new(),
    }
}

fn leaf(verdict: Verdict) -> BpfProgram {
    match verdict {
        Verdict::Allow => vec![answer(ALLOW)],
        Verdict::Refuse => vec![answer(REFUSE)],
        Verdict::Unknown => vec![answer(UNKNOWN)],
        Verdict::Clone => vec![
            load(FIRST_ARGUMENT),
            jump(ANY_BIT, NEW_NAMESPACES, 0, 1),
            answer(REFUSE),
            answer(ALLOW),
        ],
        Verdict::Socket => {
            vec![load(FIRST_ARGUMENT), jump(EQUAL, VSOCK, 0, 1), answer(REFUSE), answer(ALLOW)]
        }
        Verdict::Personality => {
            let mut program = vec![load(FIRST_ARGUMENT)];
            for value in PERSONALITIES {
                program.extend([jump(EQUAL, value, 0, 1), answer(ALLOW)]);
            }
            program.push(answer(REFUSE));
            program
        }
    }
}

// ---

const EQUAL: u32 = libc::BPF_JEQ;
const NOT_BELOW: u32 = libc::BPF_JGE;
const ANY_BIT: u32 = libc::BPF_JSET;

fn load(offset: u32) -> sock_filter {
    instruction(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, offset)
}

fn jump(condition: u32, value: u32, yes: u8, no: u8) -> sock_filter {
    instruction(libc::BPF_JMP | libc::BPF_K | condition, yes, no, value)
}

fn jump_always(distance: u32) -> sock_filter {
    instruction(libc::BPF_JMP | libc::BPF_JA, 0, 0, distance)
}

fn answer(value: u32) -> sock_filter {
    instruction(libc::BPF_RET | libc::BPF_K, 0, 0, value)
}

fn instruction(code: u32, jt: u8, jf: u8, k: u32) -> sock_filter {
    let code = u16::try_from(code).expect("codes of classic BPF are bytes");
    sock_filter { code, jt, jf, k }
}

#[cfg(test)]
mod tests;
