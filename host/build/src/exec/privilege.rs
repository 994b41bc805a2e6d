//! What a command may do: capabilities, identity, the filter of system calls.

use landlock::{CompatLevel, Compatible as _, Ruleset, RulesetAttr as _, RulesetCreated, Scope};
use rustix::process::{Signal, set_parent_process_death_signal};
use rustix::thread::{
    CapabilitySet, CapabilitySets, capability_is_in_bounding_set, clear_ambient_capability_set,
    remove_capability_from_bounding_set, set_capabilities, set_no_new_privs,
};

use super::error::{At as _, Failure, Step};
use super::order::Rights;
use super::run::Network;
use super::seccomp;
use super::user::User;

/// What Docker gives to a container by default.
const DEFAULT: CapabilitySet = CapabilitySet::CHOWN
    .union(CapabilitySet::DAC_OVERRIDE)
    .union(CapabilitySet::FSETID)
    .union(CapabilitySet::FOWNER)
    .union(CapabilitySet::MKNOD)
    .union(CapabilitySet::NET_RAW)
    .union(CapabilitySet::SETGID)
    .union(CapabilitySet::SETUID)
    .union(CapabilitySet::SETFCAP)
    .union(CapabilitySet::SETPCAP)
    .union(CapabilitySet::NET_BIND_SERVICE)
    .union(CapabilitySet::SYS_CHROOT)
    .union(CapabilitySet::KILL)
    .union(CapabilitySet::AUDIT_WRITE);

/// The capabilities of a command run as root. On the machine's own network, raw packets would be
/// the machine's: Docker's default gives them on a network of the container's.
fn granted(rights: Rights) -> CapabilitySet {
    match rights.network {
        Network::None => DEFAULT,
        Network::Host => DEFAULT.difference(CapabilitySet::NET_RAW),
    }
}

/// Checks that the sandbox has the user, before anything is given up.
pub(super) fn check(user: &User, rights: Rights) -> Result<(), Failure> {
    let ids = [user.uid, user.gid];
    let Some(missing) = ids.iter().chain(&user.groups).find(|id| **id >= rights.ids) else {
        return Ok(());
    };
    let detail = match rights.ids {
        1 => format!("cannot become user or group {missing}: this build has root alone"),
        ids => format!("cannot become user or group {missing}: this build has {ids} of them"),
    };
    Err(Failure::new(Step::Identity, detail))
}

/// Becomes `user` for good, with the capabilities of a container and no way to more.
pub(super) fn drop_to(user: &User, rights: Rights) -> Result<(), Failure> {
    let what = "cannot give up capabilities";
    let granted = granted(rights);
    for capability in CapabilitySet::all().difference(granted).iter() {
        // Higher ones than the kernel knows are not there to be given up.
        if capability_is_in_bounding_set(capability).unwrap_or(false) {
            remove_capability_from_bounding_set(capability).at(Step::Privileges, what)?;
        }
    }
    clear_ambient_capability_set().at(Step::Privileges, what)?;
    become_user(user, rights)?;
    let kept = if user.uid == 0 { granted } else { CapabilitySet::empty() };
    let none = CapabilitySet::empty();
    let sets = CapabilitySets { effective: kept, permitted: kept, inheritable: none };
    set_capabilities(None, sets).at(Step::Privileges, what)?;
    set_no_new_privs(true).at(Step::Privileges, what)?;
    // Last: a change of identity clears it.
    set_parent_process_death_signal(Some(Signal::KILL))
        .at(Step::Privileges, "cannot tie the command to us")
}

fn become_user(user: &User, rights: Rights) -> Result<(), Failure> {
    let what = || format!("cannot become user {}, group {}", user.uid, user.gid);
    // A single id means that the kernel lets nobody change groups.
    if rights.ids > 1 {
        let groups: Vec<nix::unistd::Gid> =
            user.groups.iter().map(|gid| nix::unistd::Gid::from_raw(*gid)).collect();
        nix::unistd::setgroups(&groups).at(Step::Privileges, what())?;
    }
    let gid = nix::unistd::Gid::from_raw(user.gid);
    nix::unistd::setresgid(gid, gid, gid).at(Step::Privileges, what())?;
    let uid = nix::unistd::Uid::from_raw(user.uid);
    nix::unistd::setresuid(uid, uid, uid).at(Step::Privileges, what())
}

/// On the machine's own network, keeps the command from sockets with names of that network, as X11,
/// D-Bus and container runtimes have them: no file permission guards those. Linux before 6.12
/// cannot do it.
pub(super) fn scope(rights: Rights) -> Result<(), Failure> {
    if rights.network == Network::None {
        return Ok(());
    }
    let scoped = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .scope(Scope::AbstractUnixSocket)
        .and_then(Ruleset::create)
        .and_then(RulesetCreated::restrict_self);
    match scoped {
        Ok(_) => Ok(()),
        Err(error) => {
            let detail = format!("cannot keep the command from the machine's sockets: {error}");
            Err(Failure::new(Step::Filter, detail))
        }
    }
}

/// Lets the kernel refuse what [`seccomp`] refuses, from now on.
pub(super) fn filter() -> Result<(), Failure> {
    let Some(program) = seccomp::filter() else {
        let detail = "system calls of this kind of processor are not known here";
        return Err(Failure::new(Step::Filter, detail));
    };
    seccompiler::apply_filter(&program)
        .map_err(|error| Failure::new(Step::Filter, format!("cannot filter system calls: {error}")))
}
