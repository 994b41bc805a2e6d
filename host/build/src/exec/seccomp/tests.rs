use super::*;

/// Runs the filter as the kernel does.
fn ask(number: i64, argument: u32, architecture: u32) -> u32 {
    let program = filter().unwrap();
    let (mut at, mut accumulator) = (0, 0);
    loop {
        let sock_filter { code, jt, jf, k } = program[at].clone();
        let to = |yes: bool| usize::from(if yes { jt } else { jf });
        at += 1;
        match u32::from(code) {
            0x20 => {
                accumulator = match k {
                    NUMBER => number as u32,
                    ARCH => architecture,
                    FIRST_ARGUMENT => argument,
                    other => panic!("offset {other}"),
                }
            }
            0x15 => at += to(accumulator == k),
            0x35 => at += to(accumulator >= k),
            0x45 => at += to(accumulator & k != 0),
            0x05 => at += k as usize,
            0x06 => return k,
            other => panic!("code {other:#x}"),
        }
    }
}

fn here(number: i64, argument: u32) -> u32 {
    ask(number, argument, ARCHITECTURE.unwrap())
}

#[test]
fn every_number_has_the_verdict_of_the_lists() {
    for number in 0..=600 {
        let expected = match number {
            n if n > i64::from(NEWEST) => UNKNOWN,
            n if n == libc::SYS_clone3 => UNKNOWN,
            n if n == libc::SYS_personality => REFUSE,
            n if REFUSED.contains(&n) => REFUSE,
            _ => ALLOW,
        };
        // An argument that no condition refuses but that of `personality`.
        assert_eq!(here(number, 2), expected, "{number}");
    }
}

#[test]
fn conditions_look_at_the_argument() {
    let answers = [
        here(libc::SYS_clone, libc::SIGCHLD as u32),
        here(libc::SYS_clone, libc::CLONE_NEWUSER as u32 | libc::SIGCHLD as u32),
        here(libc::SYS_clone, libc::CLONE_NEWNS as u32),
        here(libc::SYS_socket, libc::AF_INET as u32),
        here(libc::SYS_socket, libc::AF_VSOCK as u32),
        here(libc::SYS_personality, u32::MAX),
        here(libc::SYS_personality, 0x004_0000),
    ];
    assert_eq!(answers, [ALLOW, REFUSE, REFUSE, ALLOW, REFUSE, ALLOW, REFUSE]);
}

#[test]
fn other_architectures_and_interfaces_are_not_mistaken() {
    let i386 = 0x4000_0003;
    assert_eq!(ask(libc::SYS_read, 0, i386), KILL);
    assert_eq!(here(0x4000_0000 | libc::SYS_read, 0), UNKNOWN);
}

#[test]
fn the_filter_stays_small() {
    let lines = filter().unwrap().len();
    assert!(lines < 400, "{lines}");
}
